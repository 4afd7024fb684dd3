// SPDX-License-Identifier: GPL-2.0

//! The calling task.

use super::raw;
use kernel::{
    prelude::*,
    types::NotThreadSafe, //
};

/// Lets others run, and ends a long call whose task is being killed.
///
/// # Errors
///
/// [`EINTR`] where a fatal signal is pending.
///
/// # Context
///
/// May sleep.
pub(crate) fn between_windows() -> Result {
    let_others_run();
    if is_killed() {
        return Err(EINTR);
    }
    Ok(())
}

/// Whether a fatal signal is pending.
pub(crate) fn is_killed() -> bool {
    // SAFETY: `current` is always valid in process context.
    unsafe { raw::fatal_signal_pending() }
}

/// Lets others run.
///
/// # Context
///
/// May sleep.
pub(crate) fn let_others_run() {
    // SAFETY: Memory does not depend on it; the context is the caller's affair.
    unsafe { raw::cond_resched() };
}

/// While this exists, allocations of the task do not wait for file systems: not for what they write
/// back, and not for what they free.
///
/// # Invariants
///
/// The scope that has replaced `before` is open, and is this value's to end.
pub(crate) struct NoFs {
    before: c_uint,
    _task: NotThreadSafe,
}

impl NoFs {
    /// Begins the scope.
    pub(crate) fn begin() -> Self {
        // INVARIANT: Just begun.
        Self {
            // SAFETY: Works on the calling task's own state.
            before: unsafe { raw::memalloc_nofs_save() },
            _task: NotThreadSafe,
        }
    }
}

impl Drop for NoFs {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the scope is ours to end; this is still the task that
        // began it.
        unsafe { raw::memalloc_nofs_restore(self.before) };
    }
}

/// Sleeps for a moment, so that whoever holds a reference that is in the way can drop it.
///
/// # Context
///
/// Sleeps, unless a fatal signal is pending.
pub(crate) fn give_way() {
    // SAFETY: Memory does not depend on it; the context is the caller's affair.
    unsafe { raw::sleep_one_tick() };
}
