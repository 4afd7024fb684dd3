// SPDX-License-Identifier: GPL-2.0

//! One entry of a locked page table.
//!
//! [`PteTable::entry`] says what an entry is; what may be done with it consumes the answer, so that
//! nothing is kept of a table that is about to be unlocked.

use super::{
    folio::Folio,
    leaf::{
        self,
        Leaf, //
    },
    migration_entry::{
        self,
        Frozen, //
    },
    notifier::Bracket,
    page_table::{
        Entries,
        PteTable, //
    },
    raw,
    slot::{
        OwnEntry,
        Slot, //
    },
    value::{
        pte_dirty,
        pte_present,
        pte_uffd, //
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
    #[inline(always)]
    pub(crate) fn entry(&mut self, index: usize) -> Entry<'_, 'b, 's> {
        match self.entries().look(index) {
            Seen::Hole => Entry::Hole(HoleEntry { table: self, index }),
            Seen::Page(pte, page) => self.page_entry(index, pte, page),
            Seen::Other(reason) => Entry::Other(reason),
        }
    }

    #[inline(always)]
    fn page_entry(&mut self, index: usize, pte: pte_t, page: *mut page) -> Entry<'_, 'b, 's> {
        // SAFETY: The page is mapped here, which keeps its folio while the table is locked.
        let folio = unsafe { Folio::of_page(page) };
        let whole = !folio.is_large()
            || (core::ptr::eq(page, folio.page(0)) && self.entries().maps_rest(index, pte, folio));
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

    /// How many entries, from the first on, map the page frames from `pfn` on, one after the other.
    pub(super) fn count_run(&mut self, pfn: usize) -> usize {
        let entries = self.entries();
        let frames = (0..entries.window().pages()).zip(pfn..);
        let run = frames
            .take_while(|&(index, pfn)| entries.get(index).and_then(leaf::page_pfn) == Some(pfn));
        run.count()
    }
}

/// What is in a page table.
pub(super) enum Seen {
    /// Nothing, or the zero page without a mark that somebody waits for.
    Hole,
    /// The value that maps a page, or stands for one of device memory.
    Page(pte_t, *mut page),
    /// Nothing that can be moved.
    Other(Reason),
}

