// SPDX-License-Identifier: GPL-2.0
/*
 * The module's exported functions, whose bodies are in exports.rs: an export
 * from C has the true prototype, which symbol versions need.
 */

#include <linux/export.h>
#include <linux/hmm_migrate.h>

EXPORT_SYMBOL_GPL(hmm_vma_migrate);
EXPORT_SYMBOL_GPL(hmm_migrate_range);
EXPORT_SYMBOL_GPL(hmm_migrate_fault);
EXPORT_SYMBOL_GPL(hmm_migrate_device_range);
EXPORT_SYMBOL_GPL(hmm_migrate_device_pfns);
