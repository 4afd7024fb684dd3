// SPDX-License-Identifier: GPL-2.0

//! The exported functions.
//!
//! C header: `include/linux/hmm_migrate.h`; the exports themselves are in `export.c`.

use crate::{
    mm::{
        call::{
            Call,
            DeviceStays,
            Fault, //
        },
        lru,
        place::Place,
        raw,
        scratch::{
            Scratch,
            Short,
            Words, //
        },
        span::Span,
        task,
        vma::{
            Access,
            LockedRange, //
        },
        word::{
            Outcome,
            PfnWord,
            Reason, //
        },
        PAGE_SHIFT,
    },
    ops::{
        caller_words,
        read_ops,
        Function,
        Tally, //
    },
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_result,
    mm::virt::VmaRef,
    prelude::*, //
};

/// Moves the memory behind a range of addresses: the interface of 2016.
///
/// # Safety
///
/// As for [`hmm_migrate_range`].
#[no_mangle]
pub(crate) unsafe extern "C" fn hmm_vma_migrate(
    ops: *const raw::hmm_migrate_ops,
    vma: *mut bindings::vm_area_struct,
    start: c_ulong,
    end: c_ulong,
    pfns: *mut raw::hmm_pfn_t,
    private: *mut c_void,
) -> c_int {
    // SAFETY: The caller's promise.
    unsafe { hmm_migrate_range(ops, vma, start, end, pfns, private, core::ptr::null_mut()) }
}

/// Moves the memory behind a range of addresses, and says what became of it.
///
/// # Safety
///
/// Each pointer is NULL or valid; `pfns` has one word for each page, which nobody but the driver's
/// callbacks uses during the call. The mmap lock of the area is held for reading and its mm is
/// pinned. `ops` keeps the contract of [`MigrateOps`](crate::mm::call::MigrateOps).
#[no_mangle]
pub(crate) unsafe extern "C" fn hmm_migrate_range(
    ops: *const raw::hmm_migrate_ops,
    vma: *mut bindings::vm_area_struct,
    start: c_ulong,
    end: c_ulong,
    pfns: *mut raw::hmm_pfn_t,
    private: *mut c_void,
    result: *mut raw::hmm_migrate_result,
) -> c_int {
    let mut tally = Tally::default();
    Function::Range.trace_start(start, || end.saturating_sub(start) >> PAGE_SHIFT);
    let error = from_result(|| {
        // SAFETY: The caller's promise.
        let (driver, policy) = unsafe { read_ops(ops, private) }?;
        let vma = NonNull::new(vma).ok_or(EINVAL)?;
        let pfns = NonNull::new(pfns).ok_or(EINVAL)?;
        // SAFETY: The caller holds the mmap lock.
        let vma = unsafe { VmaRef::from_raw(vma.as_ptr()) };
        // SAFETY: As above.
        let range = unsafe { LockedRange::new(vma, start, end, Access::Readable) }?;

        let pages = (end - start) >> PAGE_SHIFT;
        // SAFETY: The caller's promise.
        let words = unsafe { caller_words(pfns, pages) }?;
        let mut short = Short::new();
        let mut scratch = Scratch::new(&mut short, pages, words);
        let call = Call::new(policy, None);
        crate::pipeline::migrate_range(&call, &driver, &mut scratch, &range, |outcomes| {
            tally.add(outcomes)
        })?;
        Ok(0)
    });
    tally.trace_end(Function::Range, error as isize);
    // SAFETY: The caller's promise.
    unsafe { tally.write(result) };
    error
}

