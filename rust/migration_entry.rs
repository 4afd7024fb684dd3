// SPDX-License-Identifier: GPL-2.0

//! Migration entries: what stands in a page table while a page is on its way.
//!
//! Everything that an entry says beside its page is carried over: accessed, dirty, soft-dirty,
//! userfaultfd's mark, and whether the page may be written or is exclusive.

use super::{
    folio::Folio,
    leaf::{
        is_writable,
        mark_swapped,
        mark_swapped_pmd,
        stands_for,
        stands_for_pmd,
        Leaf, //
    },
    raw,
    value::*, //
};
use kernel::bindings::{
    pmd_t,
    pte_t,
    softleaf_t,
    vm_area_struct, //
};

/// What a migration entry says beside its page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frozen(u8);

impl Frozen {
    const WRITABLE: u8 = 1 << 0;
    /// Others may have the anonymous page, too.
    const SHARED: u8 = 1 << 1;
    const YOUNG: u8 = 1 << 2;
    const DIRTY: u8 = 1 << 3;
    const SOFT_DIRTY: u8 = 1 << 4;
    const UFFD: u8 = 1 << 5;

    /// It says nothing.
    pub(super) const NOTHING: Self = Self(0);

    fn with(self, bit: u8, is_set: bool) -> Self {
        Self(if is_set { self.0 | bit } else { self.0 })
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// What is to be said for an entry that maps a page, or stands for one of device memory.
    ///
    /// `exclusive` says that the anonymous page was this process's alone.
    #[inline(always)]
    pub(crate) fn of_mapping(old: pte_t, exclusive: bool) -> Self {
        let writable = is_writable(old);
        let frozen = Self::NOTHING
            .with(Self::WRITABLE, writable)
            .with(Self::SHARED, !writable && !exclusive);
        if !pte_present(old) {
            return frozen
                // The device may have written: the entry cannot tell.
                .with(Self::SOFT_DIRTY, writable || pte_swp_soft_dirty(old))
                .with(Self::UFFD, pte_swp_uffd(old));
        }
        frozen
            .with(Self::YOUNG, pte_young(old))
            .with(Self::DIRTY, pte_dirty(old))
            .with(Self::SOFT_DIRTY, pte_soft_dirty(old))
            .with(Self::UFFD, pte_uffd(old))
    }

    /// The migration entry that says it for the page `pfn`.
    #[inline(always)]
    pub(crate) fn entry(self, pfn: usize) -> pte_t {
        let mut entry = if self.is_writable() {
            make_writable_migration_entry(pfn)
        } else if self.is_exclusive() {
            make_readable_exclusive_migration_entry(pfn)
        } else {
            make_readable_migration_entry(pfn)
        };
        if self.has(Self::YOUNG) {
            entry = make_migration_entry_young(entry);
        }
        if self.has(Self::DIRTY) {
            entry = make_migration_entry_dirty(entry);
        }
        mark_swapped(
            softleaf_to_pte(entry),
            self.has(Self::SOFT_DIRTY),
            self.has(Self::UFFD),
        )
    }

    /// What an entry says if it is the migration entry for a page frame.
    pub(crate) fn of_frame(pte: pte_t, pfn: usize) -> Option<Self> {
        if stands_for(pte) != Some(Leaf::Migration(pfn)) {
            return None;
        }
        Some(Self::of_leaf(
            softleaf_from_pte(pte),
            pte_swp_soft_dirty(pte),
            pte_swp_uffd(pte),
        ))
    }

    /// As [`Self::of_frame`], for an entry one level up.
    pub(crate) fn of_frame_pmd(pmd: pmd_t, pfn: usize) -> Option<Self> {
        if stands_for_pmd(pmd) != Some(Leaf::Migration(pfn)) {
            return None;
        }
        Some(Self::of_leaf(
            softleaf_from_pmd(pmd),
            pmd_swp_soft_dirty(pmd),
            pmd_swp_uffd(pmd),
        ))
    }

    fn of_leaf(entry: softleaf_t, soft_dirty: bool, uffd: bool) -> Self {
        Self::NOTHING
            .with(Self::WRITABLE, softleaf_is_migration_write(entry))
            .with(Self::SHARED, softleaf_is_migration_read(entry))
            .with(Self::YOUNG, softleaf_is_migration_young(entry))
            .with(Self::DIRTY, softleaf_is_migration_dirty(entry))
            .with(Self::SOFT_DIRTY, soft_dirty)
            .with(Self::UFFD, uffd)
    }

    /// Whether it is for an anonymous page that is this process's alone, or for a page of a file
    /// that may be written.
    pub(crate) fn is_exclusive(self) -> bool {
        !self.has(Self::SHARED)
    }

    /// Whether the page may be written through the entry that comes in its place.
    pub(crate) fn is_writable(self) -> bool {
        self.has(Self::WRITABLE)
    }
}

/// The entry for a page of device memory that the CPU cannot address.
fn device_private(pfn: usize, writable: bool) -> softleaf_t {
    if writable {
        make_writable_device_private_entry(pfn)
    } else {
        make_readable_device_private_entry(pfn)
    }
}

/// The entry that takes the place of a migration entry, and maps page `number` of `target`.
///
/// It is made of what the page table says now, which userfaultfd may have changed meanwhile.
///
/// # Safety
///
/// The migration entry is in the area `vma`, whose page-table lock is held; `target` has such a
/// page.
#[inline(always)]
pub(crate) unsafe fn thaw(
    frozen: Frozen,
    target: Folio<'_>,
    number: usize,
    vma: *mut vm_area_struct,
) -> pte_t {
    let (soft_dirty, uffd) = (frozen.has(Frozen::SOFT_DIRTY), frozen.has(Frozen::UFFD));

    if target.is_device_private() {
        let leaf = device_private(target.pfn() + number, frozen.is_writable());
        return mark_swapped(softleaf_to_pte(leaf), soft_dirty, uffd);
    }
    // SAFETY: The caller promises a valid area.
    let mut pte = unsafe { raw::mk_pte(target.page(number), vma) };
    if !frozen.has(Frozen::YOUNG) {
        pte = pte_mkold(pte);
    }
    if frozen.has(Frozen::DIRTY) {
        pte = pte_mkdirty(pte);
    }
    // Making an entry dirty makes it soft-dirty on some machines.
    pte = if soft_dirty {
        pte_mksoft_dirty(pte)
    } else {
        pte_clear_soft_dirty(pte)
    };
    if frozen.is_writable() {
        // SAFETY: The caller promises a valid area.
        pte = unsafe { raw::pte_mkwrite(pte, vma) };
    } else if uffd {
        pte = pte_mkuffd(pte);
    }
    // SAFETY: The caller promises a valid area.
    if uffd && unsafe { raw::userfaultfd_rwp(vma) } {
        pte = pte_mknone_protection(pte);
    }
    pte
}

/// As [`thaw`], for an entry one level up that maps all of `target`.
///
/// # Safety
///
/// As for [`thaw`]; `target` is as large as what one such entry maps.
pub(crate) unsafe fn thaw_pmd(
    frozen: Frozen,
    target: Folio<'_>,
    vma: *mut vm_area_struct,
) -> pmd_t {
    let (soft_dirty, uffd) = (frozen.has(Frozen::SOFT_DIRTY), frozen.has(Frozen::UFFD));

    if target.is_device_private() {
        let leaf = device_private(target.pfn(), frozen.is_writable());
        return mark_swapped_pmd(softleaf_to_pmd(leaf), soft_dirty, uffd);
    }
    // SAFETY: The caller promises a valid area.
    let mut pmd = unsafe { raw::folio_mk_pmd(target.as_ptr(), vma) };
    if !frozen.has(Frozen::YOUNG) {
        pmd = pmd_mkold(pmd);
    }
    if frozen.has(Frozen::DIRTY) {
        pmd = pmd_mkdirty(pmd);
    }
    // Making an entry dirty makes it soft-dirty on some machines.
    pmd = if soft_dirty {
        pmd_mksoft_dirty(pmd)
    } else {
        pmd_clear_soft_dirty(pmd)
    };
    if frozen.is_writable() {
        // SAFETY: The caller promises a valid area.
        pmd = unsafe { raw::pmd_mkwrite(pmd, vma) };
    } else if uffd {
        pmd = pmd_mkuffd(pmd);
    }
    // SAFETY: The caller promises a valid area.
    if uffd && unsafe { raw::userfaultfd_rwp(vma) } {
        pmd = pmd_mknone_protection(pmd);
    }
    pmd
}

/// The entry that maps page `number` of a fresh folio where there was a hole.
///
/// # Safety
///
/// `vma` is a valid area, whose page-table lock is held; `target` has such a page.
pub(crate) unsafe fn fill(
    target: Folio<'_>,
    number: usize,
    writable: bool,
    vma: *mut vm_area_struct,
) -> pte_t {
    if target.is_device_private() {
        let leaf = device_private(target.pfn() + number, writable);
        // What the device has written is as new to a tracker as what a CPU would have.
        return mark_swapped(softleaf_to_pte(leaf), writable, false);
    }
    // SAFETY: The caller promises a valid area.
    let mut pte = unsafe { raw::mk_pte(target.page(number), vma) };
    if writable {
        pte = pte_mkdirty(pte);
        // SAFETY: The caller promises a valid area.
        pte = unsafe { raw::pte_mkwrite(pte, vma) };
    }
    pte
}

/// As [`fill`], for an entry one level up that maps all of `target`.
///
/// # Safety
///
/// As for [`fill`]; `target` is as large as what one such entry maps.
pub(crate) unsafe fn fill_pmd(
    target: Folio<'_>,
    writable: bool,
    vma: *mut vm_area_struct,
) -> pmd_t {
    if target.is_device_private() {
        let leaf = device_private(target.pfn(), writable);
        return mark_swapped_pmd(softleaf_to_pmd(leaf), writable, false);
    }
    // SAFETY: The caller promises a valid area.
    let mut pmd = unsafe { raw::folio_mk_pmd(target.as_ptr(), vma) };
    if writable {
        pmd = pmd_mkdirty(pmd);
        // SAFETY: The caller promises a valid area.
        pmd = unsafe { raw::pmd_mkwrite(pmd, vma) };
    }
    pmd
}
