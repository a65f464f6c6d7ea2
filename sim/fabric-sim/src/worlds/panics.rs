//! Panics of machines, kept as text for a verdict instead of being printed into the middle of a report.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps what a panic says, for [`last_panic`]. Called once, before anything runs.
pub(crate) fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic that says nothing".into());
        let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        LAST.with_borrow_mut(|last| *last = Some(format!("{message}{place}")));
    }));
}

/// What the last panic of this thread said.
pub(crate) fn last_panic() -> String {
    LAST.with_borrow_mut(Option::take).unwrap_or_else(|| "a panic".into())
}

/// Runs `body`; an error is what its panic said.
pub(super) fn catch<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    // What a panic left half done is only looked at, never run again.
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let said = payload.downcast_ref::<String>().cloned();
        let said = said.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let hook = LAST.with_borrow_mut(Option::take);
        hook.or(said).unwrap_or_else(|| "a panic that says nothing".into())
    })
}
