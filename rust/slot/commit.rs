// SPDX-License-Identifier: GPL-2.0

//! A destination takes over what its source is, or fills a hole.

use super::{
    held,
    Slot,
    State, //
};
use crate::mm::{
    anon_vma::Prepared,
    folio::Folio,
    lru,
    raw,
    vma::Window,
    word::Reason, //
};
use kernel::bindings;

impl Slot {
    /// Lets the destination become the source: mapping, flags, charge.
    ///
    /// # Errors
    ///
    /// [`Reason::Pinned`] where a reference has appeared, [`Reason::Poisoned`] where one of the two
    /// has broken; nothing has changed then.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn migrate(&mut self) -> Result<(), Reason> {
        let (Some(src), Some(dst), State::Given) = (self.src(), self.dst(), self.state) else {
            return Err(Reason::Declined);
        };
        let off_lru = self.holds(held::OFF_LRU) || self.is_of_device();
        if src.is_mapped() || !off_lru {
            return Err(Reason::Raced);
        }
        if src.has_fresh_poison() || dst.has_fresh_poison() {
            // The driver has copied before or after it broke, and need not know.
            return Err(Reason::Poisoned);
        }
        if !src.is_anon() {
            // SAFETY: Both are locked by us; the source is unmapped and off the LRU, and the
            // destination is fresh.
            unsafe { migrate_in_file(src, dst) }?;
            self.set_migrated();
            return Ok(());
        }
        // Anonymous memory belongs to no address space but that of the swap cache.
        let mut space = core::ptr::null_mut();
        if src.is_in_swap_cache() {
            // SAFETY: The source is locked.
            space = unsafe { raw::folio_mapping(src.as_ptr()) };
        }
        // SAFETY: Both are locked by us or by the fault handler. The source is unmapped, and off
        // the LRU; the function itself counts its references. The destination is fresh.
        let error = unsafe { raw::folio_migrate_mapping(space, dst.as_ptr(), src.as_ptr()) };
        if error != 0 {
            return Err(Reason::Pinned);
        }
        // SAFETY: As above, after the mapping has moved.
        unsafe { raw::folio_migrate_flags(dst.as_ptr(), src.as_ptr()) };
        if self.is_of_device() {
            // Nobody has watched what the device wrote: lazily freed or not, it is to be kept.
            // SAFETY: The destination is locked by us.
            unsafe { dst.mark_dirty() };
        }
        self.set_migrated();
        Ok(())
    }

    /// Notes that the destination is the target now.
    ///
    /// # Context
    ///
    /// May sleep.
    #[inline(always)]
    fn set_migrated(&mut self) {
        self.state = State::Migrated;
        self.release(held::OFF_LRU);
        let Some(dst) = self.dst() else {
            return;
        };
        dst.flush_dcache();
        if !dst.is_zone_device() {
            // SAFETY: By the type invariants it is locked by us; the charge of the source is its.
            unsafe { lru::offer_moved_for_split(dst) };
            // INVARIANT: It has taken over a source that was off its list.
            self.held |= held::OFF_LRU;
        }
    }

    /// Charges the page for a hole to the process, and shows its contents to other processors.
    ///
    /// # Errors
    ///
    /// [`Reason::NoMemory`] where the process's limit is reached, [`Reason::Poisoned`] where the
    /// page has broken.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(in crate::mm) fn charge(&mut self, area: &Prepared<'_>) -> Result<(), Reason> {
        let dst = self.uncharged()?;
        if dst.has_fresh_poison() {
            return Err(Reason::Poisoned);
        }
        // SAFETY: The folio is fresh, and locked by us.
        unsafe { try_charge(dst, area.window()) }?;
        // SAFETY: The folio is charged, and locked by us.
        if dst.order() > 1 && unsafe { raw::folio_memcg_alloc_deferred(dst.as_ptr()) } != 0 {
            return Err(Reason::NoMemory);
        }
        dst.flush_dcache();
        // SAFETY: The folio is locked by us.
        unsafe { raw::__folio_mark_uptodate(dst.as_ptr()) };
        // INVARIANT: Charged above; `area` has its anon_vma.
        self.held |= held::CHARGED;
        Ok(())
    }

    /// Finds out whether [`Self::charge`] would succeed now.
    ///
    /// To be asked before a page table is made: for that the core kills a process whose limit has
    /// no room, and for a driver's page nobody is killed.
    ///
    /// # Errors
    ///
    /// [`Reason::NoMemory`] where the process's limit is reached.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(in crate::mm) fn try_charge(&self, window: &Window<'_>) -> Result<(), Reason> {
        let dst = self.uncharged()?;
        // SAFETY: The folio is fresh, and locked by us.
        unsafe { try_charge(dst, window) }?;
        // SAFETY: It has just been charged, and is on no list.
        unsafe { raw::mem_cgroup_uncharge(dst.as_ptr()) };
        Ok(())
    }

    /// The page for a hole, as long as it is not charged.
    fn uncharged(&self) -> Result<Folio<'_>, Reason> {
        let is_ready = self.state == State::GivenHole && !self.holds(held::CHARGED);
        self.dst().filter(|_| is_ready).ok_or(Reason::Declined)
    }

    /// Notes that the hole has been filled.
    ///
    /// # Safety
    ///
    /// The destination is mapped there, and [`Slot::is_charged`] was so.
    pub(in crate::mm) unsafe fn set_filled(&mut self) {
        self.state = State::Filled;
        if let Some(dst) = self.dst() {
            // SAFETY: By the type invariants it is locked by us; `charge` has made the list of its
            // memcg.
            unsafe { lru::offer_for_split(dst) };
        }
    }
}

/// Charges a fresh folio to a process. Nobody is killed for what a driver wants.
///
/// # Safety
///
/// The folio is locked by us, and charged to nobody.
///
/// # Errors
///
/// [`Reason::NoMemory`] where the process's limit is reached.
///
/// # Context
///
/// May sleep.
unsafe fn try_charge(dst: Folio<'_>, window: &Window<'_>) -> Result<(), Reason> {
    let gfp = bindings::GFP_KERNEL | raw::HMM_MIGRATE_RETRY_MAYFAIL;
    // SAFETY: The caller's promise; by the type invariants of a window its mm is valid.
    match unsafe { raw::mem_cgroup_charge(dst.as_ptr(), window.range().mm(), gfp) } {
        0 => Ok(()),
        _ => Err(Reason::NoMemory),
    }
}

/// Lets a file take another folio for its page, as it does it itself.
///
/// What belongs to the page beside its contents only the file knows. It copies once more what the
/// driver has copied.
///
/// # Errors
///
/// [`Reason::Raced`] where the page is no longer the file's, [`Reason::Pinned`] where somebody uses
/// it; nothing has changed then.
///
/// # Safety
///
/// Both are locked by us. The source is unmapped, and off the LRU; the destination is fresh.
unsafe fn migrate_in_file(src: Folio<'_>, dst: Folio<'_>) -> Result<(), Reason> {
    if !src.file_can_migrate() {
        return Err(Reason::Raced);
    }
    // The locks of other folios are held: it is to wait for nothing.
    let mode = bindings::migrate_mode_MIGRATE_ASYNC;
    // SAFETY: The caller's promise; the lock keeps the source its file's, which has the function,
    // as checked above, and counts the references itself.
    match unsafe { raw::file_migrate_folio(dst.as_ptr(), src.as_ptr(), mode) } {
        0 => Ok(()),
        _ => Err(Reason::Pinned),
    }
}
