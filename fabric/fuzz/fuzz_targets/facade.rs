//! See `fuzz_targets::TARGETS`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabric_fuzz::run("facade", data));
