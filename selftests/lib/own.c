// SPDX-License-Identifier: GPL-2.0
/* The test device, and a complaint wherever the engine broke a promise. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib.h"

static const char * const reasons[HMM_TEST_NR_REASONS] = {
	"nothing", "kind", "foreign", "swapped", "poisoned", "locked",
	"not_lru", "pinned", "partial", "not_mapped", "raced", "no_memory",
	"declined", "bad_destination",
};

const char *reason_name(enum hmm_test_reason reason)
{
	return reasons[reason];
}

long stats_left(enum hmm_test_reason reason)
{
	char name[64];

	snprintf(name, sizeof(name), "left %s", reasons[reason]);
	return stats(name);
}

int own_open(void)
{
	int fd = open(HMM_TEST_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		perror(HMM_TEST_PATH);
	return fd;
}

/* All that happened, in one line, for the log of a test that fails. */
const char *own_describe(const struct hmm_test_result *result)
{
	static char text[512];
	int i, n;

	n = snprintf(text, sizeof(text),
		     "returned %d, broken promises %#x, moved %llu, windows %u, offered %u + %u holes, given %u, declined %u",
		     result->ret, result->contract,
		     (unsigned long long)result->migrated, result->windows,
		     result->offered, result->holes, result->given,
		     result->declined);
	for (i = 0; i < HMM_TEST_NR_REASONS; i++)
		if (result->left[i])
			n += snprintf(text + n, sizeof(text) - n, ", %s %llu",
				      reasons[i],
				      (unsigned long long)result->left[i]);
	return text;
}

static int judge(const struct hmm_test_result *result)
{
	if (!result->contract)
		return 0;
	fprintf(stderr, "# the engine broke a promise: %s\n",
		own_describe(result));
	return -EPROTO;
}

struct hmm_test_move own_request(void *addr, size_t npages, int to,
				 unsigned int flags)
{
	struct hmm_test_move move = {
		.addr = (uintptr_t)addr,
		.npages = npages,
		.function = HMM_TEST_RANGE,
		.to = to,
		.flags = flags,
	};

	return move;
}

/*
 * 0: the engine was called and kept its promises. Where there is no other
 * node, memory goes to other pages of the only one. A signal, as that of a
 * child's end, has the kernel give up to register the device's first notifier
 * of a process: then the engine was not called, and is once more.
 */
int own_call(int fd, struct hmm_test_move *move)
{
	int ret;

	if (move->node == 1 && !nodes_exist())
		move->node = 0;
	do {
		ret = ioctl(fd, HMM_TEST_MOVE, move);
	} while (ret && errno == EINTR);
	return ret ? -errno : judge(&move->result);
}

static long moved(int fd, struct hmm_test_move *move)
{
	int ret = own_call(fd, move);

	if (!ret)
		ret = move->result.ret;
	return ret ? ret : (long)move->result.migrated;
}

long own_to_device(int fd, void *addr, size_t npages)
{
	struct hmm_test_move move = own_request(addr, npages,
						HMM_TEST_TO_DEVICE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_LARGE);

	return moved(fd, &move);
}

long own_to_node(int fd, void *addr, size_t npages, unsigned int node)
{
	struct hmm_test_move move = own_request(addr, npages, HMM_TEST_TO_NODE,
						HMM_TEST_FROM_SYSTEM |
						HMM_TEST_TO_SYSTEM |
						HMM_TEST_LARGE);

	move.node = node;
	return moved(fd, &move);
}

long own_to_system(int fd, void *addr, size_t npages)
{
	struct hmm_test_move move = own_request(addr, npages, HMM_TEST_TO_NODE,
						HMM_TEST_FROM_DEVICE |
						HMM_TEST_TO_SYSTEM |
						HMM_TEST_LARGE);

	return moved(fd, &move);
}

int own_evict(int fd, struct hmm_test_evict *evict)
{
	if (ioctl(fd, HMM_TEST_EVICT, evict))
		return -errno;
	return judge(&evict->result);
}

int own_hold(int fd, __u64 pfn, unsigned int what)
{
	struct hmm_test_hold hold = { .pfn = pfn, .what = what };

	return ioctl(fd, HMM_TEST_HOLD, &hold) ? -errno : 0;
}

struct hmm_test_stats own_stats(int fd)
{
	struct hmm_test_stats stats;

	memset(&stats, 0xff, sizeof(stats));
	if (ioctl(fd, HMM_TEST_STATS, &stats))
		perror("HMM_TEST_STATS");
	return stats;
}

__u64 own_in_use(int fd)
{
	struct hmm_test_stats stats = own_stats(fd);

	return stats.allocated - stats.freed;
}

/* Page tables that there are; false: the device does not tell. */
bool own_tables(int fd, struct hmm_test_tables *tables)
{
	return ioctl(fd, HMM_TEST_TABLES, tables) == 0;
}

/* Where the kernel tells the driver that these pages are. */
int own_look(int fd, const void *addr, size_t npages, __u64 *pfns)
{
	struct hmm_test_look look = {
		.addr = (uintptr_t)addr,
		.npages = npages,
		.pfns = (uintptr_t)pfns,
	};
	int ret;

	do {
		ret = ioctl(fd, HMM_TEST_LOOK, &look);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

/* Waits until a callback runs: the sources of its window are unmapped. */
int own_wait_for_callback(int fd)
{
	__u64 end = now_ns() + 10000000000ULL * patience();

	while (now_ns() < end) {
		if (own_stats(fd).in_callback)
			return 0;
		sleep_ms(1);
	}
	return -ETIMEDOUT;
}
