// SPDX-License-Identifier: GPL-2.0

//! The sources and holes of one window, and all that must be given back for them.

mod answers;

use super::{
    call::Call,
    destination::Frames,
    held_folio::LockedFolio,
    place::Place,
    scratch::Lent,
    slot::{
        Slot,
        State, //
    },
    vma::Window,
    word::{
        Outcome,
        PfnWord,
        Reason,
        FAULT,
        VALID, //
    },
};
use core::{
    cell::Cell,
    mem::MaybeUninit,
    ops::Range, //
};

/// Which slots a step of settling is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that have been refused.
    Refused,
    /// All.
    All,
}

impl Which {
    pub(super) fn has(self, slot: &Slot) -> bool {
        self == Which::All || slot.state() == State::Refused
    }
}

/// Slots in memory that somebody lends.
///
/// # Invariants
///
/// The first `len` are initialised.
struct Slots<'s> {
    memory: &'s mut [MaybeUninit<Slot>],
    len: usize,
}

impl Slots<'_> {
    /// Adds a slot. There is room: a window has a slot for each page, and none has two.
    #[inline(always)]
    fn push(&mut self, slot: Slot) -> bool {
        let place = self.memory.get_mut(self.len);
        let has_room = place.is_some();
        if let Some(place) = place {
            place.write(slot);
            // INVARIANT: One more is initialised.
            self.len += 1;
        }
        has_room
    }

    fn as_slice(&self) -> &[Slot] {
        // SAFETY: By the type invariants the first `len` are initialised.
        unsafe { core::slice::from_raw_parts(self.memory.as_ptr().cast(), self.len) }
    }

    fn as_mut_slice(&mut self) -> &mut [Slot] {
        // SAFETY: As above, and the memory is lent for writing.
        unsafe { core::slice::from_raw_parts_mut(self.memory.as_mut_ptr().cast(), self.len) }
    }
}

/// A window's sources, from the first migration entry to the last reference.
///
/// Dropping it restores what has not migrated and completes what has: commit and rollback are one
/// routine, [`Batch::settle`]. It never holds a lock that forbids sleeping.
///
/// It stays in the frame of [`Batch::with`], so that it is settled whatever becomes of the stages,
/// which lend it to each other: nobody can forget it.
pub(crate) struct Batch<'s> {
    call: &'s Call,
    place: &'s Place<'s>,
    slots: Slots<'s>,
    outcomes: &'s mut [Outcome],
    words: &'s [Cell<PfnWord>],
    frames: Frames,
    /// Whether the words are the driver's answers.
    asked: bool,
    /// Sources that have been refused since refused ones were settled.
    refused: usize,
    /// Whether some source is, or was, mapped elsewhere too.
    mapped_elsewhere: bool,
    has: Kinds,
}

/// What kinds of slots there are or were, so that nobody looks at all of them for one.
#[derive(Clone, Copy, Default)]
struct Kinds {
    sources: bool,
    system_sources: bool,
    holes: bool,
}

impl<'s> Batch<'s> {
    /// Lends a batch without slots to `work`, and settles it afterwards.
    ///
    /// # Context
    ///
    /// May sleep.
    #[inline(always)]
    pub(crate) fn with<R>(
        call: &'s Call,
        place: &'s Place<'s>,
        lent: Lent<'s>,
        work: impl FnOnce(&mut Self) -> R,
    ) -> R {
        work(&mut Self::new(call, place, lent))
    }

    /// No slots yet.
    #[inline(always)]
    pub(super) fn new(call: &'s Call, place: &'s Place<'s>, lent: Lent<'s>) -> Self {
        if !call.is_again() {
            // Where pages were found that are gone by now, others may have them.
            let reason = match place {
                Place::Run { .. } => Reason::Raced,
                Place::Vma(_) | Place::Device { .. } => Reason::Nothing,
            };
            lent.outcomes.fill(Outcome::Left(reason));
        }
        Self {
            call,
            place,
            // INVARIANT: None is initialised.
            slots: Slots {
                memory: lent.slots,
                len: 0,
            },
            outcomes: lent.outcomes,
            words: lent.words,
            frames: Frames::NONE,
            asked: false,
            refused: 0,
            mapped_elsewhere: false,
            has: Kinds::default(),
        }
    }

