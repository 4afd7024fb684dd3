// SPDX-License-Identifier: GPL-2.0

//! The sources and holes of one window, and all that must be given back for them.

use super::{
    call::{
        Call,
        MigrateOps,
        Place, //
    },
    destination::{
        self,
        Verdict, //
    },
    scratch::Lent,
    slot::{
        held,
        Slot,
        State, //
    },
    stats,
    word::{
        Answer,
        Outcome,
        PfnWord,
        Reason,
        FAULT, //
    },
};
use core::mem::MaybeUninit;

/// Which slots a step of settling is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that have been refused.
    Refused,
    /// All.
    All,
}

impl Which {
    fn has(self, slot: &Slot) -> bool {
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
    fn push(&mut self, slot: Slot) -> Result<(), Slot> {
        match self.memory.get_mut(self.len) {
            Some(place) => {
                place.write(slot);
                // INVARIANT: One more is initialised.
                self.len += 1;
                Ok(())
            }
            None => Err(slot),
        }
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
/// routine, [`crate::finalize::settle_slots`]. It never holds a lock that forbids sleeping.
pub(crate) struct Batch<'s> {
    call: &'s Call,
    place: Place<'s>,
    slots: Slots<'s>,
    outcomes: &'s mut [Outcome],
    words: &'s mut [PfnWord],
    /// How many slots have a destination that could not be used.
    failed: usize,
}

impl<'s> Batch<'s> {
    /// A batch without slots.
    pub(crate) fn new(call: &'s Call, place: Place<'s>, lent: Lent<'s>) -> Self {
        lent.outcomes.fill(Outcome::Left(Reason::Nothing));
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
            failed: 0,
        }
    }

    /// The call that the window is part of.
    pub(crate) fn call(&self) -> &'s Call {
        self.call
    }

