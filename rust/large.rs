// SPDX-License-Identifier: GPL-2.0

//! Large folios: finding them behind one entry, and splitting them.

use super::{
    call::Call,
    folio::{
        Folio,
        HeldFolio, //
    },
    migration_entry,
    page_table::PmdSlot,
    raw,
    stats,
    word::Reason, //
};
use core::marker::PhantomData;
use kernel::bindings;

/// What one entry of the table of page tables stands for.
pub(crate) enum Found {
    /// It has changed; look again.
    Changed,
    /// The huge zero page.
    ZeroPage,
    /// A folio that the call takes.
    Folio(Large),
    /// Nothing that can be moved.
    Other(Reason),
}

/// A large folio that is to be split.
pub(crate) enum Large {
    /// With a reference of ours.
    Held(HeldFolio),
    /// The fault handler's, which has its lock, and whose reference is the only one that a split
    /// allows for.
    Borrowed,
}

impl Large {
    /// A large folio of which nothing is held yet.
    pub(crate) fn new(call: &Call, folio: Folio<'_>) -> Self {
        if call.is_borrowed(folio) {
            Self::Borrowed
        } else {
            Self::Held(HeldFolio::new(folio))
        }
    }
}

/// The page-table lock of an entry that maps a whole window.
///
/// # Invariants
///
/// The lock is held.
struct PmdLock<'a>(*mut bindings::spinlock_t, PhantomData<PmdSlot<'a>>);

impl<'a> PmdLock<'a> {
    fn new(pmd: &PmdSlot<'a>) -> Self {
        let mm = pmd.window().range().mm();
        // SAFETY: The mm is valid, and its mmap lock keeps the table that `pmd` is in.
        let lock = unsafe { raw::pmd_lock(mm, pmd.as_ptr()) };
        // INVARIANT: Just taken.
        Self(lock, PhantomData)
    }
}

impl Drop for PmdLock<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the lock is held.
        unsafe { raw::spin_unlock(self.0) };
    }
}

/// Looks at an entry that maps a whole window, or stands for it.
///
/// # Context
///
/// No other folio's lock is held: what is found is for splitting.
pub(crate) fn find(call: &Call, pmd: PmdSlot<'_>) -> Found {
    let _lock = PmdLock::new(&pmd);
    // SAFETY: The lock is held.
    let value = unsafe { raw::pmdp_get(pmd.as_ptr()) };

    // SAFETY: A function of the value alone.
    if unsafe { raw::pmd_none(value) } {
        return Found::Changed;
    }
    // SAFETY: As above.
    let page = if unsafe { raw::pmd_trans_huge(value) } {
        // SAFETY: As above.
        if unsafe { raw::is_huge_zero_pmd(value) } {
            return Found::ZeroPage;
        }
        // SAFETY: The entry maps a page.
        unsafe { raw::pmd_page(value) }
    // SAFETY: As above.
    } else if unsafe { raw::pmd_present(value) } {
        return Found::Changed;
    } else {
        match migration_entry::leaf_of_pmd(value) {
            migration_entry::Leaf::Device(page) => page,
            migration_entry::Leaf::Migration(_) => return Found::Other(Reason::Locked),
            migration_entry::Leaf::Swap => return Found::Other(Reason::Swapped),
            migration_entry::Leaf::Poison => return Found::Other(Reason::Poisoned),
            migration_entry::Leaf::Other => return Found::Other(Reason::Kind),
        }
    };
    // SAFETY: The page is mapped here, which keeps its folio while the entry is locked.
    let folio = unsafe { Folio::of_page(page) };
    match may_split(call, folio) {
        Ok(()) => Found::Folio(Large::new(call, folio)),
        Err(reason) => Found::Other(reason),
    }
}

/// Whether a large folio is one that the call takes, and the core can split.
///
/// The core's split leaves the pieces of a device-coherent folio without their device, so those
/// stay whole.
pub(crate) fn may_split(call: &Call, folio: Folio<'_>) -> Result<(), Reason> {
    call.policy.takes(folio)?;
    if folio.is_device_coherent() {
        return Err(Reason::Partial);
    }
    Ok(())
}

/// Replaces the entry of the huge zero page by a page table of zero pages.
pub(crate) fn split_zero_page(pmd: PmdSlot<'_>) {
    let window = pmd.window();
    // SAFETY: The area is valid, and its mmap lock is held; the function looks again under the
    // lock that it takes.
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
pub(crate) fn split(call: &Call, large: Large) -> Result<(), Reason> {
    let held = match &large {
        Large::Held(held) => Some(held.folio()),
        Large::Borrowed => None,
    };
    if held.is_some_and(|folio| !folio.try_lock()) {
        return Err(Reason::Locked);
    }
    if let Some(folio) = held.filter(|folio| !folio.is_large()) {
        // Somebody else has split it meanwhile.
        // SAFETY: The lock just taken.
        unsafe { folio.unlock() };
        return Ok(());
    }
    // The lock stays on the piece that has the page we name, and so does the one reference.
    let page = match (held, &call.fault) {
        // SAFETY: Our reference keeps the folio, whose first page this is.
        (Some(folio), _) => unsafe { raw::folio_page(folio.as_ptr(), 0) },
        (None, Some(fault)) => fault.page(),
        (None, None) => return Err(Reason::Partial),
    };
    stats::count(stats::Counter::Splits, 1);
    // SAFETY: The folio of the page is locked, and has one reference beyond the expected ones.
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