/// Brings the page back on which the CPU waits, and the range around it.
///
/// # Safety
///
/// To be called only by the `migrate_to_ram` of a device, with its `vmf`. Each other pointer is
/// NULL or valid; `pfns`, unless NULL, has one word for each page, which nobody but the driver's
/// callbacks uses during the call. `ops` keeps the contract of
/// [`MigrateOps`](crate::mm::call::MigrateOps).
#[no_mangle]
pub(crate) unsafe extern "C" fn hmm_migrate_fault(
    ops: *const raw::hmm_migrate_ops,
    vmf: *mut bindings::vm_fault,
    start: c_ulong,
    end: c_ulong,
    pfns: *mut raw::hmm_pfn_t,
    private: *mut c_void,
    result: *mut raw::hmm_migrate_result,
) -> bindings::vm_fault_t {
    const SIGBUS: bindings::vm_fault_t = bindings::vm_fault_reason_VM_FAULT_SIGBUS;
    let mut tally = Tally::default();
    Function::Fault.trace_start(start, || end.saturating_sub(start) >> PAGE_SHIFT);
    let mut work = || -> Result<bindings::vm_fault_t> {
        // SAFETY: The caller's promise.
        let (driver, policy) = unsafe { read_ops(ops, private) }?;
        // SAFETY: The caller's promise.
        let vmf = unsafe { vmf.as_ref() }.ok_or(EINVAL)?;
        let at = vmf.__bindgen_anon_1.address & !((1 << PAGE_SHIFT) - 1);
        // SAFETY: The fault handler holds the mmap lock.
        let vma = unsafe { VmaRef::from_raw(vmf.__bindgen_anon_1.vma) };
        let asked = Span::new(start, end, 0..usize::MAX)?;
        let (first, last) = (start.max(vma.start()), end.min(vma.end()));
        // SAFETY: As above: the core does not call `migrate_to_ram` under the lock of an area.
        let range = unsafe { LockedRange::new(vma, first, last, Access::Any) }?;
        if !range.span().contains(at) {
            return Err(EINVAL);
        }

        let words = match NonNull::new(pfns) {
            // SAFETY: The caller's promise.
            Some(pfns) => unsafe { caller_words(pfns, asked.pages()) }?,
            None => Words::Own,
        };
        let mut short = Short::new();
        let mut scratch = Scratch::new(&mut short, asked.pages(), words);
        let window = range.around(at, scratch.window_pages());
        let offset = (window.start() - start) >> PAGE_SHIFT;
        // SAFETY: The fault handler has locked and referenced the page, until we return.
        let fault = unsafe { Fault::new(vmf.page, at) };
        let is_poisoned = fault.is_poisoned();
        if !is_poisoned && policy.takes(fault.folio()).is_err() {
            return Err(EINVAL);
        }
        scratch.clear_from(0);
        if is_poisoned {
            return Ok(bindings::vm_fault_reason_VM_FAULT_HWPOISON);
        }
        let call = Call::new(policy, Some(fault));

        let place = Place::Vma(window);
        let outcomes = crate::pipeline::migrate_fault(&call, &driver, &mut scratch, offset, &place);
        tally.add(outcomes);
        let outcome = window.index(at).and_then(|index| outcomes.get(index));
        if let Some(errno) = call.fault_error() {
            return Ok(fault_of_errno(errno));
        }
        if let Some(Outcome::Left(Reason::Pinned | Reason::Partial)) = outcome {
            // Whoever holds the reference has to run before the access is repeated. Another
            // processor's batch may hold it, and lets go when it is asked to.
            let fault = call.fault.as_ref();
            if fault.is_some_and(|fault| lru::may_be_in_batch(fault.folio())) {
                lru::drain_all_for_fault();
            }
            task::give_way();
        }
        Ok(0)
    };
    let fault = work().unwrap_or(SIGBUS);
    tally.trace_end(Function::Fault, fault as isize);
    // SAFETY: The caller's promise.
    unsafe { tally.write(result) };
    fault
}

/// What becomes of a CPU's access to a page that the driver has left on the device.
fn fault_of_errno(errno: i32) -> bindings::vm_fault_t {
    const ENOMEM: i32 = bindings::ENOMEM as i32;
    const EHWPOISON: i32 = bindings::EHWPOISON as i32;

    match errno {
        ENOMEM => bindings::vm_fault_reason_VM_FAULT_OOM,
        EHWPOISON => bindings::vm_fault_reason_VM_FAULT_HWPOISON,
        _ => bindings::vm_fault_reason_VM_FAULT_SIGBUS,
    }
}

