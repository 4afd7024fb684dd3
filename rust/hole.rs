// SPDX-License-Identifier: GPL-2.0

//! Filling holes with the driver's pages.

use super::{
    anon_vma,
    batch::Batch,
    huge::{
        HugeEntry,
        LockedPmd, //
    },
    large,
    notifier::Bracket,
    page_table::{
        look_up,
        make_entry,
        make_table,
        Level,
        PmdEntry,
        PteTable, //
    },
    slot::State,
    span::HUGE_ORDER,
    spare_table::SpareTable,
    vma::LockedWindow,
    word::Reason, //
};
use kernel::prelude::*;

/// Maps the driver's pages where there were holes, under one page-table lock.
///
/// # Context
///
/// May sleep.
pub(crate) fn fill(batch: &mut Batch<'_>) {
    let Some(window) = batch.place().window() else {
        return;
    };
    let Some(number) = batch.find(0, State::GivenHole) else {
        return;
    };
    let _bracket = Bracket::open(window, batch.call().policy.owner());
    let filled = if batch.order(number) == HUGE_ORDER {
        fill_entry(batch, window, number)
    } else {
        fill_table(batch, window, number)
    };
    if let Err(reason) = filled {
        fail_holes(batch, reason);
    }
}

/// Maps a folio that is as large as the window in its one entry.
fn fill_entry(
    batch: &mut Batch<'_>,
    window: &LockedWindow<'_>,
    number: usize,
) -> Result<(), Reason> {
    batch.try_charge(number, window)?;
    let pmd = make_entry(window).map_err(no_level)?;
    let spare = SpareTable::new(window).map_err(no_level)?;
    charge_holes(batch, window)?;

    let filled = LockedPmd::lock(batch, pmd)
        .is_some_and(|mut lock| window.range().is_stable() && lock.fill_slot(number, spare));
    if filled {
        Ok(())
    } else {
        Err(Reason::Raced)
    }
}

/// Maps smaller folios in a page table, where the holes are still there.
fn fill_table(
    batch: &mut Batch<'_>,
    window: &LockedWindow<'_>,
    number: usize,
) -> Result<(), Reason> {
    batch.try_charge(number, window)?;
    make_table(window).map_err(no_level)?;
    charge_holes(batch, window)?;
    loop {
        match look_up(window) {
            Level::Table(pmd) => {
                let mut table = PteTable::lock(batch, pmd).ok_or(Reason::Raced)?;
                fill_under(&mut table);
                return Ok(());
            }
            // The huge zero page was offered, but the driver had nothing as large.
            Level::Leaf(pmd) if is_zero_page(batch, pmd) => large::split_zero_page(window, pmd),
            Level::Leaf(_) | Level::Hole => return Err(Reason::Raced),
        }
    }
}

fn is_zero_page(batch: &mut Batch<'_>, pmd: PmdEntry<'_>) -> bool {
    LockedPmd::lock(batch, pmd).is_some_and(|mut lock| matches!(lock.entry(), HugeEntry::ZeroPage))
}

fn no_level(error: Error) -> Reason {
    match error {
        ENOMEM => Reason::NoMemory,
        _ => Reason::Raced,
    }
}

/// Does what else of the filling may sleep.
fn charge_holes(batch: &mut Batch<'_>, window: &LockedWindow<'_>) -> Result<(), Reason> {
    let area = anon_vma::prepare(window).map_err(|_| Reason::NoMemory)?;
    batch.each_given_hole(|slot| slot.charge(&area));
    Ok(())
}

fn fail_holes(batch: &mut Batch<'_>, reason: Reason) {
    batch.each_given_hole(|_| Err(reason));
}

fn fill_under(table: &mut PteTable<'_, '_>) {
    let stable = table.window().range().is_stable();

    table.each_given_hole(|entries, slot| {
        let filled = stable && entries.fill(slot);
        if filled || (stable && entries.clear_hole(slot)) {
            Ok(())
        } else {
            Err(Reason::Raced)
        }
    });
    // Where the zero page was mapped, every processor must have forgotten it before one of them
    // can write to the new page.
    if table.flush() {
        table.each_given_hole(|entries, slot| {
            let filled = entries.fill(slot);
            filled.then_some(()).ok_or(Reason::Raced)
        });
    }
}
