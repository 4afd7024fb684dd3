// SPDX-License-Identifier: GPL-2.0
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
