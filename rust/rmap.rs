// SPDX-License-Identifier: GPL-2.0

//! The reverse mapping: from a folio to the page tables that map it.

use super::{
    folio::Folio,
    held_folio::LockedFolio,
    raw,
    stats,
    task,
    vma::{
        LockedWindow,
        VmaRange, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
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
pub(crate) fn flush_unmapped() {
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

/// The areas in which an anon_vma finds its pages, locked against changes of their bounds.
///
/// # Invariants
///
/// The lock of the anon_vma is held for reading by this value.
pub(super) struct Areas<'a> {
    anon_vma: *mut bindings::anon_vma,
    _alive: PhantomData<&'a bindings::anon_vma>,
}

impl Areas<'_> {
    /// Takes the lock.
    ///
    /// # Safety
    ///
    /// The anon_vma is alive for the lifetime that is chosen.
    ///
    /// # Context
    ///
    /// May sleep. Folio locks may be held.
    pub(super) unsafe fn lock(anon_vma: NonNull<bindings::anon_vma>) -> Self {
        let anon_vma = anon_vma.as_ptr();
        // SAFETY: The caller's promise.
        unsafe { raw::anon_vma_lock_read(anon_vma) };
        // INVARIANT: Just taken.
        Self {
            anon_vma,
            _alive: PhantomData,
        }
    }

    /// Does something in each area that may have some of `count` pages, from the page offset
    /// `first` on: with what it has of them, and how many come before that. False ends the walk.
    ///
    /// The order is that of `rmap_walk()`, on which fork() and mremap() rely: entries that they
    /// copy or move meanwhile are found in the end.
    pub(super) fn each(
        &self,
        first: usize,
        count: usize,
        mut work: impl FnMut(&VmaRange<'_>, usize) -> bool,
    ) {
        let last = first + count - 1;
        // SAFETY: By the type invariants the tree is locked.
        let mut link = unsafe { raw::anon_rmap_first(self.anon_vma, first, last) };
        while !link.is_null() {
            // SAFETY: The lock keeps the links of the tree, and their areas.
            let vma = unsafe { raw::avc_vma(link) };
            // SAFETY: From the tree; the lock is held until `work` is done.
            let found = unsafe { VmaRange::found(vma, first, count) };
            if found.is_some_and(|(range, before)| !work(&range, before)) {
                return;
            }
            task::let_others_run();
            // SAFETY: As above.
            link = unsafe { raw::anon_rmap_next(link, first, last) };
        }
    }
}

impl Drop for Areas<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the lock is ours.
        unsafe { raw::anon_vma_unlock_read(self.anon_vma) };
    }
}

/// Mappings that are made, or taken away, under one page-table lock, and their statistics.
///
/// What `folio_remove_rmap_ptes()` and `folio_add_anon_rmap_ptes()` do for one folio is, where the
/// folio is small, anonymous and not mlocked, one counter of its own and three that it shares with
/// its neighbours: of the node, of the memcg, and of both together. These are changed for many at
/// once.
///
/// # Invariants
///
/// `change` mappings are yet to be counted, all for folios of the memcg and the node of `folio`,
/// which is mapped, or locked by us, while the page-table lock is held.
pub(super) struct Mappings {
    vma: *mut bindings::vm_area_struct,
    is_mlocked: bool,
    folio: *mut bindings::folio,
    memcg: usize,
    node: i32,
    change: i32,
}

impl Mappings {
    /// No change yet, in the area of a range.
    pub(super) fn new(range: &VmaRange<'_>) -> Self {
        // INVARIANT: Nothing is to be counted.
        Self {
            vma: range.vma(),
            is_mlocked: range.is_mlocked(),
            folio: core::ptr::null_mut(),
            memcg: 0,
            node: 0,
            change: 0,
        }
    }

    /// Takes mappings of `count` pages of a folio away, from page `number` on, and says whether it
    /// is still mapped.
    ///
    /// # Safety
    ///
    /// They were mapped in the area, and are not any more; its page table and the folio are locked.
    #[inline(always)]
    pub(super) unsafe fn remove(&mut self, folio: Folio<'_>, number: usize, count: usize) -> bool {
        if self.is_mlocked || folio.is_large() || !folio.is_anon() {
            let page = folio.page(number);
            // SAFETY: The caller's promise.
            unsafe { raw::folio_remove_rmap_ptes(folio.as_ptr(), page, count, self.vma) };
            return folio.is_mapped();
        }
        // SAFETY: The caller's promise.
        if !unsafe { raw::folio_dec_mapcount(folio.as_ptr()) } {
            return true;
        }
        self.count(folio, -1);
        false
    }

    /// Adds mappings of `count` pages of a folio, from page `number` on, which is at `addr`.
    ///
    /// # Safety
    ///
    /// They are mapped in the area at once; its page table and the folio are locked. `exclusive`
    /// says that nobody else has them.
    #[inline(always)]
    pub(super) unsafe fn add(
        &mut self,
        folio: Folio<'_>,
        number: usize,
        count: usize,
        addr: usize,
        exclusive: bool,
    ) {
        let (ptr, page) = (folio.as_ptr(), folio.page(number));
        if !folio.is_anon() {
            // SAFETY: The caller's promise.
            unsafe { raw::folio_add_file_rmap_ptes(ptr, page, count, self.vma) };
            return;
        }
        if self.is_mlocked || folio.is_large() {
            // SAFETY: The caller's promise.
            unsafe { raw::folio_add_anon_rmap_ptes(ptr, page, count, self.vma, addr, exclusive) };
            return;
        }
        if exclusive {
            // SAFETY: The caller's promise.
            unsafe { raw::set_page_anon_exclusive(page) };
        }
        // SAFETY: The caller's promise.
        if unsafe { raw::folio_inc_mapcount(ptr) } {
            self.count(folio, 1);
        }
    }

