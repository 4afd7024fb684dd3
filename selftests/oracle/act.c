// SPDX-License-Identifier: GPL-2.0
/* One operation, in the process that does it. */
#include <errno.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "oracle/oracle.h"

static long result(long ret)
{
	return ret < 0 ? -errno : 0;
}

static long advise(const struct op *op, int advice)
{
	return result(madvise(page_address(op->at), op->pages * PAGE, advice));
}

static long map(const struct op *op)
{
	void *memory = mmap(page_address(op->at), op->pages * PAGE, op->how,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return memory == MAP_FAILED ? -errno : 0;
}

static long move(const struct op *op)
{
	size_t size = op->pages * PAGE;
	void *memory = mremap(page_address(op->at), size, size,
			      MREMAP_MAYMOVE | MREMAP_FIXED,
			      page_address(op->to));

	return memory == MAP_FAILED ? -errno : 0;
}

/* Each operation writes other contents. */
static unsigned int seed_of(int number)
{
	return 2 * number + 1;
}

static int act_on_page(struct device *device, const struct op *op, int number,
		       size_t page, __u32 *contents)
{
	unsigned int seed = seed_of(number);

	switch (op->what) {
	case OP_WRITE:
		return page_write(page, seed, op->how & HOW_WORD);
	case OP_READ:
		return page_read(page, contents);
	case OP_DEVICE_WRITE:
		return device_write(device, page, seed);
	default:
		return device_read(device, page, contents);
	}
}

static void act_by_page(struct device *device, const struct op *op, int number,
			struct step *step)
{
	size_t page;

	for (page = op->at; page < op->at + op->pages; page++) {
		step->contents[page] = 0;
		step->errors[page] = act_on_page(device, op, number, page,
						 &step->contents[page]);
	}
}

static void free_lazily(const struct op *op, const struct step *step)
{
	size_t page;

	for (page = op->at; page < op->at + op->pages; page++)
		if (!step->errors[page])
			madvise(page_address(page), PAGE, MADV_FREE);
}

/*
 * The device writes only to what is its own: test_hmm does not tell the kernel
 * when it has written to memory of the system, which then counts as clean.
 */
static int write_again(struct device *device, const struct op *op, size_t page,
		       unsigned int seed)
{
	if (op->how & HOW_BY_DEVICE && is_away(look_here(page)))
		return device_write(device, page, seed);
	return page_write(page, seed, false);
}

/*
 * What a page holds that is freed lazily is not defined until it is written
 * again. So only pages that can be written are freed, and all are written.
 */
static long write_and_free(struct device *device, const struct op *op,
			   int number, struct step *step)
{
	const struct op write = {
		.what = OP_WRITE, .at = op->at, .pages = op->pages,
	};
	unsigned int seed = seed_of(number) + 1;
	long ret = 0;
	size_t page;

	act_by_page(device, &write, number, step);
	free_lazily(op, step);
	if (op->how & HOW_MIGRATED)
		ret = device_move(device, op->at, op->pages, true);
	for (page = op->at; page < op->at + op->pages; page++)
		if (!step->errors[page])
			step->errors[page] = write_again(device, op, page,
							 seed);
	return ret;
}

static long act_on_range(struct device *device, const struct op *op)
{
	void *address = page_address(op->at);
	size_t size = op->pages * PAGE;

	switch (op->what) {
	case OP_MAP:
		return map(op);
	case OP_UNMAP:
		return result(munmap(address, size));
	case OP_PROTECT:
		return result(mprotect(address, size, op->how));
	case OP_MOVE:
		return move(op);
	case OP_POPULATE_READ:
		return advise(op, MADV_POPULATE_READ);
	case OP_POPULATE_WRITE:
		return advise(op, MADV_POPULATE_WRITE);
	case OP_DISCARD:
		return advise(op, MADV_DONTNEED);
	case OP_PAGE_OUT:
		return advise(op, MADV_PAGEOUT);
	case OP_GUARD:
		return advise(op, MADV_GUARD_INSTALL);
	case OP_UNGUARD:
		return advise(op, MADV_GUARD_REMOVE);
	case OP_HUGE:
		return advise(op, MADV_HUGEPAGE);
	case OP_NO_HUGE:
		return advise(op, MADV_NOHUGEPAGE);
	case OP_LOCK:
		return result(mlock(address, size));
	case OP_UNLOCK:
		return result(munlock(address, size));
	case OP_CLEAR_SOFT_DIRTY:
		return file_write("/proc/self/clear_refs", "4");
	case OP_WRITE_PROTECT:
		return watch_protect(op->at, op->pages, true);
	case OP_WRITE_ALLOW:
		return watch_protect(op->at, op->pages, false);
	case OP_UNREGISTER:
		return watch_end(op->at, op->pages);
	case OP_TO_DEVICE:
		return device_move(device, op->at, op->pages, true);
	case OP_TO_SYSTEM:
		return device_move(device, op->at, op->pages, false);
	case OP_FAIL_TO_DEVICE:
		return device_fail(device, op->at, op->pages, true);
	case OP_FAIL_TO_SYSTEM:
		return device_fail(device, op->at, op->pages, false);
	case OP_EVICT:
		return device_evict(device);
	default:
		return -EINVAL;
	}
}

/* All but OP_FORK and OP_EXIT. */
void act(struct device *device, const struct op *op, int number,
	 struct step *step)
{
	if (op->what == OP_FREE) {
		step->ret = write_and_free(device, op, number, step);
	} else if (op_is_by_page(op->what)) {
		act_by_page(device, op, number, step);
		step->ret = 0;
	} else {
		step->ret = act_on_range(device, op);
	}
}
