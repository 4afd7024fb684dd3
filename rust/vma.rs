// SPDX-License-Identifier: GPL-2.0

//! The part of a process's address space that a call works on.

use super::{
    raw,
    span::Span,
    PAGE_SHIFT,
    PAGE_SIZE, //
};
use core::{
    marker::PhantomData,
    ops::Deref, //
};
use kernel::{
    bindings,
    mm::virt::{
        flags,
        VmaRef, //
    },
    prelude::*, //
};

/// A range of one area, whose memory may be moved.
///
/// # Invariants
///
/// `span` is inside the area, which is valid for `'a`. So long one of these is held for reading:
/// the mmap lock of its mm, which is pinned, and the area is none of those that are refused; or the
/// lock of an anon_vma that finds the area, which keeps its bounds, its mm and its page tables, all
/// but the last, as well.
#[derive(Clone, Copy)]
pub(crate) struct VmaRange<'a> {
    vma: *mut bindings::vm_area_struct,
    span: Span,
    _lock: PhantomData<&'a VmaRef>,
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
    /// What an area that the reverse mapping finds has of `count` pages, from the page offset
    /// `first` on, and how many of them come before that.
    ///
    /// # Safety
    ///
    /// `vma` is from the tree of an anon_vma whose lock is held for reading for `'a`.
    pub(super) unsafe fn found(
        vma: *mut bindings::vm_area_struct,
        first: usize,
        count: usize,
    ) -> Option<(Self, usize)> {
        // SAFETY: The area is valid, and has anonymous pages.
        let start = unsafe { raw::vma_anon_address(vma, first, count) };
        // SAFETY: As above.
        let before = unsafe { raw::linear_anon_page_index(vma, start) }.checked_sub(first)?;
        let rest = count.checked_sub(before)?;
        // SAFETY: As above; the lock keeps the bounds.
        let low = unsafe { raw::vma_start(vma) };
        // SAFETY: As above.
        let high = unsafe { raw::vma_end(vma) };
        let end = start.saturating_add(rest << PAGE_SHIFT).min(high);
        let span = Span::new(start, end, low..high).ok()?;
        // INVARIANT: Checked above; the lock is the caller's promise.
        let range = Self {
            vma,
            span,
            _lock: PhantomData,
        };
        Some((range, before))
    }

    /// The addresses.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// The C pointer of the area.
    pub(crate) fn vma(&self) -> *mut bindings::vm_area_struct {
        self.vma
    }

    /// The C pointer of the address space.
    pub(crate) fn mm(&self) -> *mut bindings::mm_struct {
        // SAFETY: By the type invariants the area is valid.
        unsafe { raw::vma_mm(self.vma) }
    }

    /// Whether the process may write.
    ///
    /// # Context
    ///
    /// Under the mmap lock, or it may be different at once.
    pub(super) fn is_writable(&self) -> bool {
        // SAFETY: By the type invariants the area is valid.
        unsafe { raw::vma_may_be_written(self.vma) }
    }

    /// Whether the area is a stack that exec is about to move, without a lock that the reverse
    /// mapping would respect.
    pub(super) fn is_temporary_stack(&self) -> bool {
        // SAFETY: By the type invariants the area is valid.
        unsafe { raw::vma_is_temporary_stack(self.vma) }
    }

    /// Whether the memory is locked against paging.
    pub(super) fn is_mlocked(&self) -> bool {
        // SAFETY: By the type invariants the area is valid; its flags are read once.
        unsafe { raw::vma_is_mlocked(self.vma()) }
    }

    /// Whether no file is mapped here.
    pub(crate) fn is_anonymous(&self) -> bool {
        // SAFETY: By the type invariants the area is valid; its kind never changes.
        unsafe { raw::vma_is_anonymous(self.vma()) }
    }

    /// Whether missing pages may be filled: anonymous memory whose faults nobody has reserved, and
    /// which is to have no tags, as memory of a device may have none.
    ///
    /// # Context
    ///
    /// Under the mmap lock, or it may be different at once.
    pub(crate) fn may_fill_holes(&self) -> bool {
        let vma = self.vma();

        // SAFETY: By the type invariants the area is valid.
        let tagged = unsafe { raw::vma_has_tags(vma) };
        // SAFETY: As above.
        self.is_anonymous() && !tagged && !unsafe { raw::userfaultfd_missing(vma) }
    }

    /// Whether a hole may be filled with a folio as large as what one entry maps: neither the area
    /// nor the process is to have none.
    ///
    /// # Context
    ///
    /// Under the mmap lock, or it may be different at once.
    pub(crate) fn may_be_huge(&self) -> bool {
        // SAFETY: By the type invariants the area is valid.
        !unsafe { raw::vma_thp_disabled(self.vma()) }
    }

    /// Whether pages may still be added: the address space is not being reaped.
    ///
    /// # Context
    ///
    /// Under the page-table lock.
    pub(super) fn is_stable(&self) -> bool {
        // SAFETY: The mm is valid.
        unsafe { raw::check_stable_address_space(self.mm()) == 0 }
    }

    /// The part of the range that begins at `at` and ends with its page table, or after `pages`.
    pub(crate) fn window(&self, at: usize, pages: usize) -> Window<'a> {
        // INVARIANT: `Span::window` ends with the page table.
        Window {
            range: *self,
            span: self.span.window(at, pages),
        }
    }
}

