// SPDX-License-Identifier: GPL-2.0

//! The module's tracepoints, each of which costs a branch that is patched out while nobody listens.
//!
//! C header: `include/trace/events/hmm_migrate.h`.

#[cfg(CONFIG_TRACEPOINTS)]
use super::raw;
#[cfg(CONFIG_TRACEPOINTS)]
use kernel::bindings;
use kernel::ffi::{
    c_long,
    c_uint,
    c_ulong, //
};

/// Defines a function for each tracepoint, and one that says whether anybody listens.
macro_rules! tracepoints {
    ($(
        $(#[$doc:meta])*
        $name:ident, $is_on:ident($($arg:ident: $type:ty),*), $point:ident, $call:ident;
    )*) => {$(
        #[doc = concat!("Whether anybody listens to [`", stringify!($name), "`].")]
        #[inline(always)]
        pub(crate) fn $is_on() -> bool {
            #[cfg(CONFIG_TRACEPOINTS)]
            // SAFETY: The key is a static one, which is part of the tracepoint.
            return unsafe {
                kernel::jump_label::static_branch_unlikely!(raw::$point, bindings::tracepoint, key)
            };
            #[cfg(not(CONFIG_TRACEPOINTS))]
            return false;
        }

        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name($($arg: $type),*) {
            #[cfg(CONFIG_TRACEPOINTS)]
            if $is_on() {
                // SAFETY: The tracepoint takes numbers, and may be called anywhere.
                unsafe { raw::$call($($arg),*) };
            }
            #[cfg(not(CONFIG_TRACEPOINTS))]
            let _ = ($($arg),*);
        }
    )*};
}

tracepoints! {
    /// A call begins.
    start, start_is_on(function: c_uint, start: c_ulong, npages: c_ulong),
        __tracepoint_hmm_migrate_start, rust_do_trace_hmm_migrate_start;

    /// A call has ended.
    end, end_is_on(function: c_uint, ret: c_long, migrated: c_ulong, left: c_ulong),
        __tracepoint_hmm_migrate_end, rust_do_trace_hmm_migrate_end;

    /// A stage of a window is over.
    stage, stage_is_on(stage: c_uint, start: c_ulong, npages: c_ulong, ns: c_ulong),
        __tracepoint_hmm_migrate_stage, rust_do_trace_hmm_migrate_stage;

    /// Pages have stayed.
    left, left_is_on(start: c_ulong, npages: c_ulong, reason: c_uint),
        __tracepoint_hmm_migrate_left, rust_do_trace_hmm_migrate_left;
}
