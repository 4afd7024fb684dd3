// SPDX-License-Identifier: GPL-2.0

//! The second stage: off the LRU.
//!
//! A memcg charge can only move while the folio is on no list, and nobody else may find it there.

#![forbid(unsafe_code)]

use crate::mm::{
    batch::Batch,
    lru::{
        self,
        Lists, //
    },
    stats::Stage,
    watch::Watch, //
};

use crate::collect::Collected;

/// A window whose sources are locked, and on no LRU list.
pub(crate) struct Isolated<'b, 's>(&'b mut Batch<'s>);

impl<'b, 's> Isolated<'b, 's> {
    /// Takes the batch over for the next stage.
    pub(crate) fn into_batch(self) -> &'b mut Batch<'s> {
        self.0
    }
}

/// Isolates a window; [`None`] where nothing of it can move, or it must be worked through again.
///
/// # Context
///
/// May sleep.
pub(crate) fn isolate<'b, 's>(collected: Collected<'b, 's>) -> Option<Isolated<'b, 's>> {
    let batch = collected.into_batch();
    let _watch = Watch::new(Stage::Isolate, batch);
    let call = batch.call();

    if !batch.has_system_sources() {
        return Some(Isolated(batch));
    }
    lru::drain_local();
    let mut lists = Lists::new();
    batch.each_source(|source| {
        // Device memory uses the room of the list links for its own ends.
        if source.is_of_device() {
            return Ok(());
        }
        source.isolate(&mut lists).inspect_err(|_| {
            if source.src().is_some_and(lru::may_be_in_batch) {
                // Another processor's batch may have it.
                call.ask_for_drain();
            }
        })
    });
    drop(lists);
    if call.will_retry() {
        return None;
    }
    // The driver is to see only what will move.
    batch.settle_refused();
    batch.has_offers().then_some(Isolated(batch))
}
