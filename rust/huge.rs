// SPDX-License-Identifier: GPL-2.0

//! The entry, locked, that maps a whole window at once or stands for it.
//!
//! What [`PteTable`](super::page_table::PteTable) is for the entries of a page table, a
//! [`LockedPmd`] is for the one entry above them: while it exists, the batch that it borrows can be
//! neither moved nor dropped.

use super::{
    batch::{
        Batch,
        Which, //
    },
    call::Call,
    folio::Folio,
    leaf::{
        self,
        Leaf, //
    },
    lru,
    migration_entry::{
        self,
        Frozen, //
    },
    notifier::Bracket,
    page_table::PmdEntry,
    raw,
    slot::{
        OwnEntry,
        Slot, //
    },
    span::HUGE_ORDER,
    spare_table::SpareTable,
    stats,
    value::{
        is_huge_zero_pmd,
        pmd_leaf,
        pmd_none,
        pmd_present,
        pmd_trans_huge,
        pmd_uffd, //
    },
    vma::Window,
    word::{
        Reason,
        FAULT,
        WRITE, //
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// The entry of a window, locked.
///
/// # Invariants
///
/// `pmd` is the entry that the window is under, and `ptl` its lock, which is held.
pub(crate) struct LockedPmd<'b, 's> {
    batch: &'b mut Batch<'s>,
    window: &'s Window<'s>,
    pmd: *mut bindings::pmd_t,
    ptl: *mut bindings::spinlock_t,
    _timer: stats::Timer,
}

/// What the entry is.
pub(crate) enum HugeEntry<'t, 'b, 's> {
    /// Empty, or the address of a page table: look again.
    Changed,
    /// The huge zero page, without a mark that somebody waits for.
    ZeroPage,
    /// It maps a large folio, or stands for one of device memory.
    Page(HugePage<'t, 'b, 's>),
    /// Nothing that can be moved.
    Other(Reason),
}

impl<'b, 's> LockedPmd<'b, 's> {
    /// Locks the entry of a batch's window; [`None`] where it is another window's.
    pub(crate) fn lock(batch: &'b mut Batch<'s>, pmd: PmdEntry<'_>) -> Option<Self> {
        let window = (batch.place().window()).filter(|window| window.is_same(pmd.window()))?;
        stats::count(stats::Counter::PageTableLocks, 1);
        // SAFETY: The mm is valid, and its mmap lock, by the type invariants of a `LockedWindow`,
        // keeps the table that `pmd` is in.
        let ptl = unsafe { raw::pmd_lock(window.range().mm(), pmd.as_ptr()) };
        // INVARIANT: Just taken.
        Some(Self {
            batch,
            window,
            pmd: pmd.as_ptr(),
            ptl,
            _timer: stats::Timer::start(stats::Wait::PageTableLock),
        })
    }

    fn value(&self) -> bindings::pmd_t {
        // SAFETY: By the type invariants the lock of the entry is held.
        unsafe { raw::pmdp_get(self.pmd) }
    }

    /// The call that the window is part of.
    pub(crate) fn call(&self) -> &'s Call {
        self.batch.call()
    }

    /// The window.
    pub(crate) fn window(&self) -> &'s Window<'s> {
        self.window
    }

    /// Adds the window as one hole.
    pub(crate) fn push_hole(&mut self) {
        self.batch.push_hole(0, HUGE_ORDER);
    }

    /// What the entry is.
    pub(crate) fn entry(&mut self) -> HugeEntry<'_, 'b, 's> {
        let value = self.value();

        if let Some(leaf) = leaf::stands_for_pmd(value) {
            return match leaf {
                Leaf::Device(page) => self.page_entry(value, page),
                other => HugeEntry::Other(other.reason()),
            };
        }
        if !pmd_trans_huge(value) {
            return HugeEntry::Changed;
        }
        if !is_huge_zero_pmd(value) {
            // SAFETY: The entry maps a page.
            let page = unsafe { raw::pmd_page(value) };
            return self.page_entry(value, page);
        }
        if pmd_uffd(value) {
            return HugeEntry::Other(Reason::Kind);
        }
        HugeEntry::ZeroPage
    }

    fn page_entry(
        &mut self,
        value: bindings::pmd_t,
        page: *mut bindings::page,
    ) -> HugeEntry<'_, 'b, 's> {
        // SAFETY: The page is mapped here, which keeps its folio while the entry is locked.
        let folio = unsafe { Folio::of_page(page) }.as_nonnull();
        // INVARIANT: Just read under the lock.
        HugeEntry::Page(HugePage {
            lock: self,
            value,
            folio,
        })
    }

    /// Whether a page table has taken the entry's place.
    pub(super) fn is_table(&self) -> bool {
        let value = self.value();
        pmd_present(value) && !pmd_leaf(value)
    }

    /// Maps what the slots of `which` are to map, if their migration entry is still there.
    ///
    /// Whoever holds only the mmap lock for reading may have taken it away, or may have put
    /// something else in its place, and that stands.
    pub(super) fn remap(&mut self, which: Which) {
        for number in 0..self.batch.len() {
            if self.batch.is_one_of(number, which) {
                self.remap_slot(number);
            }
        }
    }

    fn remap_slot(&mut self, number: usize) {
        let (vma, addr) = (self.window.range().vma(), self.window.start());
        let old = self.value();
        let slot = self.batch.slot_mut(number);
        let Some(slot) = slot.filter(|slot| slot.order() == HUGE_ORDER) else {
            return;
        };
        // SAFETY: It is replaced below, if it is still there.
        if !unsafe { slot.take_own_entry() } {
            return;
        }
        let (Some(src), Some(target)) = (slot.src(), slot.target()) else {
            return;
        };
        let src_pfn = src.pfn();
        // SAFETY: The slot holds the lock and a reference of its target until it is put, which
        // cannot be before this lock, which borrows the batch, is given back.
        let target = unsafe { Folio::from_raw(target.as_nonnull()) };
        let Some(frozen) = Frozen::of_frame_pmd(old, src_pfn) else {
            return;
        };
        // SAFETY: The migration entry is in this area, and is locked; the target is as large as the
        // source.
        let pmd = unsafe { migration_entry::thaw_pmd(frozen, target, vma) };
        let exclusive = frozen.is_exclusive();
        // The mapping's own reference: ours is kept until the folio is unlocked.
        target.get();
        let (folio, page) = (target.as_ptr(), target.page(0));
        if target.is_anon() {
            // SAFETY: The target is locked by us or the fault handler, and is mapped here at once.
            unsafe { raw::folio_add_anon_rmap_pmd(folio, page, vma, addr, exclusive) };
        } else {
            // SAFETY: As above.
            unsafe { raw::folio_add_file_rmap_pmd(folio, page, vma) };
        }
        // SAFETY: The value maps the target, which has been counted and referenced for it.
        unsafe { self.set(pmd) };
    }

    /// Writes the entry.
    ///
    /// # Safety
    ///
    /// No processor can use it as it is. Reference and count of what the new value maps are taken.
    unsafe fn set(&self, pmd: bindings::pmd_t) {
        let (range, addr) = (self.window.range(), self.window.start());
        // SAFETY: By the type invariants the lock of the entry is held; the caller's promise.
        unsafe { raw::set_pmd_at(range.mm(), addr, self.pmd, pmd) };
        // SAFETY: The entry has just been written.
        unsafe { raw::update_mmu_cache_pmd(range.vma(), addr, self.pmd) };
    }

    /// Maps the page of a slot where there was a hole or the huge zero page; false where something
    /// else is there now, or the page is not ready.
    ///
    /// `spare` becomes the page table that the entry is split into one day, unless there is one.
    pub(super) fn fill_slot(&mut self, number: usize, spare: SpareTable<'_>) -> bool {
        let range = *self.window.range();
        let (vma, addr) = (range.vma(), self.window.start());
        let value = self.value();
        let is_whole = self.window.is_whole();
        let slot = self.batch.slot_mut(number).filter(|slot| slot.is_charged());
        let Some(slot) = slot.filter(|slot| is_whole && slot.order() == HUGE_ORDER) else {
            return false;
        };
        let Some(target) = slot.dst() else {
            return false;
        };
        // SAFETY: As in `remap_slot`.
        let target = unsafe { Folio::from_raw(target.as_nonnull()) };

        if pmd_none(value) {
            // SAFETY: By the type invariants the lock is held, and the entry is empty; the table
            // is fresh.
            unsafe { raw::pgtable_deposit(range.mm(), self.pmd, spare.into_raw()) };
            // SAFETY: The mm is valid.
            unsafe { raw::mm_inc_nr_ptes(range.mm()) };
        } else if matches!(self.entry(), HugeEntry::ZeroPage) {
            // Every processor must have forgotten the zero page before one of them can write to
            // the new page.
            stats::count(stats::Counter::TlbFlushes, 1);
            // SAFETY: By the type invariants the lock is held, and the entry is present.
            unsafe { raw::pmdp_invalidate(vma, addr, self.pmd) };
        } else {
            return false;
        }
        // SAFETY: The folio is fresh and locked, and is mapped here at once; with its charge comes
        // the area's anon_vma.
        unsafe { raw::folio_add_new_anon_rmap(target.as_ptr(), vma, addr) };
        if !target.is_zone_device() {
            // SAFETY: The folio is fresh, so it is on no list.
            unsafe { raw::folio_add_lru_vma(target.as_ptr(), vma) };
        }
        // SAFETY: The mm is valid.
        unsafe { raw::add_anon_pages(range.mm(), target.pages() as isize) };
        target.get();
        // SAFETY: The area is valid, and its entry is locked.
        let pmd = unsafe { migration_entry::fill_pmd(target, range.is_writable(), vma) };
        // SAFETY: The value maps the target, which has been counted and referenced for it.
        unsafe { self.set(pmd) };
        if let Some(slot) = self.batch.slot_mut(number) {
            // SAFETY: It is mapped above, where it was charged.
            unsafe { slot.set_filled() };
        }
        true
    }
}

