// SPDX-License-Identifier: GPL-2.0

//! What the pipeline tells of itself: to the counters, and to who traces it.

use super::{
    batch::Batch,
    place::Place,
    stats::{
        self,
        Stage, //
    },
    trace,
    word::{
        self,
        Outcome, //
    },
    PAGE_SHIFT,
};
use kernel::time::{
    Instant,
    Monotonic, //
};

/// A stage of a window, from now until this is dropped.
pub(crate) struct Watch(Option<Watched>);

/// What is known of it, where somebody wants to know.
struct Watched {
    stage: Stage,
    begin: Instant<Monotonic>,
    start: usize,
    pages: usize,
}

impl Watch {
    /// Begins now, with the pages that are there.
    #[inline(always)]
    pub(crate) fn new(stage: Stage, contents: &Batch<'_>) -> Self {
        if stats::is_on() || trace::stage_is_on() {
            Self(Some(Watched::new(stage, contents)))
        } else {
            Self(None)
        }
    }
}

impl Drop for Watch {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(watched) = &self.0 {
            watched.tell();
        }
    }
}

impl Watched {
    #[cold]
    #[inline(never)]
    fn new(stage: Stage, contents: &Batch<'_>) -> Self {
        Self {
            stage,
            begin: Instant::now(),
            start: contents.place().start(),
            pages: contents.pages(),
        }
    }

    #[cold]
    #[inline(never)]
    fn tell(&self) {
        let ns = self.begin.elapsed().as_nanos();
        stats::add_time(self.stage, ns);
        trace::stage(self.stage as u32, self.start, self.pages, ns as usize);
    }
}

/// Tells of the pages of a window that have stayed.
#[inline(always)]
pub(crate) fn left(place: &Place<'_>, outcomes: &[Outcome]) {
    if stats::is_on() || trace::left_is_on() {
        tell_left(place, outcomes);
    }
}

#[cold]
#[inline(never)]
fn tell_left(place: &Place<'_>, outcomes: &[Outcome]) {
    let mut start = place.start();
    for (outcome, pages) in word::runs(outcomes) {
        if let Outcome::Left(reason) = outcome {
            stats::count_left(reason, pages);
            trace::left(start, pages, reason as u32);
        }
        start += pages << PAGE_SHIFT;
    }
}
