// SPDX-License-Identifier: GPL-2.0

//! Counters of what calls did and where their time went.
//!
//! A static key keeps them off, at no cost, until somebody asks for them in debugfs.

use super::{
    folio::Folio,
    raw,
    span::HUGE_ORDER,
    word::Reason, //
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
    /// A round of a window, in which its folios are locked: a process that touches a page of it
    /// waits.
    Window,
    /// A page-table lock.
    PageTableLock,
}

const WAITS: [&str; 2] = ["window", "page_table_lock"];

/// The stages whose time is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    Split = raw::hmm_migrate_stage_HMM_MIGRATE_STAGE_SPLIT as u8,
    Collect = raw::hmm_migrate_stage_HMM_MIGRATE_STAGE_COLLECT as u8,
    Isolate = raw::hmm_migrate_stage_HMM_MIGRATE_STAGE_ISOLATE as u8,
    Unmap = raw::hmm_migrate_stage_HMM_MIGRATE_STAGE_UNMAP as u8,
    Copy = raw::hmm_migrate_stage_HMM_MIGRATE_STAGE_COPY as u8,
    Migrate = raw::hmm_migrate_stage_HMM_MIGRATE_STAGE_MIGRATE as u8,
    Finalize = raw::hmm_migrate_stage_HMM_MIGRATE_STAGE_FINALIZE as u8,
    Settle = raw::hmm_migrate_stage_HMM_MIGRATE_STAGE_SETTLE as u8,
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

/// Binary logarithms of the shortest and the longest times that are told apart, in nanoseconds: a
/// quarter of a microsecond, and half a second.
const SHORTEST: usize = 8;
const LONGEST_BUCKET: usize = 29;
const BUCKETS: usize = LONGEST_BUCKET - SHORTEST + 1;

/// Orders of folios, from 0 on; none that moves whole is larger than a window.
const ORDERS: usize = HUGE_ORDER as usize + 1;

static COUNTS: [Count; COUNTERS.len()] = [const { Count::new(0) }; COUNTERS.len()];
static NANOSECONDS: [Count; STAGES.len()] = [const { Count::new(0) }; STAGES.len()];
static LATENCIES: [[Count; BUCKETS]; STAGES.len()] =
    [const { [const { Count::new(0) }; BUCKETS] }; STAGES.len()];
static LONGEST: [Count; WAITS.len()] = [const { Count::new(0) }; WAITS.len()];
static MOVED: [[Count; KINDS.len()]; KINDS.len()] =
    [const { [const { Count::new(0) }; KINDS.len()] }; KINDS.len()];
static MOVED_BY_ORDER: [Count; ORDERS] = [const { Count::new(0) }; ORDERS];
static LEFT: [Count; Reason::COUNT] = [const { Count::new(0) }; Reason::COUNT];

/// Whether anybody has asked for the counters.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    // SAFETY: The key is a static one, defined in `ffi/objects.c`.
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
    if on {
        // SAFETY: The key is a static one; switching it takes its own lock.
        unsafe { raw::gate_enable(gate) };
    } else {
        // SAFETY: As above.
        unsafe { raw::gate_disable(gate) };
    }
}

/// Sets every counter to zero.
pub(crate) fn reset() {
    let moved = MOVED.iter().flatten().chain(&MOVED_BY_ORDER);
    let latencies = LATENCIES.iter().flatten();
    let times = NANOSECONDS.iter().chain(&LONGEST).chain(latencies);
    for count in COUNTS.iter().chain(times).chain(&LEFT).chain(moved) {
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
#[inline(always)]
pub(crate) fn count_moved(src: Option<Folio<'_>>, dst: Option<Folio<'_>>, order: u32) {
    if is_on() {
        add_moved(src, dst, order);
    }
}

#[cold]
#[inline(never)]
fn add_moved(src: Option<Folio<'_>>, dst: Option<Folio<'_>>, order: u32) {
    let row = MOVED.get(kind(src));
    let place = row.and_then(|row| row.get(kind(dst)));
    let of_order = MOVED_BY_ORDER.get(order as usize);
    for count in place.into_iter().chain(of_order) {
        count.add(1 << order, Relaxed);
    }
}

/// Counts pages that have stayed.
pub(crate) fn count_left(reason: Reason, pages: usize) {
    if is_on() {
        if let Some(count) = LEFT.get(reason as usize) {
            count.add(pages as i64, Relaxed);
        }
    }
}

/// Counts the time that a stage of a window took.
pub(crate) fn add_time(stage: Stage, ns: i64) {
    if !is_on() {
        return;
    }
    if let Some(count) = NANOSECONDS.get(stage as usize) {
        count.add(ns, Relaxed);
    }
    let bucket = (ns.max(1).ilog2() as usize).clamp(SHORTEST, LONGEST_BUCKET) - SHORTEST;
    let row = LATENCIES.get(stage as usize);
    if let Some(count) = row.and_then(|row| row.get(bucket)) {
        count.add(1, Relaxed);
    }
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
///
/// A line of a latency has the time from which on, up to twice as much, so many windows took in
/// that stage.
pub(crate) fn show(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (name, count) in COUNTERS.iter().zip(&COUNTS) {
        writeln!(f, "{} {}", name, count.load(Relaxed))?;
    }
    for (from, row) in KINDS.iter().zip(&MOVED) {
        for (to, count) in KINDS.iter().zip(row).take(KINDS.len() - 1) {
            writeln!(f, "moved {} {} {}", from, to, count.load(Relaxed))?;
        }
    }
    for (order, count) in MOVED_BY_ORDER.iter().enumerate() {
        writeln!(f, "order {} {}", order, count.load(Relaxed))?;
    }
    for (name, count) in Reason::NAMES.iter().zip(&LEFT) {
        writeln!(f, "left {} {}", name, count.load(Relaxed))?;
    }
    for (name, count) in STAGES.iter().zip(&NANOSECONDS) {
        writeln!(f, "stage {} {}", name, count.load(Relaxed))?;
    }
    for (name, row) in STAGES.iter().zip(&LATENCIES) {
        for (bucket, count) in row.iter().enumerate() {
            let count = count.load(Relaxed);
            if count > 0 {
                writeln!(
                    f,
                    "latency {} {} {}",
                    name,
                    1u64 << (bucket + SHORTEST),
                    count
                )?;
            }
        }
    }
    for (name, count) in WAITS.iter().zip(&LONGEST) {
        writeln!(f, "longest {} {}", name, count.load(Relaxed))?;
    }
    Ok(())
}
