// SPDX-License-Identifier: GPL-2.0

//! Large folios: splitting them, and what else they need.

use super::{
    call::Call,
    folio::Folio,
    held_folio::HeldFolio,
    page_table::PmdEntry,
    raw,
    stats,
    vma::LockedWindow,
    word::Reason, //
};

/// A large folio that is to be split.
pub(super) enum Large {
    /// With a reference of ours.
    Held(HeldFolio),
    /// The fault handler's, which has its lock, and whose reference is the only one that a split
    /// allows for.
    Borrowed,
}

impl Large {
    /// A large folio of which nothing is held yet.
    pub(super) fn new(call: &Call, folio: Folio<'_>) -> Self {
        if call.is_borrowed(folio) {
            Self::Borrowed
        } else {
            Self::Held(HeldFolio::new(folio))
        }
    }
}

/// Whether a folio has to be split before a call can move it; `whole` says whether all of it is
/// where the call works.
///
/// Files have folios of two pages, but nobody else does: there are no destinations for them.
pub(crate) fn must_split(call: &Call, folio: Folio<'_>, whole: bool) -> bool {
    if !folio.is_large() {
        return false;
    }
    let unfit = !whole || folio.order() == 1 || folio.has_poison();
    unfit || !call.policy.large() || call.is_again()
}

/// Whether somebody holds a large folio beside those who map it, so that it can be neither moved
/// nor split.
///
/// No batch of a processor's holds large folios: it is worth to look before anything is unmapped.
pub(crate) fn is_held(call: &Call, folio: Folio<'_>) -> bool {
    if !folio.is_large() {
        return false;
    }
    let explained = folio.expected_ref_count() + i32::from(call.is_borrowed(folio));
    folio.ref_count() > explained
}

/// Whether the core can split a large folio.
///
/// Its split leaves the pieces of a device-coherent folio without their device, and those of a
/// file's mapped nowhere, so these stay whole.
///
/// # Errors
///
/// [`Reason::Partial`] where it cannot.
pub(crate) fn may_split(folio: Folio<'_>) -> Result<(), Reason> {
    if folio.is_device_coherent() || !folio.is_anon() {
        return Err(Reason::Partial);
    }
    Ok(())
}

/// Replaces the entry of the huge zero page by a page table of zero pages.
///
/// Does nothing where `pmd` is not the window's entry.
pub(super) fn split_zero_page(window: &LockedWindow<'_>, pmd: PmdEntry<'_>) {
    if !window.is_same(pmd.window()) {
        return;
    }
    // SAFETY: The area is valid, and by the type invariants its mmap lock is held; the function
    // looks again under the lock that it takes.
    unsafe { raw::split_huge_pmd(window.range().vma(), pmd.as_ptr(), window.start()) };
}

/// Splits a large folio into pages.
///
/// # Errors
///
/// Why it is still whole.
///
/// # Context
///
/// May sleep. No other folio's lock is held.
pub(super) fn split(call: &Call, large: Large) -> Result<(), Reason> {
    let held = match &large {
        Large::Held(held) => Some(held.folio()),
        Large::Borrowed => None,
    };
    if held.is_some_and(|folio| !folio.try_lock()) {
        return Err(Reason::Locked);
    }
    // The lock stays on the piece that has the page we name, and so does the one reference.
    let page = match (held, &call.fault) {
        // SAFETY: Our reference keeps the folio, whose first page this is.
        (Some(folio), _) => unsafe { raw::folio_page(folio.as_ptr(), 0) },
        (None, Some(fault)) => fault.page(),
        (None, None) => return Err(Reason::Partial),
    };
    stats::count(stats::Counter::Splits, 1);
    // SAFETY: The folio of the page is locked, and a reference keeps it; whether there are others
    // the function finds out itself.
    let error = unsafe { raw::split_huge_page(page) };
    if let Some(folio) = held {
        // SAFETY: Our lock: on the whole folio, or on its first piece, which has the same address.
        unsafe { folio.unlock() };
    }
    match kernel::error::to_result(error) {
        Ok(()) => Ok(()),
        Err(kernel::error::code::EAGAIN) => Err(Reason::Pinned),
        Err(kernel::error::code::EBUSY) => Err(Reason::Locked),
        Err(_) => Err(Reason::Partial),
    }
}
