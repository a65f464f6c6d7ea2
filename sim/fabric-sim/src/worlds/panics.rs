//! Panics of machines, kept as text for a verdict instead of being printed into the middle of a report.

use core::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps what a panic says and where, for [`last_panic`]. Called once, before anything runs.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        LAST.with_borrow_mut(|last| *last = Some(text(info.payload()) + &place));
    }));
}

/// What the last panic of this thread said.
pub(crate) fn last_panic() -> Option<String> {
    LAST.with_borrow_mut(Option::take)
}

/// Runs `body`; an error is what its panic said.
pub(crate) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    // What a panic left half done is only looked at, never run again.
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| last_panic().unwrap_or_else(|| text(payload.as_ref())))
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic that says nothing").to_owned()
}
