// SPDX-License-Identifier: GPL-2.0

//! The reverse mapping: from a folio to the page tables that map it.

use super::{
    folio::Folio,
    raw,
    stats,
    vma::Window, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

/// Replaces every mapping of a locked folio by a migration entry, as far as possible.
///
/// TLB flushes are put off until [`flush_unmapped`].
///
/// # Context
///
/// May sleep. The caller has the folio lock and a reference.
pub(super) fn unmap(folio: Folio<'_>) {
    // SAFETY: A `Folio` is alive; the caller's lock keeps new mappings away.
    unsafe { raw::try_to_migrate(folio.as_ptr()) };
}

/// Flushes what [`unmap`] of this task has put off.
pub(crate) fn flush_unmapped() {
    stats::count(stats::Counter::TlbFlushes, 1);
    // SAFETY: Works on the calling task's own state.
    unsafe { raw::try_to_unmap_flush() };
}

/// Replaces every migration entry for `src` by a mapping of `dst`, which may be `src` itself.
///
/// # Context
///
/// May sleep. The caller has the locks of both.
pub(super) fn remap(src: Folio<'_>, dst: Folio<'_>) {
    // SAFETY: Both folios are alive, and locked by the caller.
    unsafe { raw::remove_migration_ptes(src.as_ptr(), dst.as_ptr()) };
}

/// Makes the structure that finds the mappings of an area's anonymous pages.
///
/// # Errors
///
/// [`ENOMEM`].
///
/// # Context
///
/// May sleep.
pub(crate) fn prepare(window: &Window<'_>) -> Result {
    // SAFETY: The area is valid, and its mmap lock is held.
    to_result(unsafe { raw::anon_vma_prepare(window.range().vma()) })
}

/// A reference to the structure that finds the mappings of an anonymous folio.
///
/// Without the mmap lock nothing else keeps it from being freed once the folio is mapped nowhere:
/// `rmap_walk_anon_lock()` relies on its callers for that.
///
/// # Invariants
///
/// The reference is owned by this value.
pub(crate) struct AnonVma(NonNull<bindings::anon_vma>);

impl AnonVma {
    /// The reference for a locked folio; [`None`] where it is not mapped.
    pub(crate) fn of(folio: Folio<'_>) -> Option<Self> {
        // SAFETY: A `Folio` is alive; the function answers NULL when it is not mapped.
        let ptr = unsafe { raw::folio_get_anon_vma(folio.as_ptr()) };
        // INVARIANT: The reference just taken.
        NonNull::new(ptr).map(Self)
    }

    /// Hands the reference over to whoever takes the pointer.
    pub(crate) fn into_raw(self) -> NonNull<bindings::anon_vma> {
        core::mem::ManuallyDrop::new(self).0
    }

    /// Takes the reference back.
    ///
    /// # Safety
    ///
    /// `ptr` is from [`Self::into_raw`], and is used once.
    pub(crate) unsafe fn from_raw(ptr: NonNull<bindings::anon_vma>) -> Self {
        // INVARIANT: The reference that `into_raw` gave up.
        Self(ptr)
    }
}

impl Drop for AnonVma {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is ours to give up.
        unsafe { raw::put_anon_vma(self.0.as_ptr()) };
    }
}
