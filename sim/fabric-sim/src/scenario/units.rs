//! Quantities as people write them: `5ms..20ms`, `1%`, `64KiB`, `2Mbit/s`, `50ppm`. Exact integer arithmetic throughout;
//! what cannot be held exactly is refused, never rounded.

use core::fmt;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use std::borrow::Cow;

/// A quantity with one way to write it.
pub(crate) trait Unit: Sized {
    /// What it is called in messages, with an example.
    const EXPECTED: &'static str;

    /// Reads its text; the error says what is wrong with it.
    fn parse(text: &str) -> Result<Self, String>;

    /// Reads a bare number, where that has a meaning.
    fn from_integer(_number: i64) -> Option<Self> {
        None
    }
}

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Nanos(pub(crate) u64);

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Bytes(pub(crate) u64);

/// A probability in parts per billion, at most a billion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Percent(pub(crate) u32);

/// How much faster than true time a clock runs, in parts per billion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Skew(pub(crate) i32);

/// Bits a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct BitRate(pub(crate) u64);

/// A least and a most value, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Range<T> {
    pub(crate) min: T,
    pub(crate) max: T,
}

/// How long a packet takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Delay {
    /// `5ms`
    Fixed(Nanos),
    /// `5ms..20ms`, each equally likely.
    Uniform(Nanos, Nanos),
    /// `exponential 5ms + 10ms`: at least the first, and on average the second on top.
    Exponential(Nanos, Nanos),
    /// `long-tail 5ms..2s`: Pareto of shape 2 from the first, cut at the second.
    LongTail(Nanos, Nanos),
}

impl Default for Delay {
    fn default() -> Self {
        Self::Fixed(Nanos(0))
    }
}

/// No span is longer: a day of virtual time.
const DURATION_MAX: u64 = 24 * 3_600 * 1_000_000_000;
/// What `sim::Clock` cuts at.
const SKEW_MAX: u64 = 500_000_000;
const BILLION: u64 = 1_000_000_000;

const DURATIONS: &[(&str, u64)] =
    &[("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", BILLION), ("m", 60 * BILLION), ("h", 3_600 * BILLION)];
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", BILLION),
];
const RATES: &[(&str, u64)] = &[("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", BILLION)];
const PERCENTS: &[(&str, u64)] = &[("%", 10_000_000)];
const SKEWS: &[(&str, u64)] = &[("ppm", 1_000), ("ppb", 1)];