    /// Adds the first mapping of a fresh folio, whose pages are exclusive, and which is at `addr`.
    ///
    /// # Safety
    ///
    /// It is locked by us, and mapped in the area at once, whose page table is locked; the area's
    /// anon_vma has been made.
    #[inline(always)]
    pub(super) unsafe fn add_new(&mut self, folio: Folio<'_>, addr: usize) {
        let ptr = folio.as_ptr();
        if folio.is_large() {
            // SAFETY: The caller's promise.
            unsafe { raw::folio_add_new_anon_rmap(ptr, self.vma, addr) };
            return;
        }
        // SAFETY: As above: nobody else knows the folio.
        unsafe { self.set_anon(folio, addr) };
        // SAFETY: As above.
        unsafe { raw::set_page_anon_exclusive(folio.page(0)) };
        // SAFETY: As above.
        unsafe { raw::folio_inc_mapcount(ptr) };
        self.count(folio, 1);
    }

    /// Makes a fresh small folio one of the area's anonymous memory, found at `addr`, as
    /// `folio_add_new_anon_rmap()` does.
    ///
    /// # Safety
    ///
    /// As for [`Self::add_new`].
    #[inline(always)]
    unsafe fn set_anon(&self, folio: Folio<'_>, addr: usize) {
        let ptr = folio.as_ptr();
        // SAFETY: The caller's promise.
        let droppable = unsafe { raw::vma_is_droppable(self.vma) };
        // SAFETY: As above.
        if !droppable && !unsafe { raw::folio_test_swapbacked(ptr) } {
            // SAFETY: As above: nobody else knows the folio.
            unsafe { raw::__folio_set_swapbacked(ptr) };
        }
        // SAFETY: As above.
        let index = unsafe { raw::linear_anon_page_index(self.vma, addr) };
        // SAFETY: As above.
        unsafe { raw::folio_set_index(ptr, index) };
        // SAFETY: As above.
        let anon_vma = unsafe { raw::vma_anon_vma(self.vma) };
        // SAFETY: As above.
        unsafe { raw::folio_set_anon_vma(ptr, anon_vma) };
    }

    /// Counts that a folio is mapped now, or is no longer.
    #[inline(always)]
    fn count(&mut self, folio: Folio<'_>, change: i32) {
        let (memcg, node) = folio.statistics();
        if (memcg, node) != (self.memcg, self.node) {
            self.tell();
            (self.memcg, self.node) = (memcg, node);
        }
        // INVARIANT: One more of the same memcg and node.
        self.folio = folio.as_ptr();
        self.change = self.change.wrapping_add(change);
    }

    /// Changes the statistics.
    ///
    /// # Context
    ///
    /// Under the page-table lock.
    pub(super) fn tell(&mut self) {
        if self.change != 0 {
            // SAFETY: By the type invariants the folio is still there, and has the memcg and the
            // node of all that were counted.
            unsafe { raw::count_anon_mapped(self.folio, self.change) };
            self.change = 0;
        }
    }
}

/// That there is what finds the mappings of an area's anonymous pages.
///
/// # Invariants
///
/// The area of the window has its anon_vma, and keeps it while the mmap lock is held.
pub(crate) struct Prepared<'a>(&'a LockedWindow<'a>);

impl<'a> Prepared<'a> {
    /// The window.
    pub(crate) fn window(&self) -> &'a LockedWindow<'a> {
        self.0
    }
}

/// Makes the structure that finds the mappings of an area's anonymous pages.
///
/// # Errors
///
/// [`ENOMEM`].
///
/// # Context
///
/// May sleep.
pub(super) fn prepare<'a>(window: &'a LockedWindow<'a>) -> Result<Prepared<'a>> {
    // SAFETY: By the invariants of the window the area is valid, and its mmap lock is held.
    to_result(unsafe { raw::anon_vma_prepare(window.range().vma()) })?;
    // INVARIANT: Just made, or found.
    Ok(Prepared(window))
}

/// A reference to the structure that finds the mappings of an anonymous folio.
///
/// Without the mmap lock nothing else keeps it from being freed once the folio is mapped nowhere:
/// `rmap_walk_anon_lock()` relies on its callers for that.
///
/// # Invariants
///
/// The reference is owned by this value.
pub(super) struct AnonVma(NonNull<bindings::anon_vma>);

impl AnonVma {
    /// The reference for a locked folio; [`None`] where it is not mapped.
    pub(crate) fn of(locked: &LockedFolio) -> Option<Self> {
        // SAFETY: The folio is locked; the function answers NULL when it is not mapped.
        let ptr = unsafe { raw::folio_get_anon_vma(locked.folio().as_ptr()) };
        // INVARIANT: The reference just taken.
        NonNull::new(ptr).map(Self)
    }

    /// Hands the reference over to whoever takes the pointer.
    pub(crate) fn into_raw(self) -> NonNull<bindings::anon_vma> {
        core::mem::ManuallyDrop::new(self).0
    }

    /// Takes the reference back.
    ///
    /// # Safety
    ///
    /// `ptr` is from [`Self::into_raw`], and is used once.
    pub(crate) unsafe fn from_raw(ptr: NonNull<bindings::anon_vma>) -> Self {
        // INVARIANT: The reference that `into_raw` gave up.
        Self(ptr)
    }
}

impl Drop for AnonVma {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the reference is ours to give up.
        unsafe { raw::put_anon_vma(self.0.as_ptr()) };
    }
}
