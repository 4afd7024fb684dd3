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
    /// [`None`] where the mmap lock cannot be had, or few pages are mapped so.
    ///
    /// # Context
    ///
    /// May sleep. The mmap lock is held for reading while `work` is called. It is only tried: the
    /// caller may have a lock that somebody takes under it.
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
        let lent = scratch.lend(first, all.pages());
        let run = Batch::with(call, &all, lent, |batch| count_run(batch, pfn));
        let run = whole_folios(pfn, run, named, |pfn| folio_of(call, pfn));
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
/// The rest of such a folio is mapped elsewhere: by another page table, or another area. `folio_of`
/// is only asked about a page of the run: others are perhaps not the device's.
fn whole_folios(
    pfn: usize,
    run: usize,
    named: usize,
    folio_of: impl FnOnce(usize) -> Option<Range<usize>>,
) -> usize {
    let end = pfn + run;
    match (pfn..end).last().and_then(folio_of) {
        Some(last) if last.end > end && last.end <= pfn + named => last.start.saturating_sub(pfn),
        _ => run,
    }
}

/// How many pages, of those that the words name, are to be found one by one, so that no folio is
/// cut.
pub(crate) fn few(call: &Call, words: &[Cell<PfnWord>]) -> usize {
    let count = FEW.min(words.len());
    let last = words.get(count.wrapping_sub(1)).map(Cell::get);
    let last = last.filter(|word| word.has(VALID)).map(|word| word.pfn());
    let rest = last.and_then(|pfn| Some(folio_of(call, pfn)?.end - pfn - 1));
    words.len().min(count + rest.unwrap_or(0))
}

/// The frame numbers of the device folio that has a page which the call names.
fn folio_of(call: &Call, pfn: usize) -> Option<Range<usize>> {
    Some(call.device_folio(pfn)?.folio().pfns())
}

#[cfg(CONFIG_HMM_MIGRATE_KUNIT_TEST)]
#[kernel::macros::kunit_tests(hmm_migrate_mapped)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_none_has_no_last_page() {
        let asked = Cell::new(false);
        let pages = whole_folios(512, 0, 512, |_| {
            asked.set(true);
            None
        });
        assert_eq!(pages, 0);
        assert!(!asked.get());
    }

    #[test]
    fn a_folio_that_is_cut_is_left_out() {
        assert_eq!(whole_folios(512, 20, 32, |_| Some(528..544)), 16);
    }

    #[test]
    fn a_folio_that_goes_on_beyond_the_words_is_cut() {
        assert_eq!(whole_folios(512, 20, 20, |_| Some(528..544)), 20);
    }

    #[test]
    fn the_last_page_of_a_run_is_asked_about() {
        let asked = Cell::new(0);
        let pages = whole_folios(512, 32, 64, |pfn| {
            asked.set(pfn);
            Some(528..544)
        });
        assert_eq!(pages, 32);
        assert_eq!(asked.get(), 543);
    }
}
