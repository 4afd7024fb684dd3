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
        Frames,
        Verdict, //
    },
    folio::{
        Folio,
        LockedFolio, //
    },
    scratch::Lent,
    slot::{
        Slot,
        State, //
    },
    stats,
    vma::Window,
    word::{
        Answer,
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

/// The errno with which a driver asks for the pages of a large source by themselves.
const TOO_BIG: i32 = kernel::bindings::E2BIG as i32;

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
/// It stays in the frame of whoever works through the window, so that it is settled whatever becomes
/// of the stages, which lend it to each other.
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
    /// No slots yet.
    #[inline(always)]
    pub(crate) fn new(call: &'s Call, place: &'s Place<'s>, lent: Lent<'s>) -> Self {
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

    /// Ends the time of all slots, which hold nothing any more.
    pub(super) fn forget_slots(&mut self) {
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

    /// Adds a source. To be asked before: [`Self::is_full`].
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
        match self.outcomes.get_mut(pages) {
            Some([one]) => *one = outcome,
            Some(outcomes) => outcomes.fill(outcome),
            None => {}
        }
    }

    /// Notes why pages stay.
    pub(crate) fn leave(&mut self, pages: Range<usize>, reason: Reason) {
        self.note(pages, Outcome::Left(reason));
    }

    /// Notes why all pages stay.
    pub(crate) fn leave_all(&mut self, reason: Reason) {
        self.outcomes.fill(Outcome::Left(reason));
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
                if let Some(outcomes) = self.outcomes.get_mut(slot.pages()) {
                    outcomes.fill(Outcome::Left(reason));
                }
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

    /// Offers the slots to the driver, and takes its answers over.
    pub(crate) fn ask(&mut self, driver: &impl MigrateOps) {
        let mut next = 0;

        // Slots have been collected in order.
        for slot in self.slots.as_slice() {
            if let (true, Some(word)) = (slot.is_offered(), self.words.get(slot.index())) {
                self.clear_words(next..slot.index());
                word.set(slot.offer());
                next = slot.index() + 1;
            }
        }
        self.clear_words(next..self.words.len());
        driver.alloc_and_copy(self.place, self.words);
        self.asked = true;
    }

    /// Reads the answers of a driver that has been asked, and checks each as `commit` comes to it.
    ///
    /// `commit` is given the slots in order. A page that is given twice is known the second time:
    /// by its mapping, or by the mark of the slot that has it.
    pub(crate) fn take_answers(&mut self, mut commit: impl FnMut(&mut Slot) -> Result<(), Reason>) {
        let mut number = 0;

        // A hole that is filled in parts adds slots behind those that there are.
        while self.asked && number < self.len() {
            self.take_answer(number, &mut commit);
            number += 1;
        }
    }

    #[inline(always)]
    fn take_answer(
        &mut self,
        number: usize,
        commit: &mut impl FnMut(&mut Slot) -> Result<(), Reason>,
    ) {
        let slot = match self.slots.as_slice().get(number) {
            Some(slot) if slot.is_offered() => slot,
            _ => return,
        };
        let (index, order, is_hole) = (slot.index(), slot.order(), slot.src().is_none());
        let (errno, result) = match self.word(index).answer() {
            Answer::Declined(Some(TOO_BIG)) if order > 0 && !is_hole => {
                self.take_unused(number);
                self.call.ask_for_smaller();
                (None, Err(Reason::Partial))
            }
            Answer::Declined(errno) => {
                if is_hole {
                    self.cut_hole(number, 0);
                } else {
                    self.take_unused(number);
                }
                (errno, Err(Reason::Declined))
            }
            Answer::Given(word) if is_hole => {
                let order = if word.order() < order {
                    self.cut_hole(number, word.order())
                } else {
                    order
                };
                (None, self.accept(number, word, order))
            }
            Answer::Given(word) if destination::is_unfit(word, order) => {
                self.take_unused(number);
                self.call.ask_for_smaller();
                (None, Err(Reason::Partial))
            }
            Answer::Given(word) => (None, self.accept(number, word, order)),
        };
        let result =
            result.and_then(|()| self.slot_mut(number).map_or(Err(Reason::Declined), commit));
        if let Err(reason) = result {
            self.note_driver_error(number, reason, errno);
            self.fail(number, reason);
        }
    }

    /// Makes a hole as small as the first destination for it; the rest becomes holes of one page,
    /// or of the order of the next destination. Says the order that the hole has now.
    fn cut_hole(&mut self, number: usize, order: u32) -> u32 {
        let Some(slot) = self.slot_mut(number) else {
            return 0;
        };
        if slot.order() <= order {
            return slot.order();
        }
        let whole = slot.pages();
        slot.shrink_hole(order);
        let mut index = whole.start + (1 << order);
        while index < whole.end {
            let order = self.fitting_order(index, &whole);
            self.push_hole(index, order);
            index += 1 << order;
        }
        order
    }

    /// Takes over the destinations that a driver has given for parts of a large source, or for all
    /// of it in vain; they are given back.
    fn take_unused(&mut self, number: usize) {
        let Some(whole) = self.slot_mut(number).map(|slot| slot.pages()) else {
            return;
        };
        let mut index = whole.start;
        while index < whole.end {
            let order = self.fitting_order(index, &whole);
            if let Answer::Given(word) = self.word(index).answer() {
                let mut taker = number;
                if index != whole.start {
                    taker = self.len();
                    self.push(Slot::unused(index));
                }
                // Good or not, nothing is moved to it.
                let _ = self.accept(taker, word, order);
                if let Some(slot) = self.slot_mut(taker) {
                    slot.set_failed();
                }
            }
            index += 1 << order;
        }
    }

    /// The order of the driver's word for a page, if a folio of that order fits into `whole` there.
    fn fitting_order(&self, index: usize, whole: &Range<usize>) -> u32 {
        match self.word(index).answer() {
            Answer::Given(word) => {
                let pages = 1 << word.order();
                let fits = (index - whole.start) % pages == 0 && index + pages <= whole.end;
                if fits {
                    word.order()
                } else {
                    0
                }
            }
            Answer::Declined(_) => 0,
        }
    }

    /// Notes an error of the driver's that the process must learn of: its CPU waits for a page of
    /// the device. Whatever else is there now, the access is repeated.
    fn note_driver_error(&self, number: usize, reason: Reason, errno: Option<i32>) {
        let slot = self.slots.as_slice().get(number);
        let waits = slot.is_some_and(|slot| slot.is_of_device() && slot.offer().has(FAULT));
        if waits && matches!(reason, Reason::Declined | Reason::BadDestination) {
            self.call.set_fault_error(errno.unwrap_or(0));
        }
    }

    /// Checks a destination, which is to be of an order, and takes it over as far as it is one.
    #[inline(always)]
    fn accept(&mut self, number: usize, word: PfnWord, order: u32) -> Result<(), Reason> {
        let slots = self.slots.as_slice();
        // A fresh folio that is some slot's already bears its number.
        let has = |dst: Folio<'_>| slots.get(dst.mark()).and_then(Slot::dst) == Some(dst);
        let verdict = destination::check(word, order, &self.call.policy, &mut self.frames, has);
        let slot = self.slot_mut(number).ok_or(Reason::BadDestination)?;
        let (dst, result) = match verdict {
            Verdict::Good(dst) => (dst, Ok(())),
            Verdict::GiveBack(dst) => (dst, Err(Reason::BadDestination)),
            Verdict::Ignore => return Err(Reason::BadDestination),
        };
        // SAFETY: The driver's contract, as far as it can be checked: locked, referenced, mapped
        // nowhere, and in no other slot.
        unsafe { slot.give(dst, word, number) };
        result
    }

    /// Notes why a slot's source stays, or its hole is not filled.
    fn fail(&mut self, number: usize, reason: Reason) {
        let Some(slot) = self.slot_mut(number) else {
            return;
        };
        slot.set_failed();
        let pages = slot.pages();
        self.note(pages, Outcome::Left(reason));
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
                if let Some(outcomes) = self.outcomes.get_mut(slot.pages()) {
                    outcomes.fill(Outcome::Left(reason));
                }
            }
        }
    }

    /// The number of the next slot in a state.
    pub(super) fn find(&self, from: usize, state: State) -> Option<usize> {
        let rest = self.slots.as_slice().get(from..)?;
        Some(from + rest.iter().position(|slot| slot.state() == state)?)
    }

    /// Writes what became of each offer for the driver, and tells it.
    pub(crate) fn tell(&mut self, driver: &impl MigrateOps) {
        let mut next = 0;

        for number in 0..self.len() {
            let Some(slot) = self.slots.as_slice().get(number) else {
                break;
            };
            let moved = slot.has_moved();
            let (first, pages) = (slot.index(), slot.pages());
            let result = slot.result(moved);
            if moved {
                stats::count_moved(slot.src(), slot.dst(), slot.order());
            }
            if first == next {
                next += if moved { pages.len() } else { 1 };
            } else if first > next {
                self.clear_words(next..first);
                next = if moved { pages.end } else { first + 1 };
            } else {
                // Parts of what could not move as one come last.
                self.clear_words(next..self.words.len());
                next = self.words.len();
            }
            if moved {
                self.note(pages, Outcome::Moved);
            }
            let result = result.or_else(|| {
                let outcome = self.outcomes.get(first).copied();
                outcome.map(PfnWord::outcome)
            });
            if let (Some(result), Some(word)) = (result, self.words.get(first)) {
                word.set(result);
            }
        }
        self.clear_words(next..self.words.len());
        driver.finalize_and_map(self.place, self.words);
        self.name_again();
    }

    /// Says nothing in these words.
    fn clear_words(&self, words: Range<usize>) {
        let words = self.words.get(words).unwrap_or_default();
        words.iter().for_each(|word| word.set(PfnWord::NOTHING));
    }

    /// Writes the frame numbers of what is taken up again, which only its slots have by now.
    fn name_again(&self) {
        if !matches!(self.place, Place::Device { .. }) {
            return;
        }
        for slot in self.slots.as_slice() {
            let pages = slot.pages();
            let left = self.outcomes.get(pages.start) == Some(&Outcome::Left(Reason::Partial));
            let Some(src) = slot.src().filter(|_| left) else {
                continue;
            };
            for (pfn, word) in src.pfns().zip(self.words.get(pages).unwrap_or_default()) {
                word.set(PfnWord::offer(pfn, 0));
            }
        }
    }
}
