// SPDX-License-Identifier: GPL-2.0
/* Control groups: who pays for memory, and how much of it may be used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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

bool groups_exist(void)
{
	char controllers[256];
	int fd = open(ROOT "/cgroup.controllers", O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, controllers, sizeof(controllers) - 1);
	close(fd);
	controllers[length < 0 ? 0 : length] = 0;
	return strstr(controllers, "memory");
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
