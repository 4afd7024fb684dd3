// SPDX-License-Identifier: GPL-2.0

//! The pipeline: a call in windows, and each window through all stages.

#![forbid(unsafe_code)]

use crate::{
    collect,
    finalize,
    isolate,
    mm::{
        batch::Batch,
        call::{
            Call,
            MigrateOps,
            Retry, //
        },
        lru,
        mapped::{
            self,
            Mapping, //
        },
        place::Place,
        scratch::Scratch,
        split,
        stats::{
            self,
            Counter,
            Stage,
            Timer,
            Wait, //
        },
        task::{
            self,
            NoFs, //
        },
        vma::LockedRange,
        watch,
        word::{
            Outcome,
            PfnWord, //
        },
        PAGE_SHIFT,
    },
    unmap, //
};
use core::ops::Range;
use kernel::prelude::*;

/// The pipeline: takes a window through all stages, as far as there is something to move.
fn run_stages(driver: &impl MigrateOps, batch: &mut Batch<'_>) {
    let _timer = Timer::start(Wait::Window);
    let unmapped = collect::collect(batch)
        .filter(|_| goes_on(Stage::Collect))
        .and_then(isolate::isolate)
        .filter(|_| goes_on(Stage::Isolate))
        .and_then(unmap::unmap)
        .filter(|_| goes_on(Stage::Unmap));
    let Some(unmapped) = unmapped else {
        return;
    };
    // A file system may be waiting for pages that are locked here: the driver does not wait for it.
    let _no_fs = unmapped.may_have_files().then(NoFs::begin);
    // From here on the driver is told of the end, come what may.
    let copied = finalize::copy(unmapped, driver);
    let migrated = finalize::migrate(copied, goes_on(Stage::Copy));
    let told = finalize::finalize(migrated, driver);
    if goes_on(Stage::Finalize) {
        finalize::settle(told);
    }
}

/// Whether a batch goes on after a stage; selftests have it dropped there, or held up before.
fn goes_on(stage: Stage) -> bool {
    #[cfg(CONFIG_HMM_MIGRATE_TEST)]
    return crate::mm::test_hook::goes_on(stage);
    #[cfg(not(CONFIG_HMM_MIGRATE_TEST))]
    {
        let _ = stage;
        true
    }
}

/// Moves what can be moved of one window, and says what became of each page.
fn migrate_window<'a>(
    call: &Call,
    driver: &impl MigrateOps,
    scratch: &'a mut Scratch<'_>,
    offset: usize,
    place: &Place<'_>,
) -> &'a [Outcome] {
    let pages = place.pages();

    stats::count(Counter::Windows, 1);
    call.begin_window();
    loop {
        let lent = scratch.lend(offset, pages);
        Batch::with(call, place, lent, |batch| run_stages(driver, batch));
        match call.take_retry() {
            None => break,
            // To wait for the other processors costs milliseconds, too much for a fault, which is
            // repeated anyway.
            Some(Retry::Drain) if call.fault.is_some() => lru::drain_local(),
            Some(Retry::Drain) => lru::drain_all(),
            Some(Retry::Split | Retry::Smaller) => {
                split::split(call, place, scratch.lend(offset, pages));
            }
        }
    }
    let outcomes = scratch.finish(offset, pages);
    watch::left(place, outcomes);
    outcomes
}

/// Moves what can be moved of a range, window by window.
///
/// `note` learns what became of the pages of each window.
///
/// # Errors
///
/// [`EINTR`] where a fatal signal came between two windows; what has moved stays moved.
pub(crate) fn migrate_range(
    call: &Call,
    driver: &impl MigrateOps,
    scratch: &mut Scratch<'_>,
    range: &LockedRange<'_>,
    mut note: impl FnMut(&[Outcome]),
) -> Result {
    stats::count(Counter::Calls, 1);
    let span = range.span();
    let mut at = span.start();
    loop {
        let window = range.window(at, scratch.window_pages());
        let offset = (at - span.start()) >> PAGE_SHIFT;

        note(migrate_window(
            call,
            driver,
            scratch,
            offset,
            &Place::Vma(window),
        ));
        at = window.end();
        if at == span.end() {
            return Ok(());
        }
        if let Err(error) = task::between_windows() {
            scratch.clear_from((at - span.start()) >> PAGE_SHIFT);
            return Err(error);
        }
    }
}

/// Moves what can be moved of the one window that a fault is in.
pub(crate) fn migrate_fault<'a>(
    call: &Call,
    driver: &impl MigrateOps,
    scratch: &'a mut Scratch<'_>,
    offset: usize,
    place: &Place<'_>,
) -> &'a [Outcome] {
    stats::count(Counter::Calls, 1);
    scratch.begin(offset);
    migrate_window(call, driver, scratch, offset, place)
}

/// Moves the first pages of a window of device memory as a part of the address space that maps
/// them one after the other, and says how many that were.
///
/// [`None`] where they are mapped in no such way, or that address space is busy.
fn migrate_run(
    call: &Call,
    driver: &impl MigrateOps,
    scratch: &mut Scratch<'_>,
    pages: Range<usize>,
    note: &mut impl FnMut(&[Outcome]),
) -> Option<usize> {
    let first = pages.start;
    let word = scratch.lend(first, 1).words.first()?.get();

    for skipped in 0..mapped::ADDRESS_SPACES {
        let mapping = Mapping::of_word(call, word, skipped)?;
        let moved = mapping.with_run(call, scratch, pages.clone(), |scratch, place| {
            note(migrate_window(call, driver, scratch, first, place));
            place.pages()
        });
        if moved.is_some() {
            return moved;
        }
    }
    None
}

/// Moves what can be moved of a device's memory, wherever it is mapped.
///
/// `first_pfn` is the frame number of the first page, or none where the caller's words have the
/// numbers.
///
/// A fatal signal does not end it: drivers empty their memory when a killed process closes them.
pub(crate) fn migrate_device(
    call: &Call,
    driver: &impl MigrateOps,
    scratch: &mut Scratch<'_>,
    total: usize,
    first_pfn: Option<usize>,
    mut note: impl FnMut(&[Outcome]),
) {
    stats::count(Counter::Calls, 1);
    let mut first = 0;
    loop {
        scratch.begin(first);
        let mut pages = scratch.window_pages().min(total - first);
        if let Some(pfn) = first_pfn {
            // No large folio lies across the end of a window, so that all of them move whole.
            let size = 1 << scratch.window_pages().ilog2();
            pages = pages.min(size - (pfn + first) % size);
            let words = scratch.lend(first, pages).words;
            for (index, word) in words.iter().enumerate() {
                word.set(PfnWord::offer(pfn + first + index, 0));
            }
        }
        let end = first + pages;
        while first < end {
            first += match migrate_run(call, driver, scratch, first..end, &mut note) {
                Some(pages) => pages,
                None => {
                    let pages = mapped::few(call, scratch.lend(first, end - first).words);
                    let place = Place::Device { first, pages };
                    note(migrate_window(call, driver, scratch, first, &place));
                    pages
                }
            };
        }
        if first == total {
            return;
        }
        task::let_others_run();
    }
}
