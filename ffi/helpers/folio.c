// SPDX-License-Identifier: GPL-2.0
/* Pages and folios. */

__helper bool hmm_raw_pfn_valid(unsigned long pfn)
{
	return pfn_valid(pfn);
}

__helper struct page *hmm_raw_pfn_to_page(unsigned long pfn)
{
	return pfn_to_page(pfn);
}

__helper unsigned long hmm_raw_folio_pfn(struct folio *folio)
{
	return folio_pfn(folio);
}

__helper unsigned long hmm_raw_page_to_pfn(struct page *page)
{
	return page_to_pfn(page);
}

__helper unsigned long hmm_raw_folio_page_idx(struct folio *folio,
					      struct page *page)
{
	return folio_page_idx(folio, page);
}

__helper struct folio *hmm_raw_page_folio(struct page *page)
{
	return page_folio(page);
}

__helper struct page *hmm_raw_folio_page(struct folio *folio, unsigned long n)
{
	return folio_page(folio, n);
}

__helper unsigned long hmm_raw_folio_nr_pages(struct folio *folio)
{
	return folio_nr_pages(folio);
}

__helper unsigned int hmm_raw_folio_order(struct folio *folio)
{
	return folio_order(folio);
}

__helper bool hmm_raw_folio_test_large_rmappable(struct folio *folio)
{
	return folio_test_large_rmappable(folio);
}

__helper bool hmm_raw_folio_contain_hwpoisoned_page(struct folio *folio)
{
	return folio_contain_hwpoisoned_page(folio);
}

__helper int hmm_raw_folio_ref_count(struct folio *folio)
{
	return folio_ref_count(folio);
}

__helper int hmm_raw_folio_expected_ref_count(struct folio *folio)
{
	return folio_expected_ref_count(folio);
}

/* arm64 keeps tags of a page's contents beside it. */
__helper bool hmm_raw_page_has_tags(struct page *page)
{
#ifdef CONFIG_ARM64_MTE
	return page_mte_tagged(page);
#else
	return false;
#endif
}

__helper void hmm_raw_flush_dcache_folio(struct folio *folio)
{
	flush_dcache_folio(folio);
}

__helper int hmm_raw_folio_mapcount(struct folio *folio)
{
	return folio_mapcount(folio);
}

__helper int hmm_raw_folio_entire_mapcount(struct folio *folio)
{
	return folio_entire_mapcount(folio);
}

__helper bool hmm_raw_folio_mapped(struct folio *folio)
{
	return folio_mapped(folio);
}

__helper bool hmm_raw_folio_has_no_mapcount(struct folio *folio)
{
	return atomic_read(&folio->_mapcount) == -1;
}

__helper unsigned long hmm_raw_folio_index_field(struct folio *folio)
{
	return folio->index;
}

__helper void hmm_raw_folio_set_index(struct folio *folio, unsigned long index)
{
	folio->index = index;
}

__helper unsigned long hmm_raw_folio_mapping_flags(struct folio *folio)
{
	return (unsigned long)folio->mapping & FOLIO_MAPPING_FLAGS;
}

__helper bool hmm_raw_folio_has_mapping(struct folio *folio)
{
	return !!folio->mapping;
}

__helper bool hmm_raw_page_is_zone_device(struct page *page)
{
	return is_zone_device_page(page);
}

__helper bool hmm_raw_page_is_typed(struct page *page)
{
	return page_has_type(page);
}

__helper bool hmm_raw_page_reserved(struct page *page)
{
	return PageReserved(page);
}

__helper bool hmm_raw_page_hwpoison(struct page *page)
{
	return PageHWPoison(page);
}

__helper long hmm_raw_num_poisoned_pages(void)
{
#ifdef CONFIG_MEMORY_FAILURE
	return atomic_long_read(&num_poisoned_pages);
#else
	return 0;
#endif
}

/* For a page that is none of hugetlb's. */
__helper bool hmm_raw_page_anon_exclusive(struct page *page)
{
	return test_bit(PG_anon_exclusive, &page->flags.f);
}

__helper void hmm_raw_set_page_anon_exclusive(struct page *page)
{
	SetPageAnonExclusive(page);
}

__helper bool hmm_raw_folio_test_anon(struct folio *folio)
{
	return folio_test_anon(folio);
}

__helper bool hmm_raw_folio_test_dirty(struct folio *folio)
{
	return folio_test_dirty(folio);
}

__helper int hmm_raw_folio_nid(struct folio *folio)
{
	return folio_nid(folio);
}

