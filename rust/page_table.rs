// SPDX-License-Identifier: GPL-2.0

//! One page table, locked.
//!
//! A [`LockedEntries`] owns the page-table lock, lazy MMU mode and the flush that is owed for
//! entries that were present. A [`PteTable`] is that for the window of a batch, which it borrows:
//! while it exists the batch can be neither moved nor dropped. Nobody may sleep as long as one of
//! them exists.

use super::{
    batch::Batch,
    call::Call,
    lru,
    mappings::Mappings,
    place::Place,
    raw,
    slot::Slot,
    stats,
    value::{
        pmd_leaf,
        pmd_none,
        pmd_present, //
    },
    vma::{
        LockedWindow,
        Window, //
    },
    word::Reason,
    PAGE_SIZE, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// The slot, in the table of page tables, that a window belongs to.
///
/// # Invariants
///
/// `ptr` is that slot; the lock of the range keeps the table that it is in.
#[derive(Clone, Copy)]
pub(crate) struct PmdEntry<'a> {
    window: &'a Window<'a>,
    ptr: *mut bindings::pmd_t,
}

impl<'a> PmdEntry<'a> {
    /// The window.
    pub(super) fn window(&self) -> &'a Window<'a> {
        self.window
    }

    /// The C pointer.
    pub(super) fn as_ptr(&self) -> *mut bindings::pmd_t {
        self.ptr
    }
}

/// What the levels above the page table say of a window.
pub(crate) enum Level<'a> {
    /// There is no page table.
    Hole,
    /// One entry maps it all, or stands for it.
    Leaf(PmdEntry<'a>),
    /// There is a page table.
    Table(PmdEntry<'a>),
}

/// Walks down to the page table of a window.
///
/// The lock of the range keeps all levels but the last. What is found may change at once: take a
/// lock and look again.
pub(crate) fn look_up<'a>(window: &'a Window<'a>) -> Level<'a> {
    let mm = window.range().mm();
    let addr = window.start();

    // SAFETY: The mm of a range is valid, and its upper levels are kept by the range's lock.
    let pgd = unsafe { raw::pgd_offset(mm, addr) };
    // SAFETY: As above.
    if !unsafe { raw::pgd_present(pgd) } {
        return Level::Hole;
    }
    // SAFETY: The level above is present.
    let p4d = unsafe { raw::p4d_offset(pgd, addr) };
    // SAFETY: As above.
    if !unsafe { raw::p4d_present(p4d) } {
        return Level::Hole;
    }
    // SAFETY: The level above is present.
    let pud = unsafe { raw::pud_offset(p4d, addr) };
    // SAFETY: As above; the value is read once.
    if !is_table(unsafe { raw::pudp_get(pud) }) {
        return Level::Hole;
    }
    // SAFETY: The level above is a table.
    let pmd = unsafe { raw::pmd_offset(pud, addr) };
    // SAFETY: As above; the value is read once.
    let value = unsafe { raw::pmdp_get_lockless(pmd) };
    if pmd_none(value) {
        return Level::Hole;
    }
    let leaf = !pmd_present(value) || pmd_leaf(value);
    // INVARIANT: Found by walking down to the window.
    let slot = PmdEntry { window, ptr: pmd };
    if leaf {
        Level::Leaf(slot)
    } else {
        Level::Table(slot)
    }
}

/// Whether an entry is the address of a table.
fn is_table(pud: bindings::pud_t) -> bool {
    // SAFETY: A function of the value alone.
    let present = unsafe { raw::pud_present(pud) };
    // SAFETY: As above.
    present && !unsafe { raw::pud_leaf(pud) }
}

/// Makes every level that a window needs, down to the entry for its page table.
///
/// # Errors
///
/// [`ENOMEM`] where one cannot be had; [`EAGAIN`] where something else is in its place.
///
/// # Context
///
/// May sleep.
pub(super) fn make_entry<'a>(window: &'a LockedWindow<'a>) -> Result<PmdEntry<'a>> {
    let mm = window.range().mm();
    let addr = window.start();

    // SAFETY: By the invariants of the window its mm is valid, and the mmap lock is held.
    let pgd = unsafe { raw::pgd_offset(mm, addr) };
    // SAFETY: The same, and the entry is the one for the address.
    let p4d = NonNull::new(unsafe { raw::p4d_alloc(mm, pgd, addr) }).ok_or(ENOMEM)?;
    // SAFETY: The level above is there.
    let pud = NonNull::new(unsafe { raw::pud_alloc(mm, p4d.as_ptr(), addr) }).ok_or(ENOMEM)?;
    // SAFETY: As above; the value is read once.
    let value = unsafe { raw::pudp_get(pud.as_ptr()) };
    // SAFETY: A function of the value alone.
    if !unsafe { raw::pud_none(value) } && !is_table(value) {
        return Err(EAGAIN);
    }
    // SAFETY: The mm is valid, and its mmap lock held; the entry above is empty, or has a table.
    let pmd = NonNull::new(unsafe { raw::pmd_alloc(mm, pud.as_ptr(), addr) }).ok_or(ENOMEM)?;
    // INVARIANT: Found by walking down to the window.
    Ok(PmdEntry {
        window,
        ptr: pmd.as_ptr(),
    })
}

/// Makes every level that a window needs, down to an empty page table.
///
/// # Errors
///
/// As for [`make_entry`].
///
/// # Context
///
/// May sleep.
pub(super) fn make_table(window: &LockedWindow<'_>) -> Result {
    let pmd = make_entry(window)?;
    // SAFETY: By the invariants of the window its mm is valid, and the mmap lock keeps the table
    // that `pmd` is in.
    match unsafe { raw::pte_alloc(window.range().mm(), pmd.as_ptr()) } {
        0 => Ok(()),
        _ => Err(ENOMEM),
    }
}

/// The entries of a window, whose page table is locked.
///
/// Pages have the numbers that they have in the batch. Where the window is the batch's own, the
/// first is 0; elsewhere it may be another part of what the batch has.
///
/// # Invariants
///
/// * `base` is the entry of the window's first page, and those of all its `pages` follow. The
///   lock of their table is held while anybody has a reference to this value.
/// * Every present entry that was cleared lies between the addresses in `to_flush`.
pub(super) struct Entries<'s> {
    window: &'s Window<'s>,
    first: usize,
    pages: usize,
    base: NonNull<bindings::pte_t>,
    to_flush: (usize, usize),
    mappings: Mappings,
    /// Pages that the process has now and had not before.
    more: usize,
}

