// SPDX-License-Identifier: GPL-2.0

//! Where device memory is mapped: from page frames to a part of an address space.
//!
//! Pages that one process maps one after the other move like any range of it, under its mmap lock:
//! one page-table lock hold for many pages instead of two walks of the reverse mapping for each.

use super::{
    batch::Batch,
    call::Call,
    huge::{
        HugeEntry,
        LockedPmd, //
    },
    page_table::{
        look_up,
        Level,
        PteTable, //
    },
    place::Place,
    rmap,
    scratch::Scratch,
    vma::{
        Access,
        LockedRange, //
    },
    word::{
        PfnWord,
        VALID, //
    },
    PAGE_SHIFT, //
};
use core::{
    cell::Cell,
    ops::Range, //
};
use kernel::{
    mm::{
        MmWithUser,
        MmWithUserAsync, //
    },
    sync::aref::ARef, //
};

/// The fewest pages for which the lock of an address space is taken.
const SHORTEST: usize = 4;

/// How many pages are found one by one before it is looked again whether others follow each other.
const FEW: usize = 16;

/// In so many address spaces a page is looked for: the areas of children are found as well, whether
/// they still share it or not.
pub(crate) const ADDRESS_SPACES: usize = 4;

/// An address space that may map a page, and where; it may be unmapped at any time.
pub(crate) struct Mapping {
    mm: ARef<MmWithUserAsync>,
    addr: usize,
    pfn: usize,
}

impl Mapping {
    /// A mapping of the device page that a word names, if the call takes it: the one after the
    /// first `skipped`.
    pub(crate) fn of_word(call: &Call, word: PfnWord, skipped: usize) -> Option<Self> {
        let held = call.device_folio(word.has(VALID).then_some(word.pfn())?)?;
        let locked = held.try_lock()?;
        call.policy.takes(locked.folio()).ok()?;
        let number = word.pfn().checked_sub(locked.folio().pfn())?;
        let (mm, addr) = rmap::find(&locked, skipped)?;
        Some(Self {
            // The last user's exit is not for a driver's call to do, whatever locks that has.
            mm: MmWithUser::into_mmput_async(mm),
            addr: addr + (number << PAGE_SHIFT),
            pfn: word.pfn(),
        })
    }

    /// Calls `work` with the place where the first of a call's `pages` are mapped one after the
    /// other.
    ///
    /// The mmap lock is held for reading meanwhile. It is only tried: the caller may have a lock
    /// that somebody takes under it. [`None`] where it cannot be had, or few pages are mapped so.
    pub(crate) fn with_run<R>(
        &self,
        call: &Call,
        scratch: &mut Scratch<'_>,
        pages: Range<usize>,
        work: impl FnOnce(&mut Scratch<'_>, &Place<'_>) -> R,
    ) -> Option<R> {
        let (first, pfn) = (pages.start, self.pfn);
        let named = count_words(scratch.lend(first, pages.len()).words, pfn);
        let lock = self.mm.mmap_read_trylock()?;
        let vma = lock.vma_lookup(self.addr)?;
        let end = self.addr.saturating_add(named << PAGE_SHIFT).min(vma.end());
        // SAFETY: The lock is held as long as the range is used.
        let range = unsafe { LockedRange::new(vma, self.addr, end, Access::Any) }.ok()?;
        let place = |pages| Place::Run {
            window: range.window(self.addr, pages),
            first,
            pfn,
        };
        let all = place(named);
        let mut batch = Batch::new(call, &all, scratch.lend(first, all.pages()));
        let run = count_run(&mut batch, pfn);
        drop(batch);
        let run = whole_folios(call, pfn, run, named);
        (run >= SHORTEST).then(|| work(scratch, &place(run)))
    }
}

/// How many words, from the first on, name the page frames from `pfn` on, one after the other.
fn count_words(words: &[Cell<PfnWord>], pfn: usize) -> usize {
    let frames = words.iter().map(Cell::get).zip(pfn..);
    let run = frames.take_while(|(word, pfn)| word.has(VALID) && word.pfn() == *pfn);
    run.count()
}

/// How many pages of a batch's window, from the first on, are the page frames from `pfn` on, one
/// after the other.
fn count_run(batch: &mut Batch<'_>, pfn: usize) -> usize {
    let Some(window) = batch.place().window() else {
        return 0;
    };
    match look_up(window) {
        Level::Hole => 0,
        Level::Leaf(pmd) => LockedPmd::lock(batch, pmd).map_or(0, |mut lock| match lock.entry() {
            HugeEntry::Page(page) if page.first_pfn() == pfn => window.pages(),
            _ => 0,
        }),
        Level::Table(pmd) => {
            let table = PteTable::lock(batch, pmd);
            table.map_or(0, |mut table| table.count_run(pfn))
        }
    }
}

/// How many pages of a run of mapped ones, so that no folio is cut of which the words name all.
///
/// The rest of such a folio is mapped elsewhere: by another page table, or another area.
fn whole_folios(call: &Call, pfn: usize, run: usize, named: usize) -> usize {
    let end = pfn + run;
    match last_folio(call, end) {
        Some(last) if last.end > end && last.end <= pfn + named => last.start.saturating_sub(pfn),
        _ => run,
    }
}

/// How many pages, of those that the words name, are to be found one by one, so that no folio is
/// cut.
pub(crate) fn few(call: &Call, words: &[Cell<PfnWord>]) -> usize {
    let count = FEW.min(words.len());
    let last = words.get(count.wrapping_sub(1)).map(Cell::get);
    let last = last.filter(|word| word.has(VALID));
    let end = last.map_or(0, |word| word.pfn() + 1);
    let rest = last_folio(call, end).map_or(0, |last| last.end - end);
    words.len().min(count + rest)
}

/// The frame numbers of the device folio that has the last page before `end`.
fn last_folio(call: &Call, end: usize) -> Option<Range<usize>> {
    let held = call.device_folio(end.checked_sub(1)?)?;
    Some(held.folio().pfns())
}
