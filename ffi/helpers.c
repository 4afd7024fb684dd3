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

/* Walking down to a page table. */

__helper pgd_t *hmm_raw_pgd_offset(struct mm_struct *mm, unsigned long addr)
{
	return pgd_offset(mm, addr);
}

__helper bool hmm_raw_pgd_present(pgd_t *pgd)
{
	return pgd_present(pgdp_get(pgd));
}

__helper p4d_t *hmm_raw_p4d_offset(pgd_t *pgd, unsigned long addr)
{
	return p4d_offset(pgd, addr);
}

__helper bool hmm_raw_p4d_present(p4d_t *p4d)
{
	return p4d_present(p4dp_get(p4d));
}

__helper pud_t *hmm_raw_pud_offset(p4d_t *p4d, unsigned long addr)
{
	return pud_offset(p4d, addr);
}

__helper bool hmm_raw_pud_none(pud_t pud)
{
	return pud_none(pud);
}

__helper pud_t hmm_raw_pudp_get(pud_t *pud)
{
	return pudp_get(pud);
}

__helper bool hmm_raw_pud_present(pud_t pud)
{
	return pud_present(pud);
}

__helper bool hmm_raw_pud_leaf(pud_t pud)
{
	return pud_leaf(pud);
}

__helper pmd_t *hmm_raw_pmd_offset(pud_t *pud, unsigned long addr)
{
	return pmd_offset(pud, addr);
}

__helper pmd_t hmm_raw_pmdp_get_lockless(pmd_t *pmd)
{
	return pmdp_get_lockless(pmd);
}

__helper pmd_t hmm_raw_pmdp_get(pmd_t *pmd)
{
	return pmdp_get(pmd);
}

__helper bool hmm_raw_pmd_none(pmd_t pmd)
{
	return pmd_none(pmd);
}

__helper bool hmm_raw_pmd_present(pmd_t pmd)
{
	return pmd_present(pmd);
}

__helper bool hmm_raw_pmd_leaf(pmd_t pmd)
{
	return pmd_leaf(pmd);
}

__helper bool hmm_raw_pmd_trans_huge(pmd_t pmd)
{
	return pmd_trans_huge(pmd);
}

__helper bool hmm_raw_is_huge_zero_pmd(pmd_t pmd)
{
	return is_huge_zero_pmd(pmd);
}

__helper struct page *hmm_raw_pmd_page(pmd_t pmd)
{
	return pmd_page(pmd);
}

__helper softleaf_t hmm_raw_softleaf_from_pmd(pmd_t pmd)
{
	return softleaf_from_pmd(pmd);
}

__helper spinlock_t *hmm_raw_pmd_lock(struct mm_struct *mm, pmd_t *pmd)
{
	return pmd_lock(mm, pmd);
}

__helper void hmm_raw_spin_unlock(spinlock_t *lock)
{
	spin_unlock(lock);
}

__helper void hmm_raw_split_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd,
				     unsigned long addr)
{
	split_huge_pmd(vma, pmd, addr);
}

__helper p4d_t *hmm_raw_p4d_alloc(struct mm_struct *mm, pgd_t *pgd,
				  unsigned long addr)
{
	return p4d_alloc(mm, pgd, addr);
}

__helper pud_t *hmm_raw_pud_alloc(struct mm_struct *mm, p4d_t *p4d,
				  unsigned long addr)
{
	return pud_alloc(mm, p4d, addr);
}

__helper pmd_t *hmm_raw_pmd_alloc(struct mm_struct *mm, pud_t *pud,
				  unsigned long addr)
{
	return pmd_alloc(mm, pud, addr);
}

__helper int hmm_raw_pte_alloc(struct mm_struct *mm, pmd_t *pmd)
{
	return pte_alloc(mm, pmd);
}

/*
 * The entry above a page table, where it maps a large folio by itself. A kernel
 * without huge pages has no such entry, and some of the functions are missing.
 */

__helper bool hmm_raw_pmd_write(pmd_t pmd)
{
	return pmd_write(pmd);
}

__helper bool hmm_raw_pmd_uffd(pmd_t pmd)
{
	return pmd_uffd(pmd);
}

