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

impl Entry<'_, '_, '_> {
    /// How many pages it is about: those of a folio that is mapped whole from here on, or one.
    pub(crate) fn pages(&self) -> usize {
        match self {
            Entry::Page(page) if page.whole => page.folio().pages(),
            _ => 1,
        }
    }
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
        if let Some(leaf) = migration_entry::stands_for(pte) {
            return match leaf {
                Leaf::Device(page) => self.page_entry(index, pte, page),
                other => Entry::Other(other.reason()),
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
        let folio = unsafe { Folio::of_page(page) };
        let whole = core::ptr::eq(page, folio.page(0)) && self.maps_rest(index, pte, folio);
        let folio = folio.as_nonnull();
        // INVARIANT: Just read under the lock.
        Entry::Page(PageEntry {
            table: self,
            index,
            pte,
            page,
            folio,
            whole,
        })
    }

    /// Whether the entries after `index` map the pages of a folio after its first, in order, in the
    /// way that `first` maps that.
    fn maps_rest(&self, index: usize, first: pte_t, folio: Folio<'_>) -> bool {
        let present = migration_entry::pte_present(first);

        (1..folio.pages()).all(|number| {
            self.at(index + number).is_some_and(|(ptep, _)| {
                // SAFETY: By the type invariants the lock of the table is held.
                let pte = unsafe { raw::ptep_get(ptep) };
                migration_entry::pte_present(pte) == present
                    && migration_entry::page_pfn(pte) == Some(folio.pfn() + number)
            })
        })
    }

    /// Maps what a slot is to map, where its migration entries are still there.
    ///
    /// Whoever holds only the mmap lock for reading may have taken an entry away, or may have put
    /// something else in its place, and that stands.
    pub(super) fn remap_slot(&mut self, number: usize) {
        let Some(slot) = self.slot_mut(number).filter(|slot| slot.is_own()) else {
            return;
        };
        slot.release(held::OWN_ENTRY);
        let pages = slot.pages();
        let (Some(src), Some(target)) = (slot.src(), slot.target()) else {
            return;
        };
        let src_pfn = src.pfn();
        // SAFETY: The slot holds the lock and a reference of its target until it is put, which
        // cannot be before this table, which borrows the batch, is unlocked.
        let target = unsafe { Folio::from_raw(target.as_nonnull()) };

        let first = self.frozen(pages.start, src_pfn);
        let uniform = first.is_some()
            && (pages.clone().zip(src_pfn..)).all(|(index, pfn)| self.frozen(index, pfn) == first);
        if uniform {
            self.map_pages(pages.start, target, 0, pages.len());
            return;
        }
        for (number, index) in pages.enumerate() {
            if self.frozen(index, src_pfn + number).is_some() {
                self.map_pages(index, target, number, 1);
            }
        }
    }

    /// Whether the migration entry for `src_pfn`, if there is one, is of an exclusive page.
    fn frozen(&self, index: usize, src_pfn: usize) -> Option<bool> {
        let (ptep, _) = self.at(index)?;
        // SAFETY: By the type invariants the lock of the table is held.
        let pte = unsafe { raw::ptep_get(ptep) };
        match migration_entry::stands_for(pte) {
            Some(Leaf::Migration(pfn)) if pfn == src_pfn => {
                Some(migration_entry::is_exclusive(pte))
            }
            _ => None,
        }
    }

    /// Maps `count` pages of `target`, from page `number` on, in the place of migration entries
    /// that are alike.
    fn map_pages(&self, index: usize, target: Folio<'_>, number: usize, count: usize) {
        let vma = self.window().range().vma();
        let Some((first, addr)) = self.at(index) else {
            return;
        };
        // SAFETY: By the type invariants the lock of the table is held.
        let exclusive = migration_entry::is_exclusive(unsafe { raw::ptep_get(first) });
        let (folio, page) = (target.as_ptr(), target.page(number));
        if target.is_anon() {
            // SAFETY: The target is locked by us or the fault handler, and its pages are mapped here
            // at once.
            unsafe { raw::folio_add_anon_rmap_ptes(folio, page, count, vma, addr, exclusive) };
        } else {
            // SAFETY: As above.
            unsafe { raw::folio_add_file_rmap_ptes(folio, page, count, vma) };
        }
        for offset in 0..count {
            let Some((ptep, addr)) = self.at(index + offset) else {
                return;
            };
            // SAFETY: By the type invariants the lock of the table is held.
            let old = unsafe { raw::ptep_get(ptep) };
            // SAFETY: `old` is a migration entry of this area, whose table is locked; the target
            // has as many pages as the source.
            let pte = unsafe { migration_entry::thaw(old, target, number + offset, vma) };
            // The mapping's own reference: ours is kept until the folio is unlocked.
            target.get();
            // SAFETY: The value maps the target, which has been counted and referenced for it.
            unsafe { self.set(ptep, addr, pte) };
        }
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

    /// Takes zero pages, where they are mapped, out of a slot's hole; false where there is no hole
    /// now.
    pub(crate) fn clear_hole(&mut self, number: usize) -> bool {
        let Some(mut pages) = self.slot_mut(number).map(|slot| slot.pages()) else {
            return false;
        };
        pages.all(|index| self.clear_page(index))
    }

    fn clear_page(&mut self, index: usize) -> bool {
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

    fn is_empty(&self, index: usize) -> bool {
        self.at(index).is_some_and(|(ptep, _)| {
            // SAFETY: By the type invariants the lock of the table is held.
            migration_entry::pte_none(unsafe { raw::ptep_get(ptep) })
        })
    }

    /// Maps the page of a slot where there was a hole; false where something is there now, or the
    /// page is not ready.
    pub(crate) fn fill_slot(&mut self, number: usize) -> bool {
        let range = *self.window().range();
        let Some(slot) = self.slot_mut(number).filter(|slot| slot.is_charged()) else {
            return false;
        };
        let pages = slot.pages();
        let Some(target) = slot.dst() else {
            return false;
        };
        // SAFETY: As in `remap_slot`.
        let target = unsafe { Folio::from_raw(target.as_nonnull()) };
        if !pages.clone().all(|index| self.is_empty(index)) {
            return false;
        }
        let addr = self.window().addr(pages.start);
        // SAFETY: The folio is fresh, charged and locked, and is mapped here at once.
        unsafe { raw::folio_add_new_anon_rmap(target.as_ptr(), range.vma(), addr) };
        if !target.is_zone_device() {
            // SAFETY: The folio is fresh, so it is on no list.
            unsafe { raw::folio_add_lru_vma(target.as_ptr(), range.vma()) };
        }
        self.account_anon(pages.len());
        for (number, index) in pages.enumerate() {
            let Some((ptep, addr)) = self.at(index) else {
                break;
            };
            let writable = range.is_writable();
            // SAFETY: The area is valid, and its table is locked.
            let pte = unsafe { migration_entry::fill(target, number, writable, range.vma()) };
            target.get();
            // SAFETY: The value maps the target, which has been counted and referenced for it.
            unsafe { self.set(ptep, addr, pte) };
        }
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
/// `page`, a part of `folio`. If `whole`, that is its first page, and the following entries map the
/// others in order. The table's lock keeps it so.
pub(crate) struct PageEntry<'t, 'b, 's> {
    table: &'t mut PteTable<'b, 's>,
    index: usize,
    pte: pte_t,
    page: *mut page,
    folio: NonNull<kernel::bindings::folio>,
    whole: bool,
}

impl<'t, 'b, 's> PageEntry<'t, 'b, 's> {
    /// The folio that the page is part of.
    pub(crate) fn folio(&self) -> Folio<'_> {
        // SAFETY: It is mapped here, which keeps it while the table is locked.
        unsafe { Folio::from_raw(self.folio) }
    }

    /// Whether the folio begins here, and all of it is mapped here, in order.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// How many pages of the folio there are from this one on.
    pub(crate) fn rest(&self) -> usize {
        // SAFETY: By the type invariants the page is part of the folio, which is valid.
        let number = unsafe { raw::folio_page_idx(self.folio.as_ptr(), self.page) };
        self.folio().pages() - number
    }

    /// Takes the lock of a folio that is whole.
    ///
    /// # Errors
    ///
    /// [`Reason::Locked`] where somebody else has it: it is never waited for. [`Reason::Partial`]
    /// for other folios.
    pub(crate) fn lock(self) -> Result<LockedEntry<'t, 'b, 's>, Reason> {
        if !self.is_whole() {
            return Err(Reason::Partial);
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

/// A [`PageEntry`] whose folio is locked, and is mapped whole from here on.
///
/// # Invariants
///
/// The lock is ours, and is given back by dropping; if `borrowed`, it is the fault handler's. The
/// folio's pages are mapped in the entries from this one on, which the table's lock keeps so.
pub(crate) struct LockedEntry<'t, 'b, 's> {
    entry: PageEntry<'t, 'b, 's>,
    borrowed: bool,
}

impl LockedEntry<'_, '_, '_> {
    /// The folio that the page is part of.
    pub(crate) fn folio(&self) -> Folio<'_> {
        self.entry.folio()
    }

    /// Gives the folio's swap slot back, if nobody else needs it.
    pub(crate) fn free_swap(&self) -> bool {
        // SAFETY: By the type invariants the folio is locked.
        unsafe { self.folio().free_swap() }
    }

    /// Puts migration entries in the place of this one, and of the others that map the folio, and
    /// the folio into the batch.
    ///
    /// The reference of one mapping becomes the slot's.
    ///
    /// # Errors
    ///
    /// [`Reason::Pinned`] where the folio is pinned; its entries are as they were then.
    pub(crate) fn freeze(mut self) -> Result<(), Reason> {
        let pages = self.folio().pages();
        let window = self.entry.table.window();
        let first = self.entry.index;
        let mut flags = self.folio().word_flags() | WRITE;

        if self.entry.table.is_batch_full() {
            return Err(Reason::Raced);
        }
        for number in 0..pages {
            match self.freeze_page(number) {
                Ok(true) => {}
                Ok(false) => flags &= !WRITE,
                Err(reason) => {
                    (0..number).for_each(|number| self.thaw_page(number));
                    return Err(reason);
                }
            }
        }
        if (self.entry.table.call()).is_fault_in(window.addr(first)..window.addr(first + pages)) {
            flags |= FAULT;
        }

        let folio = self.entry.folio;
        let vma = window.range().vma();
        // SAFETY: The folio's pages were mapped here, and are no longer.
        unsafe { raw::folio_remove_rmap_ptes(folio.as_ptr(), self.entry.page, pages, vma) };
        let needless = if self.borrowed { pages } else { pages - 1 };
        if needless > 0 {
            // SAFETY: The mappings' references; the fault handler has one of its own, and
            // otherwise one is left, for the slot.
            unsafe { self.folio().put_some(needless) };
        }
        // SAFETY: Lock and a mapping's reference go to the slot, or are the fault handler's.
        let slot = unsafe { Slot::source(folio, first, flags, held::OWN_ENTRY, self.borrowed) };
        // The lock is the slot's now.
        ManuallyDrop::new(self).entry.table.push(slot);
        Ok(())
    }

    /// Puts a migration entry in the place of the one that maps a page of the folio, and says
    /// whether that was writable.
    fn freeze_page(&mut self, number: usize) -> Result<bool, Reason> {
        let table = &mut *self.entry.table;
        let (mm, vma) = (table.window().range().mm(), table.window().range().vma());
        let Some((ptep, addr)) = table.at(self.entry.index + number) else {
            return Err(Reason::Raced);
        };
        // SAFETY: By the type invariants the folio is valid.
        let folio = unsafe { Folio::from_raw(self.entry.folio) };
        let (page, pfn) = (folio.page(number), folio.pfn() + number);
        let present = migration_entry::pte_present(self.entry.pte);

        if present {
            // SAFETY: The area is valid, and the entry is present.
            unsafe { raw::flush_cache_page(vma, addr, pfn) };
        }
        // The hardware may have set accessed and dirty bits since the entry was read.
        // SAFETY: By the type invariants of `PteTable` its lock is held.
        let old = unsafe { raw::ptep_get_and_clear(mm, addr, ptep) };
        if present {
            table.owe_flush(addr);
        }
        // SAFETY: By the type invariants the page is valid; it is anonymous.
        let exclusive = folio.is_anon() && unsafe { raw::page_anon_exclusive(page) };
        // Clear first, then look for pins: a fast pin looks at the entry after it has pinned.
        // SAFETY: The entry is cleared, the folio locked, the table locked.
        if exclusive && unsafe { raw::folio_try_share_anon_rmap_pte(folio.as_ptr(), page) } != 0 {
            // SAFETY: By the type invariants of `PteTable` its lock is held; the entry is as it was.
            unsafe { raw::set_pte_at(mm, addr, ptep, old) };
            return Err(Reason::Pinned);
        }
        if present && migration_entry::pte_dirty(old) {
            // SAFETY: By the type invariants the folio is locked.
            unsafe { folio.mark_dirty() };
        }
        let entry = migration_entry::freeze(old, pfn, exclusive);
        // SAFETY: By the type invariants of `PteTable` its lock is held; the folio stays locked as
        // long as the entry is there.
        unsafe { raw::set_pte_at(mm, addr, ptep, entry) };
        Ok(migration_entry::is_writable(old))
    }

    /// Undoes [`Self::freeze_page`], while the page still counts as mapped.
    fn thaw_page(&mut self, number: usize) {
        let vma = self.entry.table.window().range().vma();
        let Some((ptep, addr)) = self.entry.table.at(self.entry.index + number) else {
            return;
        };
        // SAFETY: By the type invariants of `PteTable` its lock is held.
        let old = unsafe { raw::ptep_get(ptep) };
        // SAFETY: `old` is a migration entry of this area, whose table is locked, for this page.
        let pte = unsafe { migration_entry::thaw(old, self.folio(), number, vma) };
        if migration_entry::is_exclusive(old) && self.folio().is_anon() {
            // SAFETY: The page was exclusive before, and nobody can have shared it: its entry has
            // been a migration entry of a locked folio, under the table's lock, ever since.
            unsafe { raw::set_page_anon_exclusive(self.folio().page(number)) };
        }
        // SAFETY: The value maps the page, which is counted and referenced for it.
        unsafe { self.entry.table.set(ptep, addr, pte) };
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
