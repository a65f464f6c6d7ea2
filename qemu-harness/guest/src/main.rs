//! A fabric node on bare metal: boots, is told its part in a scenario, plays it, and says what it sees.
//!
//! ```text
//!   node      the two tasks: netstackd and dsoftbusd
//!   plain     a transfer without the fabric, to compare with
//!   card      virtio-net as smoltcp's device
//!   clock     the node's time
//!   report    lines of JSON on the serial line
//!   heap      all memory that is free
//!   arch      boot, traps, clock, chance, serial line, hypervisor
//! ```
//! `unsafe` is in `arch`, `card` and `heap` only, each with its reason. The rest is the code that the simulator and the real
//! sockets run.

#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod card;
mod clock;
mod heap;
mod node;
mod plain;
mod report;

use alloc::string::{String, ToString};
use arch::{Arch, Board};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use guest_contract::{Exit, Line, START_BYTES_MAX, START_FILE, Start};

/// The first Rust, on a stack of its own in 64-bit mode.
extern "C" fn start() -> ! {
    Board::start();
    heap::start(Board::free_memory());
    let how = match read_start() {
        Ok(start) => {
            report::say(&Line::Booted { incarnation: start.incarnation, heap_bytes: heap::bytes() });
            node::run(start)
        }
        Err(reason) => {
            report::say(&Line::Refused { reason });
            Exit::BadStart
        }
    };
    Board::exit(how)
}

fn read_start() -> Result<Start, String> {
    let file = Board::file(START_FILE, START_BYTES_MAX).ok_or("the start is missing or too long")?;
    serde_json::from_slice(&file).map_err(|error| error.to_string())
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static IS_SECOND: AtomicBool = AtomicBool::new(false);
    if !IS_SECOND.swap(true, Ordering::Relaxed) {
        report::panicked(info);
    }
    Board::exit(Exit::Panic)
}

/// The precompiled libraries name it; nothing unwinds here.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// As is this: they are built to clean up when something unwinds.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    Board::exit(Exit::Panic)
}