/// Nothing to flush: with an address, it is from that to that.
const NO_FLUSH: (usize, usize) = (usize::MAX, 0);

impl<'s> Entries<'s> {
    /// The window.
    pub(super) fn window(&self) -> &'s Window<'s> {
        self.window
    }

    /// The entry, and the address, of the page with this number.
    pub(super) fn at(&self, index: usize) -> Option<(*mut bindings::pte_t, usize)> {
        let number = index.wrapping_sub(self.first);
        if number >= self.pages {
            return None;
        }
        // SAFETY: By the type invariants the window's entries follow `base`.
        let ptep = unsafe { self.base.as_ptr().add(number) };
        Some((ptep, self.window.addr(number)))
    }

    /// The value of the entry of the page with this number.
    pub(super) fn get(&self, index: usize) -> Option<bindings::pte_t> {
        let (ptep, _) = self.at(index)?;
        // SAFETY: By the type invariants the lock of the table is held.
        Some(unsafe { raw::ptep_get(ptep) })
    }

    /// Counts a mapping, or one less, in the statistics.
    pub(super) fn mappings(&mut self) -> &mut Mappings {
        &mut self.mappings
    }

    /// Notes that the present entry at `addr` has been cleared.
    pub(super) fn owe_flush(&mut self, addr: usize) {
        let (first, last) = self.to_flush;
        self.to_flush = (first.min(addr), last.max(addr));
    }

    /// Has what was written to entries take effect: in lazy MMU mode it may wait, and is not to be
    /// read before (`include/linux/pgtable.h`).
    ///
    /// # Context
    ///
    /// Under the page-table lock, in lazy MMU mode.
    pub(super) fn catch_up(&mut self) {
        // SAFETY: Under the page-table lock; an inner section, whose end has everything done.
        unsafe { raw::lazy_mmu_mode_enable() };
        // SAFETY: The end of the section that has just begun.
        unsafe { raw::lazy_mmu_mode_disable() };
    }

    /// Flushes what is owed, and says whether that was anything.
    ///
    /// # Context
    ///
    /// Under the page-table lock, in lazy MMU mode.
    pub(super) fn flush(&mut self) -> bool {
        let (first, last) = core::mem::replace(&mut self.to_flush, NO_FLUSH);
        if first > last {
            return false;
        }
        stats::count(stats::Counter::TlbFlushes, 1);
        self.catch_up();
        // SAFETY: The area is valid; the range is inside it.
        unsafe { raw::flush_tlb_range(self.window.range().vma(), first, last + PAGE_SIZE) };
        true
    }

    /// Counts pages that the process has now and had not before.
    pub(super) fn account_anon(&mut self, pages: usize) {
        self.more += pages;
    }

    /// Brings all statistics up to date.
    fn tell(&mut self) {
        self.mappings.tell();
        if self.more > 0 {
            // SAFETY: The mm is valid.
            unsafe { raw::add_anon_pages(self.window.range().mm(), self.more as isize) };
        }
    }
}

/// Entries with the lock of their page table.
///
/// # Invariants
///
/// `ptl` is the lock of the entries' table, and is held.
pub(super) struct LockedEntries<'s> {
    entries: Entries<'s>,
    ptl: *mut bindings::spinlock_t,
    _timer: stats::Timer,
}

