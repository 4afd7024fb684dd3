// SPDX-License-Identifier: GPL-2.0

//! One source of a batch: what it is, how far it has come, and what we hold for it.

mod commit;

use super::{
    anon_vma::AnonVma,
    folio::Folio,
    held_folio::{
        LockedFolio,
        Puts, //
    },
    lru::Lists,
    migration_entry::Frozen,
    raw, rmap,
    span::WINDOW,
    value::pte_same,
    word::{
        PfnWord,
        Reason,
        DEVICE,
        WRITE, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings::{
        self,
        pte_t, //
    },
    prelude::*, //
};

/// How far a slot has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// A source behind migration entries.
    Taken,
    /// A source that is to be mapped again as it was, or a destination that nothing moves to.
    Refused,
    /// A source with a destination that is yet to become it.
    Given,
    /// A source whose destination has become it.
    Migrated,
    /// A hole, or the zero page.
    Hole,
    /// A hole with a page to fill it.
    GivenHole,
    /// A hole that is filled.
    Filled,
    /// Nothing is left to be done or undone.
    Settled,
}

/// What is held for a slot, bit by bit; each is cleared as it is given back.
pub(super) mod held {
    /// The lock and one reference of the source.
    pub(crate) const SOURCE: u8 = 1 << 0;
    /// The target belongs on the LRU, and is not there.
    pub(crate) const OFF_LRU: u8 = 1 << 1;
    /// The lock and one reference of the destination.
    pub(crate) const DESTINATION: u8 = 1 << 2;
    /// A migration entry at the slot's own place.
    pub(crate) const OWN_ENTRY: u8 = 1 << 3;
    /// Maybe migration entries elsewhere, which the reverse mapping finds.
    pub(crate) const OTHER_ENTRIES: u8 = 1 << 4;
    /// The destination is charged to the process whose hole it is for, in an area that has its
    /// anon_vma.
    pub(crate) const CHARGED: u8 = 1 << 5;
}

/// What a source has at its own place.
pub(super) enum OwnEntry {
    /// Nothing: all its migration entries are elsewhere.
    None,
    /// A migration entry in the place of a page table.
    Pmd,
    /// Migration entries in a page table: that of its first page, and what it says.
    Pte(pte_t, Frozen),
}

// Indices and counts of pages fit.
const _: () = assert!(WINDOW < u16::MAX as usize);

/// One source folio of a batch, large or small, or one hole.
///
/// Dropping one gives nothing back: a batch settles its slots.
///
/// # Invariants
///
/// * With [`held::SOURCE`], `src` is a folio whose lock and one of whose references are ours.
///   Without it `src` is NULL, or the folio of the fault.
/// * With [`held::DESTINATION`] the same holds for `dst`.
/// * `anon_vma`, where it is not NULL, has one reference of ours.
/// * What the other bits of `held` say is so.
/// * A slot of one page with its own migration entry has that in `entry`, and in `frozen` what it
///   says.
/// * `count` is a power of two.
#[must_use = "what a slot holds is given back by the batch that it is in"]
pub(crate) struct Slot {
    src: *mut bindings::folio,
    dst: *mut bindings::folio,
    anon_vma: *mut bindings::anon_vma,
    /// The number of its first page within the window.
    index: u16,
    /// How many pages it has: a power of two.
    count: u16,
    state: State,
    held: u8,
    /// Flags of its word: WRITE, DEVICE, UNADDRESSABLE, FAULT.
    flags: u16,
    /// Flags of the driver's word: WRITE.
    dst_flags: u16,
    /// The migration entry as it was made, for a slot of one page, and what it says.
    entry: pte_t,
    frozen: Frozen,
}

impl Slot {
    /// A hole of `1 << order` pages.
    pub(super) fn hole(index: usize, order: u32, flags: u64) -> Self {
        // INVARIANT: Nothing is held.
        Self {
            src: core::ptr::null_mut(),
            dst: core::ptr::null_mut(),
            anon_vma: core::ptr::null_mut(),
            index: index as u16,
            count: 1 << (order as u16 % u16::BITS as u16),
            state: State::Hole,
            held: 0,
            flags: flags as u16,
            dst_flags: 0,
            entry: pte_t::default(),
            frozen: Frozen::NOTHING,
        }
    }

