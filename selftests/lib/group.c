// SPDX-License-Identifier: GPL-2.0
/* Control groups: who pays for memory, and how much of it may be used. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib.h"

#define ROOT	"/sys/fs/cgroup"

static const char *path_of(const char *name, const char *file)
{
	static char path[256];

	snprintf(path, sizeof(path), ROOT "/%s/%s", name, file);
	return path;
}

static int join(const char *path)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	return file_write(path, pid);
}

/* Makes the group, and puts this process into it. */
int group_enter(const char *name)
{
	rmdir(path_of(name, ""));
	file_write(ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(path_of(name, ""), 0755))
		return -errno;
	return join(path_of(name, "cgroup.procs"));
}

/* Takes this process out, and the group away: nobody else may be in it. */
int group_leave(const char *name)
{
	int ret = join(ROOT "/cgroup.procs");

	if (ret)
		return ret;
	return rmdir(path_of(name, "")) ? -errno : 0;
}

int group_set(const char *name, const char *file, const char *value)
{
	return file_write(path_of(name, file), value);
}

/* A number of the group; @key: of the line that begins with it, or NULL. */
long group_number(const char *name, const char *file, const char *key)
{
	return file_number(path_of(name, file), key);
}