/// Reads `12.5ms` as a whole number of the smallest unit.
fn scaled(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    let names = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    if number.is_empty() {
        return Err("this is not a number with a unit".into());
    }
    if unit.is_empty() {
        return Err(format!("the unit is missing: one of {}", names()));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{unit}` is not one of its units: {}", names()));
    };
    times(number, *factor)
}

/// The decimal `number` times `factor`, exactly.
fn times(number: &str, factor: u64) -> Result<u64, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(format!("`{number}` is not a decimal number"));
    }
    let too_large = || "this is too large".to_owned();
    let fraction = fraction.trim_end_matches('0');
    // No unit has more than 13 decimal places.
    if fraction.len() > 13 {
        return Err("this has more decimals than its unit can hold".into());
    }
    let scale = 10_u128.pow(fraction.len() as u32);
    let whole: u128 = whole.parse().map_err(|_| too_large())?;
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| too_large())? };
    let all = whole.checked_mul(scale).and_then(|whole| whole.checked_add(fraction)).ok_or_else(too_large)?;
    let all = all.checked_mul(u128::from(factor)).ok_or_else(too_large)?;
    if all % scale != 0 {
        return Err("this has more decimals than its unit can hold".into());
    }
    u64::try_from(all / scale).map_err(|_| too_large())
}

/// Writes `value` in the largest unit that holds it as a whole number.
fn write_scaled(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)]) -> fmt::Result {
    let fits = |(_, factor): &&(&str, u64)| value.is_multiple_of(*factor) && value != 0;
    let largest = units.iter().filter(fits).max_by_key(|(_, factor)| *factor);
    let (unit, factor) = largest.or(units.first()).copied().unwrap_or(("", 1));
    write!(f, "{}{unit}", value / factor)
}

impl Unit for Nanos {
    const EXPECTED: &'static str = "a duration such as \"20ms\" or \"1.5s\" (ns, us, ms, s, m, h)";
    fn parse(text: &str) -> Result<Self, String> {
        match scaled(text, DURATIONS)? {
            nanos if nanos > DURATION_MAX => Err("a duration is at most 24h".into()),
            nanos => Ok(Self(nanos)),
        }
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `90s` reads better than `1.5m`, and `60s` as well as `1m`.
        write_scaled(f, self.0, &DURATIONS[..4])
    }
}

impl Unit for Bytes {
    const EXPECTED: &'static str = "a size such as 1400, \"64KiB\" or \"1.5MB\" (B, KiB, MiB, GiB, KB, MB, GB)";
    fn parse(text: &str) -> Result<Self, String> {
        scaled(text, SIZES).map(Self)
    }
    fn from_integer(number: i64) -> Option<Self> {
        u64::try_from(number).ok().map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, &SIZES[..4])
    }
}

impl Unit for Percent {
    const EXPECTED: &'static str = "a percentage from \"0%\" to \"100%\", with up to 7 decimals";
    fn parse(text: &str) -> Result<Self, String> {
        match scaled(text, PERCENTS)? {
            ppb if ppb > BILLION => Err("a percentage is at most 100%".into()),
            ppb => Ok(Self(ppb as u32)),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000_000, self.0 % 10_000_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let decimals = format!("{rest:07}");
        write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
    }
}

impl Unit for Skew {
    const EXPECTED: &'static str = "a clock rate such as \"50ppm\" or \"-200ppb\", at most 500000ppm";
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (sign, amount) = match text.strip_prefix('-') {
            Some(amount) => (-1, amount),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        match scaled(amount, SKEWS)? {
            ppb if ppb > SKEW_MAX => Err("a clock is at most 500000ppm fast or slow".into()),
            ppb => Ok(Self(sign * ppb as i32)),
        }
    }
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write_scaled(f, u64::from(self.0.unsigned_abs()), &[("ppb", 1), ("ppm", 1_000)])
    }
}

impl Unit for BitRate {
    const EXPECTED: &'static str = "a rate such as \"2Mbit/s\" (bit/s, kbit/s, Mbit/s, Gbit/s), more than 0";
    fn parse(text: &str) -> Result<Self, String> {
        match scaled(text, RATES)? {
            0 => Err("a rate of 0 lets nothing through: use `loss = \"100%\"` or a partition".into()),
            rate => Ok(Self(rate)),
        }
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, RATES)
    }
}

/// Splits `a..b` and reads both ends; a single value is both.
fn ends<T: Unit + PartialOrd>(text: &str) -> Result<(T, T), String> {
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let (min, max) = (T::parse(min)?, T::parse(max)?);
    if min > max {
        return Err("the first end of a range is not above the second".into());
    }
    Ok((min, max))
}

impl Unit for Range<Bytes> {
    const EXPECTED: &'static str = "a size or a range of sizes such as \"1KiB..64KiB\"";
    fn parse(text: &str) -> Result<Self, String> {
        ends(text).map(|(min, max)| Self { min, max })
    }
    fn from_integer(number: i64) -> Option<Self> {
        Bytes::from_integer(number).map(|bytes| Self { min: bytes, max: bytes })
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Range<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max { self.min.fmt(f) } else { write!(f, "{}..{}", self.min, self.max) }
    }
}

impl Unit for Delay {
    const EXPECTED: &'static str =
        "a delay: \"5ms\", \"5ms..20ms\", \"exponential 5ms + 10ms\" or \"long-tail 5ms..2s\"";
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("exponential ") {
            let (min, mean) = rest.split_once('+').ok_or("write the least and the mean of the rest: `5ms + 10ms`")?;
            return Ok(Self::Exponential(Nanos::parse(min)?, Nanos::parse(mean)?));
        }
        if let Some(rest) = text.strip_prefix("long-tail ") {
            let (min, max) = ends(rest)?;
            return Ok(Self::LongTail(min, max));
        }
        let (min, max) = ends(text)?;
        Ok(if min == max { Self::Fixed(min) } else { Self::Uniform(min, max) })
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(delay) => delay.fmt(f),
            Self::Uniform(min, max) => write!(f, "{min}..{max}"),
            Self::Exponential(min, mean) => write!(f, "exponential {min} + {mean}"),
            Self::LongTail(min, max) => write!(f, "long-tail {min}..{max}"),
        }
    }
}

