// SPDX-License-Identifier: GPL-2.0

//! The last stages: the driver's callbacks, the pages' identity, and the way back.
//!
//! Commit and rollback are one routine, [`Batch::settle`], which a batch that is dropped half-way
//! goes through too.

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
    notifier::Bracket,
    page_table::{
        look_up,
        make_levels,
        Level,
        PteTable, //
    },
    rmap,
    slot::State,
    vma::Window,
    word::Reason, //
};

use crate::unmap::Unmapped;

use kernel::prelude::*;

/// A window whose contents the driver has copied, as far as it wanted to.
pub(crate) struct Copied<'s>(Batch<'s>);

/// A window whose destinations have become the sources, as far as that was possible.
pub(crate) struct Migrated<'s>(Batch<'s>);

/// A window of which the driver knows what has moved.
pub(crate) struct Told<'s>(Batch<'s>);

/// Lets the driver allocate destinations and copy to them.
pub(crate) fn copy<'s>(unmapped: Unmapped<'s>, driver: &impl MigrateOps) -> Copied<'s> {
    let mut batch = unmapped.into_batch();
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
    batch.settle(Which::All);
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
        ENOMEM => Reason::NoMemory,
        _ => Reason::Raced,
    })?;
    rmap::prepare(window).map_err(|_| Reason::NoMemory)?;

    let mut from = 0;
    while let Some(number) = batch.find(from, State::GivenHole) {
        if let Err(reason) = batch.charge(number, window) {
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
    let stable = table.window().range().is_stable();

    // Where the zero page is mapped, every processor must have forgotten it before one of them
    // can write to the new page.
    let mut from = 0;
    while let Some(number) = table.find(from, State::GivenHole) {
        if !stable || !table.clear_hole(number) {
            table.fail(number, Reason::Raced);
        }
        from = number + 1;
    }
    table.flush();

    from = 0;
    while let Some(number) = table.find(from, State::GivenHole) {
        if !table.fill_slot(number) {
            table.fail(number, Reason::Raced);
        }
        from = number + 1;
    }
}
