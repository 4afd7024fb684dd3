// SPDX-License-Identifier: GPL-2.0

//! Folios: what they are, while something keeps them alive.
//!
//! A [`HeldFolio`](super::held_folio::HeldFolio) has a reference. What a batch has taken is a
//! [`Slot`](super::slot::Slot), whose bits say what is held.

use super::{
    raw,
    word::{
        DEVICE,
        UNADDRESSABLE, //
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    ffi::c_void,
    sync::rcu, //
};

/// A folio to look at.
///
/// # Invariants
///
/// The folio stays allocated for `'a`: a reference, or a mapping in a page table whose lock is
/// held, keeps it so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Folio<'a> {
    ptr: NonNull<bindings::folio>,
    _alive: PhantomData<&'a ()>,
}

/// Makes a method of [`Folio`] from a C function that only looks at the folio.
macro_rules! look {
    ($(#[$doc:meta])* $name:ident -> $result:ty = $function:ident) => {
        $(#[$doc])*
        pub(crate) fn $name(self) -> $result {
            // SAFETY: By the type invariants the folio is valid; the function only reads it.
            unsafe { raw::$function(self.as_ptr()) }
        }
    };
}

impl<'a> Folio<'a> {
    /// A folio from its C pointer.
    ///
    /// # Safety
    ///
    /// `ptr` is a folio that stays allocated for `'a`.
    pub(crate) unsafe fn from_raw(ptr: NonNull<bindings::folio>) -> Self {
        // INVARIANT: The caller's promise.
        Self {
            ptr,
            _alive: PhantomData,
        }
    }

    /// The folio that a page is part of.
    ///
    /// # Safety
    ///
    /// `page` is part of a folio that stays allocated, and is not split, for `'a`.
    pub(super) unsafe fn of_page(page: *mut bindings::page) -> Self {
        // SAFETY: The caller promises a valid page.
        let ptr = unsafe { raw::page_folio(page) };
        // SAFETY: The folio of a valid page is never NULL.
        let ptr = unsafe { NonNull::new_unchecked(ptr) };
        // SAFETY: The caller's promise.
        unsafe { Self::from_raw(ptr) }
    }

    /// The C pointer.
    pub(crate) fn as_ptr(self) -> *mut bindings::folio {
        self.ptr.as_ptr()
    }

    /// The C pointer, which is never NULL.
    pub(super) fn as_nonnull(self) -> NonNull<bindings::folio> {
        self.ptr
    }

    look! {
        /// The frame number of its first page.
        pfn -> usize = folio_pfn
    }
    look! {
        /// Whether it is anonymous memory.
        is_anon -> bool = folio_test_anon
    }
    /// Whether it is anonymous memory that KSM has no part in.
    pub(crate) fn is_plain_anon(self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        let flags = unsafe { raw::folio_mapping_flags(self.as_ptr()) };
        flags == bindings::FOLIO_MAPPING_ANON as usize
    }

    look! {
        /// Whether it is shared by KSM.
        is_ksm -> bool = folio_test_ksm
    }
    look! {
        /// Whether it has more than one page.
        is_large -> bool = folio_test_large
    }
    look! {
        /// Whether somebody has its lock.
        is_locked -> bool = folio_test_locked
    }
    look! {
        /// Whether it is on the LRU.
        is_on_lru -> bool = folio_test_lru
    }
    look! {
        /// Whether its content is not on disk.
        is_dirty -> bool = folio_test_dirty
    }
    look! {
        /// Whether it is locked against paging, or was when its flags were last looked at.
        is_mlocked -> bool = folio_test_mlocked
    }
    look! {
        /// Whether it is marked as one that reclaim is to pass over.
        is_unevictable -> bool = folio_test_unevictable
    }
    look! {
        /// Whether it has a swap slot.
        is_in_swap_cache -> bool = folio_test_swapcache
    }
    look! {
        /// Whether it is being written to swap.
        is_under_writeback -> bool = folio_test_writeback
    }
    look! {
        /// Whether it seems to be pinned for DMA; there are false positives.
        may_be_pinned -> bool = folio_maybe_dma_pinned
    }
    look! {
        /// Whether a page table maps it.
        is_mapped -> bool = folio_mapped
    }
    look! {
        /// Whether it belongs to an anonymous area, a file or the swap cache.
        has_mapping -> bool = folio_has_mapping
    }
    look! {
        /// Whether it is memory of a device.
        is_zone_device -> bool = folio_is_zone_device
    }
    look! {
        /// Whether it is device memory that the CPU cannot address.
        is_device_private -> bool = folio_is_device_private
    }
    look! {
        /// Whether it is device memory that the CPU can address.
        is_device_coherent -> bool = folio_is_device_coherent
    }
    look! {
        /// How often it is mapped whole, by one entry.
        entire_mapcount -> i32 = folio_entire_mapcount
    }
    look! {
        /// How often it and its pages are mapped.
        mapcount -> i32 = folio_mapcount
    }
    look! {
        /// How many references there are.
        ref_count -> i32 = folio_ref_count
    }
    look! {
        /// How many references mappings and the swap cache explain.
        expected_ref_count -> i32 = folio_expected_ref_count
    }

    look! {
        /// The binary logarithm of its pages.
        order -> u32 = folio_order
    }
    look! {
        /// How many pages it has.
        pages -> usize = folio_nr_pages
    }
    look! {
        /// Whether the kernel is ready to map its pages one by one, as it must be for order 2 up.
        is_rmappable -> bool = folio_test_large_rmappable
    }
    look! {
        /// Whether the core has seen that one of its pages is broken.
        is_marked_broken -> bool = folio_contain_hwpoisoned_page
    }

    /// Whether one of its pages is broken, as far as the core has counted it.
    ///
    /// Where a page of a large folio breaks that is off its list, the core marks the page alone.
    pub(crate) fn has_poison(self) -> bool {
        // SAFETY: This reads a number of the kernel's.
        let any_page_is = || unsafe { raw::num_poisoned_pages() } != 0;
        self.is_marked_broken() || (self.is_large() && any_page_is() && self.has_broken_page())
    }

    /// Whether one of its pages is broken, also where the core is still at it: a page is marked
    /// first, and counted when all that can be done for it has been tried.
    ///
    /// Of a device's memory the core leaves that to the driver.
    pub(super) fn has_fresh_poison(self) -> bool {
        let may_be_inside = self.is_large() && !self.is_zone_device();
        self.is_marked_broken() || (may_be_inside && self.has_broken_page())
    }

    /// Whether it would be used again, were it freed, although a page of it is broken.
    ///
    /// The core keeps back what is broken only where that is a folio by itself.
    pub(super) fn is_broken_for_good(self) -> bool {
        self.is_large() && !self.is_zone_device() && self.has_fresh_poison()
    }

    fn has_broken_page(self) -> bool {
        // SAFETY: By the type invariants the folio is valid, and so are its pages.
        (0..self.pages()).any(|number| unsafe { raw::page_hwpoison(self.page(number)) })
    }

    /// Whether a page of system memory has tags beside its contents, which no driver copies.
    ///
    /// Of a folio that is mapped nowhere, the answer stays true.
    pub(crate) fn has_tags(self) -> bool {
        // SAFETY: By the type invariants the folio is valid, and so are its pages.
        let is_tagged = |number| unsafe { raw::page_has_tags(self.page(number)) };
        cfg!(CONFIG_ARM64_MTE) && !self.is_zone_device() && (0..self.pages()).any(is_tagged)
    }

    /// Has instructions read again what has been written to it, where a processor could have others
    /// cached for the same address.
    pub(super) fn flush_dcache(self) {
        if !self.is_device_private() {
            // SAFETY: By the type invariants the folio is valid.
            unsafe { raw::flush_dcache_folio(self.as_ptr()) };
        }
    }

    /// The frame numbers of its pages.
    pub(crate) fn pfns(self) -> core::ops::Range<usize> {
        self.pfn()..self.pfn() + self.pages()
    }

    /// One of its pages, by number.
    pub(super) fn page(self, number: usize) -> *mut bindings::page {
        // SAFETY: By the type invariants the folio is valid; this computes an address.
        unsafe { raw::folio_page(self.as_ptr(), number) }
    }

    /// Whether some page of a large folio is surely mapped nowhere.
    pub(crate) fn is_partly_mapped(self) -> bool {
        self.is_large() && self.entire_mapcount() == 0 && (self.mapcount() as usize) < self.pages()
    }

    /// Whether it may move within system memory: it is anonymous, or its file can move it.
    ///
    /// A file may lose it at any time, unless it is locked, or mapped in a page table whose lock is
    /// held.
    pub(crate) fn may_move_in_system(self) -> bool {
        self.is_anon() || self.file_can_migrate()
    }

    /// Whether it is of a file that can move it, and whose pages the kernel may read.
    pub(super) fn file_can_migrate(self) -> bool {
        // What the file loses meanwhile, it frees after RCU readers are done with it.
        let _reading = rcu::read_lock();
        // SAFETY: By the type invariants the folio is valid.
        let mapping = unsafe { raw::folio_mapping(self.as_ptr()) };
        if mapping.is_null() || self.is_in_swap_cache() {
            return false;
        }
        // SAFETY: The mapping stays while RCU readers may look at it.
        let inaccessible = unsafe { raw::mapping_inaccessible(mapping) };
        // SAFETY: As above.
        !inaccessible && unsafe { raw::mapping_has_migrate_folio(mapping) }
    }

    /// The page offset by which the first page of anonymous memory is found.
    pub(super) fn anon_offset(self) -> usize {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { raw::folio_index_field(self.as_ptr()) }
    }

    /// What finds the mappings of anonymous memory.
    pub(super) fn anon_vma(self) -> Option<NonNull<bindings::anon_vma>> {
        if !self.is_plain_anon() {
            return None;
        }
        // SAFETY: By the type invariants the folio is valid; it is anonymous.
        NonNull::new(unsafe { raw::folio_anon_vma(self.as_ptr()) })
    }

    /// The owner of the device memory, or NULL for ordinary memory.
    pub(crate) fn owner(self) -> *mut c_void {
        if !self.is_zone_device() {
            return core::ptr::null_mut();
        }
        // SAFETY: By the type invariants the folio is valid, and ZONE_DEVICE folios have a pgmap.
        unsafe { raw::folio_pgmap_owner(self.as_ptr()) }
    }

    /// Whether it is mapped nowhere, has no type, and is not reserved by the kernel.
    #[inline(always)]
    pub(super) fn is_unused(self) -> bool {
        let page = self.page(0);
        // SAFETY: The page of a valid folio is valid. Device memory is reserved for its device.
        if !self.is_zone_device() && unsafe { raw::page_reserved(page) } {
            return false;
        }
        if !self.is_large() {
            // A page has its type where a small folio counts its mappings.
            // SAFETY: By the type invariants the folio is valid.
            return unsafe { raw::folio_has_no_mapcount(self.as_ptr()) };
        }
        // SAFETY: As above.
        !self.is_mapped() && !unsafe { raw::page_is_typed(page) }
    }

    /// Whether a memcg is charged for it.
    pub(super) fn is_charged(self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { raw::folio_memcg_data(self.as_ptr()) != 0 }
    }

    /// What its statistics are counted for: its memcg, or what stands for it, and its node.
    pub(super) fn statistics(self) -> (usize, i32) {
        // SAFETY: By the type invariants the folio is valid.
        let memcg = unsafe { raw::folio_memcg_data(self.as_ptr()) };
        // SAFETY: As above.
        (memcg, unsafe { raw::folio_nid(self.as_ptr()) })
    }

    /// Takes the lock if nobody has it.
    ///
    /// It is never waited for: the caller may hold other folio locks.
    pub(super) fn try_lock(self) -> bool {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { raw::folio_trylock(self.as_ptr()) }
    }

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// The caller owns the lock, and gives it up.
    pub(super) unsafe fn unlock(self) {
        // SAFETY: The caller owns the lock.
        unsafe { raw::folio_unlock(self.as_ptr()) };
    }

    /// Takes one more reference.
    ///
    /// Whoever calls this must see that it is put.
    pub(super) fn get(self) {
        // SAFETY: By the type invariants there is a reference already.
        unsafe { raw::folio_get(self.as_ptr()) };
    }

    /// Takes so many more references, as [`Self::get`] does.
    pub(super) fn get_some(self, references: usize) {
        // SAFETY: By the type invariants there is a reference already.
        unsafe { raw::folio_ref_add(self.as_ptr(), references as i32) };
    }

    /// Puts a reference.
    ///
    /// # Safety
    ///
    /// The caller owns the reference, and gives it up; the folio may be gone afterwards.
    pub(super) unsafe fn put(self) {
        // SAFETY: The caller owns the reference.
        unsafe { raw::folio_put(self.as_ptr()) };
    }

    /// Puts several references, which are not the last.
    ///
    /// # Safety
    ///
    /// The caller owns them, and gives them up; somebody has one more.
    pub(super) unsafe fn put_some(self, references: usize) {
        // SAFETY: The caller owns the references.
        unsafe { raw::folio_ref_sub(self.as_ptr(), references as i32) };
    }

    /// Gives the swap slot back, if nobody else needs it.
    ///
    /// May be called under a page-table lock.
    ///
    /// # Safety
    ///
    /// The folio is locked.
    pub(super) unsafe fn free_swap(self) -> bool {
        // SAFETY: The caller's promise.
        unsafe { raw::folio_free_swap(self.as_ptr()) }
    }

    /// Notes that its content is not on disk.
    ///
    /// # Safety
    ///
    /// The folio is locked.
    pub(super) unsafe fn mark_dirty(self) {
        // SAFETY: The caller's promise.
        unsafe { raw::folio_mark_dirty(self.as_ptr()) };
    }

    /// Leaves a number in a fresh folio, which has no other use for the field yet.
    ///
    /// # Safety
    ///
    /// The folio is locked, has no mapping, and nobody else knows it.
    pub(super) unsafe fn set_mark(self, mark: usize) {
        // SAFETY: The caller's promise.
        unsafe { raw::folio_set_index(self.as_ptr(), mark) };
    }

    /// The number that [`Self::set_mark`] has left, or anything.
    pub(super) fn mark(self) -> usize {
        // SAFETY: By the type invariants the folio is valid.
        unsafe { raw::folio_index_field(self.as_ptr()) }
    }

    /// The flags of its word that are its own: DEVICE, UNADDRESSABLE.
    pub(super) fn word_flags(self) -> u64 {
        let mut flags = 0;
        if self.is_zone_device() {
            flags |= DEVICE;
        }
        if self.is_device_private() {
            flags |= UNADDRESSABLE;
        }
        flags
    }
}
