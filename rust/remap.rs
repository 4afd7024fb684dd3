// SPDX-License-Identifier: GPL-2.0

//! Mapping pages in a locked page table: where migration entries stand, and where there were holes.

use super::{
    batch::Which,
    entry::Seen,
    folio::Folio,
    migration_entry::{
        self,
        Frozen, //
    },
    page_table::{
        Entries,
        PteTable, //
    },
    raw,
    slot::Slot,
    span::HUGE_ORDER,
    value::{
        pte_next_swp_offset,
        pte_none,
        pte_pfn,
        pte_same, //
    },
    word::Reason, //
};

impl PteTable<'_, '_> {
    /// Maps what the slots of `which` are to map, where their migration entries are still there.
    pub(super) fn remap(&mut self, which: Which) {
        let (batch, entries) = self.parts();
        batch.each(which, |slot| entries.remap(slot));
    }

    /// Does a step for each hole that has a page to fill it; one that fails stays a hole, with the
    /// reason.
    pub(super) fn each_given_hole(
        &mut self,
        mut step: impl FnMut(&mut Entries<'_>, &mut Slot) -> Result<(), Reason>,
    ) {
        let (batch, entries) = self.parts();
        batch.each_given_hole(|slot| step(entries, slot));
    }
}

impl Entries<'_> {
    /// Maps what a slot is to map, where its migration entries are still there.
    ///
    /// Whoever holds only the mmap lock for reading may have taken an entry away, or may have put
    /// something else in its place, and that stands.
    #[inline(always)]
    fn remap(&mut self, slot: &mut Slot) {
        // SAFETY: It is replaced below, if it is still there.
        if !unsafe { slot.take_own_entry() } {
            return;
        }
        if slot.count() == 1 {
            self.remap_small(slot);
        } else {
            self.remap_large(slot);
        }
    }

    #[inline(always)]
    fn remap_small(&mut self, slot: &mut Slot) {
        let (Some(src), Some(target)) = (slot.src(), slot.target()) else {
            return;
        };
        let Some((ptep, addr)) = self.at(slot.index()) else {
            return;
        };
        // SAFETY: By the type invariants the lock of the table is held.
        let pte = unsafe { raw::ptep_get(ptep) };
        // Mostly it is as it was made, and need not be taken apart.
        let frozen = (slot.frozen(pte)).or_else(|| Frozen::of_frame(pte, src.pfn()));
        let Some(frozen) = frozen else {
            return;
        };
        // Our reference, where it is ours, becomes that of the mapping.
        if !slot.has_target() {
            target.get();
        }
        let vma = self.window().range().vma();
        // SAFETY: The target is locked by us or the fault handler, and is mapped below.
        unsafe { (self.mappings()).add(target, 0, 1, addr, frozen.is_exclusive()) };
        // SAFETY: The migration entry is in this area, whose table is locked.
        let pte = unsafe { migration_entry::thaw(frozen, target, 0, vma) };
        // SAFETY: The value maps the target, which has been counted and referenced for it.
        unsafe { self.set(ptep, addr, pte) };
        // SAFETY: The mapping has just been made, under the lock of the table, and a reference is
        // missing where it is ours.
        unsafe { slot.hand_over() };
    }

    fn remap_large(&mut self, slot: &mut Slot) {
        let (Some(src), Some(target)) = (slot.src(), slot.target()) else {
            return;
        };
        let (first, count) = (slot.index(), slot.count());
        let frozen = self.frozen(first, src.pfn());
        let Some(frozen) = frozen.filter(|_| self.is_run(first, count)) else {
            return self.remap_kept(slot);
        };
        // Each mapping has a reference; ours, where it is ours, becomes that of one of them.
        target.get_some(count - usize::from(slot.has_target()));
        self.map(first, frozen, target, 0, count);
        // SAFETY: The mapping has just been made, under the lock of the table, and a reference is
        // missing where it is ours.
        unsafe { slot.hand_over() };
    }

    /// Maps those pages of a slot whose migration entries are here, and still there, each as its
    /// own says.
    ///
    /// The slot keeps what it holds.
    ///
    /// Pages that follow each other are counted at once: a folio is mlocked when it is mapped
    /// whole.
    pub(super) fn remap_kept(&mut self, slot: &Slot) {
        let (Some(src), Some(target)) = (slot.src(), slot.target()) else {
            return;
        };
        if slot.count() == 1 {
            // Mostly so: its entry is taken apart once, not to count it and again to write it.
            if let Some(frozen) = self.frozen(slot.index(), src.pfn()) {
                target.get();
                self.map(slot.index(), frozen, target, 0, 1);
            }
            return;
        }
        let pages = slot.pages();
        let mut number = 0;
        while number < pages.len() {
            let (index, pfn) = (pages.start + number, src.pfn() + number);
            let run = (index..pages.end).zip(pfn..);
            let run = run.take_while(|&(index, pfn)| self.frozen(index, pfn).is_some());
            let count = run.count();
            if count > 0 {
                target.get_some(count);
                self.count_mapped(index, target, number, count, false);
            }
            for offset in 0..count {
                if let Some(frozen) = self.frozen(index + offset, pfn + offset) {
                    self.write_kept(index + offset, frozen, target, number + offset);
                }
            }
            number += count.max(1);
        }
    }