__helper unsigned long hmm_raw_folio_memcg_data(struct folio *folio)
{
#ifdef CONFIG_MEMCG
	return READ_ONCE(folio->memcg_data);
#else
	return 0;
#endif
}

__helper bool hmm_raw_folio_test_ksm(struct folio *folio)
{
	return folio_test_ksm(folio);
}

__helper bool hmm_raw_folio_test_large(struct folio *folio)
{
	return folio_test_large(folio);
}

__helper bool hmm_raw_folio_test_locked(struct folio *folio)
{
	return folio_test_locked(folio);
}

__helper bool hmm_raw_folio_test_lru(struct folio *folio)
{
	return folio_test_lru(folio);
}

__helper bool hmm_raw_folio_test_swapcache(struct folio *folio)
{
	return folio_test_swapcache(folio);
}

__helper bool hmm_raw_folio_test_writeback(struct folio *folio)
{
	return folio_test_writeback(folio);
}

__helper bool hmm_raw_folio_maybe_dma_pinned(struct folio *folio)
{
	return folio_maybe_dma_pinned(folio);
}

__helper bool hmm_raw_folio_is_zone_device(struct folio *folio)
{
	return folio_is_zone_device(folio);
}

__helper bool hmm_raw_folio_is_device_private(struct folio *folio)
{
	return folio_is_device_private(folio);
}

__helper bool hmm_raw_folio_is_device_coherent(struct folio *folio)
{
	return folio_is_device_coherent(folio);
}

__helper void *hmm_raw_folio_pgmap_owner(struct folio *folio)
{
	return page_pgmap(&folio->page)->owner;
}

__helper bool hmm_raw_folio_trylock(struct folio *folio)
{
	return folio_trylock(folio);
}

__helper void hmm_raw_folio_unlock(struct folio *folio)
{
	folio_unlock(folio);
}

__helper void hmm_raw_folio_get(struct folio *folio)
{
	folio_get(folio);
}

__helper bool hmm_raw_folio_try_get(struct folio *folio)
{
	return folio_try_get(folio);
}

__helper void hmm_raw_folio_ref_sub(struct folio *folio, int nr)
{
	folio_ref_sub(folio, nr);
}

__helper void hmm_raw_folio_ref_add(struct folio *folio, int nr)
{
	folio_ref_add(folio, nr);
}

__helper void hmm_raw_folio_put(struct folio *folio)
{
	folio_put(folio);
}

__helper void hmm_raw_folio_batch_init(struct folio_batch *batch)
{
	folio_batch_init(batch);
}

__helper unsigned int hmm_raw_folio_batch_add(struct folio_batch *batch,
					      struct folio *folio)
{
	return folio_batch_add(batch, folio);
}

__helper unsigned int hmm_raw_folio_batch_count(const struct folio_batch *batch)
{
	return folio_batch_count(batch);
}

__helper void hmm_raw_folios_put(struct folio_batch *batch)
{
	folios_put(batch);
}

__helper void hmm_raw_folio_mark_dirty(struct folio *folio)
{
	folio_mark_dirty(folio);
}

__helper void hmm_raw___folio_mark_uptodate(struct folio *folio)
{
	__folio_mark_uptodate(folio);
}

__helper bool hmm_raw_folio_free_swap(struct folio *folio)
{
	return folio_free_swap(folio);
}

__helper int hmm_raw_split_huge_page(struct page *page)
{
	return split_huge_page_to_list_to_order(page, NULL, 0);
}

__helper bool hmm_raw_mapping_inaccessible(struct address_space *mapping)
{
	return mapping_inaccessible(mapping);
}

__helper bool hmm_raw_mapping_has_migrate_folio(struct address_space *mapping)
{
	return mapping->a_ops->migrate_folio;
}

__helper int hmm_raw_file_migrate_folio(struct folio *dst, struct folio *src,
					enum migrate_mode mode)
{
	return src->mapping->a_ops->migrate_folio(src->mapping, dst, src, mode);
}

__helper void hmm_raw_folio_clear_mapping(struct folio *folio)
{
	folio->mapping = NULL;
}

__helper void hmm_raw_deferred_split_folio(struct folio *folio)
{
	deferred_split_folio(folio, false);
}

__helper struct address_space *hmm_raw_folio_mapping(struct folio *folio)
{
	return folio_mapping(folio);
}

__helper int hmm_raw_folio_migrate_mapping(struct address_space *mapping,
					   struct folio *dst, struct folio *src)
{
	return folio_migrate_mapping(mapping, dst, src, 0);
}

__helper void hmm_raw_folio_migrate_flags(struct folio *dst, struct folio *src)
{
	folio_migrate_flags(dst, src);
}
