// SPDX-License-Identifier: GPL-2.0
/* All ways to move memory away and back, behind one interface. */
#include <stdio.h>
#include <unistd.h>

#include "lib.h"

int mover_open(struct mover *mover, enum mover_kind kind)
{
	mover->kind = kind;
	switch (kind) {
	case MIRROR_1:
		mover->away = PRIVATE;
		mover->fd = mirror_open(MIRROR_PRIVATE);
		break;
	case MIRROR_2:
		mover->away = COHERENT;
		mover->fd = mirror_open(MIRROR_COHERENT);
		break;
	case OWN_DEVICE:
		mover->away = PRIVATE;
		mover->fd = own_open();
		break;
	default:
		mover->away = SYSTEM;
		mover->fd = own_open();
		break;
	}
	return mover->fd < 0 ? -1 : 0;
}

void mover_close(struct mover *mover)
{
	close(mover->fd);
	mover->fd = -1;
}

/* How many pages have moved, or -errno. */
long mover_away(struct mover *mover, void *addr, size_t npages)
{
	switch (mover->kind) {
	case MIRROR_1:
	case MIRROR_2:
		return mirror_to_device(mover->fd, addr, npages);
	case OWN_DEVICE:
		return own_to_device(mover->fd, addr, npages);
	default:
		return own_to_node(mover->fd, addr, npages, 1);
	}
}

long mover_back(struct mover *mover, void *addr, size_t npages)
{
	switch (mover->kind) {
	case MIRROR_1:
	case MIRROR_2:
		return mirror_to_system(mover->fd, addr, npages);
	case OWN_DEVICE:
		return own_to_system(mover->fd, addr, npages);
	default:
		return own_to_node(mover->fd, addr, npages, 0);
	}
}

/*
 * Touches what a call needs of this process itself, of its stack and variables:
 * whoever counts the pages of the process finds those there already.
 */
void mover_try(struct mover *mover)
{
	void *memory = pages_map(1);

	mover_away(mover, memory, 1);
	mover_back(mover, memory, 1);
	pages_unmap(memory, 1);
}

/* How many of these pages are where mover_away() brings them. */
size_t mover_pages_away(struct mover *mover, void *addr, size_t npages)
{
	if (mover->kind == OWN_NODES)
		return pages_on_node(addr, npages, 1);
	return pages_at(addr, npages, mover->away);
}

bool mover_is_away(struct mover *mover, void *addr, size_t npages)
{
	return mover_pages_away(mover, addr, npages) == npages;
}

/* Of what goes from a node to itself nobody can tell. */
bool mover_none_away(struct mover *mover, void *addr, size_t npages)
{
	if (mover->kind == OWN_NODES && !nodes_exist())
		return true;
	return mover_pages_away(mover, addr, npages) == 0;
}
