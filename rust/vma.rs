// SPDX-License-Identifier: GPL-2.0

//! The part of a process's address space that a call works on.

use super::{
    raw,
    PAGE_SHIFT,
    PAGE_SIZE, //
};
use kernel::{
    bindings,
    mm::virt::{
        flags,
        VmaRef, //
    },
    prelude::*, //
};

/// Bytes that one page table maps.
const TABLE_SIZE: usize = 1 << bindings::PMD_SHIFT;

/// A range of one area, whose memory may be moved.
///
/// # Invariants
///
/// `start < end`, both are multiples of the page size and inside the area, and the area is none of
/// those that are refused. The mmap lock is held for reading, and the mm is pinned, for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct VmaRange<'a> {
    vma: &'a VmaRef,
    start: usize,
    end: usize,
}

/// What must be true of the process's own rights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The process may read the range: a device must not see what it may not.
    Readable,
    /// Whatever the core has let through: a page comes back to where it belongs.
    Any,
}

impl<'a> VmaRange<'a> {
    /// Checks a caller's arguments, once.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] where the range is empty, reversed, unaligned or not inside the area, or where
    /// the area is hugetlb, special, DAX, secret, a shadow stack, or unreadable.
    pub(crate) fn new(vma: &'a VmaRef, start: usize, end: usize, access: Access) -> Result<Self> {
        let aligned = (start | end) & (PAGE_SIZE - 1) == 0;

        if !aligned || start >= end || start < vma.start() || end > vma.end() {
            return Err(EINVAL);
        }
        if access == Access::Readable && vma.flags() & flags::READ == 0 {
            return Err(EINVAL);
        }
        if is_refused(vma) {
            return Err(EINVAL);
        }
        // SAFETY: The area's mm is valid; this only checks that its lock is held.
        unsafe { raw::mmap_assert_locked(vma.mm().as_raw()) };
        // INVARIANT: All checked above; the lock and the pin come with the `VmaRef`.
        Ok(Self { vma, start, end })
    }

    /// The first address.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The address after the last.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// The C pointer of the area.
    pub(crate) fn vma(&self) -> *mut bindings::vm_area_struct {
        self.vma.as_ptr()
    }

    /// The C pointer of the address space.
    pub(crate) fn mm(&self) -> *mut bindings::mm_struct {
        self.vma.mm().as_raw()
    }

    /// Whether the process may write.
    pub(crate) fn is_writable(&self) -> bool {
        self.vma.flags() & flags::WRITE != 0
    }

    /// Whether the memory is locked against paging.
    pub(crate) fn is_mlocked(&self) -> bool {
        // SAFETY: By the type invariants the area is valid and locked.
        unsafe { raw::vma_is_mlocked(self.vma()) }
    }

    /// Whether missing pages may be filled: anonymous memory whose faults nobody has reserved.
    pub(crate) fn may_fill_holes(&self) -> bool {
        let vma = self.vma();

        // SAFETY: By the type invariants the area is valid and locked.
        let anonymous = unsafe { raw::vma_is_anonymous(vma) };
        // SAFETY: As above.
        anonymous && !unsafe { raw::userfaultfd_missing(vma) }
    }

    /// Whether pages may still be added: the address space is not being reaped.
    ///
    /// To be asked under the page-table lock.
    pub(crate) fn is_stable(&self) -> bool {
        // SAFETY: The mm is valid.
        unsafe { raw::check_stable_address_space(self.mm()) }
    }

    /// The part of the range that begins at `at` and ends with its page table, or after `pages`.
    pub(crate) fn window(&self, at: usize, pages: usize) -> Window<'a> {
        let table_end = (at & !(TABLE_SIZE - 1)).saturating_add(TABLE_SIZE);
        let end = self.end.min(table_end).min(at + (pages << PAGE_SHIFT));

        // INVARIANT: Not empty, as `at` is inside the range; one page table maps it.
        Window {
            range: *self,
            start: at,
            end,
        }
    }

    /// The part of the range around `at` that one page table maps, of at most `pages`.
    pub(crate) fn around(&self, at: usize, pages: usize) -> Window<'a> {
        let table = at & !(TABLE_SIZE - 1);
        let start = self.start.max(table);
        let window = self.window(start, usize::MAX >> PAGE_SHIFT >> 1);

        if window.pages() <= pages {
            return window;
        }
        let end = window.end.min(at + PAGE_SIZE);
        let start = start.max(end.saturating_sub(pages << PAGE_SHIFT));
        // INVARIANT: Inside the window above, and `at` is inside it.
        Window {
            range: *self,
            start,
            end,
        }
    }
}

/// The part of a range that is worked on at once.
///
/// # Invariants
///
/// `start < end`, both inside `range`, and one page table maps all of it.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    range: VmaRange<'a>,
    start: usize,
    end: usize,
}

impl<'a> Window<'a> {
    /// The range that it is a part of.
    pub(crate) fn range(&self) -> &VmaRange<'a> {
        &self.range
    }

    /// The first address.
    pub(crate) fn start(&self) -> usize {
        self.start
    }

    /// The address after the last.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// How many pages it has.
    pub(crate) fn pages(&self) -> usize {
        (self.end - self.start) >> PAGE_SHIFT
    }

    /// The number, within the window, of the page at `addr`.
    pub(crate) fn index(&self, addr: usize) -> usize {
        (addr - self.start) >> PAGE_SHIFT
    }

    /// The address of a page by its number within the window.
    pub(crate) fn addr(&self, index: usize) -> usize {
        self.start + (index << PAGE_SHIFT)
    }
}

/// Whether no page of the area may be moved.
///
/// Secret memory is not special to the core, but neither a device nor the kernel may read it.
/// Entries of a shadow stack must not be written by a device.
fn is_refused(vma: &VmaRef) -> bool {
    let vma = vma.as_ptr();

    // SAFETY: A `VmaRef` is valid, and the lock that it stands for keeps its flags.
    let special = unsafe { raw::vma_special_flags(vma) } != 0;
    // SAFETY: As above.
    let hugetlb = unsafe { raw::vma_is_hugetlb(vma) };
    // SAFETY: As above.
    let dax = unsafe { raw::vma_is_dax(vma) };
    // SAFETY: As above.
    let secret = unsafe { raw::vma_is_secretmem(vma) };

    special || hugetlb || dax || secret
}
