// SPDX-License-Identifier: GPL-2.0

//! Migration entries: what stands in a page table while a page is on its way.
//!
//! Everything that an entry says beside its page is carried over: accessed, dirty, soft-dirty,
//! userfaultfd's mark, and whether the page may be written or is exclusive.

use super::{
    folio::Folio,
    raw, //
};
use kernel::bindings::{
    page,
    pmd_t,
    pte_t,
    softleaf_t,
    vm_area_struct, //
};

/// Makes a function of an entry's value.
macro_rules! test {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) fn $name(pte: pte_t) -> bool {
            // SAFETY: A function of the value alone.
            unsafe { raw::$name(pte) }
        }
    };
}

test! {
    /// Whether the entry is empty.
    pte_none
}
test! {
    /// Whether the entry maps memory.
    pte_present
}
test! {
    /// Whether a present entry may be written.
    pte_write
}
test! {
    /// Whether a present entry has been written.
    pte_dirty
}
test! {
    /// Whether a present entry has been used.
    pte_young
}
test! {
    /// Whether userfaultfd has marked a present entry.
    pte_uffd
}
test! {
    /// Whether a present entry has been written since soft-dirty bits were cleared.
    pte_soft_dirty
}
test! {
    /// As [`pte_soft_dirty`], for an entry that is not present.
    pte_swp_soft_dirty
}
test! {
    /// As [`pte_uffd`], for an entry that is not present.
    pte_swp_uffd
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

/// Decodes an entry that is not empty, and not present.
pub(crate) fn leaf(pte: pte_t) -> Leaf {
    // SAFETY: A function of the value, which is not present.
    decode(unsafe { raw::softleaf_from_pte(pte) })
}

/// Decodes an entry one level up that is not empty, and not present.
pub(crate) fn leaf_of_pmd(pmd: pmd_t) -> Leaf {
    // SAFETY: A function of the value, which is not present.
    decode(unsafe { raw::softleaf_from_pmd(pmd) })
}

fn decode(entry: softleaf_t) -> Leaf {
    // SAFETY: A function of the value alone.
    if unsafe { raw::softleaf_is_device_private(entry) } {
        // SAFETY: A device entry has a page.
        return Leaf::Device(unsafe { raw::softleaf_to_page(entry) });
    }
    // SAFETY: A function of the value alone.
    if unsafe { raw::softleaf_is_migration(entry) } {
        // SAFETY: A migration entry has a frame number.
        return Leaf::Migration(unsafe { raw::softleaf_to_pfn(entry) });
    }
    // SAFETY: A function of the value alone.
    if unsafe { raw::softleaf_is_swap(entry) } {
        return Leaf::Swap;
    }
    // SAFETY: A function of the value alone.
    if unsafe { raw::softleaf_is_hwpoison(entry) } {
        return Leaf::Poison;
    }
    Leaf::Other
}

/// Whether an entry that maps a page, or stands for a device page, may be written through.
pub(crate) fn is_writable(pte: pte_t) -> bool {
    if pte_present(pte) {
        return pte_write(pte);
    }
    // SAFETY: A function of the value, which is not present.
    let entry = unsafe { raw::softleaf_from_pte(pte) };
    // SAFETY: A function of the value alone.
    unsafe { raw::softleaf_is_device_private_write(entry) }
}

/// The migration entry that takes the place of `old`, which maps the page `pfn` or stands for it.
///
/// `exclusive` says that the anonymous page was this process's alone.
pub(crate) fn freeze(old: pte_t, pfn: usize, exclusive: bool) -> pte_t {
    let present = pte_present(old);

    let mut entry = if is_writable(old) {
        // SAFETY: A function of the number alone.
        unsafe { raw::make_writable_migration_entry(pfn) }
    } else if exclusive {
        // SAFETY: As above.
        unsafe { raw::make_readable_exclusive_migration_entry(pfn) }
    } else {
        // SAFETY: As above.
        unsafe { raw::make_readable_migration_entry(pfn) }
    };
    if present && pte_young(old) {
        // SAFETY: `entry` is a migration entry.
        entry = unsafe { raw::make_migration_entry_young(entry) };
    }
    if present && pte_dirty(old) {
        // SAFETY: `entry` is a migration entry.
        entry = unsafe { raw::make_migration_entry_dirty(entry) };
    }

    let (soft_dirty, uffd) = if present {
        (pte_soft_dirty(old), pte_uffd(old))
    } else {
        // The device may have written: the entry cannot tell.
        let soft_dirty = is_writable(old) || pte_swp_soft_dirty(old);
        (soft_dirty, pte_swp_uffd(old))
    };
    // SAFETY: A function of the value alone.
    let pte = unsafe { raw::softleaf_to_pte(entry) };
    mark_swapped(pte, soft_dirty, uffd)
}

/// Marks an entry that is not present.
fn mark_swapped(mut pte: pte_t, soft_dirty: bool, uffd: bool) -> pte_t {
    if soft_dirty {
        // SAFETY: A function of the value, which is not present.
        pte = unsafe { raw::pte_swp_mksoft_dirty(pte) };
    }
    if uffd {
        // SAFETY: As above.
        pte = unsafe { raw::pte_swp_mkuffd(pte) };
    }
    pte
}

/// An entry that maps a page again.
pub(crate) struct Thawed {
    /// The value for the page table.
    pub(crate) pte: pte_t,
    /// Whether the anonymous page is this process's alone.
    pub(crate) exclusive: bool,
}

/// The entry that takes the place of the migration entry `old`, and maps `target`.
///
/// It is made of what the page table says now, which userfaultfd may have changed meanwhile.
///
/// # Safety
///
/// `old` is a migration entry of the area `vma`, whose page-table lock is held.
pub(crate) unsafe fn thaw(old: pte_t, target: Folio<'_>, vma: *mut vm_area_struct) -> Thawed {
    // SAFETY: A function of the value, which the caller promises to be a migration entry.
    let entry = unsafe { raw::softleaf_from_pte(old) };
    // SAFETY: A function of the value alone.
    let writable = unsafe { raw::softleaf_is_migration_write(entry) };
    // SAFETY: As above.
    let shared = unsafe { raw::softleaf_is_migration_read(entry) };
    let soft_dirty = pte_swp_soft_dirty(old);
    let uffd = pte_swp_uffd(old);

    let pte = if target.is_device_private() {
        let entry = if writable {
            // SAFETY: A function of the number alone.
            unsafe { raw::make_writable_device_private_entry(target.pfn()) }
        } else {
            // SAFETY: As above.
            unsafe { raw::make_readable_device_private_entry(target.pfn()) }
        };
        // SAFETY: A function of the value alone.
        let pte = unsafe { raw::softleaf_to_pte(entry) };
        mark_swapped(pte, soft_dirty, uffd)
    } else {
        // SAFETY: A function of the value alone.
        let young = unsafe { raw::softleaf_is_migration_young(entry) };
        // SAFETY: As above.
        let dirty = unsafe { raw::softleaf_is_migration_dirty(entry) };
        // SAFETY: The caller promises a valid area; the page is the folio's first.
        let page = unsafe { raw::folio_page(target.as_ptr(), 0) };
        // SAFETY: As above.
        let mut pte = unsafe { raw::mk_pte(page, vma) };
        if !young {
            // SAFETY: A function of the value alone.
            pte = unsafe { raw::pte_mkold(pte) };
        }
        if dirty {
            // SAFETY: As above.
            pte = unsafe { raw::pte_mkdirty(pte) };
        }
        pte = if soft_dirty {
            // SAFETY: As above.
            unsafe { raw::pte_mksoft_dirty(pte) }
        } else {
            // SAFETY: As above.
            unsafe { raw::pte_clear_soft_dirty(pte) }
        };
        if writable {
            // SAFETY: The caller promises a valid area.
            pte = unsafe { raw::pte_mkwrite(pte, vma) };
        } else if uffd {
            // SAFETY: A function of the value alone.
            pte = unsafe { raw::pte_mkuffd(pte) };
        }
        // SAFETY: The caller promises a valid area.
        if uffd && unsafe { raw::userfaultfd_rwp(vma) } {
            // SAFETY: A function of the value alone.
            pte = unsafe { raw::pte_mknone_protection(pte) };
        }
        pte
    };
    Thawed {
        pte,
        exclusive: !shared,
    }
}

/// The entry that maps a fresh page where there was a hole.
///
/// # Safety
///
/// `vma` is a valid area, whose page-table lock is held.
pub(crate) unsafe fn fill(target: Folio<'_>, writable: bool, vma: *mut vm_area_struct) -> pte_t {
    if target.is_device_private() {
        let entry = if writable {
            // SAFETY: A function of the number alone.
            unsafe { raw::make_writable_device_private_entry(target.pfn()) }
        } else {
            // SAFETY: As above.
            unsafe { raw::make_readable_device_private_entry(target.pfn()) }
        };
        // SAFETY: A function of the value alone.
        let pte = unsafe { raw::softleaf_to_pte(entry) };
        // What the device has written is as new to a tracker as what a CPU would have.
        return mark_swapped(pte, writable, false);
    }
    // SAFETY: A `Folio` is valid.
    let page = unsafe { raw::folio_page(target.as_ptr(), 0) };
    // SAFETY: The caller promises a valid area.
    let mut pte = unsafe { raw::mk_pte(page, vma) };
    if writable {
        // SAFETY: A function of the value alone.
        pte = unsafe { raw::pte_mkdirty(pte) };
        // SAFETY: The caller promises a valid area.
        pte = unsafe { raw::pte_mkwrite(pte, vma) };
    }
    pte
}
