// SPDX-License-Identifier: GPL-2.0

//! A page table in reserve.

use super::{
    raw,
    vma::Window, //
};
use core::mem::ManuallyDrop;
use kernel::{
    bindings,
    prelude::*, //
};

/// A page table that nothing uses yet.
///
/// # Invariants
///
/// It is ours to free.
pub(super) struct SpareTable<'a> {
    window: &'a Window<'a>,
    table: bindings::pgtable_t,
}

impl<'a> SpareTable<'a> {
    /// A page table for the address space of a window.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    ///
    /// # Context
    ///
    /// May sleep.
    pub(super) fn new(window: &'a Window<'a>) -> Result<Self> {
        // SAFETY: The mm is valid.
        let table = unsafe { raw::pte_alloc_one(window.range().mm()) };
        if table.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: Just made.
        Ok(Self { window, table })
    }

    /// Gives the page table away.
    pub(super) fn into_raw(self) -> bindings::pgtable_t {
        ManuallyDrop::new(self).table
    }
}

impl Drop for SpareTable<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants it is ours to free; the mm is valid.
        unsafe { raw::pte_free(self.window.range().mm(), self.table) };
    }
}
