// SPDX-License-Identifier: GPL-2.0

//! What a C driver passes: its table of callbacks, its words, and where it wants the counts.
//!
//! C header: `include/linux/hmm_migrate.h`.

use crate::mm::{
    call::{
        MigrateOps,
        Policy, //
    },
    place::Place,
    raw,
    scratch::Words,
    trace,
    word::{
        self,
        Outcome,
        PfnWord,
        Reason, //
    },
    PAGE_SHIFT,
};
use core::{
    cell::Cell,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

type Callback = unsafe extern "C" fn(
    vma: *mut bindings::vm_area_struct,
    start: c_ulong,
    end: c_ulong,
    pfns: *mut raw::hmm_pfn_t,
    private: *mut c_void,
);

/// A C driver's table of callbacks.
///
/// # Invariants
///
/// Both may be called as the header says, with `private`, and keep the contract of [`MigrateOps`].
pub(crate) struct COps {
    alloc_and_copy: Callback,
    finalize_and_map: Callback,
    private: *mut c_void,
}

impl COps {
    /// Calls one of the two.
    ///
    /// # Safety
    ///
    /// As for the function of [`MigrateOps`] that it stands for.
    unsafe fn call(&self, callback: Callback, place: &Place<'_>, words: &[Cell<PfnWord>]) {
        let vma = match place {
            Place::Vma(window) => window.range().vma(),
            Place::Run { .. } | Place::Device { .. } => core::ptr::null_mut(),
        };
        // SAFETY: The caller's promise, and by the type invariants the driver's; `PfnWord` has the
        // layout of `hmm_pfn_t`, and may be written through a `Cell`.
        unsafe {
            callback(
                vma,
                place.start(),
                place.start() + (place.pages() << PAGE_SHIFT),
                words.as_ptr().cast_mut().cast(),
                self.private,
            )
        };
    }
}

// SAFETY: By the type invariants both callbacks keep this contract; what they write is checked all
// the same.
unsafe impl MigrateOps for COps {
    unsafe fn alloc_and_copy(&self, place: &Place<'_>, words: &[Cell<PfnWord>]) {
        // SAFETY: The caller's promise.
        unsafe { self.call(self.alloc_and_copy, place, words) };
    }

    unsafe fn finalize_and_map(&self, place: &Place<'_>, words: &[Cell<PfnWord>]) {
        // SAFETY: The caller's promise.
        unsafe { self.call(self.finalize_and_map, place, words) };
    }
}

/// Reads a driver's table.
///
/// # Safety
///
/// `ops` is NULL or points to a valid table, whose callbacks keep the contract of [`MigrateOps`]
/// with `private` while the value that is returned exists.
///
/// # Errors
///
/// [`EINVAL`] for what no table may have: no callback, or flags that are wrong.
pub(crate) unsafe fn read_ops(
    ops: *const raw::hmm_migrate_ops,
    private: *mut c_void,
) -> Result<(COps, Policy)> {
    // SAFETY: The caller's promise.
    let ops = unsafe { ops.as_ref() }.ok_or(EINVAL)?;
    // INVARIANT: The caller's promise.
    let driver = COps {
        alloc_and_copy: ops.alloc_and_copy.ok_or(EINVAL)?,
        finalize_and_map: ops.finalize_and_map.ok_or(EINVAL)?,
        private,
    };
    Ok((driver, Policy::new(ops.flags, ops.owner)?))
}

/// A caller's words.
///
/// # Safety
///
/// `pfns` points to as many words as the range has pages; for `'a` nobody uses them but us, and the
/// driver in its callbacks.
///
/// # Errors
///
/// [`EINVAL`] for more words than there can be pages.
pub(crate) unsafe fn caller_words<'a>(
    pfns: NonNull<raw::hmm_pfn_t>,
    pages: usize,
) -> Result<Words<'a>> {
    if pages > PfnWord::MAX_PFN {
        return Err(EINVAL);
    }
    // SAFETY: The caller's promise; every value is a word, and the bound keeps the size in range.
    Ok(Words::Caller(unsafe {
        core::slice::from_raw_parts(pfns.as_ptr().cast(), pages)
    }))
}

/// A function that a driver calls.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Function {
    Range = raw::hmm_migrate_function_HMM_MIGRATE_FUNCTION_RANGE as u8,
    Fault = raw::hmm_migrate_function_HMM_MIGRATE_FUNCTION_FAULT as u8,
    DeviceRange = raw::hmm_migrate_function_HMM_MIGRATE_FUNCTION_DEVICE_RANGE as u8,
    DevicePfns = raw::hmm_migrate_function_HMM_MIGRATE_FUNCTION_DEVICE_PFNS as u8,
}

impl Function {
    /// Tells who traces that a call begins.
    #[inline(always)]
    pub(crate) fn trace_start(self, start: usize, pages: impl FnOnce() -> usize) {
        if trace::start_is_on() {
            trace::start(self as u32, start, pages());
        }
    }
}

/// Counts what became of pages, for the caller.
#[derive(Default)]
pub(crate) struct Tally {
    migrated: usize,
    left: [usize; Reason::COUNT],
}

impl Tally {
    /// Counts the pages of a window.
    pub(crate) fn add(&mut self, outcomes: &[Outcome]) {
        for (outcome, count) in word::runs(outcomes) {
            match outcome {
                Outcome::Moved => self.migrated += count,
                Outcome::Left(reason) => {
                    if let Some(left) = self.left.get_mut(reason as usize) {
                        *left += count;
                    }
                }
            }
        }
    }

    /// Tells who traces that a call has ended.
    #[inline(always)]
    pub(crate) fn trace_end(&self, function: Function, ret: isize) {
        if trace::end_is_on() {
            self.tell_end(function, ret);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_end(&self, function: Function, ret: isize) {
        trace::end(function as u32, ret, self.migrated, self.left.iter().sum());
    }

    /// Writes the counts.
    ///
    /// # Safety
    ///
    /// `result` is NULL or may be written.
    pub(crate) unsafe fn write(&self, result: *mut raw::hmm_migrate_result) {
        if result.is_null() {
            return;
        }
        let counts = raw::hmm_migrate_result {
            migrated: self.migrated,
            left: self.left,
        };
        // SAFETY: The caller's promise.
        unsafe { result.write(counts) };
    }
}