impl<'s> LockedEntries<'s> {
    /// Locks the page table of a window, whose first page has the number `first` in the batch;
    /// [`None`] where it has gone.
    #[inline(always)]
    pub(super) fn lock(window: &'s Window<'s>, pmd: PmdEntry<'_>, first: usize) -> Option<Self> {
        if !window.is_same(pmd.window()) {
            return None;
        }
        let mut ptl = core::ptr::null_mut();

        // SAFETY: The mm is valid, and the lock of the range keeps the table that `pmd` is in. The
        // function looks again under the lock, and answers NULL where the page table is gone.
        let base = unsafe {
            raw::pte_offset_map_lock(window.range().mm(), pmd.as_ptr(), window.start(), &mut ptl)
        };
        let base = NonNull::new(base)?;
        stats::count(stats::Counter::PageTableLocks, 1);
        // SAFETY: Under the page-table lock, and left before it is given back.
        unsafe { raw::lazy_mmu_mode_enable() };
        // INVARIANT: One page table maps the window; nothing has been cleared.
        let entries = Entries {
            window,
            first,
            pages: window.pages(),
            base,
            to_flush: NO_FLUSH,
            mappings: Mappings::new(window.range()),
            more: 0,
        };
        // INVARIANT: Just taken.
        Some(Self {
            entries,
            ptl,
            _timer: stats::Timer::start(stats::Wait::PageTableLock),
        })
    }

    /// The entries.
    pub(super) fn entries(&mut self) -> &mut Entries<'s> {
        &mut self.entries
    }
}

impl Drop for LockedEntries<'_> {
    /// Flushes before anybody else can take the lock, then leaves lazy mode, then unlocks.
    ///
    /// Folios that have been mlocked or munlocked wait, with a reference, in a batch of this
    /// processor, which only here is the same as when they were put there.
    fn drop(&mut self) {
        self.entries.flush();
        self.entries.tell();
        if self.entries.window.range().is_mlocked() {
            lru::drain_mlock();
        }
        // SAFETY: Entered in `lock`.
        unsafe { raw::lazy_mmu_mode_disable() };
        // SAFETY: By the type invariants the lock is held, and `base` is its mapped table.
        unsafe { raw::pte_unmap_unlock(self.entries.base.as_ptr(), self.ptl) };
    }
}

/// The page table of a batch's window, locked.
pub(crate) struct PteTable<'b, 's> {
    batch: &'b mut Batch<'s>,
    locked: LockedEntries<'s>,
}

impl<'b, 's> PteTable<'b, 's> {
    /// Locks the page table of a batch's window; [`None`] where it has gone.
    #[inline(always)]
    pub(crate) fn lock(batch: &'b mut Batch<'s>, pmd: PmdEntry<'_>) -> Option<Self> {
        let locked = LockedEntries::lock(batch.place().window()?, pmd, 0)?;
        Some(Self { batch, locked })
    }

    /// The entries.
    pub(super) fn entries(&mut self) -> &mut Entries<'s> {
        &mut self.locked.entries
    }

    /// The batch and the entries, to be used together.
    pub(super) fn parts(&mut self) -> (&mut Batch<'s>, &mut Entries<'s>) {
        (self.batch, &mut self.locked.entries)
    }

    /// The window.
    pub(crate) fn window(&self) -> &'s Window<'s> {
        self.locked.entries.window
    }

    /// Where the window is.
    pub(super) fn place(&self) -> &'s Place<'s> {
        self.batch.place()
    }

    /// The call that the window is part of.
    pub(crate) fn call(&self) -> &'s Call {
        self.batch.call()
    }

    /// Whether the CPU waits for one of so many pages from `first` on.
    pub(super) fn has_fault(&self, first: usize, pages: usize) -> bool {
        let (window, call) = (self.window(), self.call());
        call.fault.is_some() && call.is_fault_in(window.addr(first)..window.addr(first + pages))
    }

    /// Notes why pages stay.
    pub(crate) fn leave(&mut self, pages: core::ops::Range<usize>, reason: Reason) {
        self.batch.leave(pages, reason);
    }

    /// Notes that a source is mapped elsewhere, too.
    pub(super) fn set_mapped_elsewhere(&mut self) {
        self.batch.set_mapped_elsewhere();
    }

    /// Adds a source.
    #[inline(always)]
    pub(super) fn push(&mut self, slot: Slot) {
        self.batch.push_source(slot);
    }

    /// Adds a hole of one page.
    pub(super) fn push_hole(&mut self, index: usize) {
        self.batch.push_hole(index, 0);
    }

    /// Whether a page is one for this round.
    pub(crate) fn is_wanted(&self, index: usize) -> bool {
        self.batch.is_wanted(index)
    }

    /// Whether no slot is left for another source.
    pub(super) fn is_batch_full(&self) -> bool {
        self.batch.is_full()
    }

    /// Flushes what is owed for entries that have been cleared, and says whether that was anything.
    ///
    /// # Context
    ///
    /// Under the page-table lock, in lazy MMU mode.
    pub(crate) fn flush(&mut self) -> bool {
        self.locked.entries.flush()
    }
}
