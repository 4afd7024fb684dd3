// SPDX-License-Identifier: GPL-2.0

//! The pass over a window that splits its large folios, as far as they cannot move whole.
//!
//! It is made before the window is worked through again, while no folio is locked but that of a
//! fault, by its handler: a split takes locks that may not be waited for under another folio's.

use super::{
    batch::Batch,
    call::Call,
    entry::Entry,
    folio::Folio,
    huge::{
        HugeEntry,
        LockedPmd, //
    },
    large::{
        self,
        Large, //
    },
    page_table::{
        look_up,
        Level,
        PteTable, //
    },
    place::Place,
    scratch::Lent,
    stats::Stage,
    vma::LockedWindow,
    watch::Watch,
    word::VALID, //
};

/// Splits the large folios of a window that cannot move whole, one at a time, while no other source
/// is locked.
///
/// # Context
///
/// May sleep.
pub(crate) fn split(call: &Call, place: &Place<'_>, lent: Lent<'_>) {
    Batch::with(call, place, lent, |batch| {
        let _watch = Watch::new(Stage::Split, batch);
        match place {
            Place::Vma(window) | Place::Run { window, .. } => split_window(batch, window),
            Place::Device { pages, .. } => split_device_pages(batch, *pages),
        }
    });
}

fn split_device_pages(batch: &Batch<'_>, pages: usize) {
    let call = batch.call();
    let mut done = 0..0;

    for index in 0..pages {
        let word = batch.word(index);
        if !word.has(VALID) || done.contains(&word.pfn()) || !batch.is_wanted(index) {
            continue;
        }
        let Some(held) = call.device_folio(word.pfn()) else {
            continue;
        };
        let pfns = held.folio().pfns();
        let whole = batch.has_pfns(index, pfns.clone()) && !held.folio().is_partly_mapped();
        if is_to_be_split(call, held.folio(), whole) {
            split_one(call, Large::Held(held));
        }
        done = pfns;
    }
}

/// Whether a folio, which nothing keeps from changing, is one for the split pass.
fn is_to_be_split(call: &Call, folio: Folio<'_>, whole: bool) -> bool {
    call.policy.takes(folio).is_ok()
        && large::must_split(call, folio, whole)
        && large::may_split(folio).is_ok()
}

fn split_window(batch: &mut Batch<'_>, window: &LockedWindow<'_>) {
    let call = batch.call();
    let mut index = 0;
    let mut is_split = false;

    while index < window.pages() {
        match look_up(window) {
            Level::Hole => return,
            // Whoever puts a huge page there again and again is not to keep us busy.
            Level::Leaf(_) if is_split => return,
            Level::Leaf(pmd) => match LockedPmd::lock(batch, pmd).map(find_huge) {
                None | Some(Found::Changed) => {}
                Some(Found::Other) => return,
                Some(Found::ZeroPage) => {
                    large::split_zero_page(window, pmd);
                    is_split = true;
                }
                Some(Found::Folio(large)) => {
                    if !split_one(call, large) {
                        return;
                    }
                    is_split = true;
                }
            },
            Level::Table(pmd) => {
                let Some(table) = PteTable::lock(batch, pmd) else {
                    continue;
                };
                let Some((at, pages, large)) = next_large(table, index) else {
                    return;
                };
                index = at + if split_one(call, large) { 1 } else { pages };
            }
        }
    }
}

/// What the split pass finds in place of a page table.
enum Found {
    Changed,
    ZeroPage,
    Folio(Large),
    Other,
}

fn find_huge(mut lock: LockedPmd<'_, '_>) -> Found {
    let call = lock.call();

    match lock.entry() {
        HugeEntry::Changed => Found::Changed,
        HugeEntry::ZeroPage => Found::ZeroPage,
        HugeEntry::Page(page) if is_to_be_split(call, page.folio(), page.is_whole()) => {
            Found::Folio(Large::new(call, page.folio()))
        }
        HugeEntry::Page(_) | HugeEntry::Other(_) => Found::Other,
    }
}

/// The next large folio that is to be split, from a page on: where it is met, and how many of its
/// pages follow from there.
fn next_large(mut table: PteTable<'_, '_>, from: usize) -> Option<(usize, usize, Large)> {
    let call = table.call();
    let mut index = from;

    while index < table.window().pages() {
        let is_wanted = table.is_wanted(index);
        let entry = table.entry(index);
        let pages = entry.pages();
        match entry {
            Entry::Page(page)
                if is_wanted && is_to_be_split(call, page.folio(), page.is_whole()) =>
            {
                return Some((index, page.rest(), Large::new(call, page.folio())));
            }
            _ => index += pages,
        }
    }
    None
}

fn split_one(call: &Call, large: Large) -> bool {
    let result = large::split(call, large);
    if let Err(reason) = result {
        call.set_split_failure(reason);
    }
    result.is_ok()
}
