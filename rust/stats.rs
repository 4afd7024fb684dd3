// SPDX-License-Identifier: GPL-2.0

//! Counters of what calls did and where their time went.
//!
//! A static key keeps them off, at no cost, until somebody asks for them in debugfs.

use super::{
    folio::Folio,
    raw,
    slot::Slot,
    word::{
        self,
        Outcome,
        Reason, //
    },
};
use kernel::{
    fmt,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        Instant,
        Monotonic, //
    },
};

type Count = Atomic<i64>;

/// Things that are counted by themselves.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    Calls,
    Windows,
    PageTableLocks,
    TlbFlushes,
    NotifierBrackets,
    LruDrains,
    Splits,
}

const COUNTERS: [&str; 7] = [
    "calls",
    "windows",
    "page_table_locks",
    "tlb_flushes",
    "notifier_brackets",
    "lru_drains",
    "splits",
];

/// What makes others wait, and of which the longest is kept.
#[derive(Clone, Copy)]
pub(crate) enum Wait {
    /// From a window's first folio lock to its last: a process that touches a page of it waits.
    Window,
    /// A page-table lock.
    PageTableLock,
}

const WAITS: [&str; 2] = ["window", "page_table_lock"];

/// The stages whose time is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Split,
    Collect,
    Isolate,
    Unmap,
    Copy,
    Migrate,
    Finalize,
    Settle,
}

const STAGES: [&str; 8] = [
    "split", "collect", "isolate", "unmap", "copy", "migrate", "finalize", "settle",
];

/// Where a page was, or is.
const KINDS: [&str; 4] = ["system", "private", "coherent", "hole"];

fn kind(folio: Option<Folio<'_>>) -> usize {
    match folio {
        None => 3,
        Some(folio) if folio.is_device_private() => 1,
        Some(folio) if folio.is_zone_device() => 2,
        Some(_) => 0,
    }
}

static COUNTS: [Count; COUNTERS.len()] = [const { Count::new(0) }; COUNTERS.len()];
static NANOSECONDS: [Count; STAGES.len()] = [const { Count::new(0) }; STAGES.len()];
static LONGEST: [Count; WAITS.len()] = [const { Count::new(0) }; WAITS.len()];
static MOVED: [[Count; KINDS.len()]; KINDS.len()] =
    [const { [const { Count::new(0) }; KINDS.len()] }; KINDS.len()];
static LEFT: [Count; Reason::COUNT] = [const { Count::new(0) }; Reason::COUNT];

fn is_on() -> bool {
    // SAFETY: The key is a static one, defined in `ffi/export.c`.
    unsafe {
        kernel::jump_label::static_branch_unlikely!(
            raw::hmm_migrate_stats_gate,
            raw::hmm_migrate_gate,
            key
        )
    }
}

/// Switches the counters on or off.
///
/// # Context
///
/// May sleep.
pub(crate) fn switch(on: bool) {
    let gate = &raw mut raw::hmm_migrate_stats_gate;
    // SAFETY: The key is a static one; switching it takes its own lock.
    unsafe { raw::gate_switch(gate, on) };
}

/// Sets every counter to zero.
pub(crate) fn reset() {
    let flat = MOVED.iter().flatten();
    let times = NANOSECONDS.iter().chain(&LONGEST);
    for count in COUNTS.iter().chain(times).chain(&LEFT).chain(flat) {
        count.store(0, Relaxed);
    }
}

/// Counts something.
pub(crate) fn count(counter: Counter, number: usize) {
    if is_on() {
        if let Some(count) = COUNTS.get(counter as usize) {
            count.add(number as i64, Relaxed);
        }
    }
}

/// Counts pages that have moved.
pub(crate) fn count_moved(slot: &Slot) {
    if is_on() {
        let row = MOVED.get(kind(slot.src()));
        if let Some(count) = row.and_then(|row| row.get(kind(slot.dst()))) {
            count.add(slot.count() as i64, Relaxed);
        }
    }
}

/// Counts the pages that have stayed, by reason.
pub(crate) fn count_left(outcomes: &[Outcome]) {
    if is_on() {
        for (outcome, pages) in word::runs(outcomes) {
            if let Outcome::Left(reason) = outcome {
                if let Some(count) = LEFT.get(reason as usize) {
                    count.add(pages as i64, Relaxed);
                }
            }
        }
    }
}

/// Does something, and counts its time for a stage.
pub(crate) fn timed<R>(stage: Stage, work: impl FnOnce() -> R) -> R {
    if !is_on() {
        return work();
    }
    let start = Instant::<Monotonic>::now();
    let result = work();
    if let Some(count) = NANOSECONDS.get(stage as usize) {
        count.add(start.elapsed().as_nanos(), Relaxed);
    }
    result
}

/// Takes the time for which others may have to wait, until it is dropped.
pub(crate) struct Timer {
    wait: Wait,
    start: Option<Instant<Monotonic>>,
}

impl Timer {
    /// Begins now.
    pub(crate) fn start(wait: Wait) -> Self {
        Self {
            wait,
            start: is_on().then(Instant::now),
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let (Some(start), Some(longest)) = (self.start, LONGEST.get(self.wait as usize)) else {
            return;
        };
        let time = start.elapsed().as_nanos();
        let mut known = longest.load(Relaxed);
        while time > known {
            match longest.cmpxchg(known, time, Relaxed) {
                Ok(_) => break,
                Err(other) => known = other,
            }
        }
    }
}

/// Writes all counters, a line each; times are in nanoseconds.
pub(crate) fn show(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (name, count) in COUNTERS.iter().zip(&COUNTS) {
        writeln!(f, "{} {}", name, count.load(Relaxed))?;
    }
    for (from, row) in KINDS.iter().zip(&MOVED) {
        for (to, count) in KINDS.iter().zip(row).take(KINDS.len() - 1) {
            writeln!(f, "moved {} {} {}", from, to, count.load(Relaxed))?;
        }
    }
    for (name, count) in Reason::NAMES.iter().zip(&LEFT) {
        writeln!(f, "left {} {}", name, count.load(Relaxed))?;
    }
    for (name, count) in STAGES.iter().zip(&NANOSECONDS) {
        writeln!(f, "stage {} {}", name, count.load(Relaxed))?;
    }
    for (name, count) in WAITS.iter().zip(&LONGEST) {
        writeln!(f, "longest {} {}", name, count.load(Relaxed))?;
    }
    Ok(())
}
