// SPDX-License-Identifier: GPL-2.0
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
