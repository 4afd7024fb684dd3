// SPDX-License-Identifier: GPL-2.0

//! How often folios are mapped, and the statistics of that.

use super::{
    folio::Folio,
    raw,
    vma::VmaRange, //
};
use kernel::bindings;

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
    /// They were mapped in the area, and are not any more. Its page table and the folio are locked,
    /// and the folio stays so until the page table is not.
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
    /// They are mapped in the area at once. Its page table and the folio are locked, and the folio
    /// is mapped, or locked, until the page table is not. `exclusive` says that nobody else has
    /// them.
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
