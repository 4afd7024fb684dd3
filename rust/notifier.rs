// SPDX-License-Identifier: GPL-2.0

//! Telling those who mirror a page table that entries are about to change.

use super::{
    raw,
    stats,
    vma::Window, //
};
use core::mem::MaybeUninit;
use kernel::{
    bindings,
    ffi::c_void, //
};

/// The time between an invalidation's start and its end.
///
/// Every entry of the window that changes must have changed, and the TLB must be flushed, when
/// this is dropped.
#[must_use]
pub(crate) struct Bracket(bindings::mmu_notifier_range);

impl Bracket {
    /// Begins an invalidation of a window for migration.
    ///
    /// `owner` lets a driver know its own migrations.
    ///
    /// # Context
    ///
    /// May sleep. No page-table lock may be held.
    pub(crate) fn open(window: &Window<'_>, owner: *mut c_void) -> Self {
        let mut range = MaybeUninit::uninit();
        let mm = window.range().mm();

        stats::count(stats::Counter::NotifierBrackets, 1);
        // SAFETY: The mm is pinned while the window exists; the call fills all of `range`.
        unsafe {
            raw::notifier_start(range.as_mut_ptr(), mm, window.start(), window.end(), owner)
        };
        // SAFETY: Filled by the call above.
        Self(unsafe { range.assume_init() })
    }
}

impl Drop for Bracket {
    fn drop(&mut self) {
        // SAFETY: The range that the start was given; it refers to nothing by its own address.
        unsafe { raw::notifier_end(&mut self.0) };
    }
}
