// SPDX-License-Identifier: GPL-2.0

//! The LRU lists, and the per-CPU batches in front of them that hold references.

use super::{
    folio::Folio,
    raw,
    stats, //
};

/// Empties this processor's batches.
///
/// # Context
///
/// Process context. Folio locks may be held.
pub(crate) fn drain_local() {
    // SAFETY: Callable whenever sleeping is allowed.
    unsafe { raw::lru_add_drain() };
}

/// Empties every processor's batches, and waits for it.
///
/// # Context
///
/// May sleep for long. No folio lock may be held: others wait for it meanwhile.
pub(crate) fn drain_all() {
    stats::count(stats::Counter::LruDrains, 1);
    // SAFETY: The callers hold no lock that the drain on another processor could want.
    unsafe { raw::lru_add_drain_all() };
}

/// Empties this processor's batch of pages to be mlocked or munlocked.
pub(crate) fn drain_mlock() {
    // SAFETY: Callable in any process context, under a page-table lock too.
    unsafe { raw::mlock_drain_local() };
}

/// Takes a folio off its list, with a reference of the caller's; false if it is on none.
pub(super) fn isolate(folio: Folio<'_>) -> bool {
    // SAFETY: A `Folio` is alive, and the caller's reference keeps it so.
    if !unsafe { raw::folio_isolate_lru(folio.as_ptr()) } {
        return false;
    }
    // SAFETY: Isolation took a reference of its own, which the caller's makes needless.
    unsafe { folio.put() };
    true
}

/// Puts a folio on its list.
///
/// # Safety
///
/// It is on none.
pub(super) unsafe fn add(folio: Folio<'_>) {
    // SAFETY: A `Folio` is alive, and on no list; the list takes a reference of its own.
    unsafe { raw::folio_add_lru(folio.as_ptr()) };
}