impl Drop for LockedPmd<'_, '_> {
    /// Folios that have been mlocked or munlocked wait, with a reference, in a batch of this
    /// processor, which only here is the same as when they were put there.
    fn drop(&mut self) {
        if self.window.range().is_mlocked() {
            lru::drain_mlock();
        }
        // SAFETY: By the type invariants the lock is held.
        unsafe { raw::spin_unlock(self.ptl) };
    }
}

/// An entry that maps a large folio, or stands for one of device memory.
///
/// # Invariants
///
/// The entry has the value `value`, which maps, or stands for, `folio`; its lock keeps it so.
pub(crate) struct HugePage<'t, 'b, 's> {
    lock: &'t mut LockedPmd<'b, 's>,
    value: bindings::pmd_t,
    folio: NonNull<bindings::folio>,
}

impl<'t, 'b, 's> HugePage<'t, 'b, 's> {
    /// The folio.
    pub(crate) fn folio(&self) -> Folio<'_> {
        // SAFETY: It is mapped here, which keeps it while the entry is locked; once it is frozen,
        // a reference of ours or of the fault handler does.
        unsafe { Folio::from_raw(self.folio) }
    }

    /// Whether the page is one that the call asks for.
    pub(crate) fn is_expected(&self) -> bool {
        self.lock.batch.place().expects(0, self.first_pfn())
    }

    /// The frame number of the page at the begin of the window.
    pub(crate) fn first_pfn(&self) -> usize {
        self.folio().pfn() + self.lock.window.offset()
    }

    /// Whether the window has all of the folio.
    pub(crate) fn is_whole(&self) -> bool {
        self.lock.window.is_whole() && self.folio().order() == HUGE_ORDER
    }

    /// Takes the lock of a folio that is whole.
    ///
    /// # Errors
    ///
    /// [`Reason::Locked`] where somebody else has it: it is never waited for. [`Reason::Partial`]
    /// for other folios.
    pub(crate) fn lock(self) -> Result<LockedHuge<'t, 'b, 's>, Reason> {
        if !self.is_whole() {
            return Err(Reason::Partial);
        }
        let borrowed = self.lock.call().is_borrowed(self.folio());
        if !borrowed && !self.folio().try_lock() {
            return Err(Reason::Locked);
        }
        // INVARIANT: The lock just taken, or the fault handler's.
        Ok(LockedHuge {
            page: self,
            borrowed,
        })
    }
}