/// Moves device memory away by frame numbers that follow each other, wherever it is mapped.
///
/// # Safety
///
/// Each pointer is NULL or valid; `pfns`, unless NULL, has one word for each page, which nobody but
/// the driver's callbacks uses during the call. `ops` keeps the contract of
/// [`MigrateOps`](crate::mm::call::MigrateOps). The device stays for the time of the call.
#[no_mangle]
pub(crate) unsafe extern "C" fn hmm_migrate_device_range(
    ops: *const raw::hmm_migrate_ops,
    first_pfn: c_ulong,
    npages: c_ulong,
    pfns: *mut raw::hmm_pfn_t,
    private: *mut c_void,
    result: *mut raw::hmm_migrate_result,
) -> c_int {
    // SAFETY: The caller's promise.
    unsafe { migrate_device(ops, Some(first_pfn), pfns, npages, private, result) }
}

/// Moves device memory away by a list of frame numbers, wherever it is mapped.
///
/// Each word that is VALID has the number of a page to be moved.
///
/// # Safety
///
/// As for [`hmm_migrate_device_range`].
#[no_mangle]
pub(crate) unsafe extern "C" fn hmm_migrate_device_pfns(
    ops: *const raw::hmm_migrate_ops,
    pfns: *mut raw::hmm_pfn_t,
    npages: c_ulong,
    private: *mut c_void,
    result: *mut raw::hmm_migrate_result,
) -> c_int {
    // SAFETY: The caller's promise.
    unsafe { migrate_device(ops, None, pfns, npages, private, result) }
}

/// What the two functions above have in common.
///
/// `first_pfn` is the number of the first page, or none where the words have the numbers.
///
/// # Safety
///
/// As for them.
unsafe fn migrate_device(
    ops: *const raw::hmm_migrate_ops,
    first_pfn: Option<usize>,
    pfns: *mut raw::hmm_pfn_t,
    npages: usize,
    private: *mut c_void,
    result: *mut raw::hmm_migrate_result,
) -> c_int {
    let mut tally = Tally::default();
    let (function, start, is_good) = match first_pfn {
        Some(first) => {
            let end = first.saturating_add(npages);
            (Function::DeviceRange, first, end <= PfnWord::MAX_PFN)
        }
        None => (Function::DevicePfns, 0, !pfns.is_null()),
    };
    function.trace_start(start, || npages);
    let error = from_result(|| {
        // SAFETY: The caller's promise.
        let (driver, policy) = unsafe { read_ops(ops, private) }?;
        if npages == 0 || !is_good {
            return Err(EINVAL);
        }
        let words = match NonNull::new(pfns) {
            // SAFETY: The caller's promise.
            Some(pfns) => unsafe { caller_words(pfns, npages) }?,
            None => Words::Own,
        };
        let mut short = Short::new();
        let mut scratch = Scratch::new(&mut short, npages, words);
        // SAFETY: The caller's promise, for the time of the call.
        let stays = unsafe { DeviceStays::new() };
        let call = Call::over_device(policy.device_alone()?, stays);
        crate::pipeline::migrate_device(
            &call,
            &driver,
            &mut scratch,
            npages,
            first_pfn,
            |outcomes| tally.add(outcomes),
        );
        Ok(0)
    });
    tally.trace_end(function, error as isize);
    // SAFETY: The caller's promise.
    unsafe { tally.write(result) };
    error
}

// Each is what the header declares: only functions of one type make an array.
const _: () = {
    _ = [raw::hmm_vma_migrate, hmm_vma_migrate];
    _ = [raw::hmm_migrate_range, hmm_migrate_range];
    _ = [raw::hmm_migrate_fault, hmm_migrate_fault];
    _ = [raw::hmm_migrate_device_range, hmm_migrate_device_range];
    _ = [raw::hmm_migrate_device_pfns, hmm_migrate_device_pfns];
};
