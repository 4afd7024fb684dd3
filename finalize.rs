// SPDX-License-Identifier: GPL-2.0

//! The last stages: the driver's callbacks, the pages' identity, and the way back.
//!
//! Commit and rollback are one routine, [`settle`](crate::mm::batch::Batch::settle), which a
//! batch that is dropped half-way goes through too.

#![forbid(unsafe_code)]

use crate::mm::{
    batch::{
        Batch,
        Which, //
    },
    call::MigrateOps,
    hole,
    slot::State,
    stats::Stage,
    watch::Watch,
    word::Reason, //
};

use crate::unmap::Unmapped;

/// A window whose contents the driver has copied, as far as it wanted to.
#[must_use = "the driver has been asked, and must be told"]
pub(crate) struct Copied<'b, 's>(&'b mut Batch<'s>);

/// A window whose destinations have become the sources, as far as that was possible.
#[must_use = "the driver has been asked, and must be told"]
pub(crate) struct Migrated<'b, 's>(&'b mut Batch<'s>);

/// A window of which the driver knows what has moved.
pub(crate) struct Told<'b, 's>(&'b mut Batch<'s>);

/// Lets the driver allocate destinations and copy to them.
///
/// # Context
///
/// May sleep.
pub(crate) fn copy<'b, 's>(unmapped: Unmapped<'b, 's>, driver: &impl MigrateOps) -> Copied<'b, 's> {
    let batch = unmapped.into_batch();
    let _watch = Watch::new(Stage::Copy, batch);
    batch.ask(driver);
    Copied(batch)
}

/// Makes the destinations the sources.
///
/// Unless `wanted`, every page is left where it was, whatever the driver has given.
///
/// # Context
///
/// May sleep.
pub(crate) fn migrate<'b, 's>(Copied(batch): Copied<'b, 's>, wanted: bool) -> Migrated<'b, 's> {
    let _watch = Watch::new(Stage::Migrate, batch);
    batch.take_answers(|slot| match slot.state() {
        _ if !wanted => Err(Reason::Declined),
        State::Given => slot.migrate(),
        _ => Ok(()),
    });
    if batch.has_holes() {
        hole::fill(batch);
    }
    Migrated(batch)
}

/// Tells the driver what has moved.
///
/// # Context
///
/// May sleep.
pub(crate) fn finalize<'b, 's>(
    Migrated(batch): Migrated<'b, 's>,
    driver: &impl MigrateOps,
) -> Told<'b, 's> {
    let _watch = Watch::new(Stage::Finalize, batch);
    batch.tell(driver);
    Told(batch)
}

/// Maps every page where it now is, and gives back all that is held.
///
/// # Context
///
/// May sleep.
pub(crate) fn settle(Told(batch): Told<'_, '_>) {
    batch.settle(Which::All);
}
