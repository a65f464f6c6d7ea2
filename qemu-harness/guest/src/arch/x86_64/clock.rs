//! Time by the time stamp counter, whose rate the PIT tells; alarms by the PIT; chance by RDRAND.

use super::port;
use core::arch::x86_64::{__cpuid, _rdrand64_step, _rdtsc};
use core::sync::atomic::{AtomicU64, Ordering};
use machine::{Duration, Instant};

const CHANNEL_0: u16 = 0x40;
const COMMAND: u16 = 0x43;
/// Channel 0, both bytes, mode 0: the output rises when the count is over.
const ONE_SHOT: u8 = 0x30;
/// Read back the status, not the count, of channel 0.
const READ_STATUS: u8 = 0xE2;
const OUTPUT: u8 = 0x80;
/// The PIT's rate.
const TICKS_PER_SECOND: u64 = 1_193_182;
/// 10 ms.
const CALIBRATION_TICKS: u16 = 11_932;
/// A host that disturbs so many in a row has no time for this guest.
const CALIBRATIONS_MAX: u32 = 200;
/// Intel's advice for a generator that is momentarily dry (SDM 1, 7.3.17.1).
const RANDOM_TRIES: u32 = 10;

static STARTED: AtomicU64 = AtomicU64::new(0);
static COUNTS_PER_SECOND: AtomicU64 = AtomicU64::new(1);
static LATEST: AtomicU64 = AtomicU64::new(0);

fn counter() -> u64 {
    // SAFETY: every x86-64 has the counter, and the image runs in ring 0.
    unsafe { _rdtsc() }
}

fn arm(ticks: u16) {
    let [low, high] = ticks.to_le_bytes();
    port::write(COMMAND, ONE_SHOT);
    port::write(CHANNEL_0, low);
    port::write(CHANNEL_0, high);
}

/// Between how many counts a measurement took.
#[derive(Clone, Copy)]
struct Span {
    least: u64,
    most: u64,
}

impl Span {
    /// Both ends are bracketed: a virtual processor can lose its host's at any instruction.
    fn measure() -> Self {
        let before = counter();
        arm(CALIBRATION_TICKS);
        let begun = counter();
        let mut latest = begun;
        loop {
            let asked = counter();
            port::write(COMMAND, READ_STATUS);
            if port::read(CHANNEL_0) & OUTPUT != 0 {
                return Self { least: latest.saturating_sub(begun), most: counter().saturating_sub(before) };
            }
            latest = asked;
        }
    }

    const fn is_within(self, parts: u64) -> bool {
        (self.most - self.least) < self.most / parts
    }
}

/// Measures the counter's rate, until one measurement was not disturbed.
pub(super) fn start() {
    let mut best = Span::measure();
    for _ in 0..CALIBRATIONS_MAX {
        if best.is_within(200) {
            break;
        }
        let span = Span::measure();
        if span.most - span.least < best.most - best.least {
            best = span;
        }
    }
    assert!(best.is_within(20), "the time stamp counter does not keep time");
    let counts = u128::from(u64::midpoint(best.least, best.most));
    let rate = counts * u128::from(TICKS_PER_SECOND) / u128::from(CALIBRATION_TICKS);
    COUNTS_PER_SECOND.store(rate as u64, Ordering::Relaxed);
    STARTED.store(counter(), Ordering::Relaxed);
}

/// Time since [`start`]. A virtual processor may move to a host processor with a lower counter: time then stands still.
pub(super) fn now() -> Instant {
    let counts = counter().saturating_sub(STARTED.load(Ordering::Relaxed));
    let nanos = u128::from(counts) * 1_000_000_000 / u128::from(COUNTS_PER_SECOND.load(Ordering::Relaxed));
    let latest = LATEST.fetch_max(nanos as u64, Ordering::Relaxed);
    Instant::from_nanos(latest.max(nanos as u64))
}

/// An interrupt comes after `wait`, or after the 55 ms that the PIT can count.
pub(super) fn alarm(wait: Option<Duration>) {
    let nanos = wait.map_or(u64::MAX, Duration::as_nanos).min(1_000_000_000);
    let ticks = nanos * TICKS_PER_SECOND / 1_000_000_000 + 1;
    arm(ticks.min(u64::from(u16::MAX)) as u16);
}

/// Whether the processor has a random generator; QEMU's default one has not.
pub(super) fn has_random() -> bool {
    const RDRAND: u32 = 1 << 30;
    __cpuid(1).ecx & RDRAND != 0
}

/// 64 random bits. Only after [`has_random`].
pub(super) fn random() -> Option<u64> {
    (0..RANDOM_TRIES).find_map(|_| {
        let mut bits = 0;
        // SAFETY: the caller has asked whether the processor has the instruction.
        let is_ready = unsafe { _rdrand64_step(&mut bits) } == 1;
        is_ready.then_some(bits)
    })
}
