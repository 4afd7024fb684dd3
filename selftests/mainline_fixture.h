/* SPDX-License-Identifier: GPL-2.0 */
/* A fixture whose test_hmm runs on mainline's engine, until the test is over. */
#ifndef SELFTESTS_MAINLINE_FIXTURE_H
#define SELFTESTS_MAINLINE_FIXTURE_H

#include "test.h"

FIXTURE(mainline)
{
	int mirror, own;
};

FIXTURE_SETUP(mainline)
{
	ASSERT_EQ(0, mirror_engine("mainline"));
	self->mirror = mirror_open(MIRROR_PRIVATE);
	self->own = own_open();
	ASSERT_GE(self->mirror, 0);
	ASSERT_GE(self->own, 0);
}

/* In the parent, for a child may not come to it. */
FIXTURE_TEARDOWN_PARENT(mainline)
{
	mirror_engine("hmm_migrate");
}

#endif
