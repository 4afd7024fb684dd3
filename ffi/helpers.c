// SPDX-License-Identifier: GPL-2.0
/*
 * Inline functions and macros of the kernel as functions that Rust can call.
 * None has a loop, and none decides anything but what a configuration lacks.
 * Where CONFIG_RUST_INLINE_HELPERS is on they are linked into the module as
 * bitcode and inlined, else they are an object of their own.
 */

#include "bindings.h"

#ifdef __BINDGEN__
/* Bindgen passes inline functions over. */
#define __helper
#elif defined(CONFIG_RUST_INLINE_HELPERS)
#define __helper __always_inline
#else
#define __helper
#endif

#include "helpers/walk.c"
#include "helpers/huge.c"
#include "helpers/page_table.c"
#include "helpers/softleaf.c"
#include "helpers/folio.c"
#include "helpers/rmap.c"
#include "helpers/lru.c"
#include "helpers/vma.c"
#include "helpers/task.c"
