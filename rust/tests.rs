// SPDX-License-Identifier: GPL-2.0

//! Tests of the bookkeeping: what needs neither a page table nor a page.

use kernel::prelude::*;

#[kunit_tests(hmm_migrate_batch)]
mod bookkeeping {
    use crate::mm::{
        batch::Batch,
        call::{
            Call,
            MigrateOps,
            Policy,
            Retry, //
        },
        place::Place,
        raw,
        scratch::{
            Scratch,
            Short,
            Words, //
        },
        slot::State,
        word::{
            Outcome,
            PfnWord,
            Reason,
            EMPTY,
            ERROR,
            MIGRATE, //
        },
    };
    use core::{
        cell::Cell,
        ptr::null_mut, //
    };
    use kernel::prelude::*;

    const PAGES: usize = 4;

    const FROM_SYSTEM: usize = raw::hmm_migrate_flags_HMM_MIGRATE_FROM_SYSTEM as usize;
    const FROM_DEVICE: usize = raw::hmm_migrate_flags_HMM_MIGRATE_FROM_DEVICE as usize;
    const TO_SYSTEM: usize = raw::hmm_migrate_flags_HMM_MIGRATE_TO_SYSTEM as usize;

    fn an_owner() -> *mut c_void {
        static OWNER: u8 = 0;
        core::ptr::from_ref(&OWNER).cast_mut().cast()
    }

    fn a_call() -> Result<Call> {
        Ok(Call::new(Policy::new(0, null_mut())?, None))
    }

    /// A driver that leaves everything, and counts how often it is asked and told.
    #[derive(Default)]
    struct Declining {
        asked: Cell<usize>,
        told: Cell<usize>,
        offered: Cell<usize>,
    }

    // SAFETY: It gives no destination.
    unsafe impl MigrateOps for Declining {
        unsafe fn alloc_and_copy(&self, _: &Place<'_>, words: &[Cell<PfnWord>]) {
            self.asked.set(self.asked.get() + 1);
            let offered = words.iter().filter(|word| word.get().has(EMPTY)).count();
            self.offered.set(offered);
        }

        unsafe fn finalize_and_map(&self, _: &Place<'_>, _: &[Cell<PfnWord>]) {
            self.told.set(self.told.get() + 1);
        }
    }

    #[test]
    fn a_batch_has_what_was_put_into_it() -> Result {
        let (mut short, call) = (Short::new(), a_call()?);
        let mut scratch = Scratch::new(&mut short, PAGES, Words::Own);
        let place = Place::Device {
            first: 0,
            pages: PAGES,
        };
        let mut batch = Batch::new(&call, &place, scratch.lend(0, PAGES));

        assert!(!batch.has_offers());
        batch.leave(0..1, Reason::Kind);
        batch.push_hole(1, 0);
        batch.push_hole(3, 0);
        assert!(batch.has_offers());
        assert_eq!(batch.len(), 2);
        assert_eq!(batch.find(0, State::Hole), Some(0));
        assert_eq!(batch.find(1, State::Hole), Some(1));
        assert_eq!(batch.find(2, State::Hole), None);
        assert_eq!(batch.find(9, State::Hole), None);
        assert_eq!(batch.find(0, State::Taken), None);
        Ok(())
    }

    #[test]
    fn declined_holes_are_told_of_and_left() -> Result {
        let (mut short, call) = (Short::new(), a_call()?);
        let driver = Declining::default();
        let mut scratch = Scratch::new(&mut short, PAGES, Words::Own);
        let place = Place::Device {
            first: 0,
            pages: PAGES,
        };
        let mut batch = Batch::new(&call, &place, scratch.lend(0, PAGES));

        batch.leave(0..1, Reason::Pinned);
        batch.push_hole(2, 0);
        batch.ask(&driver);
        batch.take_answers(|_| Ok(()));
        batch.tell(&driver);
        drop(batch);

        assert_eq!(driver.asked.get(), 1);
        assert_eq!(driver.offered.get(), 1);
        assert_eq!(driver.told.get(), 1);
        let outcomes = scratch.finish(0, PAGES);
        assert_eq!(outcomes.len(), PAGES);
        assert_eq!(outcomes.first(), Some(&Outcome::Left(Reason::Pinned)));
        assert_eq!(outcomes.get(1), Some(&Outcome::Left(Reason::Nothing)));
        assert_eq!(outcomes.get(2), Some(&Outcome::Left(Reason::Declined)));
        Ok(())
    }

    /// A driver that gives pages which there are not, of the orders that it is made with.
    struct Inventing([Option<u32>; PAGES]);

    // SAFETY: What it gives is no page, and is refused for that.
    unsafe impl MigrateOps for Inventing {
        unsafe fn alloc_and_copy(&self, _: &Place<'_>, words: &[Cell<PfnWord>]) {
            for (word, order) in words.iter().zip(self.0) {
                if let Some(order) = order {
                    word.set(PfnWord::offer(PfnWord::MAX_PFN - 1, 0).with_order(order));
                }
            }
        }

        unsafe fn finalize_and_map(&self, _: &Place<'_>, _: &[Cell<PfnWord>]) {}
    }