/// A [`HugePage`] whose folio is locked, and is all of the window.
///
/// # Invariants
///
/// The lock is ours, and is given back by dropping; if `borrowed`, it is the fault handler's.
pub(crate) struct LockedHuge<'t, 'b, 's> {
    page: HugePage<'t, 'b, 's>,
    borrowed: bool,
}

impl LockedHuge<'_, '_, '_> {
    /// The folio.
    pub(crate) fn folio(&self) -> Folio<'_> {
        self.page.folio()
    }

    /// Gives the folio's swap slots back, if nobody else needs them.
    pub(crate) fn free_swap(&self) -> bool {
        // SAFETY: By the type invariants the folio is locked.
        unsafe { self.folio().free_swap() }
    }

    /// Puts a migration entry in the place of this one, and the folio into the batch.
    ///
    /// `bracket` is that of the window.
    ///
    /// # Errors
    ///
    /// [`Reason::Pinned`] where the folio is pinned; nothing has changed then.
    pub(crate) fn freeze(self, bracket: &Bracket<'_>) -> Result<(), Reason> {
        debug_assert!(bracket.covers(self.page.lock.window));
        let HugePage { value, folio, .. } = self.page;
        let lock = &*self.page.lock;
        let (window, pmd) = (lock.window, lock.pmd);
        let (mm, vma, addr) = (window.range().mm(), window.range().vma(), window.start());

        if lock.batch.is_full() {
            return Err(Reason::Raced);
        }
        if !self.borrowed {
            // The mapping's reference is put with the mapping.
            self.folio().get();
        }
        stats::count(stats::Counter::TlbFlushes, 1);
        // SAFETY: The entry is locked and maps the folio, which is locked.
        if unsafe { raw::set_pmd_migration_entry(vma, addr, pmd, lock.ptl, folio.as_ptr()) } != 0 {
            if !self.borrowed {
                // SAFETY: The reference just taken.
                unsafe { self.folio().put() };
            }
            return Err(Reason::Pinned);
        }

        let mut flags = self.folio().word_flags();
        if leaf::is_writable_pmd(value) {
            flags |= WRITE;
            if self.folio().is_device_private() {
                // The device may have written: the entry cannot tell.
                let entry = leaf::mark_swapped_pmd(lock.value(), true, false);
                // SAFETY: The entry is locked, and differs in its mark alone.
                unsafe { raw::set_pmd_at(mm, addr, pmd, entry) };
            }
        }
        if lock.call().is_fault_in(window.start()..window.end()) {
            flags |= FAULT;
        }
        // SAFETY: The reference taken above, or the fault handler's, keeps it.
        let folio = unsafe { Folio::from_raw(folio) };
        // SAFETY: The lock, and the reference taken above, go to the slot, or are the fault
        // handler's.
        let slot =
            unsafe { Slot::source(folio, folio.pages(), 0, flags, OwnEntry::Pmd, self.borrowed) };
        let is_mapped = folio.is_mapped();
        // The lock is the slot's now.
        let batch = &mut *ManuallyDrop::new(self).page.lock.batch;
        if is_mapped {
            batch.set_mapped_elsewhere();
        }
        batch.push_source(slot);
        Ok(())
    }
}

impl Drop for LockedHuge<'_, '_, '_> {
    fn drop(&mut self) {
        if !self.borrowed {
            // SAFETY: By the type invariants the lock is ours.
            unsafe { self.page.folio().unlock() };
        }
    }
}
