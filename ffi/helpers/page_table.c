// SPDX-License-Identifier: GPL-2.0
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