/// The part of a range that is worked on at once.
///
/// # Invariants
///
/// `span` is inside `range`, and one page table maps all of it.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    range: VmaRange<'a>,
    span: Span,
}

impl<'a> Window<'a> {
    /// The range that it is a part of.
    pub(crate) fn range(&self) -> &VmaRange<'a> {
        &self.range
    }

    /// The first address.
    pub(crate) fn start(&self) -> usize {
        self.span.start()
    }

    /// The address after the last.
    pub(crate) fn end(&self) -> usize {
        self.span.end()
    }

    /// Whether this is the same part of the same area.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.span == other.span && self.range.vma() == other.range.vma()
    }

    /// How many pages it has.
    pub(crate) fn pages(&self) -> usize {
        self.span.pages()
    }

    /// Whether it is all that one page table maps.
    pub(crate) fn is_whole(&self) -> bool {
        self.span.is_table()
    }

    /// How many pages of its page table come before it.
    pub(crate) fn offset(&self) -> usize {
        self.span.start() / PAGE_SIZE % super::span::WINDOW
    }

    /// The number, within the window, of the page at `addr`, if it is inside.
    pub(crate) fn index(&self, addr: usize) -> Option<usize> {
        let inside = self.span.contains(addr);
        inside.then(|| (addr - self.span.start()) >> PAGE_SHIFT)
    }

    /// The address of a page by its number within the window.
    pub(crate) fn addr(&self, index: usize) -> usize {
        self.span.start().wrapping_add(index << PAGE_SHIFT)
    }
}

/// A range of one area whose mmap lock is held: page tables may be added there.
///
/// # Invariants
///
/// The mmap lock is held for reading for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct LockedRange<'a>(VmaRange<'a>);

impl<'a> LockedRange<'a> {
    /// Checks a caller's arguments, once.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] where the range is empty, reversed, unaligned or not inside the area, or where
    /// the area is hugetlb, special, DAX, secret, a shadow stack, or unreadable.
    ///
    /// # Safety
    ///
    /// The mmap lock of the area's mm is held for reading for `'a`; the lock of the area alone is
    /// not enough.
    pub(crate) unsafe fn new(
        vma: &'a VmaRef,
        start: usize,
        end: usize,
        access: Access,
    ) -> Result<Self> {
        let span = Span::new(start, end, vma.start()..vma.end())?;

        if access == Access::Readable && vma.flags() & flags::READ == 0 {
            return Err(EINVAL);
        }
        if is_refused(vma) {
            return Err(EINVAL);
        }
        // SAFETY: The area's mm is valid; this only checks that its lock is held.
        unsafe { raw::mmap_assert_locked(vma.mm().as_raw()) };
        // INVARIANT: All checked above; the lock is the caller's promise, and keeps the mm.
        Ok(Self(VmaRange {
            vma: vma.as_ptr(),
            span,
            _lock: PhantomData,
        }))
    }

    /// The part of the range that begins at `at` and ends with its page table, or after `pages`.
    pub(crate) fn window(&self, at: usize, pages: usize) -> LockedWindow<'a> {
        // INVARIANT: The lock is that of the range.
        LockedWindow(self.0.window(at, pages))
    }

    /// The part of the range around `at` that one page table maps, of at most `pages`.
    pub(crate) fn around(&self, at: usize, pages: usize) -> LockedWindow<'a> {
        // INVARIANT: `Span::around` stays in the page table; the lock is that of the range.
        LockedWindow(Window {
            range: self.0,
            span: self.span.around(at, pages),
        })
    }
}

impl<'a> Deref for LockedRange<'a> {
    type Target = VmaRange<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A part of a [`LockedRange`].
///
/// # Invariants
///
/// The mmap lock is held for reading for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct LockedWindow<'a>(Window<'a>);

impl<'a> Deref for LockedWindow<'a> {
    type Target = Window<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0
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

#[cfg(CONFIG_HMM_MIGRATE_KUNIT_TEST)]
#[kunit_tests(hmm_migrate_vma)]
mod tests {
    use super::*;
    use core::mem::MaybeUninit;

    /// Whether an anonymous area with these flags is refused.
    fn refused(flags: usize) -> bool {
        let mut vma = MaybeUninit::<bindings::vm_area_struct>::zeroed();
        let ptr = vma.as_mut_ptr();
        // SAFETY: The memory is ours; every field of the structure may be zero.
        unsafe { (*ptr).__bindgen_anon_2.vm_flags = flags };
        // SAFETY: It lives longer than the reference, and nobody else can reach it.
        is_refused(unsafe { VmaRef::from_raw(ptr) })
    }

    #[test]
    fn ordinary_areas_are_taken() {
        assert!(!refused(0));
        assert!(!refused(bindings::VM_READ | bindings::VM_WRITE));
        // SAFETY: A constant.
        assert!(!refused(unsafe { raw::flag_locked() }));
    }

    #[test]
    fn special_areas_are_refused() {
        assert!(refused(bindings::VM_PFNMAP));
        assert!(refused(bindings::VM_IO));
        assert!(refused(bindings::VM_MIXEDMAP));
        assert!(refused(bindings::VM_DONTEXPAND));
        assert!(refused(bindings::VM_HUGETLB));
    }

    #[test]
    #[cfg(CONFIG_ARCH_HAS_USER_SHADOW_STACK)]
    fn shadow_stacks_are_refused() {
        // SAFETY: A constant.
        assert!(refused(unsafe { raw::flag_shadow_stack() }));
    }
}
