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

/// Measures the counter's rate.
pub(super) fn start() {
    arm(CALIBRATION_TICKS);
    let begin = counter();
    loop {
        port::write(COMMAND, READ_STATUS);
        if port::read(CHANNEL_0) & OUTPUT != 0 {
            break;
        }
    }
    let counts = counter() - begin;
    let rate = u128::from(counts) * u128::from(TICKS_PER_SECOND) / u128::from(CALIBRATION_TICKS);
    assert!(rate > 1_000_000, "the time stamp counter stands still");
    COUNTS_PER_SECOND.store(rate as u64, Ordering::Relaxed);
    STARTED.store(begin, Ordering::Relaxed);
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
