// SPDX-License-Identifier: GPL-2.0
/*
 * kselftest_harness.h ends a test after 30 seconds, which it waits in poll().
 * A kernel with all checks on is slower than that: TIMEOUT_FACTOR in the
 * environment says how much more patience is due. Linked with --wrap=poll.
 */
#include <poll.h>
#include <stdlib.h>

int __real_poll(struct pollfd *fds, nfds_t nfds, int timeout);

int __wrap_poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	const char *factor = getenv("TIMEOUT_FACTOR");

	if (timeout > 0 && factor)
		timeout *= atoi(factor);
	return __real_poll(fds, nfds, timeout);
}
