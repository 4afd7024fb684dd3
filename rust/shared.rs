// SPDX-License-Identifier: GPL-2.0

//! Pages that other page tables map, too: a table at a time.
//!
//! After a fork, parent and children map the same pages at the same distances. So an area in which
//! the reverse mapping finds one of them is where its neighbours are as well: one walk of the
//! reverse mapping, one lock of each page table and one flush do for many pages.
//!
//! Pages of a device that were found by their frame numbers are mapped in such places alone. The
//! core would unmap them as well, but does not know that a device writes.

use super::{
    anon_vma::Areas,
    batch::{
        Batch,
        Which, //
    },
    device_writes,
    folio::Folio,
    notifier::Bracket,
    page_table::{
        look_up,
        Entries,
        Level,
        LockedEntries, //
    },
    rmap,
    slot::{
        held,
        Slot,
        State, //
    },
    span::HUGE_ORDER,
    vma::{
        LockedWindow,
        VmaRange,
        Window, //
    },
    PAGE_SHIFT, //
};
use core::{
    ops::Range,
    ptr::NonNull, //
};
use kernel::bindings::anon_vma;

/// For how many pages the reverse mapping is locked at once, and each page table flushed once.
///
/// Whoever forks, maps or unmaps the memory waits meanwhile; whoever uses it is interrupted by the
/// flush.
const MOST: usize = 256;

/// Slots in a row whose mappings one anon_vma finds, as far as there is anything to be done for
/// them.
struct Group {
    anon_vma: NonNull<anon_vma>,
    numbers: Range<usize>,
    pages: Range<usize>,
    /// The page offset by which the first of the pages is found.
    offset: usize,
}

/// What is to be done in each area.
#[derive(Clone, Copy)]
enum Task {
    Unmap,
    Remap(Which),
}

impl Task {
    /// The folio of a slot, if its mappings are to be worked on.
    ///
    /// What one entry of a higher level may map is left to the core.
    fn folio(self, slot: &Slot) -> Option<Folio<'_>> {
        let is_one = match self {
            Task::Unmap => slot.state() == State::Taken,
            Task::Remap(which) => which.has(slot) && slot.holds(held::OTHER_ENTRIES),
        };
        let folio = match self {
            Task::Unmap => slot.src().filter(|src| src.is_mapped()),
            Task::Remap(_) => slot.target(),
        };
        folio.filter(|_| is_one && slot.order() < HUGE_ORDER)
    }

    /// What finds the mappings of a slot, if it is one to be worked on.
    fn anon_vma(self, slot: &Slot) -> Option<NonNull<anon_vma>> {
        self.folio(slot)?.anon_vma()
    }

    /// The page offset by which the first page of the window would be found, as a slot has it; it
    /// need not exist.
    fn offset(self, slot: &Slot) -> Option<usize> {
        Some(self.folio(slot)?.anon_offset().wrapping_sub(slot.index()))
    }
}