    /// Where the window is.
    pub(crate) fn place(&self) -> Place<'s> {
        self.place
    }

    /// How many slots there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len
    }

    /// A slot by its number.
    pub(crate) fn slot_mut(&mut self, number: usize) -> Option<&mut Slot> {
        self.slots.as_mut_slice().get_mut(number)
    }

    /// The word that the caller wrote for a page.
    pub(crate) fn word(&self, index: usize) -> PfnWord {
        self.words.get(index).copied().unwrap_or(PfnWord::NOTHING)
    }

    /// Adds a source. There is a slot for each page of a window, so that there is always room.
    pub(crate) fn push(&mut self, slot: Slot) {
        let pages = slot.pages();
        self.note(pages, Outcome::Left(Reason::Raced));
        if let Err(mut slot) = self.slots.push(slot) {
            debug_assert!(false);
            // Nothing of ours may be lost, whatever went wrong.
            slot.remap_others();
            slot.put();
        }
    }

    /// Adds a hole.
    pub(crate) fn push_hole(&mut self, index: usize) {
        let fault = match self.place {
            Place::Vma(window) => self.call.is_fault_at(window.addr(index)),
            Place::Device { .. } => false,
        };
        self.push(Slot::hole(index, if fault { FAULT } else { 0 }));
    }

    fn note(&mut self, pages: core::ops::Range<usize>, outcome: Outcome) {
        if let Some(outcomes) = self.outcomes.get_mut(pages) {
            outcomes.fill(outcome);
        }
    }

    /// Notes why a page stays.
    pub(crate) fn leave(&mut self, index: usize, reason: Reason) {
        self.note(index..index + 1, Outcome::Left(reason));
    }

    /// Notes why all pages stay.
    pub(crate) fn leave_all(&mut self, reason: Reason) {
        self.outcomes.fill(Outcome::Left(reason));
    }

    /// Whether any slot is to be offered to the driver.
    pub(crate) fn has_offers(&self) -> bool {
        self.slots
            .as_slice()
            .iter()
            .any(Slot::is_offered)
    }

    /// Whether any slot of `which` has a migration entry at its own place, and there alone.
    pub(crate) fn has_own_entries(&self, which: Which) -> bool {
        self.slots
            .as_slice()
            .iter()
            .any(|slot| which.has(slot) && is_own(slot))
    }

    /// Does a step for each source; one that fails is marked as refused, with the reason.
    pub(crate) fn each_source(&mut self, mut step: impl FnMut(&mut Slot) -> Result<(), Reason>) {
        for slot in self.slots.as_mut_slice() {
            if slot.state() != State::Taken {
                continue;
            }
            if let Err(reason) = step(slot) {
                slot.refuse();
                if let Some(outcomes) = self.outcomes.get_mut(slot.pages()) {
                    outcomes.fill(Outcome::Left(reason));
                }
            }
        }
    }

    /// Does a step of settling for each slot of `which`.
    pub(crate) fn each(&mut self, which: Which, mut step: impl FnMut(&mut Slot)) {
        for slot in self.slots.as_mut_slice() {
            if which.has(slot) {
                step(slot);
            }
        }
    }

    /// Whether the slot with this number is to be mapped again in its own page table.
    pub(crate) fn is_own_entry(&self, number: usize, which: Which) -> bool {
        self.slots
            .as_slice()
            .get(number)
            .is_some_and(|slot| which.has(slot) && is_own(slot))
    }

    /// Offers the slots to the driver, and takes its answers over.
    pub(crate) fn ask(&mut self, driver: &impl MigrateOps) {
        self.words.fill(PfnWord::NOTHING);
        for slot in self.slots.as_slice() {
            if let (true, Some(word)) = (slot.is_offered(), self.words.get_mut(slot.index())) {
                *word = slot.offer();
            }
        }
        driver.alloc_and_copy(&self.place, self.words);
    }

    /// Reads the driver's answers, once, and checks each as `commit` comes to it.
    ///
    /// `commit` is given the slots in order, so that a page that is given twice has a mapping the
    /// second time.
    pub(crate) fn take_answers(&mut self, mut commit: impl FnMut(&mut Slot) -> Result<(), Reason>) {
        for number in 0..self.len() {
            let index = match self.slots.as_slice().get(number) {
                Some(slot) if slot.is_offered() => slot.index(),
                _ => continue,
            };
            let result = match self.word(index).answer() {
                Answer::Declined(errno) => {
                    self.note_decline(number, errno);
                    Err(Reason::Declined)
                }
                Answer::Given(word) => self.accept(number, word).and_then(|()| {
                    self.slot_mut(number)
                        .map_or(Err(Reason::Declined), &mut commit)
                }),
            };
            if let Err(reason) = result {
                self.fail(number, reason);
            }
        }
    }

    fn note_decline(&self, number: usize, errno: Option<i32>) {
        let at_fault = self
            .slots
            .as_slice()
            .get(number)
            .is_some_and(|slot| slot.offer().has(FAULT));
        if at_fault {
            self.call.set_fault_errno(errno.unwrap_or(0));
        }
    }

    /// Checks a destination, and takes it over as far as it is one.
    fn accept(&mut self, number: usize, word: PfnWord) -> Result<(), Reason> {
        let slot = self.slots.as_slice().get(number);
        let src = slot.and_then(Slot::src).map(|src| src.pfn());
        let verdict = destination::check(word, src, &self.call.policy, |pfn| self.has_failed(pfn));
        let slot = self.slot_mut(number).ok_or(Reason::BadDestination)?;
        match verdict {
            Verdict::Good(dst) => {
                // SAFETY: The driver's contract, as far as it can be checked: fresh, locked,
                // referenced, and in no other slot.
                unsafe { slot.give(dst, word) };
                Ok(())
            }
            Verdict::GiveBack(dst) => {
                // SAFETY: As above; it is locked, mapped nowhere, and in no other slot.
                unsafe { slot.give(dst, word) };
                Err(Reason::BadDestination)
            }
            Verdict::Ignore => Err(Reason::BadDestination),
        }
    }

    /// Whether a slot holds this destination, and could not use it.
    ///
    /// Such a page is still fresh, but it is no longer the driver's to give.
    fn has_failed(&self, pfn: usize) -> bool {
        let holds_it = |slot: &Slot| {
            slot.has_failed_dst() && slot.dst().is_some_and(|dst| dst.pfn() == pfn)
        };
        self.failed != 0 && self.slots.as_slice().iter().any(holds_it)
    }

    /// Whether the page for a hole has become another slot's meanwhile.
    pub(crate) fn was_given_twice(&self, number: usize) -> bool {
        let slot = self.slots.as_slice().get(number);
        slot.and_then(Slot::dst)
            .is_some_and(|dst| dst.has_mapping() || self.has_failed(dst.pfn()))
    }

    /// Leaves a hole whose page is another slot's.
    pub(crate) fn drop_duplicate(&mut self, number: usize) {
        if let Some(slot) = self.slot_mut(number) {
            destination::warn_duplicate(slot.dst());
            slot.forget_dst();
        }
        self.fail(number, Reason::BadDestination);
    }

    /// Notes why a slot's source stays, or its hole is not filled.
    pub(crate) fn fail(&mut self, number: usize, reason: Reason) {
        let Some(slot) = self.slot_mut(number) else {
            return;
        };
        slot.set_failed();
        let pages = slot.pages();
        let failed = slot.has_failed_dst();
        self.failed += usize::from(failed);
        self.note(pages, Outcome::Left(reason));
    }

    /// The numbers of the slots in a state.
    pub(crate) fn find(&self, from: usize, state: State) -> Option<usize> {
        let rest = self.slots.as_slice().get(from..)?;
        Some(from + rest.iter().position(|slot| slot.state() == state)?)
    }

    /// Writes what became of each offer for the driver, and tells it.
    pub(crate) fn tell(&mut self, driver: &impl MigrateOps) {
        for number in 0..self.len() {
            let slot = match self.slots.as_slice().get(number) {
                Some(slot) if slot.state() != State::Settled => slot,
                _ => continue,
            };
            let (pages, index) = (slot.pages(), slot.index());
            let moved = matches!(slot.state(), State::Migrated | State::Filled);
            if moved {
                stats::count_moved(slot.src(), slot.dst(), pages.len());
            }
            let otherwise = self
                .outcomes
                .get(index)
                .map_or(PfnWord::NOTHING, |outcome| PfnWord::outcome(*outcome));
            let word = slot.result(otherwise);
            if let Some(place) = self.words.get_mut(index) {
                *place = word;
            }
            if moved {
                self.note(pages, Outcome::Moved);
            }
        }
        driver.finalize_and_map(&self.place, self.words);
    }
}

/// Whether a slot's migration entries are all at its own place.
fn is_own(slot: &Slot) -> bool {
    slot.holds(held::OWN_ENTRY) && !slot.holds(held::OTHER_ENTRIES)
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        crate::finalize::settle_slots(self, Which::All);
    }
}
