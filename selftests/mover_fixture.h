/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fixture that runs a test for every way to move memory: to the private and
 * the coherent memory of test_hmm, to the test device's, to another node.
 */
#ifndef SELFTESTS_MOVER_FIXTURE_H
#define SELFTESTS_MOVER_FIXTURE_H

#include "test.h"

FIXTURE(mover)
{
	struct mover mover;
};

FIXTURE_VARIANT(mover)
{
	enum mover_kind kind;
};

FIXTURE_VARIANT_ADD(mover, mirror_private)
{
	.kind = MIRROR_1,
};

FIXTURE_VARIANT_ADD(mover, mirror_coherent)
{
	.kind = MIRROR_2,
};

FIXTURE_VARIANT_ADD(mover, own_private)
{
	.kind = OWN_DEVICE,
};

FIXTURE_VARIANT_ADD(mover, nodes)
{
	.kind = OWN_NODES,
};

FIXTURE_SETUP(mover)
{
	/* Memory begins on the node that it comes back to. */
	on_cpu(0);
	ASSERT_EQ(0, mover_open(&self->mover, variant->kind));
}

FIXTURE_TEARDOWN(mover)
{
	mover_close(&self->mover);
}

#endif
