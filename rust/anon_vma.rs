// SPDX-License-Identifier: GPL-2.0

//! What finds the mappings of anonymous pages, and what keeps it.

use super::{
    held_folio::LockedFolio,
    raw,
    task,
    vma::{
        LockedWindow,
        VmaRange, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

/// That there is what finds the mappings of an area's anonymous pages.
///
/// # Invariants
///
/// The area of the window has its anon_vma, and keeps it while the mmap lock is held.
pub(crate) struct Prepared<'a>(&'a LockedWindow<'a>);

impl<'a> Prepared<'a> {
    /// The window.
    pub(crate) fn window(&self) -> &'a LockedWindow<'a> {
        self.0
    }
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
pub(super) fn prepare<'a>(window: &'a LockedWindow<'a>) -> Result<Prepared<'a>> {
    // SAFETY: By the invariants of the window the area is valid, and its mmap lock is held.
    to_result(unsafe { raw::anon_vma_prepare(window.range().vma()) })?;
    // INVARIANT: Just made, or found.
    Ok(Prepared(window))
}

/// A reference to the structure that finds the mappings of an anonymous folio.
///
/// Without the mmap lock nothing else keeps it from being freed once the folio is mapped nowhere:
/// `rmap_walk_anon_lock()` relies on its callers for that.
///
/// # Invariants
///
/// The reference is owned by this value.
pub(super) struct AnonVma(NonNull<bindings::anon_vma>);

impl AnonVma {
    /// The reference for a locked folio; [`None`] where it is not mapped.
    pub(crate) fn of(locked: &LockedFolio) -> Option<Self> {
        // SAFETY: The folio is locked; the function answers NULL when it is not mapped.
        let ptr = unsafe { raw::folio_get_anon_vma(locked.folio().as_ptr()) };
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

/// The areas in which an anon_vma finds its pages, locked against changes of their bounds.
///
/// # Invariants
///
/// The lock of the anon_vma is held for reading by this value.
pub(super) struct Areas<'a> {
    anon_vma: *mut bindings::anon_vma,
    _alive: PhantomData<&'a bindings::anon_vma>,
}

impl Areas<'_> {
    /// Takes the lock.
    ///
    /// # Safety
    ///
    /// The anon_vma is alive for the lifetime that is chosen.
    ///
    /// # Context
    ///
    /// May sleep. Folio locks may be held.
    pub(super) unsafe fn lock(anon_vma: NonNull<bindings::anon_vma>) -> Self {
        let anon_vma = anon_vma.as_ptr();
        // SAFETY: The caller's promise.
        unsafe { raw::anon_vma_lock_read(anon_vma) };
        // INVARIANT: Just taken.
        Self {
            anon_vma,
            _alive: PhantomData,
        }
    }

    /// Does something in each area that may have some of `count` pages, from the page offset
    /// `first` on.
    ///
    /// It is given what the area has of them, and how many come before that; false ends the walk.
    ///
    /// The order is that of `rmap_walk()`, on which fork() and mremap() rely: entries that they
    /// copy or move meanwhile are found in the end.
    pub(super) fn each(
        &self,
        first: usize,
        count: usize,
        mut work: impl FnMut(&VmaRange<'_>, usize) -> bool,
    ) {
        let last = first + count - 1;
        // SAFETY: By the type invariants the tree is locked.
        let mut link = unsafe { raw::anon_rmap_first(self.anon_vma, first, last) };
        while !link.is_null() {
            // SAFETY: The lock keeps the links of the tree, and their areas.
            let vma = unsafe { raw::avc_vma(link) };
            // SAFETY: From the tree; the lock is held until `work` is done.
            let found = unsafe { VmaRange::found(vma, first, count) };
            if found.is_some_and(|(range, before)| !work(&range, before)) {
                return;
            }
            task::let_others_run();
            // SAFETY: As above.
            link = unsafe { raw::anon_rmap_next(link, first, last) };
        }
    }
}

impl Drop for Areas<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the lock is ours.
        unsafe { raw::anon_vma_unlock_read(self.anon_vma) };
    }
}
