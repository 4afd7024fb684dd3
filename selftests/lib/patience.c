// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel with all checks on is slower than others: PATIENCE in the
 * environment says by how much. kselftest_harness.h ends a test after 30
 * seconds, which it waits in poll(); how much longer that may be on a busy host
 * is TIMEOUT_FACTOR. Linked with --wrap=poll.
 */
#include <poll.h>
#include <stdlib.h>

#include "lib.h"

int __real_poll(struct pollfd *fds, nfds_t nfds, int timeout);

static unsigned int factor(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 1;
}

unsigned int patience(void)
{
	return factor("PATIENCE");
}

int __wrap_poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	if (timeout > 0)
		timeout *= factor("TIMEOUT_FACTOR");
	return __real_poll(fds, nfds, timeout);
}
