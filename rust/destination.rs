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

/// Checks one destination, for the source with the frame number `src` or for a hole.
///
/// `taken` tells whether a fresh folio is another slot's already.
pub(crate) fn check(
    word: PfnWord,
    src: Option<usize>,
    policy: &Policy,
    taken: impl Fn(Folio<'_>) -> bool,
) -> Verdict {
    let pfn = word.pfn();

    if !word.has(VALID) || word.is_malformed() {
        return refuse(word, "it is not VALID");
    }
    // SAFETY: A function of the number alone.
    if !unsafe { raw::pfn_valid(pfn) } {
        return refuse(word, "there is no such page");
    }
    if src == Some(pfn) {
        return refuse(word, "it is the source itself");
    }
    // SAFETY: The frame has a `struct page`.
    let page = unsafe { raw::pfn_to_page(pfn) };
    // SAFETY: The frame has a `struct page`, which stays; whether it is a live page is checked by
    // what follows, which only reads.
    let folio = unsafe { Folio::of_page(page) };

    if folio.ref_count() <= 0 {
        return refuse(word, "it is free");
    }
    if !folio.is_locked() {
        return refuse(word, "it is not locked");
    }
    if folio.has_type_or_is_reserved()
        || folio.is_mapped()
        || folio.has_mapping()
        || folio.is_on_lru()
    {
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
    } else if word.order() != 0 {
        "its order is not that of the source"
    } else if folio.is_large() {
        "it is part of a larger folio"
    } else if folio.is_zone_device() && !folio.is_device_private() && !folio.is_device_coherent() {
        "it is a ZONE_DEVICE page of another type"
    } else if folio.is_zone_device() && policy.to_system() {
        "it is device memory, and TO_SYSTEM was promised"
    } else {
        return Verdict::Good(folio.as_nonnull());
    };
    warn(word.pfn(), rule);
    Verdict::GiveBack(folio.as_nonnull())
}

fn refuse(word: PfnWord, rule: &str) -> Verdict {
    warn(word.pfn(), rule);
    Verdict::Ignore
}

fn warn(pfn: usize, rule: &str) {
    // SAFETY: Callable in any context.
    if unsafe { raw::hmm_migrate_may_warn() } {
        pr_warn!("the destination pfn {:#x} is refused: {}\n", pfn, rule);
    }
}
