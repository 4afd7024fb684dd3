// SPDX-License-Identifier: GPL-2.0

//! What we hold of a folio: a reference, or its lock as well.

use super::{
    call::DeviceStays,
    folio::Folio,
    raw, //
};
use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::bindings;

/// A folio with one reference of ours.
///
/// # Invariants
///
/// The reference is owned by this value.
pub(crate) struct HeldFolio(NonNull<bindings::folio>);

impl HeldFolio {
    /// Takes a reference.
    pub(crate) fn new(folio: Folio<'_>) -> Self {
        folio.get();
        // INVARIANT: The reference just taken.
        Self(folio.as_nonnull())
    }

    /// Takes a reference of the device folio that has a page frame, which may be free at any time.
    ///
    /// [`None`] where the frame is no device's, or is free, or has become part of another folio
    /// meanwhile.
    pub(super) fn of_device_pfn(pfn: usize, _stays: &DeviceStays) -> Option<Self> {
        // SAFETY: A function of the number alone.
        if !unsafe { raw::pfn_valid(pfn) } {
            return None;
        }
        // SAFETY: The frame has a `struct page`.
        let page = unsafe { raw::pfn_to_page(pfn) };
        // SAFETY: Reads the zone of the page, which never changes.
        if !unsafe { raw::page_is_zone_device(page) } {
            return None;
        }
        // SAFETY: The page is a device's that stays, so that its `struct page` does; whichever page
        // it names as its head is one, too.
        let folio = NonNull::new(unsafe { raw::page_folio(page) })?;
        // SAFETY: Takes a reference only where there is one, of a structure that stays.
        if !unsafe { raw::folio_try_get(folio.as_ptr()) } {
            return None;
        }
        // INVARIANT: The reference just taken; dropping it puts it.
        let held = Self(folio);
        // The folio was not ours when it was found: with the reference, look again.
        // SAFETY: The `struct page` stays.
        let same = unsafe { raw::page_folio(page) } == folio.as_ptr();
        // A page that is free may still name the folio that it was once part of.
        (same && held.folio().pfns().contains(&pfn)).then_some(held)
    }

    /// The folio, for looking at.
    pub(crate) fn folio(&self) -> Folio<'_> {
        // SAFETY: Our reference keeps it allocated while `self` is borrowed.
        unsafe { Folio::from_raw(self.0) }
    }

    /// Takes the lock; [`None`], and the reference is put, where somebody else has it.
    pub(crate) fn try_lock(self) -> Option<LockedFolio> {
        // INVARIANT: The lock just taken, and our reference.
        self.folio().try_lock().then(|| LockedFolio(self))
    }
}

impl Drop for HeldFolio {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is ours to give up.
        unsafe { self.folio().put() };
    }
}

/// A folio with its lock and one reference of ours.
///
/// # Invariants
///
/// Both are owned by this value.
pub(crate) struct LockedFolio(HeldFolio);

impl LockedFolio {
    /// The folio, for looking at.
    pub(crate) fn folio(&self) -> Folio<'_> {
        self.0.folio()
    }
}

impl Drop for LockedFolio {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the lock is ours; the reference is put afterwards.
        unsafe { self.folio().unlock() };
    }
}

/// References that are put many at once, which frees folios more cheaply than one by one.
///
/// # Invariants
///
/// `batch` is initialised but for the pointers from its count on, and a reference of each of the
/// others is owned by this value.
pub(super) struct Puts<'a> {
    batch: &'a mut MaybeUninit<bindings::folio_batch>,
}

impl<'a> Puts<'a> {
    /// None yet.
    pub(super) fn new(batch: &'a mut MaybeUninit<bindings::folio_batch>) -> Self {
        // SAFETY: It writes all but the pointers.
        unsafe { raw::folio_batch_init(batch.as_mut_ptr()) };
        // INVARIANT: There is none.
        Self { batch }
    }

    /// Puts a reference: that of a small folio soon, or at the latest when this is dropped.
    ///
    /// Nothing is saved where a folio has many pages to be freed.
    ///
    /// # Safety
    ///
    /// The caller owns the reference, and gives it up; the folio may be gone afterwards.
    pub(super) unsafe fn put(&mut self, folio: Folio<'_>) {
        if folio.is_large() {
            // SAFETY: The caller's promise.
            unsafe { folio.put() };
            return;
        }
        // INVARIANT: The caller's reference.
        // SAFETY: By the type invariants there is a count; a full batch is flushed at once.
        let room = unsafe { raw::folio_batch_add(self.batch.as_mut_ptr(), folio.as_ptr()) };
        if room == 0 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        // SAFETY: By the type invariants the references are ours to give up; the batch is empty
        // afterwards.
        unsafe { raw::folios_put(self.batch.as_mut_ptr()) };
    }
}

impl Drop for Puts<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants there is a count.
        if unsafe { raw::folio_batch_count(self.batch.as_ptr()) } > 0 {
            self.flush();
        }
    }
}
