// SPDX-License-Identifier: GPL-2.0

//! The reverse mapping: from a folio to the page tables that map it.

use super::{
    anon_vma::AnonVma,
    folio::Folio,
    held_folio::LockedFolio,
    raw,
    stats, //
};
use kernel::{
    bindings,
    mm::{
        Mm,
        MmWithUser, //
    },
    prelude::*,
    sync::aref::ARef, //
};

/// Replaces every mapping of a locked folio by a migration entry, as far as possible.
///
/// TLB flushes are put off until [`flush_unmapped`].
///
/// # Safety
///
/// The caller has the folio's lock, and keeps it until [`remap`] has replaced the entries.
///
/// # Context
///
/// May sleep.
pub(super) unsafe fn unmap(folio: Folio<'_>) {
    // SAFETY: A `Folio` is alive; the caller's lock keeps new mappings away.
    unsafe { raw::try_to_migrate(folio.as_ptr()) };
}

/// Flushes what [`unmap`] of this task has put off.
pub(super) fn flush_unmapped() {
    stats::count(stats::Counter::TlbFlushes, 1);
    // SAFETY: Works on the calling task's own state.
    unsafe { raw::try_to_unmap_flush() };
}

/// What a walk of the reverse mapping looks for: an area of those that it comes to, not the first
/// `left` ones.
struct Search {
    left: usize,
    found: Option<(ARef<MmWithUser>, usize)>,
}

/// An address space that may map a folio, and where the folio, or what the area has of it, would
/// begin there; after the first `skipped` of them.
///
/// An area that a child has inherited is one, whatever it maps by now. Without the mmap lock
/// nothing but a reference keeps the anon_vma during the walk: the folio may be mapped nowhere.
///
/// # Context
///
/// May sleep.
pub(super) fn find(locked: &LockedFolio, skipped: usize) -> Option<(ARef<MmWithUser>, usize)> {
    let _anon_vma = AnonVma::of(locked)?;
    let mut search = Search {
        left: skipped,
        found: None,
    };
    let folio = locked.folio().as_ptr();
    // SAFETY: The folio is locked and referenced, and its anon_vma is, too, as the walk wants it;
    // `found_one` is given what it takes.
    unsafe { raw::rmap_walk(folio, Some(found_one), (&raw mut search).cast()) };
    search.found
}

/// Notes where the reverse mapping finds a folio; false ends the walk.
///
/// # Safety
///
/// To be called by [`find`]'s walk of the reverse mapping alone.
unsafe extern "C" fn found_one(
    _folio: *mut bindings::folio,
    vma: *mut bindings::vm_area_struct,
    addr: c_ulong,
    search: *mut c_void,
) -> bool {
    // SAFETY: From `find`, which waits for the walk.
    let search = unsafe { &mut *search.cast::<Search>() };
    if search.left > 0 {
        search.left -= 1;
        return true;
    }
    // SAFETY: The walk keeps the area.
    let mm = unsafe { raw::vma_mm(vma) };
    // SAFETY: An area that the reverse mapping still finds keeps the structure of its mm.
    let Some(mm) = unsafe { Mm::from_raw(mm) }.mmget_not_zero() else {
        return true;
    };
    search.found = Some((mm, addr));
    false
}

/// Replaces every migration entry for `src` by a mapping of `dst`, which may be `src` itself.
///
/// # Safety
///
/// The caller has the locks of both, and `dst` has become what `src` was.
///
/// # Context
///
/// May sleep.
pub(super) unsafe fn remap(src: Folio<'_>, dst: Folio<'_>) {
    // SAFETY: Both folios are alive, and locked by the caller.
    unsafe { raw::remove_migration_ptes(src.as_ptr(), dst.as_ptr()) };
}
