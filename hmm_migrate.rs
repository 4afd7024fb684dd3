// SPDX-License-Identifier: GPL-2.0

//! `hmm_vma_migrate()`: moves the memory behind a range of a process's addresses.
//!
//! A driver allocates the destinations and copies with its own engine; this module does the rest:
//!
//! ```text
//! collect -> isolate -> unmap -> copy -> migrate -> finalize -> settle
//!    |          |         |       |         |          |          |
//!    |          |         |       |         |          |          +- entries map the pages again
//!    |          |         |       |         |          +- driver: finalize_and_map()
//!    |          |         |       |         +- destinations become the sources
//!    |          |         |       +- driver: alloc_and_copy()
//!    |          |         +- other mappings; pin test
//!    |          +- off the LRU
//!    +- locked, behind migration entries
//! ```
//!
//! A range is worked through in windows of at most one page table. Each stage consumes the one
//! before it. Until the driver is called a stage may find that nothing is left, and the window's
//! batch, when it is dropped, restores every page; afterwards `finalize` always runs.
//!
//! # Locks
//!
//! In the order of `mm/rmap.c`:
//!
//! ```text
//! mmap_lock (read; the caller's; for eviction by frame number only tried, or none)
//!   folio lock (only ever tried, also under the page-table lock)
//!     anon_vma or i_mmap rwsem (Areas, or inside try_to_migrate() and remove_migration_ptes())
//!       page-table lock (PteTable, LockedPmd)
//!         lruvec lock, swap cluster lock
//! ```
//!
//! The manual's page on internals has what each stage takes. Nothing sleeps under a page-table
//! lock. The TLB is flushed of the window's entries before their lock is given back, and of those
//! elsewhere before the driver is called.

#[path = "rust/mod.rs"]
mod mm;

mod collect;
#[path = "ffi/exports.rs"]
mod exports;
mod finalize;
mod isolate;
#[path = "ffi/ops.rs"]
mod ops;
mod pipeline;
mod unmap;

use crate::mm::debugfs::Files;
use kernel::prelude::*;

module! {
    type: HmmMigrate,
    name: "hmm_migrate",
    authors: ["The hmm_migrate authors"],
    description: "Migration of process memory with a driver's copy engine",
    license: "GPL",
}

/// The module while it is loaded.
#[pin_data]
struct HmmMigrate {
    #[pin]
    files: Files,
}

impl kernel::InPlaceModule for HmmMigrate {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            files <- Files::new(),
        })
    }
}
