// SPDX-License-Identifier: GPL-2.0

//! The LRU lists, and the per-CPU batches in front of them that hold references.

use super::{
    folio::Folio,
    raw,
    span,
    stats, //
};
use kernel::{
    bindings,
    types::NotThreadSafe, //
};

/// Folios that change lists in one lock hold, as many as reclaim takes.
const BATCH: usize = bindings::SWAP_CLUSTER_MAX as usize;

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
/// May sleep for long: whoever waits for a folio lock that is held does so meanwhile. The drain on
/// another processor wants neither an mmap lock nor a folio's, so that these may be held.
pub(crate) fn drain_all() {
    stats::count(stats::Counter::LruDrains, 1);
    // SAFETY: Memory does not depend on it; the context is the caller's affair.
    unsafe { raw::lru_add_drain_all() };
}

/// Whether some processor's batch may hold a reference to a folio: large ones do not wait there.
pub(crate) fn may_be_in_batch(folio: Folio<'_>) -> bool {
    !folio.is_large()
}

/// As [`drain_all`], but at most every tenth of a second, for all faults together.
///
/// Whoever waits for a page that stays in use repeats its access without end, and is not to disturb
/// all processors each time.
///
/// # Context
///
/// As for [`drain_all`].
pub(crate) fn drain_all_for_fault() {
    // SAFETY: Callable anywhere.
    if unsafe { raw::hmm_migrate_may_drain() } {
        drain_all();
    }
}

/// Empties this processor's batch of pages to be mlocked or munlocked.
pub(super) fn drain_mlock() {
    // SAFETY: Callable in any process context, under a page-table lock too.
    unsafe { raw::mlock_drain_local() };
}

/// The lock of the lists that folios are taken off, or put on, one after the other.
///
/// Neighbours are mostly on one list of one node and one memcg: its lock is kept from one folio to
/// the next, but not for longer than reclaim keeps it, and its length is changed once for all of
/// them.
///
/// # Invariants
///
/// `lruvec` is NULL, or its lock is held, with interrupts off and in an RCU read-side section. The
/// list `lru` of the zone `zone` is longer by `change` pages than its length says.
pub(crate) struct Lists {
    lruvec: *mut bindings::lruvec,
    lru: bindings::lru_list,
    zone: bindings::zone_type,
    change: isize,
    folios: usize,
    /// Whether a folio is yet to come to its list.
    late: bool,
    _not_send: NotThreadSafe,
}

impl Lists {
    /// No lock is held yet.
    pub(crate) fn new() -> Self {
        // INVARIANT: NULL, and nothing has changed.
        Self {
            lruvec: core::ptr::null_mut(),
            lru: 0,
            zone: 0,
            change: 0,
            folios: 0,
            late: false,
            _not_send: NotThreadSafe,
        }
    }

    /// Takes a folio off its list; false if it is on none.
    ///
    /// # Context
    ///
    /// Nothing may sleep from here on until the lists are dropped: interrupts are off.
    pub(super) fn isolate(&mut self, folio: Folio<'_>) -> bool {
        let ptr = folio.as_ptr();
        // SAFETY: A `Folio` is alive. Whoever clears the flag owns the folio's place on the list.
        if !unsafe { raw::folio_test_clear_lru(ptr) } {
            return false;
        }
        self.lock(folio);
        // SAFETY: The lock of the folio's list is held.
        let lru = unsafe { raw::folio_lru_list(ptr) };
        // SAFETY: As above, and its place there is ours.
        if !unsafe { raw::lru_gen_del_folio(self.lruvec, ptr) } {
            if lru != bindings::lru_list_LRU_UNEVICTABLE {
                // SAFETY: As above.
                unsafe { raw::lru_list_del(ptr) };
            }
            self.resize(folio, lru, -(folio.pages() as isize));
        }
        true
    }