    /// The call that the window is part of.
    pub(crate) fn call(&self) -> &'s Call {
        self.call
    }

    /// Where the window is.
    pub(crate) fn place(&self) -> &'s Place<'s> {
        self.place
    }

    /// How many pages are still to be moved; before there are slots, those of the window.
    pub(super) fn pages(&self) -> usize {
        if self.len() == 0 {
            return self.place.pages();
        }
        let slots = self.slots.as_slice().iter();
        slots.filter(|slot| slot.may_move()).map(Slot::count).sum()
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len
    }

    /// Ends the time of all slots.
    ///
    /// # Safety
    ///
    /// They hold nothing any more.
    pub(super) unsafe fn forget_slots(&mut self) {
        // INVARIANT: None is needed.
        self.slots.len = 0;
    }

    /// Slots by their numbers.
    pub(super) fn slots(&self, numbers: Range<usize>) -> &[Slot] {
        self.slots.as_slice().get(numbers).unwrap_or_default()
    }

    /// Slots by their numbers.
    pub(super) fn slots_mut(&mut self, numbers: Range<usize>) -> &mut [Slot] {
        let slots = self.slots.as_mut_slice().get_mut(numbers);
        slots.unwrap_or_default()
    }

    /// A slot by its number.
    pub(super) fn slot_mut(&mut self, number: usize) -> Option<&mut Slot> {
        self.slots.as_mut_slice().get_mut(number)
    }

    /// The word that the caller wrote for a page.
    pub(crate) fn word(&self, index: usize) -> PfnWord {
        self.words.get(index).map_or(PfnWord::NOTHING, Cell::get)
    }

    /// Whether no slot is left. There is one for each page of a window, so that it does not happen.
    pub(super) fn is_full(&self) -> bool {
        self.slots.len == self.slots.memory.len()
    }

    /// Whether sources may be mapped elsewhere than in the window's page table.
    pub(crate) fn is_mapped_elsewhere(&self) -> bool {
        self.mapped_elsewhere
    }

    /// Notes that a source is mapped elsewhere.
    pub(super) fn set_mapped_elsewhere(&mut self) {
        self.mapped_elsewhere = true;
    }

    /// Whether there are sources.
    pub(crate) fn has_sources(&self) -> bool {
        self.has.sources
    }

    /// Whether there are sources that are not memory of a device.
    pub(crate) fn has_system_sources(&self) -> bool {
        self.has.system_sources
    }

    /// Whether there are holes.
    pub(crate) fn has_holes(&self) -> bool {
        self.has.holes
    }

    /// Whether pages of files may be in it.
    pub(crate) fn may_have_files(&self) -> bool {
        let window = self.place.window();
        self.call.policy.to_system() && window.is_some_and(|window| !window.range().is_anonymous())
    }

    /// Adds a folio of device memory, which is mapped wherever its reverse mapping says.
    ///
    /// # Errors
    ///
    /// [`Reason::NotMapped`] where that is nowhere.
    pub(crate) fn push_device(&mut self, src: LockedFolio, index: usize) -> Result<(), Reason> {
        let slot = Slot::device(src, index).ok_or(Reason::NotMapped)?;
        self.mapped_elsewhere = true;
        self.push_source(slot);
        Ok(())
    }

    /// Adds a source.
    ///
    /// To be asked before: [`Self::is_full`].
    #[inline(always)]
    pub(super) fn push_source(&mut self, slot: Slot) {
        self.has.sources = true;
        self.has.system_sources |= !slot.is_of_device();
        self.push(slot);
    }

    #[inline(always)]
    fn push(&mut self, slot: Slot) {
        let pages = slot.pages();
        if self.slots.push(slot) {
            self.note(pages, Outcome::Left(Reason::Raced));
        }
    }

    /// Adds a hole of `1 << order` pages.
    pub(crate) fn push_hole(&mut self, index: usize, order: u32) {
        let fault = match self.place {
            Place::Vma(window) => {
                let addrs = window.addr(index)..window.addr(index + (1 << order));
                self.call.is_fault_in(addrs)
            }
            Place::Run { .. } | Place::Device { .. } => false,
        };
        self.has.holes = true;
        self.push(Slot::hole(index, order, if fault { FAULT } else { 0 }));
    }

    /// Whether a page is one for this round: all are, until what is left of large folios is taken
    /// up again.
    pub(crate) fn is_wanted(&self, index: usize) -> bool {
        !self.call.is_again() || self.outcomes.get(index) == Some(&Outcome::Left(Reason::Partial))
    }

    /// Whether the caller's words from a page on name these frames, one after the other.
    pub(crate) fn has_pfns(&self, index: usize, mut pfns: Range<usize>) -> bool {
        let first = pfns.start;
        pfns.all(|pfn| {
            let word = self.word(index + pfn - first);
            word.has(VALID) && word.pfn() == pfn
        })
    }

    fn note(&mut self, pages: Range<usize>, outcome: Outcome) {
        note(self.outcomes, pages, outcome);
    }

    /// Notes why pages stay.
    pub(crate) fn leave(&mut self, pages: Range<usize>, reason: Reason) {
        self.note(pages, Outcome::Left(reason));
    }

    /// Notes why all pages stay that are for this round.
    pub(crate) fn leave_all(&mut self, reason: Reason) {
        for index in 0..self.outcomes.len() {
            if self.is_wanted(index) {
                self.leave(index..index + 1, reason);
            }
        }
    }

    /// Whether any slot is to be offered to the driver.
    pub(crate) fn has_offers(&self) -> bool {
        self.slots.as_slice().iter().any(Slot::is_offered)
    }

    /// Whether any slot of `which` has a migration entry at its own place, and there alone.
    pub(super) fn has_own_entries(&self, which: Which) -> bool {
        self.slots
            .as_slice()
            .iter()
            .any(|slot| which.has(slot) && slot.is_own())
    }

    /// Does a step for each source; one that fails is marked as refused, with the reason.
    pub(crate) fn each_source(&mut self, mut step: impl FnMut(&mut Slot) -> Result<(), Reason>) {
        for slot in self.slots.as_mut_slice() {
            if slot.state() != State::Taken {
                continue;
            }
            if let Err(reason) = step(slot) {
                slot.refuse();
                self.refused += 1;
                note(self.outcomes, slot.pages(), Outcome::Left(reason));
            }
        }
    }

    /// Does a step of settling for each slot of `which`.
    pub(super) fn each(&mut self, which: Which, mut step: impl FnMut(&mut Slot)) {
        for slot in self.slots.as_mut_slice() {
            if which.has(slot) {
                step(slot);
            }
        }
    }

    /// Whether the slot with this number is one of `which`.
    pub(super) fn is_one_of(&self, number: usize, which: Which) -> bool {
        let slot = self.slots.as_slice().get(number);
        slot.is_some_and(|slot| which.has(slot))
    }

    /// How many slots have been refused since this was called last.
    pub(super) fn take_refused(&mut self) -> usize {
        core::mem::take(&mut self.refused)
    }

    /// The order of a slot.
    pub(super) fn order(&self, number: usize) -> u32 {
        self.slots.as_slice().get(number).map_or(0, Slot::order)
    }

    /// Finds out whether the page for a hole can be charged to the process.
    ///
    /// # Errors
    ///
    /// As for [`Slot::try_charge`].
    pub(super) fn try_charge(&self, number: usize, window: &Window<'_>) -> Result<(), Reason> {
        let slot = self.slots.as_slice().get(number);
        slot.map_or(Err(Reason::Raced), |slot| slot.try_charge(window))
    }

    /// Does a step for each hole that has a page to fill it; one that fails stays a hole, with the
    /// reason.
    pub(super) fn each_given_hole(
        &mut self,
        mut step: impl FnMut(&mut Slot) -> Result<(), Reason>,
    ) {
        for slot in self.slots.as_mut_slice() {
            if slot.state() != State::GivenHole {
                continue;
            }
            if let Err(reason) = step(slot) {
                slot.set_failed();
                note(self.outcomes, slot.pages(), Outcome::Left(reason));
            }
        }
    }

    /// The number of the next slot in a state.
    pub(super) fn find(&self, from: usize, state: State) -> Option<usize> {
        let rest = self.slots.as_slice().get(from..)?;
        Some(from + rest.iter().position(|slot| slot.state() == state)?)
    }
}

/// Notes what became of pages, which is mostly one.
fn note(outcomes: &mut [Outcome], pages: Range<usize>, outcome: Outcome) {
    match outcomes.get_mut(pages) {
        Some([one]) => *one = outcome,
        Some(outcomes) => outcomes.fill(outcome),
        None => {}
    }
}
