// SPDX-License-Identifier: GPL-2.0
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
