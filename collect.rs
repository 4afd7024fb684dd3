// SPDX-License-Identifier: GPL-2.0

//! The first stage: from a page table to locked folios behind migration entries.
//!
//! One page-table lock hold, one TLB flush and one notifier bracket serve a whole window. What
//! cannot go to the destination is refused here, before its mapping is touched.

#![forbid(unsafe_code)]

use crate::mm::{
    batch::Batch,
    call::{
        Call,
        Place, //
    },
    entry::{
        Entry,
        LockedEntry, //
    },
    folio::HeldFolio,
    large::{
        self,
        Found,
        Large, //
    },
    notifier::Bracket,
    page_table::{
        look_up,
        Level,
        PteTable, //
    },
    rmap::AnonVma,
    slot::Slot,
    vma::Window,
    word::{
        Reason,
        VALID, //
    },
};

/// A window whose sources are locked, each behind a migration entry in the window's page table, or
/// mapped as before where the window is one of device memory.
pub(crate) struct Collected<'s>(Batch<'s>);

impl<'s> Collected<'s> {
    /// Takes the batch over for the next stage.
    pub(crate) fn into_batch(self) -> Batch<'s> {
        self.0
    }
}

/// Collects a window; [`None`] where nothing of it can move, or it must be worked through again.
pub(crate) fn collect(mut batch: Batch<'_>) -> Option<Collected<'_>> {
    match batch.place() {
        Place::Vma(window) => collect_window(&mut batch, &window),
        Place::Device { pages, .. } => (0..pages).for_each(|index| {
            if let Err(reason) = take_device_page(&mut batch, index) {
                batch.leave(index, reason);
            }
        }),
    }
    if batch.call().will_retry() || !batch.has_offers() {
        return None;
    }
    Some(Collected(batch))
}

fn collect_window(batch: &mut Batch<'_>, window: &Window<'_>) {
    let call = batch.call();
    let _bracket = Bracket::open(window, call.policy.owner());

    loop {
        match look_up(window) {
            Level::Hole => return offer_holes(batch, window),
            Level::Leaf(pmd) => match large::find(call, pmd) {
                Found::Changed => {}
                Found::Other(reason) => return batch.leave_all(reason),
                Found::ZeroPage if !fills_holes(call, window) => {
                    return batch.leave_all(Reason::Nothing)
                }
                Found::ZeroPage | Found::Folio(_) => {
                    if !call.ask_for_split() {
                        batch.leave_all(call.split_failure());
                    }
                    return;
                }
            },
            Level::Table(pmd) => {
                if let Some(table) = PteTable::lock(batch, pmd) {
                    return collect_table(table);
                }
            }
        }
    }
}

fn offer_holes(batch: &mut Batch<'_>, window: &Window<'_>) {
    if fills_holes(batch.call(), window) {
        (0..window.pages()).for_each(|index| batch.push_hole(index));
    }
}

fn fills_holes(call: &Call, window: &Window<'_>) -> bool {
    call.policy.from_system() && window.range().may_fill_holes()
}

fn collect_table(mut table: PteTable<'_, '_>) {
    let window = table.window();
    let fills = fills_holes(table.call(), &window);

    for index in 0..window.pages() {
        if let Err(reason) = take_entry(&mut table, index, fills) {
            table.leave(index, reason);
        }
        if table.call().will_retry() {
            return;
        }
    }
}

fn take_entry(table: &mut PteTable<'_, '_>, index: usize, fills: bool) -> Result<(), Reason> {
    let call = table.call();

    match table.entry(index) {
        Entry::Other(reason) => Err(reason),
        Entry::Hole(hole) => {
            if fills {
                hole.offer();
            }
            Ok(())
        }
        Entry::Page(page) => {
            call.policy.takes(page.folio())?;
            if page.is_poisoned() {
                return Err(Reason::Poisoned);
            }
            if page.folio().is_large() {
                large::may_split(call, page.folio())?;
                call.ask_for_split();
                return Err(call.split_failure());
            }
            let page = page.lock()?;
            // KSM works under the folio lock: look again.
            call.policy.takes(page.folio())?;
            give_back_swap_slot(call, &page)?;
            page.freeze()
        }
    }
}

/// Frees the swap slot before anything is copied: a page of a device has none.
fn give_back_swap_slot(call: &Call, page: &LockedEntry<'_, '_, '_>) -> Result<(), Reason> {
    let folio = page.folio();

    if folio.is_under_writeback() {
        return Err(Reason::Locked);
    }
    if !folio.is_in_swap_cache() || call.policy.to_system() || page.free_swap() {
        return Ok(());
    }
    Err(Reason::Swapped)
}

/// Takes one page of device memory by its frame number, which the caller's word has.
///
/// It may be free, or freed and used again, until it is referenced and locked.
fn take_device_page(batch: &mut Batch<'_>, index: usize) -> Result<(), Reason> {
    let call = batch.call();
    let word = batch.word(index);
    if !word.has(VALID) {
        return Err(Reason::Nothing);
    }
    let held = HeldFolio::of_device_pfn(word.pfn()).ok_or(Reason::NotMapped)?;

    if call.policy.owner().is_null() || held.folio().owner() != call.policy.owner() {
        return Err(Reason::Foreign);
    }
    let locked = held.try_lock().ok_or(Reason::Locked)?;
    if !locked.folio().is_mapped() {
        if locked.folio().is_anon() {
            // Unmapped, but not free: a batch of pages to be munlocked may have it.
            call.ask_for_drain();
        }
        return Err(Reason::NotMapped);
    }
    call.policy.takes(locked.folio())?;
    if locked.folio().is_large() {
        large::may_split(call, locked.folio())?;
        call.ask_for_split();
        return Err(call.split_failure());
    }
    let anon_vma = AnonVma::of(locked.folio()).ok_or(Reason::NotMapped)?;
    batch.push(Slot::device(locked, index, anon_vma));
    Ok(())
}

/// Splits the large folios of a window, one at a time, while no other folio is locked.
pub(crate) fn split(mut batch: Batch<'_>) {
    match batch.place() {
        Place::Vma(window) => split_window(&mut batch, &window),
        Place::Device { pages, .. } => split_device_pages(&batch, pages),
    }
}

fn split_device_pages(batch: &Batch<'_>, pages: usize) {
    let call = batch.call();
    let mut whole = 0..0;

    for word in (0..pages).map(|index| batch.word(index)) {
        if !word.has(VALID) || whole.contains(&word.pfn()) {
            continue;
        }
        let large = HeldFolio::of_device_pfn(word.pfn())
            .filter(|held| held.folio().is_large() && large::may_split(call, held.folio()).is_ok());
        if let Some(held) = large {
            let pfns = held.folio().pfns();
            if !split_one(call, Large::Held(held)) {
                whole = pfns;
            }
        }
    }
}

fn split_window(batch: &mut Batch<'_>, window: &Window<'_>) {
    let call = batch.call();
    let mut index = 0;

    while index < window.pages() {
        match look_up(window) {
            Level::Hole => return,
            Level::Leaf(pmd) => match large::find(call, pmd) {
                Found::Changed => {}
                Found::Other(_) => return,
                Found::ZeroPage => large::split_zero_page(pmd),
                Found::Folio(large) => {
                    if !split_one(call, large) {
                        return;
                    }
                }
            },
            Level::Table(pmd) => {
                let Some(table) = PteTable::lock(batch, pmd) else {
                    continue;
                };
                let Some((at, large)) = next_large(table, index) else {
                    return;
                };
                split_one(call, large);
                index = at + 1;
            }
        }
    }
}

/// The next large folio that the call takes, from a page on.
fn next_large(mut table: PteTable<'_, '_>, from: usize) -> Option<(usize, Large)> {
    let call = table.call();

    (from..table.window().pages()).find_map(|index| match table.entry(index) {
        Entry::Page(page)
            if page.folio().is_large() && large::may_split(call, page.folio()).is_ok() =>
        {
            Some((index, Large::new(call, page.folio())))
        }
        _ => None,
    })
}

fn split_one(call: &Call, large: Large) -> bool {
    let result = large::split(call, large);
    if let Err(reason) = result {
        call.set_split_failure(reason);
    }
    result.is_ok()
}