    /// What becomes of a hole of four pages, and how many slots it then takes.
    fn fill_four(driver: &Inventing) -> Result<(usize, [Outcome; PAGES])> {
        let (mut short, call) = (Short::new(), a_call()?);
        let mut scratch = Scratch::new(&mut short, PAGES, Words::Own);
        let place = Place::Device {
            first: 0,
            pages: PAGES,
        };
        let mut batch = Batch::new(&call, &place, scratch.lend(0, PAGES));

        batch.push_hole(0, 2);
        batch.ask(driver);
        batch.take_answers(|_| Ok(()));
        batch.tell(driver);
        let slots = batch.len();
        drop(batch);
        let outcomes = scratch.finish(0, PAGES).try_into().map_err(|_| EINVAL)?;
        Ok((slots, outcomes))
    }

    const BAD: Outcome = Outcome::Left(Reason::BadDestination);
    const LEFT: Outcome = Outcome::Left(Reason::Declined);

    #[test]
    fn a_large_hole_is_taken_whole() -> Result {
        let driver = Inventing([Some(2), None, None, None]);

        assert_eq!(fill_four(&driver)?, (1, [BAD; PAGES]));
        Ok(())
    }

    #[test]
    fn a_large_hole_takes_pages() -> Result {
        let driver = Inventing([Some(0), None, Some(0), None]);

        assert_eq!(fill_four(&driver)?, (4, [BAD, LEFT, BAD, LEFT]));
        Ok(())
    }

    #[test]
    fn a_large_hole_takes_smaller_folios() -> Result {
        let driver = Inventing([Some(1), None, Some(0), Some(0)]);

        assert_eq!(fill_four(&driver)?, (3, [BAD; PAGES]));
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_taken_for_a_page() -> Result {
        let driver = Inventing([Some(0), Some(1), Some(31), None]);

        assert_eq!(fill_four(&driver)?, (4, [BAD, BAD, BAD, LEFT]));
        Ok(())
    }

    #[test]
    fn smaller_destinations_are_asked_for_once() -> Result {
        let call = a_call()?;

        call.begin_window();
        assert!(!call.is_again());
        call.ask_for_smaller();
        assert_eq!(call.take_retry(), Some(Retry::Smaller));
        assert!(call.is_again());
        call.ask_for_smaller();
        call.ask_for_drain();
        call.ask_for_split();
        assert_eq!(call.take_retry(), None);
        call.begin_window();
        assert!(!call.is_again());
        Ok(())
    }

    #[test]
    fn the_words_of_a_call_are_the_callers() {
        let words = [const { Cell::new(PfnWord::HOLE) }; PAGES];
        let mut short = Short::new();
        let mut scratch = Scratch::new(&mut short, PAGES, Words::Caller(&words));

        assert_eq!(scratch.lend(2, 2).words.len(), 2);
        scratch.finish(0, 2);
        scratch.clear_from(3);
        assert_eq!(words.first().map(Cell::get), Some(PfnWord::NOTHING));
        assert_eq!(words.get(2).map(Cell::get), Some(PfnWord::HOLE));
        assert_eq!(words.get(3).map(Cell::get), Some(PfnWord::NOTHING));
    }

    #[test]
    fn outcomes_are_written_as_words() -> Result {
        let words = [Cell::new(PfnWord::NOTHING)];
        let (mut short, call) = (Short::new(), a_call()?);
        let mut scratch = Scratch::new(&mut short, 1, Words::Caller(&words));
        let place = Place::Device { first: 0, pages: 1 };

        Batch::new(&call, &place, scratch.lend(0, 1)).leave(0..1, Reason::Swapped);
        scratch.finish(0, 1);
        assert!(words
            .iter()
            .all(|word| word.get().has(ERROR) && !word.get().has(MIGRATE)));
        assert!(words
            .iter()
            .all(|word| word.get().pfn() == Reason::Swapped as usize));
        Ok(())
    }

    #[test]
    fn a_long_call_has_windows_of_one_page_table() {
        let (mut one, mut two) = (Short::new(), Short::new());

        assert_eq!(Scratch::new(&mut one, 16, Words::Own).window_pages(), 16);
        assert_eq!(
            Scratch::new(&mut two, 5000, Words::Own).window_pages(),
            crate::mm::span::WINDOW
        );
    }

    #[test]
    fn a_call_drains_once_and_a_window_splits_once() -> Result {
        let call = a_call()?;

        call.begin_window();
        call.ask_for_drain();
        assert!(call.will_retry());
        assert_eq!(call.take_retry(), Some(Retry::Drain));
        call.ask_for_drain();
        assert_eq!(call.take_retry(), None);
        call.ask_for_split();
        assert_eq!(call.take_retry(), Some(Retry::Split));
        call.ask_for_split();
        assert_eq!(call.take_retry(), None);

        call.begin_window();
        call.ask_for_split();
        assert_eq!(call.take_retry(), Some(Retry::Split));
        call.ask_for_drain();
        assert_eq!(call.take_retry(), None);
        Ok(())
    }

    #[test]
    fn flags_say_what_is_taken() {
        let policy = |flags, owner| Policy::new(flags, owner);

        assert!(policy(0, null_mut()).is_ok_and(|policy| policy.takes_system()));
        assert!(policy(FROM_SYSTEM, null_mut()).is_ok_and(|policy| policy.takes_system()));
        assert!(policy(FROM_DEVICE, an_owner()).is_ok_and(|policy| !policy.takes_system()));
        assert!(policy(TO_SYSTEM, null_mut()).is_ok_and(|policy| policy.to_system()));
        assert!(policy(FROM_DEVICE, null_mut()).is_err());
        assert!(policy(1 << 4, null_mut()).is_err());
        assert!(policy(usize::MAX, an_owner()).is_err());
    }
}