macro_rules! schema {
    ($($type:ty, $name:literal, $json:expr;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema: Schema = $json;
                schema.insert("title".into(), $name.into());
                schema.insert("description".into(), <$type as Unit>::EXPECTED.into());
                schema
            }
        }
    )*};
}

schema! {
    Nanos, "Duration", json_schema!({ "type": "string", "pattern": r"^\d+(\.\d+)? ?(ns|us|ms|s|m|h)$" });
    Bytes, "Size", json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 0 },
        { "type": "string", "pattern": r"^\d+(\.\d+)? ?([KMG]iB|[kKMG]?B)$" },
    ] });
    Percent, "Percent", json_schema!({ "type": "string", "pattern": r"^\d+(\.\d{1,7})? ?%$" });
    Skew, "ClockRate", json_schema!({ "type": "string", "pattern": r"^[+-]?\d+(\.\d+)? ?pp[mb]$" });
    BitRate, "BitRate", json_schema!({ "type": "string", "pattern": r"^\d+(\.\d+)? ?[kMG]?bit/s$" });
    Range<Bytes>, "Sizes", json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }] });
    Delay, "Delay", json_schema!({ "type": "string" });
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::{Debug, Display};
    use proptest::prelude::*;

    fn survives<T: Unit + Display + Debug + PartialEq>(value: &T) {
        assert_eq!(T::parse(&value.to_string()).as_ref(), Ok(value), "{value}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(a in 0..=DURATION_MAX, b in 0..=DURATION_MAX, bytes: u64, ppb in 0..=1_000_000_000_u32,
                                        skew in -500_000_000..=500_000_000_i32, rate in 1_u64..) {
            let (min, max) = (Nanos(a.min(b)), Nanos(a.max(b)));
            survives(&min);
            survives(&Bytes(bytes));
            survives(&Percent(ppb));
            survives(&Skew(skew));
            survives(&BitRate(rate));
            survives(&Range { min: Bytes(bytes / 2), max: Bytes(bytes) });
            survives(&Delay::parse(&format!("{min}..{max}")).unwrap());
            survives(&Delay::Exponential(max, min));
            survives(&Delay::LongTail(min, max));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*", number in "[0-9.]{0,40}", unit in "[a-zA-Z%/µ ]{0,6}") {
            for text in [text, format!("{number}{unit}"), format!("{number}{unit}..{number}")] {
                let _ = (Nanos::parse(&text), Bytes::parse(&text), Percent::parse(&text), Skew::parse(&text));
                let _ = (BitRate::parse(&text), Delay::parse(&text), Range::<Bytes>::parse(&text));
            }
        }
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        assert_eq!(Nanos::parse("1.5s"), Ok(Nanos(1_500_000_000)));
        assert_eq!(Nanos::parse("0.000000001s"), Ok(Nanos(1)));
        assert!(Nanos::parse("0.0000000001s").is_err());
        assert_eq!(Percent::parse("0.0000001%"), Ok(Percent(1)));
        assert!(Percent::parse("0.00000001%").is_err());
        assert_eq!(Percent::parse("100%"), Ok(Percent(1_000_000_000)));
        assert_eq!(Bytes::parse("1.5KiB"), Ok(Bytes(1_536)));
        assert_eq!(Skew::parse("-0.5ppm"), Ok(Skew(-500)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in ["", "5", "ms", "5 parsecs", "1.2.3s", "1.s", ".5s", "25h", "-1s", "99999999999999999999999999s"] {
            assert!(Nanos::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["101%", "1", "5%..", "-1%"] {
            assert!(Percent::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["20ms..5ms", "..", "exponential 5ms", "long-tail", "5ms..20ms..30ms"] {
            assert!(Delay::parse(wrong).is_err(), "{wrong}");
        }
        assert!(BitRate::parse("0bit/s").is_err() && Skew::parse("600000ppm").is_err());
    }
}