__helper bool hmm_raw_pmd_swp_soft_dirty(pmd_t pmd)
{
	return pmd_swp_soft_dirty(pmd);
}

__helper bool hmm_raw_pmd_swp_uffd(pmd_t pmd)
{
	return pmd_swp_uffd(pmd);
}

__helper pmd_t hmm_raw_pmd_swp_mksoft_dirty(pmd_t pmd)
{
	return pmd_swp_mksoft_dirty(pmd);
}

__helper pmd_t hmm_raw_pmd_swp_mkuffd(pmd_t pmd)
{
	return pmd_swp_mkuffd(pmd);
}

__helper pmd_t hmm_raw_folio_mk_pmd(struct folio *folio,
				    struct vm_area_struct *vma)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	return folio_mk_pmd(folio, READ_ONCE(vma->vm_page_prot));
#else
	return __pmd(0);
#endif
}

__helper pmd_t hmm_raw_pmd_mkold(pmd_t pmd)
{
	return pmd_mkold(pmd);
}

__helper pmd_t hmm_raw_pmd_mkdirty(pmd_t pmd)
{
	return pmd_mkdirty(pmd);
}

__helper pmd_t hmm_raw_pmd_mksoft_dirty(pmd_t pmd)
{
	return pmd_mksoft_dirty(pmd);
}

__helper pmd_t hmm_raw_pmd_clear_soft_dirty(pmd_t pmd)
{
	return pmd_clear_soft_dirty(pmd);
}

__helper pmd_t hmm_raw_pmd_mkwrite(pmd_t pmd, struct vm_area_struct *vma)
{
	return pmd_mkwrite(pmd, vma);
}

__helper pmd_t hmm_raw_pmd_mkuffd(pmd_t pmd)
{
	return pmd_mkuffd(pmd);
}

__helper pmd_t hmm_raw_pmd_mknone_protection(pmd_t pmd)
{
	return pmd_modify(pmd, PAGE_NONE);
}

__helper pmd_t hmm_raw_softleaf_to_pmd(softleaf_t leaf)
{
	return softleaf_to_pmd(leaf);
}

__helper void hmm_raw_set_pmd_at(struct mm_struct *mm, unsigned long addr,
				 pmd_t *pmd, pmd_t value)
{
	set_pmd_at(mm, addr, pmd, value);
}

__helper void hmm_raw_update_mmu_cache_pmd(struct vm_area_struct *vma,
					   unsigned long addr, pmd_t *pmd)
{
	update_mmu_cache_pmd(vma, addr, pmd);
}

__helper void hmm_raw_pmdp_invalidate(struct vm_area_struct *vma,
				      unsigned long addr, pmd_t *pmd)
{
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		pmdp_invalidate(vma, addr, pmd);
}

__helper int hmm_raw_set_pmd_migration_entry(struct vm_area_struct *vma,
					     unsigned long addr, pmd_t *pmd,
					     spinlock_t *ptl,
					     struct folio *folio)
{
	if (!IS_ENABLED(CONFIG_ARCH_HAS_PMD_SOFTLEAVES))
		return -EOPNOTSUPP;
	return set_pmd_migration_entry(&(struct page_vma_mapped_walk) {
		.vma = vma,
		.address = addr,
		.pmd = pmd,
		.ptl = ptl,
	}, &folio->page);
}

__helper pgtable_t hmm_raw_pte_alloc_one(struct mm_struct *mm)
{
	return pte_alloc_one(mm);
}

__helper void hmm_raw_pte_free(struct mm_struct *mm, pgtable_t table)
{
	pte_free(mm, table);
}

__helper void hmm_raw_pgtable_deposit(struct mm_struct *mm, pmd_t *pmd,
				      pgtable_t table)
{
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		pgtable_trans_huge_deposit(mm, pmd, table);
}

__helper void hmm_raw_mm_inc_nr_ptes(struct mm_struct *mm)
{
	mm_inc_nr_ptes(mm);
}

/* A page table and its entries. */

__helper pte_t *hmm_raw_pte_offset_map_lock(struct mm_struct *mm, pmd_t *pmd,
					    unsigned long addr,
					    spinlock_t **ptl)
{
	return pte_offset_map_lock(mm, pmd, addr, ptl);
}