impl Batch<'_> {
    /// Puts migration entries wherever else sources of a window are mapped: by the page table, or,
    /// with one flush of the TLB for all, page by page.
    ///
    /// Something may be left: what is pinned, and a stack that exec moves.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn unmap_others(&mut self) {
        let mut is_unmapped_by_pages = false;
        self.work_on_shared(Task::Unmap);
        self.each_source(|source| {
            let Some(src) = source.src().filter(|src| src.is_mapped()) else {
                return Ok(());
            };
            let is_written = source.order() == HUGE_ORDER && src.is_device_private();
            source.unmap_others();
            is_unmapped_by_pages = true;
            if let (true, Some(src)) = (is_written, source.src()) {
                // SAFETY: It is one of this batch's sources.
                unsafe { device_writes::mark(src) };
            }
            Ok(())
        });
        if is_unmapped_by_pages {
            rmap::flush_unmapped();
        }
    }

    /// Maps the sources of a window, or their destinations, wherever there are migration entries.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(super) fn remap_shared(&mut self, which: Which) {
        if self.is_mapped_elsewhere() {
            self.work_on_shared(Task::Remap(which));
        }
    }

    fn work_on_shared(&mut self, task: Task) {
        let mut from = 0;
        while let Some(group) = self.next_group(from, task) {
            self.work_on_group(&group, task);
            from = group.numbers.end;
        }
    }

    /// The next slots that are to be worked on together.
    fn next_group(&self, from: usize, task: Task) -> Option<Group> {
        let slots = self.slots(from..self.len());
        let first = slots
            .iter()
            .position(|slot| task.anon_vma(slot).is_some())?;
        let slots = slots.get(first..)?;
        let head = slots.first()?;
        let (anon_vma, offset, begin) = (task.anon_vma(head)?, task.offset(head)?, head.index());
        // Slots have been collected in order; what a driver's answer has added is no source.
        let is_one = |slot: &&Slot| {
            let near = slot.src().is_some() && slot.pages().end <= begin + MOST;
            let is_found = || {
                let is_same = task.anon_vma(slot).is_none_or(|other| other == anon_vma);
                is_same && task.offset(slot).is_none_or(|other| other == offset)
            };
            near && is_found()
        };
        let count = slots.iter().take_while(is_one).count().max(1);
        let numbers = from + first..from + first + count;
        let end = slots.get(count - 1)?.pages().end;
        Some(Group {
            anon_vma,
            numbers,
            pages: begin..end,
            offset: offset.wrapping_add(begin),
        })
    }

    fn work_on_group(&mut self, group: &Group, task: Task) {
        let window = self.place().window();
        // SAFETY: In an address space the window's area is linked to it, which the mmap lock keeps
        // so; in a device's memory the slot has a reference.
        let areas = unsafe { Areas::lock(group.anon_vma) };
        areas.each(group.offset, group.pages.len(), |range, before| {
            if matches!(task, Task::Unmap) && is_passed_over(window, range) {
                return true;
            }
            each_part(range, |part, number| {
                let first = group.pages.start + before + number;
                self.work_on_part(part, first, group, task);
            });
            // Of many children most may have pages of their own by now.
            self.is_left(group, task)
        });
        if let Task::Remap(_) = task {
            for slot in self.slots_mut(group.numbers.clone()) {
                if task.anon_vma(slot).is_some() {
                    // SAFETY: Every area that the reverse mapping has was gone through: until now
                    // there was always something left to be done for this slot.
                    unsafe { slot.set_remapped() };
                }
            }
        }
    }

    /// Whether there is still something to be done for a slot of a group.
    fn is_left(&self, group: &Group, task: Task) -> bool {
        let mut slots = self.slots(group.numbers.clone()).iter();
        slots.any(|slot| task.anon_vma(slot).is_some())
    }

    /// Does it in a part of an area whose first page has the number `first` in the batch.
    fn work_on_part(&mut self, part: &Window<'_>, first: usize, group: &Group, task: Task) {
        let _bracket = matches!(task, Task::Unmap).then(|| Bracket::open_elsewhere(part));
        // Small entries are where a page table is. It may go, or come, until it is locked.
        while let Level::Table(pmd) = look_up(part) {
            let Some(mut table) = LockedEntries::lock(part, pmd, first) else {
                continue;
            };
            for slot in self.slots_mut(group.numbers.clone()) {
                if task.anon_vma(slot).is_some() {
                    match task {
                        Task::Unmap => table.entries().freeze_elsewhere(slot),
                        Task::Remap(_) => table.entries().remap_kept(slot),
                    }
                }
            }
            return;
        }
    }
}

/// Whether sources are not to be unmapped in a range: all that the window has is behind migration
/// entries, and a stack that exec is moving is left alone by all who migrate.
fn is_passed_over(window: Option<&LockedWindow<'_>>, range: &VmaRange<'_>) -> bool {
    let is_own = window.is_some_and(|window| range.vma() == window.range().vma());
    is_own || range.is_temporary_stack()
}

/// Does something with each part of a range that one page table maps, and with how many pages come
/// before it.
pub(super) fn each_part(range: &VmaRange<'_>, mut work: impl FnMut(&Window<'_>, usize)) {
    let (start, end) = (range.span().start(), range.span().end());
    let mut at = start;
    while at < end {
        let part = range.window(at, range.span().pages());
        work(&part, (at - start) >> PAGE_SHIFT);
        at = part.end();
    }
}

impl Entries<'_> {
    /// Puts migration entries where pages of a source are mapped here.
    fn freeze_elsewhere(&mut self, slot: &mut Slot) {
        let pages = slot.pages();
        let mut number = 0;
        while number < pages.len() {
            let Some(src) = slot.src() else {
                return;
            };
            let run = self.freeze_run(src, number, pages.start + number..pages.end);
            if run > 0 {
                // All at once: a folio of which a part is mapped would be queued for a split.
                // SAFETY: The pages were mapped here, and are no longer.
                unsafe { self.mappings().remove(src, number, run) };
                // SAFETY: The mappings' references; another one is the slot's, or the fault
                // handler's.
                unsafe { src.put_some(run) };
                slot.set_unmapped();
            }
            number += run.max(1);
        }
    }

    /// Puts migration entries where the first of `indices` map the pages of a source from page
    /// `number` on, one after the other, and says for how many.
    fn freeze_run(&mut self, src: Folio<'_>, number: usize, indices: Range<usize>) -> usize {
        let pages = indices.zip(number..);
        let run = pages.take_while(|&(index, number)| {
            let Some(present) = self.maps(index, src.pfn() + number) else {
                return false;
            };
            // SAFETY: The entry maps the page; the folio is locked until it is mapped again.
            unsafe { self.freeze(index, src, number, present) }.is_ok()
        });
        run.count()
    }
}
