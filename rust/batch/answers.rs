// SPDX-License-Identifier: GPL-2.0

//! The dialogue with the driver: what it is offered, what it answers, what it is told.

use super::Batch;
use crate::mm::{
    call::MigrateOps,
    destination::{
        self,
        Verdict, //
    },
    folio::Folio,
    place::Place,
    slot::Slot,
    stats,
    word::{
        Answer,
        Outcome,
        PfnWord,
        Reason,
        FAULT, //
    },
};
use core::ops::Range;

/// The errno with which a driver asks for the pages of a large source by themselves.
const TOO_BIG: i32 = kernel::bindings::E2BIG as i32;

impl Batch<'_> {
    /// Offers the slots to the driver, and takes its answers over.
    ///
    /// # Context
    ///
    /// May sleep.
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
        if self.words.len() == self.place.pages() {
            // SAFETY: There are as many words as pages. Slots that are offered have not been
            // settled, and hold the locks of their sources, or the fault handler does.
            unsafe { driver.alloc_and_copy(self.place, self.words) };
            self.asked = true;
        }
    }

    /// Reads the answers of a driver that has been asked, and checks each as `commit` comes to it.
    ///
    /// `commit` is given the slots in order. A page that is given twice is known the second time:
    /// by its mapping, or by the mark of the slot that has it.
    ///
    /// # Context
    ///
    /// May sleep.
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

    /// Makes a hole as small as the first destination for it, and says its order then.
    ///
    /// The rest becomes holes of one page, or of the order of the next destination.
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
    /// the device.
    ///
    /// Whatever else is there now, the access is repeated.
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
        // nowhere, and in no other slot. The slot has none yet, or would not be offered.
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

    /// Writes what became of each offer for the driver, and tells it.
    ///
    /// # Context
    ///
    /// May sleep.
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
        if self.asked {
            // SAFETY: It has been asked with the same words, and slots hold the locks of their
            // destinations until they are settled.
            unsafe { driver.finalize_and_map(self.place, self.words) };
        }
        self.name_again();
    }

    /// Says nothing in these words.
    fn clear_words(&self, words: Range<usize>) {
        let words = self.words.get(words).unwrap_or_default();
        words.iter().for_each(|word| word.set(PfnWord::NOTHING));
    }

    /// Writes the frame numbers of what is taken up again, which only its slots have by now.
    ///
    /// What the driver has left in the words names no page that the caller has named.
    fn name_again(&self) {
        if !matches!(self.place, Place::Device { .. }) {
            return;
        }
        self.clear_words(0..self.words.len());
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