    /// Maps a page, which has been counted as one that others may have, as its entry says.
    fn write_kept(&mut self, index: usize, frozen: Frozen, target: Folio<'_>, number: usize) {
        if frozen.is_exclusive() && target.is_anon() {
            // SAFETY: Its entry has said so ever since the page was unmapped, and nobody can share
            // a page behind a migration entry.
            unsafe { raw::set_page_anon_exclusive(target.page(number)) };
        }
        self.write(index, frozen, target, number);
    }

    /// The migration entry for `src_pfn`, if there is one.
    fn frozen(&self, index: usize, src_pfn: usize) -> Option<Frozen> {
        Frozen::of_frame(self.get(index)?, src_pfn)
    }

    /// Whether the entries from `first`, a migration entry, on are for one frame after the other,
    /// and say the same.
    fn is_run(&self, first: usize, count: usize) -> bool {
        let Some(mut expected) = self.get(first) else {
            return false;
        };
        (first + 1..first + count).all(|index| {
            expected = pte_next_swp_offset(expected);
            self.get(index).is_some_and(|pte| pte_same(pte, expected))
        })
    }

    /// Maps `count` pages of `target`, from page `number` on, in the place of migration entries
    /// that say the same.
    ///
    /// The mappings' references have been taken.
    fn map(
        &mut self,
        index: usize,
        frozen: Frozen,
        target: Folio<'_>,
        number: usize,
        count: usize,
    ) {
        self.count_mapped(index, target, number, count, frozen.is_exclusive());
        for offset in 0..count {
            self.write(index + offset, frozen, target, number + offset);
        }
    }

    /// Counts the mappings of pages that are to be mapped.
    fn count_mapped(
        &mut self,
        index: usize,
        target: Folio<'_>,
        number: usize,
        count: usize,
        exclusive: bool,
    ) {
        if let Some((_, addr)) = self.at(index) {
            // SAFETY: The target is locked by us or the fault handler; the callers map its pages.
            unsafe { (self.mappings()).add(target, number, count, addr, exclusive) };
        }
    }

    /// Puts what a migration entry says in its place, for page `number` of `target`, which has been
    /// counted.
    fn write(&mut self, index: usize, frozen: Frozen, target: Folio<'_>, number: usize) {
        let vma = self.window().range().vma();
        let Some((ptep, addr)) = self.at(index) else {
            return;
        };
        // SAFETY: The migration entry is in this area, whose table is locked; the target has as
        // many pages as the source.
        let pte = unsafe { migration_entry::thaw(frozen, target, number, vma) };
        // SAFETY: The value maps the target, which has been counted and referenced for it.
        unsafe { self.set(ptep, addr, pte) };
    }

    /// Takes zero pages, where they are mapped, out of a slot's hole; false where there is no hole
    /// now, and nothing is changed.
    pub(super) fn clear_hole(&mut self, slot: &Slot) -> bool {
        let mut pages = slot.pages();
        pages.all(|index| matches!(self.look(index), Seen::Hole))
            && (slot.pages()).all(|index| self.is_empty(index) || self.clear_page(index))
    }

    fn clear_page(&mut self, index: usize) -> bool {
        let (Seen::Hole, Some((ptep, addr))) = (self.look(index), self.at(index)) else {
            return false;
        };
        let range = self.window().range();
        // SAFETY: By the type invariants the lock of the table is held.
        let pte = unsafe { raw::ptep_get(ptep) };
        // A hole that is not empty is the zero page.
        let pfn = pte_pfn(pte);
        // SAFETY: The area is valid.
        unsafe { raw::flush_cache_page(range.vma(), addr, pfn) };
        // SAFETY: By the type invariants the lock of the table is held.
        unsafe { raw::ptep_get_and_clear(range.mm(), addr, ptep) };
        self.owe_flush(addr);
        true
    }

    fn is_empty(&self, index: usize) -> bool {
        self.get(index).is_some_and(pte_none)
    }

    /// Maps the page of a slot where there was a hole; false where something is there now, or the
    /// page is not ready.
    #[inline(always)]
    pub(super) fn fill(&mut self, slot: &mut Slot) -> bool {
        let range = *self.window().range();
        // What is as large as a page table is mapped in the place of one.
        let fits = slot.is_charged() && slot.order() < HUGE_ORDER;
        let Some(target) = slot.dst().filter(|_| fits) else {
            return false;
        };
        if !slot.pages().all(|index| self.is_empty(index)) {
            return false;
        }
        let Some((_, addr)) = self.at(slot.index()) else {
            return false;
        };
        // SAFETY: The folio is fresh and locked, and is mapped here at once; with its charge comes
        // the area's anon_vma.
        unsafe { self.mappings().add_new(target, addr) };
        if !target.is_zone_device() {
            // SAFETY: The folio is fresh, so it is on no list.
            unsafe { raw::folio_add_lru_vma(target.as_ptr(), range.vma()) };
        }
        self.account_anon(slot.count());
        target.get_some(slot.count());
        for (number, index) in slot.pages().enumerate() {
            let Some((ptep, addr)) = self.at(index) else {
                break;
            };
            let writable = range.is_writable();
            // SAFETY: The area is valid, and its table is locked.
            let pte = unsafe { migration_entry::fill(target, number, writable, range.vma()) };
            // SAFETY: The value maps the target, which has been counted and referenced for it.
            unsafe { self.set(ptep, addr, pte) };
        }
        // SAFETY: It is mapped above, where it was charged.
        unsafe { slot.set_filled() };
        true
    }
}
