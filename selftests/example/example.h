/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What a process asks of the example device. */
#ifndef HMM_MIGRATE_EXAMPLE_H
#define HMM_MIGRATE_EXAMPLE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct hmm_example_add - HMM_EXAMPLE_ADD: add a number to every byte
 * @addr: where the bytes begin, a multiple of the size of a page
 * @npages: how many pages of them there are
 * @value: the number
 * @on_device: (out) how many of the pages the device had in its own memory
 */
struct hmm_example_add {
	__u64 addr;
	__u64 npages;
	__u64 value;
	__u64 on_device;
};

/* In /proc/iomem. */
#define HMM_EXAMPLE_MEMORY	"hmm_migrate_example"

#define HMM_EXAMPLE_ADD	_IOWR('E', 0, struct hmm_example_add)

#endif