__helper void hmm_raw_pte_unmap_unlock(pte_t *pte, spinlock_t *ptl)
{
	pte_unmap_unlock(pte, ptl);
}

__helper void hmm_raw_lazy_mmu_mode_enable(void)
{
	lazy_mmu_mode_enable();
}

__helper void hmm_raw_lazy_mmu_mode_disable(void)
{
	lazy_mmu_mode_disable();
}

__helper void hmm_raw_flush_tlb_range(struct vm_area_struct *vma,
				      unsigned long start, unsigned long end)
{
	flush_tlb_range(vma, start, end);
}

__helper void hmm_raw_flush_cache_page(struct vm_area_struct *vma,
				       unsigned long addr, unsigned long pfn)
{
	flush_cache_page(vma, addr, pfn);
}

__helper pte_t hmm_raw_ptep_get(pte_t *ptep)
{
	return ptep_get(ptep);
}

__helper pte_t hmm_raw_ptep_get_and_clear(struct mm_struct *mm,
					  unsigned long addr, pte_t *ptep)
{
	return ptep_get_and_clear(mm, addr, ptep);
}

__helper void hmm_raw_set_pte_at(struct mm_struct *mm, unsigned long addr,
				 pte_t *ptep, pte_t pte)
{
	set_pte_at(mm, addr, ptep, pte);
}

__helper void hmm_raw_update_mmu_cache(struct vm_area_struct *vma,
				       unsigned long addr, pte_t *ptep)
{
	update_mmu_cache(vma, addr, ptep);
}

__helper bool hmm_raw_pte_same(pte_t one, pte_t other)
{
	return pte_same(one, other);
}

__helper pte_t hmm_raw_pte_next_swp_offset(pte_t pte)
{
	return pte_next_swp_offset(pte);
}

__helper bool hmm_raw_pte_none(pte_t pte)
{
	return pte_none(pte);
}

__helper bool hmm_raw_pte_present(pte_t pte)
{
	return pte_present(pte);
}

__helper bool hmm_raw_pte_write(pte_t pte)
{
	return pte_write(pte);
}

__helper bool hmm_raw_pte_dirty(pte_t pte)
{
	return pte_dirty(pte);
}

__helper bool hmm_raw_pte_young(pte_t pte)
{
	return pte_young(pte);
}

__helper bool hmm_raw_pte_soft_dirty(pte_t pte)
{
	return pte_soft_dirty(pte);
}

__helper bool hmm_raw_pte_uffd(pte_t pte)
{
	return pte_uffd(pte);
}

__helper unsigned long hmm_raw_pte_pfn(pte_t pte)
{
	return pte_pfn(pte);
}

__helper bool hmm_raw_pte_swp_soft_dirty(pte_t pte)
{
	return pte_swp_soft_dirty(pte);
}

__helper bool hmm_raw_pte_swp_uffd(pte_t pte)
{
	return pte_swp_uffd(pte);
}

__helper pte_t hmm_raw_pte_swp_mksoft_dirty(pte_t pte)
{
	return pte_swp_mksoft_dirty(pte);
}

__helper pte_t hmm_raw_pte_swp_mkuffd(pte_t pte)
{
	return pte_swp_mkuffd(pte);
}

__helper pte_t hmm_raw_mk_pte(struct page *page, struct vm_area_struct *vma)
{
	return mk_pte(page, READ_ONCE(vma->vm_page_prot));
}

__helper pte_t hmm_raw_pte_mkold(pte_t pte)
{
	return pte_mkold(pte);
}

__helper pte_t hmm_raw_pte_mkdirty(pte_t pte)
{
	return pte_mkdirty(pte);
}

__helper pte_t hmm_raw_pte_mksoft_dirty(pte_t pte)
{
	return pte_mksoft_dirty(pte);
}

__helper pte_t hmm_raw_pte_clear_soft_dirty(pte_t pte)
{
	return pte_clear_soft_dirty(pte);
}

