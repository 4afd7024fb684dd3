// SPDX-License-Identifier: GPL-2.0

//! Telling those who mirror a page table that entries are about to change.

use super::{
    raw,
    stats,
    vma::Window, //
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit, //
};
use kernel::{
    bindings,
    ffi::c_void, //
};

/// The time between an invalidation's start and its end.
///
/// Every entry of the window that changes must have changed, and the TLB must be flushed, when
/// this is dropped.
///
/// # Invariants
///
/// The range is one whose start has been told, of an mm that is valid for `'a`.
#[must_use = "the invalidation ends when this is dropped"]
pub(crate) struct Bracket<'a>(bindings::mmu_notifier_range, PhantomData<Window<'a>>);

impl<'a> Bracket<'a> {
    /// Begins an invalidation of a window for migration.
    ///
    /// `owner` lets a driver know its own migrations.
    ///
    /// # Context
    ///
    /// May sleep. No page-table lock may be held.
    pub(crate) fn open(window: &Window<'a>, owner: *mut c_void) -> Self {
        Self::start(
            window,
            bindings::mmu_notifier_event_MMU_NOTIFY_MIGRATE,
            owner,
        )
    }

    /// Begins an invalidation of a part of an address space that the call did not name, which no
    /// driver takes for its own migration: every mirror of it is to forget what it has.
    ///
    /// # Context
    ///
    /// As for [`Self::open`].
    pub(crate) fn open_elsewhere(window: &Window<'a>) -> Self {
        let event = bindings::mmu_notifier_event_MMU_NOTIFY_CLEAR;
        Self::start(window, event, core::ptr::null_mut())
    }

    /// Whether a window is part of what was told.
    pub(super) fn covers(&self, window: &Window<'_>) -> bool {
        let Self(range, _) = self;
        let addrs = range.start..=range.end;
        let is_inside = addrs.contains(&window.start()) && addrs.contains(&window.end());
        range.mm == window.range().mm() && is_inside
    }

    fn start(window: &Window<'a>, event: bindings::mmu_notifier_event, owner: *mut c_void) -> Self {
        let mut range = MaybeUninit::uninit();
        let mm = window.range().mm();
        let (start, end) = (window.start(), window.end());

        stats::count(stats::Counter::NotifierBrackets, 1);
        // SAFETY: The mm is valid while the window exists; the call fills all of `range`.
        unsafe { raw::notifier_start(range.as_mut_ptr(), mm, start, end, event, owner) };
        // SAFETY: Filled by the call above.
        let range = unsafe { range.assume_init() };
        // INVARIANT: Told above; the window stands for the mm.
        Self(range, PhantomData)
    }
}

impl Drop for Bracket<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the start was told; it refers to nothing by its address.
        unsafe { raw::notifier_end(&mut self.0) };
    }
}
