/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An instruction that does nothing tells the profiler (scripts/profile), which
 * sees all that are executed, what runs from here on.
 */
#ifndef HMM_MIGRATE_BENCH_MARK_H
#define HMM_MIGRATE_BENCH_MARK_H

/* What is not measured, then the engines in both directions, then the driver. */
#define MARK_NOTHING	0
#define MARK_ENGINE(engine, away)	(1 + 2 * (engine) + !(away))
#define MARK_DRIVER	5
#define MARKS		6

/* A nop with a displacement, which is this and the number of the mark. */
#define MARK_MAGIC	0x484d4d00

static __always_inline void mark(const int number)
{
#ifdef CONFIG_X86_64
	asm volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0"
		     : : "i" (MARK_MAGIC + number));
#else
	(void)number;
#endif
}

#endif