__helper pte_t hmm_raw_pte_mkwrite(pte_t pte, struct vm_area_struct *vma)
{
	return pte_mkwrite(pte, vma);
}

__helper pte_t hmm_raw_pte_mkuffd(pte_t pte)
{
	return pte_mkuffd(pte);
}

__helper pte_t hmm_raw_pte_mknone_protection(pte_t pte)
{
	return pte_modify(pte, PAGE_NONE);
}

__helper bool hmm_raw_is_zero_pfn(unsigned long pfn)
{
	return is_zero_pfn(pfn);
}

__helper struct page *hmm_raw_vm_normal_page(struct vm_area_struct *vma,
					     unsigned long addr, pte_t pte)
{
	return vm_normal_page(vma, addr, pte);
}

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

/* It waits for nothing: the locks of other folios are held meanwhile. */
__helper int hmm_raw_file_migrate_folio(struct folio *dst, struct folio *src)
{
	return src->mapping->a_ops->migrate_folio(src->mapping, dst, src,
						  MIGRATE_ASYNC);
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

/* The LRU. */

__helper bool hmm_raw_folio_test_clear_lru(struct folio *folio)
{
	return folio_test_clear_lru(folio);
}

__helper void hmm_raw_folio_set_lru(struct folio *folio)
{
	folio_set_lru(folio);
}

__helper bool hmm_raw_folio_test_mlocked(struct folio *folio)
{
	return folio_test_mlocked(folio);
}

__helper bool hmm_raw_folio_test_unevictable(struct folio *folio)
{
	return folio_test_unevictable(folio);
}

__helper enum zone_type hmm_raw_folio_zonenum(struct folio *folio)
{
	return folio_zonenum(folio);
}

__helper enum lru_list hmm_raw_folio_lru_list(struct folio *folio)
{
	return folio_lru_list(folio);
}

__helper struct lruvec *hmm_raw_folio_lruvec_lock_irq(struct folio *folio)
{
	return folio_lruvec_lock_irq(folio);
}

__helper bool hmm_raw_folio_matches_lruvec(struct folio *folio,
					   struct lruvec *lruvec)
{
	return folio_matches_lruvec(folio, lruvec);
}

/* As lruvec_del_folio() and lruvec_add_folio() in their parts. */
__helper bool hmm_raw_lru_gen_del_folio(struct lruvec *lruvec,
					struct folio *folio)
{
	return lru_gen_del_folio(lruvec, folio, false);
}

__helper bool hmm_raw_lru_gen_add_folio(struct lruvec *lruvec,
					struct folio *folio)
{
	return lru_gen_add_folio(lruvec, folio, false);
}

__helper void hmm_raw_lru_list_del(struct folio *folio)
{
	list_del(&folio->lru);
}

__helper void hmm_raw_lru_list_add(struct lruvec *lruvec, struct folio *folio,
				   enum lru_list lru)
{
	list_add(&folio->lru, &lruvec->lists[lru]);
}

__helper void hmm_raw_update_lru_size(struct lruvec *lruvec, enum lru_list lru,
				      enum zone_type zone, long nr_pages)
{
	update_lru_size(lruvec, lru, zone, nr_pages);
}

__helper void hmm_raw_lruvec_unlock_irq(struct lruvec *lruvec)
{
	lruvec_unlock_irq(lruvec);
}

__helper void hmm_raw_folio_add_lru(struct folio *folio)
{
	folio_add_lru(folio);
}

__helper void hmm_raw_folio_add_lru_vma(struct folio *folio,
					struct vm_area_struct *vma)
{
	folio_add_lru_vma(folio, vma);
}

__helper void hmm_raw_lru_add_drain(void)
{
	lru_add_drain();
}

__helper void hmm_raw_lru_add_drain_all(void)
{
	lru_add_drain_all();
}

__helper void hmm_raw_mlock_drain_local(void)
{
	mlock_drain_local();
}

/* Address spaces and areas. */

__helper void hmm_raw_mmap_assert_locked(struct mm_struct *mm)
{
	mmap_assert_locked(mm);
}

__helper bool hmm_raw_vma_is_hugetlb(struct vm_area_struct *vma)
{
	return is_vm_hugetlb_page(vma);
}

__helper bool hmm_raw_vma_is_dax(struct vm_area_struct *vma)
{
	return vma_is_dax(vma);
}

__helper bool hmm_raw_vma_is_secretmem(struct vm_area_struct *vma)
{
	return vma_is_secretmem(vma);
}

__helper bool hmm_raw_vma_is_anonymous(struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma);
}

