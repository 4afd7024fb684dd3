// SPDX-License-Identifier: GPL-2.0
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

/*
 * Without the mmap lock it may change: mlock() sets it before it comes to the
 * page table, whose lock is held here.
 */
__helper bool hmm_raw_vma_is_mlocked(struct vm_area_struct *vma)
{
	return READ_ONCE(vma->vm_flags) & VM_LOCKED;
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

__helper int hmm_raw_mem_cgroup_charge(struct folio *folio,
				       struct mm_struct *mm, gfp_t gfp)
{
	return mem_cgroup_charge(folio, mm, gfp);
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
