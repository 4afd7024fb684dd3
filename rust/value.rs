// SPDX-License-Identifier: GPL-2.0

//! What is computed from an entry of a page table, or from a page frame number, alone.
//!
//! The kernel's functions by the kernel's names. They look at the bits that they are given, some of
//! them also at what the kernel has found out at boot or keeps in a variable, as the zero pages'
//! numbers, and at no memory that the bits speak of: what is asked of the wrong kind of entry has
//! an answer without a meaning, and at most a warning.

use super::raw;
use kernel::bindings::{
    pmd_t,
    pte_t,
    softleaf_t, //
};

/// Makes each function safe to call.
macro_rules! functions {
    ($(fn $name:ident($($argument:ident: $type:ty),+) -> $result:ty;)+) => {
        $(
            #[inline(always)]
            pub(super) fn $name($($argument: $type),+) -> $result {
                // SAFETY: It follows none of its arguments' bits to memory, whatever they are.
                unsafe { raw::$name($($argument),+) }
            }
        )+
    };
}

functions! {
    fn pte_none(pte: pte_t) -> bool;
    fn pte_present(pte: pte_t) -> bool;
    fn pte_same(one: pte_t, other: pte_t) -> bool;
}

// Entries that are present.
functions! {
    fn pte_pfn(pte: pte_t) -> usize;
    fn is_zero_pfn(pfn: usize) -> bool;
    fn pte_write(pte: pte_t) -> bool;
    fn pte_young(pte: pte_t) -> bool;
    fn pte_dirty(pte: pte_t) -> bool;
    fn pte_soft_dirty(pte: pte_t) -> bool;
    fn pte_uffd(pte: pte_t) -> bool;
    fn pte_mkold(pte: pte_t) -> pte_t;
    fn pte_mkdirty(pte: pte_t) -> pte_t;
    fn pte_mksoft_dirty(pte: pte_t) -> pte_t;
    fn pte_clear_soft_dirty(pte: pte_t) -> pte_t;
    fn pte_mkuffd(pte: pte_t) -> pte_t;
    fn pte_mknone_protection(pte: pte_t) -> pte_t;
}

// Entries that are neither empty nor present.
functions! {
    fn pte_swp_soft_dirty(pte: pte_t) -> bool;
    fn pte_swp_mksoft_dirty(pte: pte_t) -> pte_t;
    fn pte_swp_uffd(pte: pte_t) -> bool;
    fn pte_swp_mkuffd(pte: pte_t) -> pte_t;
    fn pte_next_swp_offset(pte: pte_t) -> pte_t;
    fn softleaf_from_pte(pte: pte_t) -> softleaf_t;
    fn softleaf_to_pte(entry: softleaf_t) -> pte_t;
}

// What they stand for, whatever the level.
functions! {
    fn softleaf_is_swap(entry: softleaf_t) -> bool;
    fn softleaf_is_hwpoison(entry: softleaf_t) -> bool;
    fn softleaf_is_device_private(entry: softleaf_t) -> bool;
    fn softleaf_is_device_private_write(entry: softleaf_t) -> bool;
    fn make_readable_device_private_entry(pfn: usize) -> softleaf_t;
    fn make_writable_device_private_entry(pfn: usize) -> softleaf_t;
    fn softleaf_is_migration(entry: softleaf_t) -> bool;
    fn softleaf_is_migration_write(entry: softleaf_t) -> bool;
    fn softleaf_is_migration_read(entry: softleaf_t) -> bool;
    fn softleaf_is_migration_young(entry: softleaf_t) -> bool;
    fn softleaf_is_migration_dirty(entry: softleaf_t) -> bool;
    fn make_readable_migration_entry(pfn: usize) -> softleaf_t;
    fn make_readable_exclusive_migration_entry(pfn: usize) -> softleaf_t;
    fn make_writable_migration_entry(pfn: usize) -> softleaf_t;
    fn make_migration_entry_young(entry: softleaf_t) -> softleaf_t;
    fn make_migration_entry_dirty(entry: softleaf_t) -> softleaf_t;
    fn softleaf_to_pfn(entry: softleaf_t) -> usize;
}

// Entries one level up.
functions! {
    fn pmd_none(pmd: pmd_t) -> bool;
    fn pmd_present(pmd: pmd_t) -> bool;
    fn pmd_leaf(pmd: pmd_t) -> bool;
    fn pmd_trans_huge(pmd: pmd_t) -> bool;
    fn is_huge_zero_pmd(pmd: pmd_t) -> bool;
    fn pmd_write(pmd: pmd_t) -> bool;
    fn pmd_uffd(pmd: pmd_t) -> bool;
    fn pmd_mkold(pmd: pmd_t) -> pmd_t;
    fn pmd_mkdirty(pmd: pmd_t) -> pmd_t;
    fn pmd_mksoft_dirty(pmd: pmd_t) -> pmd_t;
    fn pmd_clear_soft_dirty(pmd: pmd_t) -> pmd_t;
    fn pmd_mkuffd(pmd: pmd_t) -> pmd_t;
    fn pmd_mknone_protection(pmd: pmd_t) -> pmd_t;
    fn pmd_swp_soft_dirty(pmd: pmd_t) -> bool;
    fn pmd_swp_mksoft_dirty(pmd: pmd_t) -> pmd_t;
    fn pmd_swp_uffd(pmd: pmd_t) -> bool;
    fn pmd_swp_mkuffd(pmd: pmd_t) -> pmd_t;
    fn softleaf_from_pmd(pmd: pmd_t) -> softleaf_t;
    fn softleaf_to_pmd(entry: softleaf_t) -> pmd_t;
}