impl Entries<'_> {
    /// What the entry of a page is.
    #[inline(always)]
    pub(super) fn look(&self, index: usize) -> Seen {
        let Some((ptep, addr)) = self.at(index) else {
            return Seen::Other(Reason::Nothing);
        };
        // SAFETY: By the type invariants the lock of the table is held.
        let pte = unsafe { raw::ptep_get(ptep) };

        if !pte_present(pte) {
            return match leaf::stands_for(pte) {
                None => Seen::Hole,
                Some(Leaf::Device(page)) => Seen::Page(pte, page),
                Some(other) => Seen::Other(other.reason()),
            };
        }
        let vma = self.window().range().vma();
        // SAFETY: The area is valid and the entry is one of its present ones.
        let page = unsafe { raw::vm_normal_page(vma, addr, pte) };
        if !page.is_null() {
            return Seen::Page(pte, page);
        }
        // A dirty zero page is one that KSM counts; a marked one is somebody's to be told of.
        let is_marked = pte_uffd(pte) || pte_dirty(pte);
        if leaf::is_zero_page(pte) && !is_marked {
            return Seen::Hole;
        }
        Seen::Other(Reason::Kind)
    }

    /// Whether an entry maps a page frame, or stands for it, and if so whether it is present.
    pub(super) fn maps(&self, index: usize, pfn: usize) -> Option<bool> {
        let pte = self.get(index)?;
        let is_page = leaf::page_pfn(pte) == Some(pfn);
        is_page.then(|| pte_present(pte))
    }

    /// Whether the entries after `index` map the pages of a folio after its first, in order, in the
    /// way that `first` maps that.
    fn maps_rest(&self, index: usize, first: pte_t, folio: Folio<'_>) -> bool {
        let present = pte_present(first);
        let pfn = folio.pfn();

        (1..folio.pages()).all(|number| {
            self.get(index + number).is_some_and(|pte| {
                pte_present(pte) == present && leaf::page_pfn(pte) == Some(pfn + number)
            })
        })
    }

    /// Puts a migration entry in the place of one that maps page `number` of a folio, or stands for
    /// it; with it comes what it says.
    ///
    /// The page still counts as mapped.
    ///
    /// # Errors
    ///
    /// [`Reason::Pinned`] where the page is pinned; the entry is as it was then.
    ///
    /// # Safety
    ///
    /// The entry is one for that page, and `present` says of which kind. The folio is locked, and
    /// stays so as long as the migration entry is there.
    #[inline(always)]
    pub(super) unsafe fn freeze(
        &mut self,
        index: usize,
        folio: Folio<'_>,
        number: usize,
        present: bool,
    ) -> Result<(pte_t, Frozen), Reason> {
        let range = self.window().range();
        let (mm, vma) = (range.mm(), range.vma());
        let Some((ptep, addr)) = self.at(index) else {
            return Err(Reason::Raced);
        };
        let (page, pfn) = (folio.page(number), folio.pfn().wrapping_add(number));

        if present {
            // SAFETY: The area is valid, and the entry is present.
            unsafe { raw::flush_cache_page(vma, addr, pfn) };
        }
        // The hardware may have set accessed and dirty bits since the entry was read.
        // SAFETY: By the type invariants the lock of the table is held.
        let old = unsafe { raw::ptep_get_and_clear(mm, addr, ptep) };
        if present {
            self.owe_flush(addr);
        }
        // SAFETY: The page is mapped, so it is valid; it is anonymous.
        let exclusive = folio.is_anon() && unsafe { raw::page_anon_exclusive(page) };
        // Clear first, then look for pins: a fast pin looks at the entry after it has pinned.
        // SAFETY: The entry is cleared, the folio locked, the table locked.
        if exclusive && unsafe { raw::folio_try_share_anon_rmap_pte(folio.as_ptr(), page) } != 0 {
            // SAFETY: By the type invariants the lock of the table is held; the entry is as it was.
            unsafe { raw::set_pte_at(mm, addr, ptep, old) };
            return Err(Reason::Pinned);
        }
        // A file keeps more of it than the flag says.
        let is_known = folio.is_anon() && folio.is_dirty();
        if present && pte_dirty(old) && !is_known {
            // SAFETY: The caller promises that the folio is locked.
            unsafe { folio.mark_dirty() };
        }
        let frozen = Frozen::of_mapping(old, exclusive);
        let entry = frozen.entry(pfn);
        // SAFETY: By the type invariants the lock of the table is held; the folio stays locked as
        // long as the entry is there.
        unsafe { raw::set_pte_at(mm, addr, ptep, entry) };
        Ok((entry, frozen))
    }

    /// Writes an entry that was not present.
    ///
    /// # Safety
    ///
    /// `ptep` is the entry of `addr`, from [`Entries::at`]. Reference and count of what the new
    /// value maps are taken.
    pub(super) unsafe fn set(&self, ptep: *mut pte_t, addr: usize, pte: pte_t) {
        let range = self.window().range();
        // SAFETY: By the type invariants the lock of the table is held; the caller's promise.
        unsafe { raw::set_pte_at(range.mm(), addr, ptep, pte) };
        // SAFETY: The entry has just been written.
        unsafe { raw::update_mmu_cache(range.vma(), addr, ptep) };
    }
}

/// An entry that a page may fill.
pub(crate) struct HoleEntry<'t, 'b, 's> {
    table: &'t mut PteTable<'b, 's>,
    index: usize,
}