    /// A source of so many pages, whose first has the number `index` within the window.
    ///
    /// # Safety
    ///
    /// Without `borrowed`, the caller gives the lock and one reference of `src` to the slot. With
    /// it, they are the fault handler's, which keeps them until the call is over. The folio has so
    /// many pages, `flags` are those of its word, and `entry` is where it has migration entries.
    #[inline(always)]
    pub(super) unsafe fn source(
        src: Folio<'_>,
        pages: usize,
        index: usize,
        flags: u64,
        entry: OwnEntry,
        borrowed: bool,
    ) -> Self {
        let own = match entry {
            OwnEntry::None => 0,
            OwnEntry::Pmd | OwnEntry::Pte(..) => held::OWN_ENTRY,
        };
        let (entry, frozen) = match entry {
            OwnEntry::None | OwnEntry::Pmd => (pte_t::default(), Frozen::NOTHING),
            OwnEntry::Pte(entry, frozen) => (entry, frozen),
        };
        // INVARIANT: The caller's promise.
        Self {
            src: src.as_ptr(),
            count: pages as u16,
            state: State::Taken,
            held: own | if borrowed { 0 } else { held::SOURCE },
            entry,
            frozen,
            ..Self::hole(index, 0, flags)
        }
    }

    /// What its migration entry says, if that is still the same.
    pub(super) fn frozen(&self, now: pte_t) -> Option<Frozen> {
        pte_same(now, self.entry).then_some(self.frozen)
    }

    /// A place for a destination that only waits to be given back.
    pub(super) fn unused(index: usize) -> Self {
        Self {
            state: State::Refused,
            ..Self::hole(index, 0, 0)
        }
    }

    /// A source of device memory, found by its frame number.
    ///
    /// All its mappings are elsewhere, and its anon_vma finds them until the slot is settled.
    /// [`None`] where there are none.
    pub(super) fn device(src: LockedFolio, index: usize) -> Option<Self> {
        let anon_vma = AnonVma::of(&src)?;
        let (flags, pages) = (src.folio().word_flags(), src.folio().pages());
        // SAFETY: Lock and reference come with `src`.
        let slot = unsafe { Self::source(src.folio(), pages, index, flags, OwnEntry::None, false) };
        // They are the slot's now.
        core::mem::forget(src);
        // INVARIANT: The reference comes with `anon_vma`.
        Some(Self {
            anon_vma: anon_vma.into_raw().as_ptr(),
            ..slot
        })
    }

    /// How far the slot has come.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Whether the driver may give a destination for it.
    pub(crate) fn is_offered(&self) -> bool {
        matches!(self.state, State::Taken | State::Hole) && !self.holds(held::DESTINATION)
    }

    /// The numbers, within the window, of its pages.
    pub(crate) fn pages(&self) -> core::ops::Range<usize> {
        let first = usize::from(self.index);
        first..first + self.count()
    }

    /// The number, within the window, of its first page.
    pub(crate) fn index(&self) -> usize {
        usize::from(self.index)
    }

    /// The binary logarithm of how many pages it has.
    pub(crate) fn order(&self) -> u32 {
        self.count.trailing_zeros()
    }

    /// How many pages it has.
    pub(super) fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Makes a hole one of a lower order, which begins at the same page.
    pub(super) fn shrink_hole(&mut self, order: u32) {
        if self.state == State::Hole {
            self.count = self.count.min(1 << (order as u16 % u16::BITS as u16));
        }
    }

    /// Whether all of `bits` are held.
    pub(crate) fn holds(&self, bits: u8) -> bool {
        self.held & bits == bits
    }

    /// Whether the slot's migration entry is at its own place, and there alone.
    pub(super) fn is_own(&self) -> bool {
        self.holds(held::OWN_ENTRY) && !self.holds(held::OTHER_ENTRIES)
    }

    /// Takes over the duty to replace the migration entry at the slot's own place, if it has one
    /// there alone.
    ///
    /// # Safety
    ///
    /// Where it has, the caller replaces it, if it is still there, before the slot is put.
    pub(super) unsafe fn take_own_entry(&mut self) -> bool {
        let is_own = self.is_own();
        // SAFETY: The caller's promise.
        unsafe { self.forget_own_entry() };
        is_own
    }

    /// Notes that the slot's migration entry is gone: mapped again, or taken away by somebody else.
    ///
    /// # Safety
    ///
    /// It is so before the slot is put, where the slot has one at its own place alone.
    pub(super) unsafe fn forget_own_entry(&mut self) {
        if self.is_own() {
            self.release(held::OWN_ENTRY);
        }
    }

    /// Whether the slot is a hole whose page is ready to fill it.
    pub(super) fn is_charged(&self) -> bool {
        self.state == State::GivenHole && self.holds(held::CHARGED)
    }

    /// Whether the source is memory of a device.
    pub(crate) fn is_of_device(&self) -> bool {
        u64::from(self.flags) & DEVICE != 0
    }

    /// Notes that `bits` are no longer held.
    fn release(&mut self, bits: u8) {
        self.held &= !bits;
    }

