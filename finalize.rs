// SPDX-License-Identifier: GPL-2.0

//! The last stages: the driver's callbacks, the pages' identity, and the way back.
//!
//! Commit and rollback are one routine, [`settle_slots`]: each entry is mapped again, to the
//! destination if that has become the source, else to the source. A batch that is dropped half-way
//! goes through it too.

#![forbid(unsafe_code)]

use crate::mm::{
    batch::{
        Batch,
        Which, //
    },
    call::{
        MigrateOps,
        Place, //
    },
    lru,
    notifier::Bracket,
    page_table::{
        look_up,
        make_levels,
        Level,
        PteTable, //
    },
    rmap,
    slot::{
        held,
        Slot,
        State, //
    },
    task,
    vma::Window,
    word::Reason, //
};

use crate::unmap::Unmapped;

/// A window whose contents the driver has copied, as far as it wanted to.
pub(crate) struct Copied<'s>(pub(crate) Batch<'s>);

/// A window whose destinations have become the sources, as far as that was possible.
pub(crate) struct Migrated<'s>(pub(crate) Batch<'s>);

/// A window of which the driver knows what has moved.
pub(crate) struct Told<'s>(pub(crate) Batch<'s>);

/// Lets the driver allocate destinations and copy to them.
pub(crate) fn copy<'s>(Unmapped(mut batch): Unmapped<'s>, driver: &impl MigrateOps) -> Copied<'s> {
    batch.ask(driver);
    Copied(batch)
}

/// Makes the destinations the sources.
///
/// Unless `wanted`, every page is left where it was, whatever the driver has given.
pub(crate) fn migrate(Copied(mut batch): Copied<'_>, wanted: bool) -> Migrated<'_> {
    batch.take_answers(|slot| match slot.state() {
        _ if !wanted => Err(Reason::Declined),
        State::Given => slot.migrate(),
        _ => Ok(()),
    });
    if let Place::Vma(window) = batch.place() {
        fill_holes(&mut batch, &window);
    }
    Migrated(batch)
}

/// Tells the driver what has moved.
pub(crate) fn finalize<'s>(
    Migrated(mut batch): Migrated<'s>,
    driver: &impl MigrateOps,
) -> Told<'s> {
    batch.tell(driver);
    Told(batch)
}

/// Maps every page where it now is, and gives back all that is held.
pub(crate) fn settle(Told(mut batch): Told<'_>) {
    settle_slots(&mut batch, Which::All);
}

/// Restores the sources that cannot move, before the driver sees the others.
pub(crate) fn restore_refused(batch: &mut Batch<'_>) {
    settle_slots(batch, Which::Refused);
}

/// Gives back all that is held for the slots of `which`, in the order that their owners need.
///
/// Pages are on the LRU before anybody can free them; a folio is unlocked when no migration entry
/// for it is left; references go last, outside every lock.
pub(crate) fn settle_slots(batch: &mut Batch<'_>, which: Which) {
    task::may_sleep();
    batch.each(which, Slot::return_to_lru);
    remap_own_entries(batch, which);
    batch.each(which, Slot::remap_others);
    batch.each(which, Slot::put);
}

/// Maps again, under one page-table lock, what this window's page table alone has mapped.
fn remap_own_entries(batch: &mut Batch<'_>, which: Which) {
    let Place::Vma(window) = batch.place() else {
        return;
    };
    if !batch.has_own_entries(which) {
        return;
    }
    // Where there is no page table any more, the entries have been zapped with it.
    if let Level::Table(pmd) = look_up(&window) {
        if let Some(mut table) = PteTable::lock(batch, pmd) {
            for number in 0..table.batch().len() {
                if table.batch().is_own_entry(number, which) {
                    table.remap_slot(number);
                }
            }
        }
    }
    if window.range().is_mlocked() {
        lru::drain_mlock();
    }
    batch.each(which, |slot| {
        if !slot.holds(held::OTHER_ENTRIES) {
            slot.release(held::OWN_ENTRY);
        }
    });
}

/// Maps the driver's pages where there were holes, under one page-table lock.
fn fill_holes(batch: &mut Batch<'_>, window: &Window<'_>) {
    if batch.find(0, State::GivenHole).is_none() {
        return;
    }
    let _bracket = Bracket::open(window, batch.call().policy.owner());
    if let Err(reason) = prepare_holes(batch, window) {
        return fail_holes(batch, reason);
    }
    if let Level::Table(pmd) = look_up(window) {
        if let Some(table) = PteTable::lock(batch, pmd) {
            return fill_table(table);
        }
    }
    fail_holes(batch, Reason::Raced);
}

/// Does all of the filling that may sleep.
fn prepare_holes(batch: &mut Batch<'_>, window: &Window<'_>) -> Result<(), Reason> {
    make_levels(window).map_err(|error| match error {
        kernel::error::code::ENOMEM => Reason::NoMemory,
        _ => Reason::Raced,
    })?;
    rmap::prepare(window).map_err(|_| Reason::NoMemory)?;

    let mut from = 0;
    while let Some(number) = batch.find(from, State::GivenHole) {
        let charged = batch
            .slot_mut(number)
            .map_or(Err(Reason::Raced), |slot| slot.charge(window));
        if let Err(reason) = charged {
            batch.fail(number, reason);
        }
        from = number + 1;
    }
    Ok(())
}

fn fail_holes(batch: &mut Batch<'_>, reason: Reason) {
    while let Some(number) = batch.find(0, State::GivenHole) {
        batch.fail(number, reason);
    }
}

/// Fills the holes that are still there.
fn fill_table(mut table: PteTable<'_, '_>) {
    if !table.window().range().is_stable() {
        return fail_holes(table.batch(), Reason::Raced);
    }

    // Where the zero page is mapped, every processor must have forgotten it before one of them
    // can write to the new page.
    let mut from = 0;
    while let Some(number) = table.batch().find(from, State::GivenHole) {
        if !table.clear_hole(number) {
            table.batch().fail(number, Reason::Raced);
        }
        from = number + 1;
    }
    table.flush_zero_pages();

    from = 0;
    while let Some(number) = table.batch().find(from, State::GivenHole) {
        if table.batch().was_given_twice(number) {
            table.batch().drop_duplicate(number);
        } else {
            table.fill_slot(number);
        }
        from = number + 1;
    }
}
