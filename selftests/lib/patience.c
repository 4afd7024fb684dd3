// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel with all checks on is slower than others: TIMEOUT_FACTOR in the
 * environment says how much more patience is due. kselftest_harness.h ends a
 * test after 30 seconds, which it waits in poll(). Linked with --wrap=poll.
 */
#include <poll.h>
#include <stdlib.h>

#include "lib.h"

int __real_poll(struct pollfd *fds, nfds_t nfds, int timeout);

unsigned int patience(void)
{
	const char *factor = getenv("TIMEOUT_FACTOR");

	return factor ? atoi(factor) : 1;
}

int __wrap_poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	if (timeout > 0)
		timeout *= patience();
	return __real_poll(fds, nfds, timeout);
}
