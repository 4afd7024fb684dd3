// SPDX-License-Identifier: GPL-2.0
/*
 * What is asked of the device, and what takes its place in a run without
 * one: the processor, with the errors that the device would have met.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "oracle/oracle.h"
#include "test_hmm_uapi.h"

static char buffer[PAGE];

/* Each process has its own: a device sees the memory of who opened it. */
static int open_file(struct device *device)
{
	if (device->fd < 0)
		device->fd = mirror_open(device->unit);
	if (device->fd < 0)
		exit(1);
	return device->fd;
}

void device_init(struct device *device, enum engine engine, int unit)
{
	*device = (struct device) {
		.engine = engine, .unit = unit, .fd = -1,
	};
	if (engine != NONE)
		open_file(device);
}

/* A child opens its own when it needs one. */
void device_forked(struct device *device)
{
	close(device->fd);
	device->fd = -1;
}

/*
 * A hole that is migrated becomes a page of zeroes. To write a zero has the
 * same effect, but only where one may write.
 */
static void fill_hole(size_t page)
{
	if (page_protection(page) & PROT_WRITE && is_hole(look_here(page)))
		__atomic_store_n((char *)page_address(page), 0,
				 __ATOMIC_RELAXED);
}

static long pretend_to_move(size_t at, size_t npages, bool away)
{
	size_t page;

	for (page = at; page < at + npages; page++) {
		if (!(page_protection(page) & PROT_READ))
			return -EINVAL;
		if (away)
			fill_hole(page);
	}
	return npages;
}

/* The pages that the device then has, or that have left it. */
long device_move(struct device *device, size_t at, size_t npages, bool away)
{
	if (device->engine == NONE)
		return pretend_to_move(at, npages, away);
	if (away)
		return mirror_to_device(open_file(device), page_address(at),
					npages);
	return mirror_to_system(open_file(device), page_address(at), npages);
}

/* No flags at all are refused; this one has no meaning. */
#define NO_FLAG	2

static void set_flags(struct device *device, __u64 flags)
{
	mirror_command(open_file(device), HMM_DMIRROR_FLAGS, NULL, flags, NULL);
}

/*
 * The same, but the first allocation of the driver fails. A page stays where
 * it is then; a hole would stay a hole, and nobody could tell which.
 */
long device_fail(struct device *device, size_t at, size_t npages, bool away)
{
	long ret = pretend_to_move(at, npages, away);

	if (device->engine == NONE)
		return ret;
	set_flags(device, HMM_DMIRROR_FLAG_FAIL_ALLOC);
	ret = device_move(device, at, npages, away);
	set_flags(device, NO_FLAG);
	return ret;
}

/* Whoever closes the device takes everybody's memory back. */
long device_evict(struct device *device)
{
	if (device->engine != NONE)
		close(mirror_open(device->unit));
	return 0;
}

static bool is_barred(size_t page)
{
	return !(page_protection(page) & PROT_READ) ||
	       look_here(page) & IS_GUARD;
}

static int pretend_to_write(size_t page, unsigned int seed)
{
	if (is_barred(page))
		return -EFAULT;
	if (!(page_protection(page) & PROT_WRITE))
		return -EPERM;
	return page_write(page, seed, false);
}

/* A fault of a device cannot wait for userfaultfd: the kernel complains. */
int device_write(struct device *device, size_t page, unsigned int seed)
{
	long ret;

	if (look_here(page) & IS_UFFD_WP)
		return -EBUSY;
	if (device->engine == NONE)
		return pretend_to_write(page, seed);
	page_fill(buffer, page, seed);
	ret = mirror_command(open_file(device), HMM_DMIRROR_WRITE,
			     page_address(page), 1, buffer);
	return ret < 0 ? ret : 0;
}

int device_read(struct device *device, size_t page, __u32 *contents)
{
	long ret;

	if (device->engine == NONE)
		return is_barred(page) ? -EFAULT : page_read(page, contents);
	ret = mirror_command(open_file(device), HMM_DMIRROR_READ,
			     page_address(page), 1, buffer);
	if (ret < 0)
		return ret;
	*contents = contents_of(buffer);
	return 0;
}
