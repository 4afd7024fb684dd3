// SPDX-License-Identifier: GPL-2.0

//! What a device has written to folios that the core has unmapped.
//!
//! The core does not know that a device writes: an entry that was not soft-dirty before is not
//! after it. What this module unmaps itself, it marks then.

use super::{
    anon_vma::Areas,
    folio::Folio,
    leaf,
    page_table::{
        look_up,
        Entries,
        Level,
        LockedEntries,
        PmdEntry, //
    },
    raw,
    shared::each_part,
    stats,
    vma::Window, //
};

/// Marks the migration entries of a folio through which its device may have written, wherever they
/// are.
///
/// # Safety
///
/// The folio is a source of a batch: an area in the batch's window is linked to its anon_vma, or
/// the slot has a reference to that.
///
/// # Context
///
/// May sleep.
pub(super) unsafe fn mark(src: Folio<'_>) {
    if !cfg!(CONFIG_MEM_SOFT_DIRTY) {
        return;
    }
    let Some(anon_vma) = src.anon_vma() else {
        return;
    };
    // SAFETY: The caller's promise; an area keeps what it is linked to as long as the mmap lock is
    // held.
    let areas = unsafe { Areas::lock(anon_vma) };
    areas.each(src.anon_offset(), src.pages(), |range, before| {
        each_part(range, |part, number| {
            mark_part(part, src.pfn(), before + number);
        });
        true
    });
}

/// The same in a part of an area, for the frames from `pfn` on; its first page has the number
/// `first` of these.
fn mark_part(part: &Window<'_>, pfn: usize, first: usize) {
    loop {
        match look_up(part) {
            Level::Hole => return,
            Level::Leaf(pmd) => {
                mark_huge(pmd, pfn + first);
                // It may have been split before it was locked.
                if !matches!(look_up(part), Level::Table(_)) {
                    return;
                }
            }
            Level::Table(pmd) => {
                let Some(mut table) = LockedEntries::lock(part, pmd, first) else {
                    continue;
                };
                for number in first..first + part.pages() {
                    table.entries().mark(number, pfn + number);
                }
                return;
            }
        }
    }
}

/// Marks an entry, if it is a writable one for the frames from `pfn` on.
fn mark_huge(pmd: PmdEntry<'_>, pfn: usize) {
    let (window, pmd) = (pmd.window(), pmd.as_ptr());
    let mm = window.range().mm();

    stats::count(stats::Counter::PageTableLocks, 1);
    // SAFETY: The mm is valid, and the lock of the range keeps the table that `pmd` is in.
    let ptl = unsafe { raw::pmd_lock(mm, pmd) };
    // SAFETY: The lock of the entry is held.
    let value = unsafe { raw::pmdp_get(pmd) };
    if leaf::writable_migration_pmd(value) == Some(pfn) {
        let marked = leaf::mark_swapped_pmd(value, true, false);
        // SAFETY: The entry is locked, and differs in its mark alone.
        unsafe { raw::set_pmd_at(mm, window.start(), pmd, marked) };
    }
    // SAFETY: Taken above.
    unsafe { raw::spin_unlock(ptl) };
}

impl Entries<'_> {
    /// Marks an entry, if it is a writable one for this frame.
    fn mark(&mut self, index: usize, pfn: usize) {
        let (Some(pte), Some((ptep, addr))) = (self.get(index), self.at(index)) else {
            return;
        };
        if leaf::writable_migration_pte(pte) == Some(pfn) {
            // SAFETY: It stands for the same page, and differs in its mark alone.
            unsafe { self.set(ptep, addr, leaf::mark_swapped(pte, true, false)) };
        }
    }
}
