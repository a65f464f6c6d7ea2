//! What the fabric's benchmarks share: CPU time, medians of interleaved rounds, and two ends of one session in memory.

#![allow(dead_code, unused_imports, reason = "each benchmark takes what it needs")]
#![allow(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a benchmark reports ratios")]
#![allow(clippy::unwrap_used, reason = "a benchmark may fail loudly")]

mod pair;

use std::hint::black_box;

pub(crate) use pair::{End, Message, Pair, device};

/// CPU time of this process that `work` takes, in seconds: other processes and waiting do not count.
pub(crate) fn cpu_seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let clock = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let start = clock();
    black_box(work());
    clock() - start
}

/// One thing to measure: its name, and a round of it.
pub(crate) type Contender<'a> = (&'a str, Box<dyn FnMut() + 'a>);

/// The CPU seconds of each contender's rounds. Rounds are interleaved, so that whatever else the machine does meets all of
/// them alike; one more goes ahead of them, unmeasured.
pub(crate) fn interleave(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Vec<f64>> {
    let mut seconds = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (contender, seconds) in contenders.iter_mut().zip(&mut seconds) {
            let spent = cpu_seconds(&mut contender.1);
            if round > 0 {
                seconds.push(spent);
            }
        }
    }
    seconds
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of round by round ratios.
pub(crate) fn ratio(over: &[f64], under: &[f64]) -> f64 {
    median(&over.iter().zip(under).map(|(over, under)| over / under).collect::<Vec<_>>())
}
