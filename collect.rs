// SPDX-License-Identifier: GPL-2.0

//! The first stage: from a page table to locked folios behind migration entries.
//!
//! One page-table lock hold, one TLB flush and one notifier bracket serve a whole window. What
//! cannot go to the destination is refused here, before its mapping is touched.

#![forbid(unsafe_code)]

use crate::mm::{
    batch::Batch,
    call::Call,
    entry::Entry,
    folio::Folio,
    held_folio::HeldFolio,
    huge::{
        HugeEntry,
        HugePage,
        LockedPmd, //
    },
    large, lru,
    notifier::Bracket,
    page_table::{
        look_up,
        Level,
        PteTable, //
    },
    place::Place,
    span::HUGE_ORDER,
    stats::Stage,
    vma::Window,
    watch::Watch,
    word::{
        Reason,
        VALID, //
    },
};

/// A window whose sources are locked, each behind a migration entry in the window's page table, or
/// mapped as before where the window is one of device memory.
pub(crate) struct Collected<'b, 's>(&'b mut Batch<'s>);

impl<'b, 's> Collected<'b, 's> {
    /// Takes the batch over for the next stage.
    pub(crate) fn into_batch(self) -> &'b mut Batch<'s> {
        self.0
    }
}

/// Collects a window; [`None`] where nothing of it can move, or it must be worked through again.
///
/// # Context
///
/// May sleep.
pub(crate) fn collect<'b, 's>(batch: &'b mut Batch<'s>) -> Option<Collected<'b, 's>> {
    let _watch = Watch::new(Stage::Collect, batch);
    match batch.place() {
        Place::Vma(window) | Place::Run { window, .. } => collect_window(batch, window),
        Place::Device { pages, .. } => collect_device_pages(batch, *pages),
    }
    if batch.call().will_retry() || !batch.has_offers() {
        return None;
    }
    Some(Collected(batch))
}

fn collect_window(batch: &mut Batch<'_>, window: &Window<'_>) {
    let bracket = match batch.place() {
        // The driver is told of a range that it named. Where device memory turns out to be mapped,
        // some other mirror of it may be.
        Place::Vma(_) => Bracket::open(window, batch.call().policy.owner()),
        Place::Run { .. } | Place::Device { .. } => Bracket::open_elsewhere(window),
    };

    loop {
        match look_up(window) {
            Level::Hole => return offer_holes(batch, window),
            Level::Leaf(pmd) => {
                let lock = LockedPmd::lock(batch, pmd);
                if let Some(taken) = lock.and_then(|lock| take_huge_entry(lock, &bracket)) {
                    return taken.unwrap_or_else(|reason| batch.leave_all(reason));
                }
            }
            Level::Table(pmd) => {
                if let Some(mut table) = PteTable::lock(batch, pmd) {
                    return collect_table(&mut table, &bracket);
                }
            }
        }
    }
}

/// Offers what nothing is mapped in: as one hole where it may be filled with one folio.
fn offer_holes(batch: &mut Batch<'_>, window: &Window<'_>) {
    let call = batch.call();

    if !fills_holes(call, window) || call.is_again() {
        return;
    }
    if may_fill_huge(call, window) {
        return batch.push_hole(0, HUGE_ORDER);
    }
    (0..window.pages()).for_each(|index| batch.push_hole(index, 0));
}

fn fills_holes(call: &Call, window: &Window<'_>) -> bool {
    call.policy.takes_system() && window.range().may_fill_holes()
}

/// Whether a hole may be filled with one folio.
fn may_fill_huge(call: &Call, window: &Window<'_>) -> bool {
    call.policy.large() && window.is_whole() && window.range().may_be_huge()
}

/// Takes what one entry maps; [`None`] where it has changed.
fn take_huge_entry(
    mut lock: LockedPmd<'_, '_>,
    bracket: &Bracket<'_>,
) -> Option<Result<(), Reason>> {
    let window = lock.window();
    let call = lock.call();

    Some(match lock.entry() {
        HugeEntry::Changed => return None,
        HugeEntry::Other(reason) => Err(reason),
        HugeEntry::ZeroPage if !fills_holes(call, window) || call.is_again() => {
            Err(Reason::Nothing)
        }
        HugeEntry::ZeroPage if may_fill_huge(call, window) => {
            lock.push_hole();
            Ok(())
        }
        HugeEntry::ZeroPage => ask_for_split(call),
        HugeEntry::Page(page) => take_huge_page(call, page, bracket),
    })
}

fn take_huge_page(
    call: &Call,
    page: HugePage<'_, '_, '_>,
    bracket: &Bracket<'_>,
) -> Result<(), Reason> {
    if !page.is_expected() {
        return Err(Reason::Raced);
    }
    call.policy.takes(page.folio())?;
    may_move_whole(call, page.folio(), page.is_whole())?;
    let page = page.lock()?;
    give_back_swap_slots(call, page.folio(), || page.free_swap())?;
    page.freeze(bracket)
}

