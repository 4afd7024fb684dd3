// SPDX-License-Identifier: GPL-2.0
/* What the processor does to pages, and what a page holds. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include "oracle/oracle.h"

#define WORDS	(PAGE / sizeof(__u64))

static sigjmp_buf denied;

static void on_signal(int signal)
{
	siglongjmp(denied, signal);
}

/* An access that is not allowed shall be an error, not the end. */
void access_init(void)
{
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

__u32 contents_of(const void *page)
{
	const __u64 *words = page;
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < WORDS; i++)
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ULL + i;
	return sum >> 32;
}

int page_read(size_t page, __u32 *contents)
{
	int signal = sigsetjmp(denied, 0);

	if (signal)
		return signal == SIGBUS ? -EIO : -EFAULT;
	*contents = contents_of(page_address(page));
	return 0;
}

/* What the processor and the device write is the same. */
void page_fill(void *memory, size_t page, unsigned int seed)
{
	fill_page(memory, 0, seed * ARENA + page);
}

/* All of the page, or a word of it that depends on @seed. */
int page_write(size_t page, unsigned int seed, bool word)
{
	__u64 *words = page_address(page);
	int signal = sigsetjmp(denied, 0);

	if (signal)
		return signal == SIGBUS ? -EIO : -EFAULT;
	if (word)
		__atomic_store_n(&words[seed * 37 % WORDS], seed,
				 __ATOMIC_RELAXED);
	else
		page_fill(words, page, seed);
	return 0;
}
