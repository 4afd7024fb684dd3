// SPDX-License-Identifier: GPL-2.0

//! One entry of a locked page table.
//!
//! [`PteTable::entry`] says what an entry is; what may be done with it consumes the answer, so that
//! nothing is kept of a table that is about to be unlocked.

use super::{
    folio::Folio,
    migration_entry::{
        self,
        Leaf, //
    },
    page_table::PteTable,
    raw,
    slot::{
        held,
        Slot, //
    },
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
use kernel::bindings::{
    page,
    pte_t, //
};

/// What an entry is.
pub(crate) enum Entry<'t, 'b, 's> {
    /// Empty, or the zero page without a mark that somebody waits for.
    Hole(HoleEntry<'t, 'b, 's>),
    /// It maps a page, or stands for one of device memory.
    Page(PageEntry<'t, 'b, 's>),
    /// Nothing that can be moved.
    Other(Reason),
}

impl<'b, 's> PteTable<'b, 's> {
    /// What the entry of a page is, by the page's number within the window.
    pub(crate) fn entry(&mut self, index: usize) -> Entry<'_, 'b, 's> {
        let Some((ptep, addr)) = self.at(index) else {
            return Entry::Other(Reason::Nothing);
        };
        // SAFETY: By the type invariants the lock of the table is held.
        let pte = unsafe { raw::ptep_get(ptep) };

        if migration_entry::pte_none(pte) {
            return Entry::Hole(HoleEntry { table: self, index });
        }
        if !migration_entry::pte_present(pte) {
            return match migration_entry::leaf(pte) {
                Leaf::Device(page) => self.page_entry(index, pte, page),
                Leaf::Swap => Entry::Other(Reason::Swapped),
                Leaf::Poison => Entry::Other(Reason::Poisoned),
                Leaf::Migration(_) => Entry::Other(Reason::Locked),
                Leaf::Other => Entry::Other(Reason::Kind),
            };
        }
        // SAFETY: A function of the value, which is present.
        let pfn = unsafe { raw::pte_pfn(pte) };
        // SAFETY: A function of the number alone.
        if unsafe { raw::is_zero_pfn(pfn) } {
            // A dirty zero page is one that KSM counts; a marked one is somebody's to be told of.
            if migration_entry::pte_uffd(pte) || migration_entry::pte_dirty(pte) {
                return Entry::Other(Reason::Kind);
            }
            return Entry::Hole(HoleEntry { table: self, index });
        }
        let vma = self.window().range().vma();
        // SAFETY: The area is valid and the entry is one of its present ones.
        let page = unsafe { raw::vm_normal_page(vma, addr, pte) };
        if page.is_null() {
            return Entry::Other(Reason::Kind);
        }
        self.page_entry(index, pte, page)
    }

    fn page_entry(&mut self, index: usize, pte: pte_t, page: *mut page) -> Entry<'_, 'b, 's> {
        // SAFETY: The page is mapped here, which keeps its folio while the table is locked.
        let folio = unsafe { Folio::of_page(page) }.as_nonnull();
        // INVARIANT: Just read under the lock.
        Entry::Page(PageEntry {
            table: self,
            index,
            pte,
            page,
            folio,
        })
    }

    /// Maps what a slot is to map, if its migration entry is still there.
    ///
    /// Whoever holds only the mmap lock for reading may have taken the entry away, or may have put
    /// something else in its place, and that stands.
    pub(super) fn remap_slot(&mut self, number: usize) {
        let vma = self.window().range().vma();
        let Some(slot) = self.slot_mut(number).filter(|slot| slot.is_own()) else {
            return;
        };
        slot.release(held::OWN_ENTRY);
        let index = slot.index();
        let (Some(src), Some(target)) = (slot.src(), slot.target()) else {
            return;
        };
        let src_pfn = src.pfn();
        // SAFETY: The slot holds the lock and a reference of its target until it is put, which
        // cannot be before this table, which borrows the batch, is unlocked.
        let target = unsafe { Folio::from_raw(target.as_nonnull()) };

        let Some((ptep, addr)) = self.at(index) else {
            return;
        };
        // SAFETY: By the type invariants the lock of the table is held.
        let old = unsafe { raw::ptep_get(ptep) };
        let not_present = !migration_entry::pte_none(old) && !migration_entry::pte_present(old);
        if !not_present || migration_entry::leaf(old) != Leaf::Migration(src_pfn) {
            return;
        }
        // SAFETY: `old` is a migration entry of this area, whose table is locked.
        let thawed = unsafe { migration_entry::thaw(old, target, vma) };
        // The mapping's own reference: ours is kept until the folio is unlocked.
        target.get();
        // SAFETY: A `Folio` is valid, and has at least one page.
        let page = unsafe { raw::folio_page(target.as_ptr(), 0) };
        // SAFETY: The target is locked by us or the fault handler, and is mapped here at once.
        unsafe {
            raw::folio_add_anon_rmap_pte(target.as_ptr(), page, vma, addr, thawed.exclusive);
        }
        // SAFETY: The value maps the target, which has been counted and referenced for it.
        unsafe { self.set(ptep, addr, thawed.pte) };
    }

    /// Writes an entry that was not present.
    ///
    /// # Safety
    ///
    /// `ptep` is the entry of `addr`, from [`PteTable::at`]. Reference and count of what the new
    /// value maps are taken.
    unsafe fn set(&self, ptep: *mut pte_t, addr: usize, pte: pte_t) {
        let range = self.window();
        let range = range.range();
        // SAFETY: By the type invariants the lock of the table is held; the caller's promise.
        unsafe { raw::set_pte_at(range.mm(), addr, ptep, pte) };
        // SAFETY: The entry has just been written.
        unsafe { raw::update_mmu_cache(range.vma(), addr, ptep) };
    }

    /// Takes the zero page, if it is mapped, out of a slot's hole; false where there is no hole now.
    pub(crate) fn clear_hole(&mut self, number: usize) -> bool {
        let Some(index) = self.slot_mut(number).map(|slot| slot.index()) else {
            return false;
        };
        if !matches!(self.entry(index), Entry::Hole(_)) {
            return false;
        }
        let Some((ptep, addr)) = self.at(index) else {
            return false;
        };
        // SAFETY: By the type invariants the lock of the table is held.
        let pte = unsafe { raw::ptep_get(ptep) };
        if migration_entry::pte_present(pte) {
            let window = self.window();
            // SAFETY: A function of the value, which is present.
            let pfn = unsafe { raw::pte_pfn(pte) };
            // SAFETY: The area is valid.
            unsafe { raw::flush_cache_page(window.range().vma(), addr, pfn) };
            // SAFETY: By the type invariants the lock of the table is held.
            unsafe { raw::ptep_get_and_clear(window.range().mm(), addr, ptep) };
            self.owe_flush(addr);
        }
        true
    }

    /// Maps the page of a slot where there was a hole; false where something is there now, or the
    /// page is not ready.
    pub(crate) fn fill_slot(&mut self, number: usize) -> bool {
        let range = *self.window().range();
        let Some(slot) = self.slot_mut(number).filter(|slot| slot.is_charged()) else {
            return false;
        };
        let index = slot.index();
        let Some(target) = slot.dst() else {
            return false;
        };
        // SAFETY: As in `remap_slot`.
        let target = unsafe { Folio::from_raw(target.as_nonnull()) };
        let Some((ptep, addr)) = self.at(index) else {
            return false;
        };
        // SAFETY: By the type invariants the lock of the table is held.
        if !migration_entry::pte_none(unsafe { raw::ptep_get(ptep) }) {
            return false;
        }
        // SAFETY: The area is valid, and its table is locked.
        let pte = unsafe { migration_entry::fill(target, range.is_writable(), range.vma()) };
        target.get();
        // SAFETY: The folio is fresh, charged and locked, and is mapped here at once.
        unsafe { raw::folio_add_new_anon_rmap(target.as_ptr(), range.vma(), addr) };
        if !target.is_zone_device() {
            // SAFETY: The folio is fresh, so it is on no list.
            unsafe { raw::folio_add_lru_vma(target.as_ptr(), range.vma()) };
        }
        // SAFETY: The value maps the target, which has been counted and referenced for it.
        unsafe { self.set(ptep, addr, pte) };
        self.account_anon(1);
        if let Some(slot) = self.slot_mut(number) {
            slot.set_filled();
        }
        true
    }
}

