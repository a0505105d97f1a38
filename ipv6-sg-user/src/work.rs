//! How much work something is, counted and not timed. For tests alone.

use std::cell::Cell;

thread_local! {
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// One more piece of work is done, such as a comparison of two rulesets.
pub(crate) fn done() {
    DONE.set(DONE.get() + 1);
}

/// How much of it this thread does meanwhile.
pub(crate) fn of<T>(act: impl FnOnce() -> T) -> (T, usize) {
    let before = DONE.get();
    let result = act();
    (result, DONE.get() - before)
}