/// Whether a large folio may move as one; asks for a split where it may not.
///
/// # Errors
///
/// Why it stays in this round.
fn may_move_whole(call: &Call, folio: Folio<'_>, whole: bool) -> Result<(), Reason> {
    if large::must_split(call, folio, whole) {
        large::may_split(folio)?;
        return ask_for_split(call);
    }
    if large::is_held(call, folio) {
        return Err(Reason::Pinned);
    }
    Ok(())
}

/// Asks for the window to be worked through again with its large folios split.
///
/// # Errors
///
/// Always: why the folio stays in this round.
fn ask_for_split(call: &Call) -> Result<(), Reason> {
    call.ask_for_split();
    Err(call.split_failure())
}

fn collect_table(table: &mut PteTable<'_, '_>, bracket: &Bracket<'_>) {
    let (call, pages) = (table.call(), table.window().pages());
    let fills = fills_holes(call, table.window());
    let mut index = 0;

    while index < pages {
        let is_wanted = table.is_wanted(index);
        let entry = table.entry(index);
        let next = index + entry.pages();
        if is_wanted {
            if let Err(reason) = take_entry(call, entry, fills, bracket) {
                table.leave(index..next, reason);
                if call.will_retry() {
                    return;
                }
            }
        }
        index = next;
    }
}

#[inline(always)]
fn take_entry(
    call: &Call,
    entry: Entry<'_, '_, '_>,
    fills: bool,
    bracket: &Bracket<'_>,
) -> Result<(), Reason> {
    match entry {
        Entry::Other(reason) => Err(reason),
        Entry::Hole(hole) => {
            if fills {
                hole.offer();
            }
            Ok(())
        }
        Entry::Page(page) => {
            if !page.is_expected() {
                return Err(Reason::Raced);
            }
            call.policy.takes(page.folio())?;
            if page.folio().is_large() {
                may_move_whole(call, page.folio(), page.is_whole())?;
            }
            if page.folio().has_poison() {
                return Err(Reason::Poisoned);
            }
            let page = page.lock()?;
            // KSM works under the folio lock: look again.
            if page.folio().is_ksm() {
                return Err(Reason::Kind);
            }
            give_back_swap_slots(call, page.folio(), || page.free_swap())?;
            page.freeze(bracket)
        }
    }
}

/// Frees swap slots before anything is copied: a page of a device has none.
fn give_back_swap_slots(
    call: &Call,
    folio: Folio<'_>,
    free: impl FnOnce() -> bool,
) -> Result<(), Reason> {
    if folio.is_under_writeback() {
        return Err(Reason::Locked);
    }
    if !folio.is_in_swap_cache() || call.policy.to_system() || free() {
        return Ok(());
    }
    Err(Reason::Swapped)
}

fn collect_device_pages(batch: &mut Batch<'_>, pages: usize) {
    let mut index = 0;

    while index < pages {
        let (taken, result) = if batch.is_wanted(index) {
            take_device_page(batch, index)
        } else {
            (1, Ok(()))
        };
        if let Err(reason) = result {
            batch.leave(index..index + taken, reason);
        }
        index += taken;
    }
}

/// Takes the folio of device memory that a caller's word names, and says how many pages that was
/// about.
///
/// It may be free, or freed and used again, until it is referenced.
fn take_device_page(batch: &mut Batch<'_>, index: usize) -> (usize, Result<(), Reason>) {
    let word = batch.word(index);
    if !word.has(VALID) {
        // What stays in the second round has lost its number.
        let again = batch.call().is_again();
        return (1, if again { Ok(()) } else { Err(Reason::Nothing) });
    }
    let Some(held) = batch.call().device_folio(word.pfn()) else {
        return (1, Err(Reason::NotMapped));
    };
    let pfns = held.folio().pfns();
    let whole = batch.has_pfns(index, pfns.clone()) && !held.folio().is_partly_mapped();
    let result = take_device_folio(batch, index, held, whole);
    (if whole { pfns.len() } else { 1 }, result)
}

fn take_device_folio(
    batch: &mut Batch<'_>,
    index: usize,
    held: HeldFolio,
    whole: bool,
) -> Result<(), Reason> {
    let call = batch.call();

    if !call.policy.owns(held.folio()) {
        return Err(Reason::Foreign);
    }
    let locked = held.try_lock().ok_or(Reason::Locked)?;
    if !locked.folio().is_mapped() {
        if locked.folio().is_anon() && lru::may_be_in_batch(locked.folio()) {
            // Unmapped, but not free: a batch of pages to be munlocked may have it.
            call.ask_for_drain();
        }
        return Err(Reason::NotMapped);
    }
    call.policy.takes(locked.folio())?;
    if large::must_split(call, locked.folio(), whole) {
        large::may_split(locked.folio())?;
        return ask_for_split(call);
    }
    if locked.folio().has_poison() {
        return Err(Reason::Poisoned);
    }
    batch.push_device(locked, index)
}