    /// Puts a folio on the list where it belongs.
    ///
    /// # Safety
    ///
    /// It is on none, and the caller has its lock and a reference.
    pub(super) unsafe fn add(&mut self, folio: Folio<'_>) {
        let ptr = folio.as_ptr();
        if !folio.is_anon() || folio.is_mlocked() || folio.is_unevictable() {
            self.unlock();
            // SAFETY: A `Folio` is alive, and on no list; the list takes a reference of its own.
            unsafe { raw::folio_add_lru(ptr) };
            self.late = true;
            return;
        }
        self.lock(folio);
        // SAFETY: A `Folio` is alive.
        let lru = unsafe { raw::folio_lru_list(ptr) };
        // SAFETY: The lock of the folio's list is held, and the folio is on none.
        if !unsafe { raw::lru_gen_add_folio(self.lruvec, ptr) } {
            self.resize(folio, lru, folio.pages() as isize);
            // SAFETY: As above.
            unsafe { raw::lru_list_add(self.lruvec, ptr, lru) };
        }
        // SAFETY: It is on its list now.
        unsafe { raw::folio_set_lru(ptr) };
    }

    fn lock(&mut self, folio: Folio<'_>) {
        if self.folios == BATCH || !self.has_list_of(folio) {
            self.unlock();
        }
        if self.lruvec.is_null() {
            // SAFETY: On no list or about to be taken off one by us, it keeps its memcg.
            self.lruvec = unsafe { raw::folio_lruvec_lock_irq(folio.as_ptr()) };
        }
        self.folios += 1;
    }

    fn has_list_of(&self, folio: Folio<'_>) -> bool {
        // SAFETY: By the type invariants the lock of `lruvec` is held, or it is NULL.
        self.lruvec.is_null() || unsafe { raw::folio_matches_lruvec(folio.as_ptr(), self.lruvec) }
    }

    fn resize(&mut self, folio: Folio<'_>, lru: bindings::lru_list, change: isize) {
        // SAFETY: A `Folio` is alive.
        let zone = unsafe { raw::folio_zonenum(folio.as_ptr()) };
        if (lru, zone) != (self.lru, self.zone) {
            self.tell_size();
            (self.lru, self.zone) = (lru, zone);
        }
        // INVARIANT: So many more on that list.
        self.change += change;
    }

    fn tell_size(&mut self) {
        if self.change != 0 {
            // SAFETY: By the type invariants the lock is held, and the list has changed so much.
            unsafe { raw::update_lru_size(self.lruvec, self.lru, self.zone, self.change) };
            self.change = 0;
        }
    }

    fn unlock(&mut self) {
        if self.lruvec.is_null() {
            return;
        }
        self.tell_size();
        // SAFETY: By the type invariants the lock is held.
        unsafe { raw::lruvec_unlock_irq(self.lruvec) };
        // INVARIANT: NULL.
        self.lruvec = core::ptr::null_mut();
        self.folios = 0;
    }
}

impl Drop for Lists {
    /// How many areas lock a folio is counted only where it is on a list: all come there before
    /// they are mapped again.
    fn drop(&mut self) {
        self.unlock();
        if self.late {
            drain_local();
        }
    }
}

/// Whether the core may split a folio, one day, that is not much used: a large anonymous one of
/// ordinary memory.
fn is_for_split(folio: Folio<'_>) -> bool {
    folio.order() == span::HUGE_ORDER && folio.is_anon() && !folio.is_zone_device()
}

/// As [`offer_for_split`], where somebody else has charged what moved, and need not have made the
/// list: mainline's engine does not.
///
/// # Safety
///
/// The folio is locked by us, and charged.
///
/// # Context
///
/// May sleep.
pub(super) unsafe fn offer_moved_for_split(folio: Folio<'_>) {
    // SAFETY: The caller's promise.
    if is_for_split(folio) && unsafe { raw::folio_memcg_alloc_deferred(folio.as_ptr()) } == 0 {
        // SAFETY: The caller's promise, and the list is there.
        unsafe { offer_for_split(folio) };
    }
}

/// Lets the core split a large anonymous folio of ordinary memory, one day, that is not much used.
///
/// What a page fault brings is queued in the same way.
///
/// # Safety
///
/// The folio is locked by us, and charged to a memcg that has the list for it
/// (`folio_memcg_alloc_deferred()`).
pub(super) unsafe fn offer_for_split(folio: Folio<'_>) {
    if is_for_split(folio) {
        // SAFETY: The caller's promise; the folio is of an order that has the list's links.
        unsafe { raw::deferred_split_folio(folio.as_ptr()) };
    }
}