/// An entry that a page may fill.
pub(crate) struct HoleEntry<'t, 'b, 's> {
    table: &'t mut PteTable<'b, 's>,
    index: usize,
}

impl HoleEntry<'_, '_, '_> {
    /// Offers it to the driver. Nothing is changed: the entry may be filled by others meanwhile.
    pub(crate) fn offer(self) {
        self.table.push_hole(self.index);
    }
}

/// An entry that maps a page, or stands for one of device memory.
///
/// # Invariants
///
/// The entry of the page with the number `index` has the value `pte`, which maps, or stands for,
/// `page`, a part of `folio`; the table's lock keeps it so.
pub(crate) struct PageEntry<'t, 'b, 's> {
    table: &'t mut PteTable<'b, 's>,
    index: usize,
    pte: pte_t,
    page: *mut page,
    folio: NonNull<kernel::bindings::folio>,
}

impl<'t, 'b, 's> PageEntry<'t, 'b, 's> {
    /// The folio that the page is part of.
    pub(crate) fn folio(&self) -> Folio<'_> {
        // SAFETY: It is mapped here, which keeps it while the table is locked.
        unsafe { Folio::from_raw(self.folio) }
    }

    /// Whether the page is broken.
    pub(crate) fn is_poisoned(&self) -> bool {
        // SAFETY: It is mapped here, which keeps it while the table is locked.
        unsafe { raw::page_hwpoison(self.page) }
    }

    /// Takes the lock of a folio of one anonymous page.
    ///
    /// # Errors
    ///
    /// [`Reason::Locked`] where somebody else has it: it is never waited for. [`Reason::Partial`]
    /// and [`Reason::Kind`] for other folios.
    pub(crate) fn lock(self) -> Result<LockedEntry<'t, 'b, 's>, Reason> {
        if self.folio().is_large() {
            return Err(Reason::Partial);
        }
        if !self.folio().is_anon() {
            return Err(Reason::Kind);
        }
        let borrowed = self.table.call().is_borrowed(self.folio());
        if !borrowed && !self.folio().try_lock() {
            return Err(Reason::Locked);
        }
        // INVARIANT: The lock just taken, or the fault handler's.
        Ok(LockedEntry {
            entry: self,
            borrowed,
        })
    }
}

