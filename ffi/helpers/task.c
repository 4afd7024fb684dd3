// SPDX-License-Identifier: GPL-2.0
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

__helper unsigned int hmm_raw_memalloc_nofs_save(void)
{
	return memalloc_nofs_save();
}

__helper void hmm_raw_memalloc_nofs_restore(unsigned int flags)
{
	memalloc_nofs_restore(flags);
}

__helper void hmm_raw_gate_enable(struct hmm_migrate_gate *gate)
{
	static_branch_enable(&gate->key);
}

__helper void hmm_raw_gate_disable(struct hmm_migrate_gate *gate)
{
	static_branch_disable(&gate->key);
}
