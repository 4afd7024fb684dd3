// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers over the memory management that a migration needs.
//!
//! The stages of the pipeline are plain Rust on top of this module; all `unsafe` is here and in
//! `ffi/`. Each type says what is held: see [`folio`] for locks and references, [`page_table`] for
//! the page-table lock, [`batch`] for what must be given back.

mod anon_vma;
pub(crate) mod batch;
pub(crate) mod call;
pub(crate) mod debugfs;
mod destination;
mod device_writes;
pub(crate) mod entry;
pub(crate) mod folio;
pub(crate) mod held_folio;
pub(crate) mod hole;
pub(crate) mod huge;
pub(crate) mod large;
mod leaf;
pub(crate) mod lru;
pub(crate) mod mapped;
mod mappings;
mod migration_entry;
pub(crate) mod notifier;
pub(crate) mod page_table;
pub(crate) mod place;
mod remap;
mod rmap;
pub(crate) mod scratch;
mod settle;
mod shared;
pub(crate) mod slot;
pub(crate) mod span;
mod spare_table;
pub(crate) mod split;
pub(crate) mod stats;
pub(crate) mod task;
#[cfg(CONFIG_HMM_MIGRATE_TEST)]
pub(crate) mod test_hook;
#[cfg(CONFIG_HMM_MIGRATE_KUNIT_TEST)]
mod tests;
pub(crate) mod trace;
mod value;
pub(crate) mod vma;
pub(crate) mod watch;
pub(crate) mod word;

/// Bindings of `ffi/helpers/` and of the public header, made when the module is built.
#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]
pub(crate) mod raw {
    use kernel::{
        bindings::*,
        ffi, //
    };

    include!(concat!(env!("HMM_MIGRATE_OBJ"), "/ffi/bindings.rs"));
}

/// Bytes in a page.
pub(crate) const PAGE_SIZE: usize = kernel::page::PAGE_SIZE;

/// The bits of an address that say which page it is in.
pub(crate) const PAGE_MASK: usize = kernel::page::PAGE_MASK;

/// Binary logarithm of [`PAGE_SIZE`].
pub(crate) const PAGE_SHIFT: usize = kernel::page::PAGE_SHIFT;
