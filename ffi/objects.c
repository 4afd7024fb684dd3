// SPDX-License-Identifier: GPL-2.0
/* The few objects of the module that must be C's. */

#include <linux/ratelimit.h>
#include "bindings.h"

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include <trace/events/hmm_migrate.h>

struct hmm_migrate_gate hmm_migrate_stats_gate = {
	.key = STATIC_KEY_FALSE_INIT,
};

/* Whether all processors may be disturbed for a fault that is repeated. */
bool hmm_migrate_may_drain(void)
{
	static struct ratelimit_state state =
		RATELIMIT_STATE_INIT_FLAGS(state, HZ / 10, 1,
					   RATELIMIT_MSG_ON_RELEASE);

	return __ratelimit(&state);
}

/* Whether one more message about a driver's mistake may be printed now. */
bool hmm_migrate_may_warn(void)
{
	static DEFINE_RATELIMIT_STATE(state, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);

	return __ratelimit(&state);
}
