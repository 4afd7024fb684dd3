// SPDX-License-Identifier: GPL-2.0

//! The calling task.

use super::raw;
use kernel::prelude::*;

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
    // SAFETY: The callers are in process context, outside any lock that forbids sleeping.
    unsafe { raw::cond_resched() };
}

/// Sleeps for a moment, so that whoever holds a reference that is in the way can drop it.
///
/// # Context
///
/// Sleeps, unless a fatal signal is pending.
pub(crate) fn give_way() {
    // SAFETY: The callers are in process context, outside any lock that forbids sleeping.
    unsafe { raw::sleep_one_tick() };
}
