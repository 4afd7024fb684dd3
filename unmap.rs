// SPDX-License-Identifier: GPL-2.0

//! The third stage: the remaining mappings, through the reverse mapping; then the pin test.
//!
//! After it the contents of every source are stable: mapped nowhere, locked, and without a
//! reference that is not explained.

#![forbid(unsafe_code)]

use crate::mm::{
    batch::Batch,
    call::Call,
    lru,
    slot::Slot,
    stats::Stage,
    watch::Watch,
    word::Reason, //
};

use crate::isolate::Isolated;

use kernel::sync::barrier::{
    smp_mb,
    Full,
    Read, //
};

/// A window whose sources are mapped nowhere and pinned by nobody.
pub(crate) struct Unmapped<'b, 's>(&'b mut Batch<'s>);

impl<'b, 's> Unmapped<'b, 's> {
    /// Whether sources may be pages of files.
    pub(crate) fn may_have_files(&self) -> bool {
        self.0.may_have_files()
    }

    /// Takes the batch over for the next stage.
    pub(crate) fn into_batch(self) -> &'b mut Batch<'s> {
        self.0
    }
}

/// Unmaps a window; [`None`] where nothing of it can move, or it must be worked through again.
///
/// # Context
///
/// May sleep.
pub(crate) fn unmap<'b, 's>(isolated: Isolated<'b, 's>) -> Option<Unmapped<'b, 's>> {
    let batch = isolated.into_batch();
    let _watch = Watch::new(Stage::Unmap, batch);
    let call = batch.call();

    if !batch.has_sources() {
        return Some(Unmapped(batch));
    }
    if batch.is_mapped_elsewhere() {
        batch.unmap_others();
    }

    // Entries are cleared before references are counted: a fast pin takes its reference first, and
    // then looks at the entry.
    smp_mb(Full);
    batch.each_source(|source| {
        find_pins(call, source)?;
        find_poison(source)?;
        find_tags(source)
    });
    if call.will_retry() {
        return None;
    }
    // The driver is to see only what will move.
    batch.settle_refused();
    batch.has_offers().then_some(Unmapped(batch))
}

/// What has broken since it was collected stays.
///
/// Memory failure has no reference to what is off its list.
fn find_poison(source: &Slot) -> Result<(), Reason> {
    let has_poison = source.src().is_some_and(|src| src.has_poison());
    (!has_poison).then_some(()).ok_or(Reason::Poisoned)
}

/// What has tags stays: a driver's copy would come without them.
///
/// Nobody can set one any more, but whoever had a reference until a moment ago may have.
fn find_tags(source: &Slot) -> Result<(), Reason> {
    // References are counted first.
    smp_mb(Read);
    let has_tags = source.src().is_some_and(|src| src.has_tags());
    (!has_tags).then_some(()).ok_or(Reason::Kind)
}

/// One reference is ours, or the fault handler's; mappings and the swap cache explain the others.
fn find_pins(call: &Call, source: &Slot) -> Result<(), Reason> {
    let Some(src) = source.src() else {
        return Err(Reason::Raced);
    };
    if src.ref_count() == 1 {
        // Nobody else has any, mapped or not.
        return Ok(());
    }
    if src.is_mapped() {
        return Err(Reason::Pinned);
    }
    if src.ref_count() == src.expected_ref_count() + 1 {
        return Ok(());
    }
    if lru::may_be_in_batch(src) && !src.may_be_pinned() {
        // Another processor's batch may have it.
        call.ask_for_drain();
    }
    Err(Reason::Pinned)
}
