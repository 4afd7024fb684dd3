// SPDX-License-Identifier: GPL-2.0
/* Entries that are not present. */

__helper softleaf_t hmm_raw_softleaf_from_pte(pte_t pte)
{
	return softleaf_from_pte(pte);
}

__helper pte_t hmm_raw_softleaf_to_pte(softleaf_t leaf)
{
	return softleaf_to_pte(leaf);
}

__helper unsigned long hmm_raw_softleaf_to_pfn(softleaf_t leaf)
{
	return softleaf_to_pfn(leaf);
}

__helper struct page *hmm_raw_softleaf_to_page(softleaf_t leaf)
{
	return softleaf_to_page(leaf);
}

__helper bool hmm_raw_softleaf_is_swap(softleaf_t leaf)
{
	return softleaf_is_swap(leaf);
}

__helper bool hmm_raw_softleaf_is_hwpoison(softleaf_t leaf)
{
	return softleaf_is_hwpoison(leaf);
}

__helper bool hmm_raw_softleaf_is_device_private(softleaf_t leaf)
{
	return softleaf_is_device_private(leaf);
}

__helper bool hmm_raw_softleaf_is_device_private_write(softleaf_t leaf)
{
	return softleaf_is_device_private_write(leaf);
}

__helper bool hmm_raw_softleaf_is_migration(softleaf_t leaf)
{
	return softleaf_is_migration(leaf);
}

__helper bool hmm_raw_softleaf_is_migration_write(softleaf_t leaf)
{
	return softleaf_is_migration_write(leaf);
}

__helper bool hmm_raw_softleaf_is_migration_read(softleaf_t leaf)
{
	return softleaf_is_migration_read(leaf);
}

__helper bool hmm_raw_softleaf_is_migration_young(softleaf_t leaf)
{
	return softleaf_is_migration_young(leaf);
}

__helper bool hmm_raw_softleaf_is_migration_dirty(softleaf_t leaf)
{
	return softleaf_is_migration_dirty(leaf);
}

__helper softleaf_t hmm_raw_make_readable_migration_entry(unsigned long pfn)
{
	return make_readable_migration_entry(pfn);
}

__helper softleaf_t
hmm_raw_make_readable_exclusive_migration_entry(unsigned long pfn)
{
	return make_readable_exclusive_migration_entry(pfn);
}

__helper softleaf_t hmm_raw_make_writable_migration_entry(unsigned long pfn)
{
	return make_writable_migration_entry(pfn);
}

__helper softleaf_t hmm_raw_make_migration_entry_young(softleaf_t leaf)
{
	return make_migration_entry_young(leaf);
}

__helper softleaf_t hmm_raw_make_migration_entry_dirty(softleaf_t leaf)
{
	return make_migration_entry_dirty(leaf);
}

__helper softleaf_t
hmm_raw_make_readable_device_private_entry(unsigned long pfn)
{
	return make_readable_device_private_entry(pfn);
}

__helper softleaf_t
hmm_raw_make_writable_device_private_entry(unsigned long pfn)
{
	return make_writable_device_private_entry(pfn);
}
