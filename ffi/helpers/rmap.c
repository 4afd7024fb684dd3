// SPDX-License-Identifier: GPL-2.0
/* The reverse mapping. */

__helper int hmm_raw_folio_try_share_anon_rmap_pte(struct folio *folio,
						   struct page *page)
{
	return folio_try_share_anon_rmap_pte(folio, page);
}

__helper void hmm_raw_folio_remove_rmap_ptes(struct folio *folio,
					     struct page *page,
					     unsigned long nr_pages,
					     struct vm_area_struct *vma)
{
	folio_remove_rmap_ptes(folio, page, nr_pages, vma);
}

/* As __folio_remove_rmap() and __folio_add_rmap() for a small folio. */
__helper bool hmm_raw_folio_dec_mapcount(struct folio *folio)
{
	return atomic_add_negative(-1, &folio->_mapcount);
}

__helper bool hmm_raw_folio_inc_mapcount(struct folio *folio)
{
	return atomic_inc_and_test(&folio->_mapcount);
}

__helper void hmm_raw_count_anon_mapped(struct folio *folio, int change)
{
	lruvec_stat_mod_folio(folio, NR_ANON_MAPPED, change);
}

__helper void hmm_raw_folio_add_anon_rmap_pmd(struct folio *folio,
					      struct page *page,
					      struct vm_area_struct *vma,
					      unsigned long addr,
					      bool exclusive)
{
	folio_add_anon_rmap_pmd(folio, page, vma, addr,
				exclusive ? RMAP_EXCLUSIVE : RMAP_NONE);
}

__helper void hmm_raw_folio_add_anon_rmap_ptes(struct folio *folio,
					       struct page *page,
					       unsigned long nr_pages,
					       struct vm_area_struct *vma,
					       unsigned long addr,
					       bool exclusive)
{
	folio_add_anon_rmap_ptes(folio, page, nr_pages, vma, addr,
				 exclusive ? RMAP_EXCLUSIVE : RMAP_NONE);
}

__helper void hmm_raw_folio_add_file_rmap_ptes(struct folio *folio,
					       struct page *page,
					       unsigned long nr_pages,
					       struct vm_area_struct *vma)
{
	folio_add_file_rmap_ptes(folio, page, nr_pages, vma);
}

__helper void hmm_raw_folio_add_file_rmap_pmd(struct folio *folio,
					      struct page *page,
					      struct vm_area_struct *vma)
{
	folio_add_file_rmap_pmd(folio, page, vma);
}

__helper void hmm_raw_folio_add_new_anon_rmap(struct folio *folio,
					      struct vm_area_struct *vma,
					      unsigned long addr)
{
	folio_add_new_anon_rmap(folio, vma, addr, RMAP_EXCLUSIVE);
}

__helper bool hmm_raw_folio_test_swapbacked(struct folio *folio)
{
	return folio_test_swapbacked(folio);
}

__helper void hmm_raw___folio_set_swapbacked(struct folio *folio)
{
	__folio_set_swapbacked(folio);
}

__helper void hmm_raw_folio_set_anon_vma(struct folio *folio,
					 struct anon_vma *anon_vma)
{
	WRITE_ONCE(folio->mapping, (void *)anon_vma + FOLIO_MAPPING_ANON);
}

__helper void hmm_raw_rmap_walk(struct folio *folio,
				bool (*one)(struct folio *folio,
					    struct vm_area_struct *vma,
					    unsigned long addr, void *arg),
				void *arg)
{
	rmap_walk(folio, &(struct rmap_walk_control) {
		.rmap_one = one,
		.arg = arg,
	});
}

__helper struct mm_struct *hmm_raw_vma_mm(struct vm_area_struct *vma)
{
	return vma->vm_mm;
}

__helper void hmm_raw_try_to_migrate(struct folio *folio)
{
	try_to_migrate(folio, TTU_BATCH_FLUSH);
}

__helper void hmm_raw_try_to_unmap_flush(void)
{
	try_to_unmap_flush();
}

__helper void hmm_raw_remove_migration_ptes(struct folio *src,
					    struct folio *dst)
{
	remove_migration_ptes(src, dst, 0);
}

__helper int hmm_raw_anon_vma_prepare(struct vm_area_struct *vma)
{
	return anon_vma_prepare(vma);
}

__helper struct anon_vma *hmm_raw_folio_get_anon_vma(struct folio *folio)
{
	return folio_get_anon_vma(folio);
}

__helper void hmm_raw_put_anon_vma(struct anon_vma *anon_vma)
{
	put_anon_vma(anon_vma);
}

__helper struct anon_vma *hmm_raw_folio_anon_vma(struct folio *folio)
{
	return (void *)((unsigned long)folio->mapping & ~FOLIO_MAPPING_FLAGS);
}

__helper void hmm_raw_anon_vma_lock_read(struct anon_vma *anon_vma)
{
	anon_vma_lock_read(anon_vma);
}

__helper void hmm_raw_anon_vma_unlock_read(struct anon_vma *anon_vma)
{
	anon_vma_unlock_read(anon_vma);
}

__helper struct anon_vma_chain *
hmm_raw_anon_rmap_first(struct anon_vma *anon_vma, unsigned long first,
			unsigned long last)
{
	return anon_rmap_tree_iter_first(anon_vma, first, last);
}

__helper struct anon_vma_chain *
hmm_raw_anon_rmap_next(struct anon_vma_chain *avc, unsigned long first,
		       unsigned long last)
{
	return anon_rmap_tree_iter_next(avc, first, last);
}

__helper struct vm_area_struct *hmm_raw_avc_vma(struct anon_vma_chain *avc)
{
	return avc->vma;
}

__helper unsigned long hmm_raw_vma_anon_address(struct vm_area_struct *vma,
						unsigned long first,
						unsigned long nr_pages)
{
	return vma_anon_address(vma, first, nr_pages);
}

__helper unsigned long
hmm_raw_linear_anon_page_index(struct vm_area_struct *vma, unsigned long addr)
{
	return linear_anon_page_index(vma, addr);
}
