// SPDX-License-Identifier: GPL-2.0
/* The devices of mainline's test driver, lib/test_hmm.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "lib.h"
#include "test_hmm_uapi.h"

#define ENGINE	"/sys/module/test_hmm/parameters/engine"

int mirror_open(int unit)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/hmm_dmirror%d", unit);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		perror(path);
	return fd;
}

/* The pages that the device says it worked on, or -errno. */
long mirror_command(int fd, unsigned long command, void *addr, size_t npages,
		    void *copy)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)addr,
		.ptr = (uintptr_t)copy,
		.npages = npages,
	};

	return ioctl(fd, command, &cmd) ? -errno : (long)cmd.cpages;
}

/*
 * The device hands back what it then has. Where only a part has moved, it
 * fails (ENOENT) although the part stays moved.
 */
long mirror_to_device(int fd, void *addr, size_t npages)
{
	void *copy;
	long ret;

	/* No memory of a kind that counts as the process's own. */
	copy = mmap(NULL, npages * PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return -ENOMEM;
	ret = mirror_command(fd, HMM_DMIRROR_MIGRATE_TO_DEV, addr, npages,
			     copy);
	munmap(copy, npages * PAGE);
	return ret;
}

long mirror_to_system(int fd, void *addr, size_t npages)
{
	return mirror_command(fd, HMM_DMIRROR_MIGRATE_TO_SYS, addr, npages,
			      NULL);
}

/* Which engine test_hmm runs on: "hmm_migrate" or "mainline". */
int mirror_engine(const char *engine)
{
	return file_write(ENGINE, engine);
}