__helper bool hmm_raw_vma_thp_disabled(struct vm_area_struct *vma)
{
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	return vma_thp_disabled(vma, vma->vm_flags, false);
#else
	return true;
#endif
}

__helper bool hmm_raw_vma_is_mlocked(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_LOCKED;
}

__helper unsigned long hmm_raw_vma_start(struct vm_area_struct *vma)
{
	return vma->vm_start;
}

__helper unsigned long hmm_raw_vma_end(struct vm_area_struct *vma)
{
	return vma->vm_end;
}

__helper struct anon_vma *hmm_raw_vma_anon_vma(struct vm_area_struct *vma)
{
	return vma->anon_vma;
}

__helper bool hmm_raw_vma_is_droppable(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_DROPPABLE;
}

__helper bool hmm_raw_vma_may_be_written(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_WRITE;
}

__helper bool hmm_raw_vma_has_tags(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_MTE;
}

__helper bool hmm_raw_vma_is_temporary_stack(struct vm_area_struct *vma)
{
	return vma_is_temporary_stack(vma);
}

__helper unsigned long hmm_raw_vma_special_flags(struct vm_area_struct *vma)
{
	return vma->vm_flags & (VM_SPECIAL | VM_SHADOW_STACK);
}

__helper unsigned long hmm_raw_flag_locked(void)
{
	return VM_LOCKED;
}

__helper unsigned long hmm_raw_flag_shadow_stack(void)
{
	return VM_SHADOW_STACK;
}

__helper bool hmm_raw_userfaultfd_missing(struct vm_area_struct *vma)
{
	return userfaultfd_missing(vma);
}

__helper bool hmm_raw_userfaultfd_rwp(struct vm_area_struct *vma)
{
	return userfaultfd_rwp(vma);
}

__helper vm_fault_t hmm_raw_check_stable_address_space(struct mm_struct *mm)
{
	return check_stable_address_space(mm);
}

__helper void hmm_raw_add_anon_pages(struct mm_struct *mm, long pages)
{
	add_mm_counter(mm, MM_ANONPAGES, pages);
}

/* Nobody is killed for what a driver wants: then there is no memory. */
__helper int hmm_raw_mem_cgroup_charge(struct folio *folio,
				       struct mm_struct *mm)
{
	return mem_cgroup_charge(folio, mm, GFP_KERNEL | __GFP_RETRY_MAYFAIL);
}

__helper void hmm_raw_mem_cgroup_uncharge(struct folio *folio)
{
	mem_cgroup_uncharge(folio);
}

__helper int hmm_raw_folio_memcg_alloc_deferred(struct folio *folio)
{
	return folio_memcg_alloc_deferred(folio);
}

__helper void hmm_raw_notifier_start(struct mmu_notifier_range *range,
				     struct mm_struct *mm,
				     unsigned long start, unsigned long end,
				     enum mmu_notifier_event event, void *owner)
{
	mmu_notifier_range_init_owner(range, event, 0, mm, start, end, owner);
	mmu_notifier_invalidate_range_start(range);
}

__helper void hmm_raw_notifier_end(struct mmu_notifier_range *range)
{
	mmu_notifier_invalidate_range_end(range);
}

/* The calling task. */

__helper bool hmm_raw_fatal_signal_pending(void)
{
	return fatal_signal_pending(current);
}

__helper void hmm_raw_cond_resched(void)
{
	cond_resched();
}

__helper void hmm_raw_sleep_one_tick(void)
{
	schedule_timeout_killable(1);
}

__helper void hmm_raw_gate_enable(struct hmm_migrate_gate *gate)
{
	static_branch_enable(&gate->key);
}

__helper void hmm_raw_gate_disable(struct hmm_migrate_gate *gate)
{
	static_branch_disable(&gate->key);
}
