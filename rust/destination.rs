// SPDX-License-Identifier: GPL-2.0

//! What a driver gives as a destination, and the rules that it must keep.

use super::{
    call::Policy,
    folio::Folio,
    raw,
    word::{
        PfnWord,
        LOCKED,
        VALID, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// What is to be done with a destination.
pub(crate) enum Verdict {
    /// It may become the source.
    Good(NonNull<bindings::folio>),
    /// It breaks a rule, but its lock and reference are ours to give back.
    GiveBack(NonNull<bindings::folio>),
    /// It breaks a rule, and nothing of it is ours.
    Ignore,
}

/// The page frames of which it is known that they exist.
///
/// The kernel knows that for a block of them at once, and to ask it takes longer than anything else
/// that is checked.
///
/// # Invariants
///
/// `block` is the number of a block of which each frame has a `struct page`, or that of none.
pub(crate) struct Frames {
    block: usize,
}

impl Frames {
    /// None is known.
    pub(crate) const NONE: Self = Self { block: usize::MAX };

    /// Whether there is a `struct page` for a page frame.
    fn has(&mut self, pfn: usize) -> bool {
        let block = pfn >> bindings::PFN_SUBSECTION_SHIFT;
        if block != self.block {
            // SAFETY: A function of the number alone.
            if !unsafe { raw::pfn_valid(pfn) } {
                return false;
            }
            // INVARIANT: As just found.
            self.block = block;
        }
        true
    }
}

/// Whether a driver's word says that it has nothing as large for a source of an order.
///
/// The core cannot split large device-coherent folios, so none is made: they are as good as smaller
/// ones.
pub(crate) fn is_unfit(word: PfnWord, order: u32) -> bool {
    word.order() < order || (order > 0 && is_coherent(word))
}

fn is_coherent(word: PfnWord) -> bool {
    // SAFETY: A function of the number alone.
    if !word.has(VALID) || !unsafe { raw::pfn_valid(word.pfn()) } {
        return false;
    }
    // SAFETY: The frame has a `struct page`.
    let page = unsafe { raw::pfn_to_page(word.pfn()) };
    // SAFETY: As in `check`.
    unsafe { Folio::of_page(page) }.is_device_coherent()
}

/// Checks one destination, which is to be of an order.
///
/// `taken` tells whether a fresh folio is another slot's already.
#[inline(always)]
pub(crate) fn check(
    word: PfnWord,
    order: u32,
    policy: &Policy,
    frames: &mut Frames,
    taken: impl Fn(Folio<'_>) -> bool,
) -> Verdict {
    let pfn = word.pfn();

    if !word.has(VALID) || word.is_malformed() {
        return refuse(word, "it is not VALID");
    }
    if !frames.has(pfn) {
        return refuse(word, "there is no such page");
    }
    // SAFETY: The frame has a `struct page`.
    let page = unsafe { raw::pfn_to_page(pfn) };
    // SAFETY: By the contract of `MigrateOps` it is a live page that is given to us. Whoever breaks
    // that is mostly found out below, where the structure, which stays, is only read.
    let folio = unsafe { Folio::of_page(page) };

    if folio.ref_count() <= 0 {
        return refuse(word, "it is free");
    }
    if !folio.is_locked() {
        return refuse(word, "it is not locked");
    }
    if !folio.is_unused() || folio.has_mapping() || folio.is_on_lru() {
        return refuse(
            word,
            "it is not fresh: it has a mapping, or is on the LRU, or is given twice",
        );
    }
    if taken(folio) {
        return refuse(word, "it is given twice");
    }

    // Locked, mapped nowhere and in nobody's hands: from here on it is ours to give back.
    let rule = if !word.has(LOCKED) {
        "its word has no LOCKED"
    } else if word.order() != order {
        "its order is not that of the source"
    } else if folio.order() != order || folio.pfn() != pfn {
        "it is part of a larger folio, or is none of its order"
    } else if order > 1 && !folio.is_rmappable() {
        "it is a large page that cannot be mapped in parts"
    } else if order == 1 || (order > 0 && folio.is_device_coherent()) {
        "there are no such large folios of this memory"
    } else if folio.is_zone_device() && !folio.is_device_private() && !folio.is_device_coherent() {
        "it is a ZONE_DEVICE page of another type"
    } else if folio.is_zone_device() && policy.to_system() {
        "it is device memory, and TO_SYSTEM was promised"
    } else if folio.is_zone_device() && folio.owner() != policy.owner() {
        "it is memory of another owner than the call's, who could not take it back"
    } else if folio.is_charged() {
        "it is charged to a memory control group"
    } else {
        return Verdict::Good(folio.as_nonnull());
    };
    warn(word.pfn(), rule);
    Verdict::GiveBack(folio.as_nonnull())
}

#[cold]
fn refuse(word: PfnWord, rule: &str) -> Verdict {
    warn(word.pfn(), rule);
    Verdict::Ignore
}

#[cold]
fn warn(pfn: usize, rule: &str) {
    // SAFETY: Callable in any context.
    if unsafe { raw::hmm_migrate_may_warn() } {
        pr_warn!("the destination pfn {:#x} is refused: {}\n", pfn, rule);
    }
}
