// SPDX-License-Identifier: GPL-2.0

//! What an entry of a page table is, and says, by its value alone.

use super::{
    raw,
    value::*,
    word::Reason, //
};
use kernel::bindings::{
    page,
    pmd_t,
    pte_t,
    softleaf_t, //
};

/// Whether a present entry maps the zero page.
pub(crate) fn is_zero_page(pte: pte_t) -> bool {
    is_zero_pfn(pte_pfn(pte))
}

/// What an entry that is not empty, and not present, stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// A page on swap.
    Swap,
    /// Broken memory.
    Poison,
    /// A page on its way, by its frame number.
    Migration(usize),
    /// A page of device memory that the CPU cannot address.
    Device(*mut page),
    /// A marker, or a device's exclusive access.
    Other,
}

impl Leaf {
    /// Why such an entry stays.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Leaf::Swap => Reason::Swapped,
            Leaf::Poison => Reason::Poisoned,
            Leaf::Migration(_) => Reason::Locked,
            Leaf::Device(_) | Leaf::Other => Reason::Kind,
        }
    }
}

/// What an entry stands for that is neither empty nor present.
pub(crate) fn stands_for(pte: pte_t) -> Option<Leaf> {
    if pte_none(pte) || pte_present(pte) {
        return None;
    }
    Some(decode(softleaf_from_pte(pte)))
}

/// As [`stands_for`], for an entry one level up.
pub(crate) fn stands_for_pmd(pmd: pmd_t) -> Option<Leaf> {
    if pmd_none(pmd) || pmd_present(pmd) {
        return None;
    }
    Some(decode(softleaf_from_pmd(pmd)))
}

/// The frame number of the page that an entry maps, or stands for as one of device memory.
pub(crate) fn page_pfn(pte: pte_t) -> Option<usize> {
    if pte_present(pte) {
        return Some(pte_pfn(pte));
    }
    match stands_for(pte) {
        // SAFETY: The page of a device entry is valid.
        Some(Leaf::Device(page)) => Some(unsafe { raw::page_to_pfn(page) }),
        _ => None,
    }
}

fn decode(entry: softleaf_t) -> Leaf {
    if softleaf_is_device_private(entry) {
        // SAFETY: A device entry has a page.
        return Leaf::Device(unsafe { raw::softleaf_to_page(entry) });
    }
    if softleaf_is_migration(entry) {
        return Leaf::Migration(softleaf_to_pfn(entry));
    }
    if softleaf_is_swap(entry) {
        return Leaf::Swap;
    }
    if softleaf_is_hwpoison(entry) {
        return Leaf::Poison;
    }
    Leaf::Other
}

/// The page frame of a migration entry whose page may be written once it has arrived.
fn writable_migration(entry: softleaf_t) -> Option<usize> {
    softleaf_is_migration_write(entry).then(|| softleaf_to_pfn(entry))
}

/// The page frame that an entry is a writable migration entry for, if it is one.
pub(super) fn writable_migration_pte(pte: pte_t) -> Option<usize> {
    writable_migration(softleaf_from_pte(pte))
}

/// As [`writable_migration_pte`], for an entry one level up.
pub(super) fn writable_migration_pmd(pmd: pmd_t) -> Option<usize> {
    writable_migration(softleaf_from_pmd(pmd))
}

/// Whether an entry that maps a page, or stands for a device page, may be written through.
pub(super) fn is_writable(pte: pte_t) -> bool {
    if pte_present(pte) {
        return pte_write(pte);
    }
    softleaf_is_device_private_write(softleaf_from_pte(pte))
}

/// Marks an entry that is not present.
pub(super) fn mark_swapped(mut pte: pte_t, soft_dirty: bool, uffd: bool) -> pte_t {
    if soft_dirty {
        pte = pte_swp_mksoft_dirty(pte);
    }
    if uffd {
        pte = pte_swp_mkuffd(pte);
    }
    pte
}

/// Marks an entry one level up that is not present.
pub(crate) fn mark_swapped_pmd(mut pmd: pmd_t, soft_dirty: bool, uffd: bool) -> pmd_t {
    if soft_dirty {
        pmd = pmd_swp_mksoft_dirty(pmd);
    }
    if uffd {
        pmd = pmd_swp_mkuffd(pmd);
    }
    pmd
}

/// Whether an entry one level up that maps a folio, or stands for a device's, may be written
/// through.
pub(crate) fn is_writable_pmd(pmd: pmd_t) -> bool {
    if pmd_present(pmd) {
        return pmd_write(pmd);
    }
    softleaf_is_device_private_write(softleaf_from_pmd(pmd))
}
