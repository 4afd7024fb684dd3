// SPDX-License-Identifier: GPL-2.0

//! `hmm_vma_migrate()`: moves the memory behind a range of a process's addresses.

// Nothing calls the parts before the pipeline does.
#![allow(dead_code)]

#[path = "rust/mod.rs"]
mod mm;

mod collect;
mod finalize;
mod isolate;
mod unmap;

use kernel::prelude::*;

module! {
    type: HmmMigrate,
    name: "hmm_migrate",
    authors: ["The hmm_migrate authors"],
    description: "Migration of process memory with a driver's copy engine",
    license: "GPL",
}

/// The module while it is loaded.
struct HmmMigrate;

impl kernel::Module for HmmMigrate {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}