    /// The source.
    pub(crate) fn src(&self) -> Option<Folio<'_>> {
        let ptr = NonNull::new(self.src)?;
        // SAFETY: By the type invariants it is locked and referenced by us, or by the fault
        // handler, until the slot is settled.
        Some(unsafe { Folio::from_raw(ptr) })
    }

    /// The destination that is held.
    pub(crate) fn dst(&self) -> Option<Folio<'_>> {
        let ptr = NonNull::new(self.dst)?;
        self.holds(held::DESTINATION).then(|| {
            // SAFETY: By the type invariants it is locked and referenced by us.
            unsafe { Folio::from_raw(ptr) }
        })
    }

    /// The folio that the slot's entries are to map: the destination if it has become the source.
    pub(crate) fn target(&self) -> Option<Folio<'_>> {
        match self.state {
            State::Migrated | State::Filled => self.dst(),
            _ => self.src(),
        }
    }

    /// Takes the source off the LRU.
    ///
    /// # Errors
    ///
    /// [`Reason::NotLru`] where it is on none: in a per-CPU batch, or taken by somebody else.
    pub(crate) fn isolate(&mut self, lists: &mut Lists) -> Result<(), Reason> {
        let isolated = self.src().is_some_and(|src| lists.isolate(src));
        if !isolated {
            return Err(Reason::NotLru);
        }
        // INVARIANT: It is on no list any more.
        self.held |= held::OFF_LRU;
        Ok(())
    }

    /// Puts migration entries where other page tables, or other places, map the source.
    ///
    /// TLB flushes are put off until [`rmap::flush_unmapped`].
    ///
    /// # Context
    ///
    /// May sleep.
    pub(super) fn unmap_others(&mut self) {
        if let Some(src) = self.src() {
            // SAFETY: By the type invariants the lock is ours or the fault handler's, and the slot
            // is not settled before the entries are replaced.
            unsafe { rmap::unmap(src) };
        }
        self.set_unmapped();
    }

    /// Notes that there may be migration entries where the reverse mapping finds them.
    pub(super) fn set_unmapped(&mut self) {
        // INVARIANT: There may always be some.
        self.held |= held::OTHER_ENTRIES;
    }

    /// The word that offers the slot to the driver.
    pub(crate) fn offer(&self) -> PfnWord {
        match self.src() {
            Some(src) => PfnWord::offer(src.pfn(), u64::from(self.flags)),
            None => PfnWord::HOLE,
        }
        .with_order(self.order())
    }

    /// Marks a source as one that stays.
    pub(super) fn refuse(&mut self) {
        if self.state == State::Taken {
            self.state = State::Refused;
        }
    }

    /// Takes a destination over from the driver, and marks it with the slot's number.
    ///
    /// # Safety
    ///
    /// `dst` is fresh, and nobody else knows it. The caller gives its lock and one reference to the
    /// slot, which has no destination yet.
    pub(super) unsafe fn give(
        &mut self,
        dst: NonNull<bindings::folio>,
        word: PfnWord,
        number: usize,
    ) {
        // INVARIANT: The caller's promise.
        self.dst = dst.as_ptr();
        self.held |= held::DESTINATION;
        if let Some(dst) = self.dst() {
            // SAFETY: The folio is locked, fresh, and ours.
            unsafe { dst.set_mark(number) };
        }
        self.dst_flags = if word.has(WRITE) { WRITE as u16 } else { 0 };
        self.state = match self.state {
            State::Hole => State::GivenHole,
            State::Taken => State::Given,
            other => other,
        };
    }

    /// Notes that the destination was not taken; it is given back when the slot is settled.
    pub(super) fn set_failed(&mut self) {
        self.state = match self.state {
            State::GivenHole | State::Hole => State::Hole,
            State::Taken | State::Given | State::Refused => State::Refused,
            moved @ (State::Migrated | State::Filled | State::Settled) => moved,
        };
    }

    /// Whether it has moved, or may still do.
    pub(super) fn may_move(&self) -> bool {
        !matches!(self.state, State::Refused | State::Settled)
    }

    /// Whether the destination has become the source, or has filled the hole.
    pub(crate) fn has_moved(&self) -> bool {
        matches!(self.state, State::Migrated | State::Filled)
    }

    /// The word for the driver's second callback, where it has given a destination; `moved` is
    /// [`Self::has_moved`].
    pub(crate) fn result(&self, moved: bool) -> Option<PfnWord> {
        let flags = u64::from(self.dst_flags);
        let dst = self.dst()?;
        let word = if moved {
            PfnWord::moved_to(dst.pfn(), flags)
        } else {
            PfnWord::failed_for(dst.pfn(), flags)
        };
        Some(word.with_order(dst.order()))
    }

    /// Puts on the LRU what belongs there.
    pub(super) fn return_to_lru(&mut self, lists: &mut Lists) {
        if !self.holds(held::OFF_LRU) {
            return;
        }
        self.release(held::OFF_LRU);
        if let Some(target) = self.target() {
            // SAFETY: It is off the LRU: taken off by us, or fresh from the driver; its lock and a
            // reference are ours.
            unsafe { lists.add(target) };
        }
    }

    /// Replaces the migration entries that the reverse mapping finds.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(super) fn remap_others(&mut self) {
        if !self.holds(held::OTHER_ENTRIES) {
            return;
        }
        if let (Some(src), Some(target)) = (self.src(), self.target()) {
            // SAFETY: By the type invariants the locks are ours or the fault handler's; the target
            // is the source itself, or has become it.
            unsafe { rmap::remap(src, target) };
        }
        // SAFETY: All were found, or were taken away before.
        unsafe { self.set_remapped() };
    }

    /// Notes that no migration entry is left.
    ///
    /// # Safety
    ///
    /// It is so.
    pub(super) unsafe fn set_remapped(&mut self) {
        self.release(held::OTHER_ENTRIES | held::OWN_ENTRY);
    }

    /// The bit that says whether the target's lock and reference are ours.
    fn target_bit(&self) -> u8 {
        match self.state {
            State::Migrated | State::Filled => held::DESTINATION,
            _ => held::SOURCE,
        }
    }

    /// Whether the lock and a reference of the target are ours, to be handed over.
    pub(super) fn has_target(&self) -> bool {
        self.holds(self.target_bit())
    }

    /// Unlocks the target, and leaves our reference to a mapping of it.
    ///
    /// # Safety
    ///
    /// Such a mapping has been made, without a reference of its own, where [`Self::has_target`].
    ///
    /// # Context
    ///
    /// Under the page-table lock under which the mapping was made: nobody can take it away, and the
    /// reference with it, before the folio is unlocked.
    pub(super) unsafe fn hand_over(&mut self) {
        let bit = self.target_bit();
        let Some(target) = self.target().filter(|_| self.holds(bit)) else {
            return;
        };
        // SAFETY: By the type invariants the lock is ours; what says so is cleared below.
        unsafe { target.unlock() };
        if bit == held::SOURCE {
            self.src = core::ptr::null_mut();
        } else {
            self.dst = core::ptr::null_mut();
        }
        self.release(bit);
    }

    /// Gives back every lock, and every reference by way of `puts`.
    ///
    /// # Safety
    ///
    /// No migration entry for the source is left: whoever waits on one waits for the lock.
    pub(super) unsafe fn put(&mut self, puts: &mut Puts<'_>) {
        if let (true, Some(src)) = (self.holds(held::SOURCE), self.src()) {
            if self.state == State::Migrated && !src.is_anon() {
                // Not before: a source without a mapping would be taken for a destination.
                // SAFETY: The file has another folio by now, and the lock is ours.
                unsafe { raw::folio_clear_mapping(src.as_ptr()) };
            }
            // SAFETY: By the type invariants the lock is ours; all of it is cleared below.
            unsafe { src.unlock() };
            if self.state == State::Migrated {
                // SAFETY: The same for the reference; what it was is elsewhere.
                unsafe { discard(src, puts) };
            } else {
                // SAFETY: The same for the reference.
                unsafe { puts.put(src) };
            }
        }
        if let Some(dst) = self.dst() {
            // SAFETY: By the type invariants the lock is ours; all of it is cleared below.
            unsafe { dst.unlock() };
            if self.has_moved() {
                // SAFETY: The same for the reference.
                unsafe { puts.put(dst) };
            } else {
                // SAFETY: The same for the reference; nothing is there.
                unsafe { discard(dst, puts) };
            }
        }
        if let Some(anon_vma) = NonNull::new(self.anon_vma) {
            // SAFETY: By the type invariants the reference is ours; it is cleared below.
            drop(unsafe { AnonVma::from_raw(anon_vma) });
        }
        self.src = core::ptr::null_mut();
        self.dst = core::ptr::null_mut();
        self.anon_vma = core::ptr::null_mut();
        self.release(held::SOURCE | held::DESTINATION | held::CHARGED);
        self.state = State::Settled;
    }
}

/// Gives back the reference to a folio that is of no use any more. One that is broken, and would be
/// used again, is never freed, and charged to nobody.
///
/// # Safety
///
/// The reference is given away. The folio is unlocked, mapped nowhere, and on no list.
#[inline(always)]
unsafe fn discard(folio: Folio<'_>, puts: &mut Puts<'_>) {
    if folio.is_broken_for_good() {
        // SAFETY: A `Folio` is alive; by the caller's promise it is mapped nowhere, and on no list.
        unsafe { raw::mem_cgroup_uncharge(folio.as_ptr()) };
    } else {
        // SAFETY: The caller's promise.
        unsafe { puts.put(folio) };
    }
}