/// A [`PageEntry`] whose folio, of one anonymous page, is locked.
///
/// # Invariants
///
/// The lock is ours, and is given back by dropping; if `borrowed`, it is the fault handler's.
pub(crate) struct LockedEntry<'t, 'b, 's> {
    entry: PageEntry<'t, 'b, 's>,
    borrowed: bool,
}

impl LockedEntry<'_, '_, '_> {
    /// The folio that the page is.
    pub(crate) fn folio(&self) -> Folio<'_> {
        self.entry.folio()
    }

    /// Gives the folio's swap slot back, if nobody else needs it.
    pub(crate) fn free_swap(&self) -> bool {
        // SAFETY: By the type invariants the folio is locked.
        unsafe { self.folio().free_swap() }
    }

    /// Puts a migration entry in the place of this one, and the folio into the batch.
    ///
    /// The mapping's reference becomes the slot's.
    ///
    /// # Errors
    ///
    /// [`Reason::Pinned`] where the page is pinned; nothing has changed then.
    pub(crate) fn freeze(self) -> Result<(), Reason> {
        let PageEntry {
            index, pte, page, ..
        } = self.entry;
        let window = self.entry.table.window();
        let (mm, vma) = (window.range().mm(), window.range().vma());
        let present = migration_entry::pte_present(pte);
        let Some((ptep, addr)) = self.entry.table.at(index) else {
            return Err(Reason::Raced);
        };
        if self.entry.table.is_batch_full() {
            return Err(Reason::Raced);
        }

        if present {
            // SAFETY: The area is valid, and the entry is present.
            let pfn = unsafe { raw::pte_pfn(pte) };
            // SAFETY: As above.
            unsafe { raw::flush_cache_page(vma, addr, pfn) };
        }
        // The hardware may have set accessed and dirty bits since the entry was read.
        // SAFETY: By the type invariants of `PteTable` its lock is held.
        let old = unsafe { raw::ptep_get_and_clear(mm, addr, ptep) };
        if present {
            self.entry.table.owe_flush(addr);
        }
        let folio = self.entry.folio;
        // SAFETY: By the type invariants the page is valid, and anonymous.
        let exclusive = unsafe { raw::page_anon_exclusive(page) };
        // Clear first, then look for pins: a fast pin looks at the entry after it has pinned.
        // SAFETY: The entry is cleared, the folio locked, the table locked.
        if exclusive && unsafe { raw::folio_try_share_anon_rmap_pte(folio.as_ptr(), page) } != 0 {
            // SAFETY: By the type invariants of `PteTable` its lock is held; the entry is as it was.
            unsafe { raw::set_pte_at(mm, addr, ptep, old) };
            return Err(Reason::Pinned);
        }
        if present && migration_entry::pte_dirty(old) {
            // SAFETY: By the type invariants the folio is locked.
            unsafe { self.folio().mark_dirty() };
        }
        let entry = migration_entry::freeze(old, self.folio().pfn(), exclusive);
        // SAFETY: By the type invariants of `PteTable` its lock is held; the folio stays locked as
        // long as the entry is there.
        unsafe { raw::set_pte_at(mm, addr, ptep, entry) };
        // SAFETY: The page was mapped here, and is no longer.
        unsafe { raw::folio_remove_rmap_pte(folio.as_ptr(), page, vma) };

        let mut flags = self.folio().word_flags();
        if migration_entry::is_writable(old) {
            flags |= WRITE;
        }
        if self.entry.table.call().is_fault_at(addr) {
            flags |= FAULT;
        }
        if self.borrowed {
            // SAFETY: The mapping's reference; the fault handler has one of its own.
            unsafe { self.folio().put() };
        }
        // SAFETY: Lock and mapping's reference go to the slot, or are the fault handler's.
        let slot = unsafe { Slot::source(folio, index, flags, held::OWN_ENTRY, self.borrowed) };
        // The lock is the slot's now.
        ManuallyDrop::new(self).entry.table.push(slot);
        Ok(())
    }
}

impl Drop for LockedEntry<'_, '_, '_> {
    fn drop(&mut self) {
        if !self.borrowed {
            // SAFETY: By the type invariants the lock is ours.
            unsafe { self.entry.folio().unlock() };
        }
    }
}