impl HoleEntry<'_, '_, '_> {
    /// Offers it to the driver.
    ///
    /// Nothing is changed: the entry may be filled by others meanwhile.
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
        // SAFETY: It is mapped here, which keeps it while the table is locked; once it is frozen,
        // the mapping's reference does.
        unsafe { Folio::from_raw(self.folio) }
    }

    /// Whether the folio begins here, and all of it is mapped here, in order.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether the page is one that the call asks for.
    pub(crate) fn is_expected(&self) -> bool {
        let pfn = self.folio().pfn() + self.number();
        self.table.place().expects(self.index, pfn)
    }

    /// How many pages of the folio there are from this one on.
    pub(crate) fn rest(&self) -> usize {
        self.folio().pages() - self.number()
    }

    fn number(&self) -> usize {
        // SAFETY: By the type invariants the page is part of the folio, which is valid.
        unsafe { raw::folio_page_idx(self.folio.as_ptr(), self.page) }
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
    /// The reference of one mapping becomes the slot's. `bracket` is that of the table's window.
    ///
    /// # Errors
    ///
    /// [`Reason::Pinned`] where the folio is pinned; its entries are as they were then.
    #[inline(always)]
    pub(crate) fn freeze(mut self, bracket: &Bracket<'_>) -> Result<(), Reason> {
        debug_assert!(bracket.covers(self.entry.table.window()));
        if self.entry.table.is_batch_full() {
            return Err(Reason::Raced);
        }
        let (entry, frozen) = self.freeze_page(0)?;
        let (mut pages, mut writable) = (1, frozen.is_writable());
        if self.folio().is_large() {
            pages = self.folio().pages();
            writable &= self.freeze_rest(pages)?;
        }
        let mut flags = self.folio().word_flags();
        if writable {
            flags |= WRITE;
        }
        let first = self.entry.index;
        if self.entry.table.has_fault(first, pages) {
            flags |= FAULT;
        }

        // SAFETY: By the type invariants the folio is valid.
        let folio = unsafe { Folio::from_raw(self.entry.folio) };
        let mappings = self.entry.table.entries().mappings();
        // SAFETY: The folio's pages were mapped here, and are no longer.
        let is_mapped = unsafe { mappings.remove(folio, 0, pages) };
        if is_mapped {
            self.entry.table.set_mapped_elsewhere();
        }
        let needless = if self.borrowed { pages } else { pages - 1 };
        if needless > 0 {
            // SAFETY: The mappings' references; the fault handler has one of its own, and
            // otherwise one is left, for the slot.
            unsafe { self.folio().put_some(needless) };
        }
        // SAFETY: Lock and a mapping's reference go to the slot, or are the fault handler's. The
        // entry is that of its first page.
        let slot = unsafe {
            Slot::source(
                folio,
                pages,
                first,
                flags,
                OwnEntry::Pte(entry, frozen),
                self.borrowed,
            )
        };
        // The lock is the slot's now.
        ManuallyDrop::new(self).entry.table.push(slot);
        Ok(())
    }

    /// Does it for the pages of a large folio after its first, and says whether all were writable.
    fn freeze_rest(&mut self, pages: usize) -> Result<bool, Reason> {
        let mut writable = true;
        for number in 1..pages {
            match self.freeze_page(number) {
                Ok((_, frozen)) => writable &= frozen.is_writable(),
                Err(reason) => {
                    self.entry.table.entries().catch_up();
                    (0..number).for_each(|number| self.thaw_page(number));
                    return Err(reason);
                }
            }
        }
        Ok(writable)
    }

    /// Puts a migration entry in the place of the one that maps a page of the folio; with it comes
    /// what it says.
    #[inline(always)]
    fn freeze_page(&mut self, number: usize) -> Result<(pte_t, Frozen), Reason> {
        let index = self.entry.index + number;
        let present = pte_present(self.entry.pte);
        // SAFETY: Entries that are frozen have not given up their references yet.
        let folio = unsafe { Folio::from_raw(self.entry.folio) };
        // SAFETY: The folio is locked until the entry is mapped again, and the table now. The entry
        // maps this page of it, in the way in which the first one does.
        unsafe {
            self.entry
                .table
                .entries()
                .freeze(index, folio, number, present)
        }
    }

    /// Undoes [`Self::freeze_page`], while the page still counts as mapped.
    fn thaw_page(&mut self, number: usize) {
        let vma = self.entry.table.window().range().vma();
        let Some((ptep, addr)) = self.entry.table.entries().at(self.entry.index + number) else {
            return;
        };
        // SAFETY: By the type invariants of `Entries` the lock of the table is held.
        let old = unsafe { raw::ptep_get(ptep) };
        let Some(frozen) = Frozen::of_frame(old, self.folio().pfn() + number) else {
            return;
        };
        // SAFETY: The migration entry is in this area, whose table is locked, for this page.
        let pte = unsafe { migration_entry::thaw(frozen, self.folio(), number, vma) };
        if frozen.is_exclusive() && self.folio().is_anon() {
            // SAFETY: The page was exclusive before, and nobody can have shared it: its entry has
            // been a migration entry of a locked folio, under the table's lock, ever since.
            unsafe { raw::set_page_anon_exclusive(self.folio().page(number)) };
        }
        // SAFETY: The value maps the page, which is counted and referenced for it.
        unsafe { self.entry.table.entries().set(ptep, addr, pte) };
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
