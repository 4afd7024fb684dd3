// SPDX-License-Identifier: GPL-2.0
/* A process that uses its memory, with threads that move it. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"

#define MOVERS	2
#define USES	2000	/* in a life, at most */

static struct region region;
static struct mover movers[NR_MOVERS];

static void move_part(void)
{
	unsigned int kind = chance(NR_MOVERS);
	struct mover *mover = &movers[kind];
	struct part part = region_part(chance(4) ? 128 : REGION_PAGES);
	struct part busy = region.busy;
	bool away = chance(2);
	char *memory;
	long ret;

	if (!(storm->movers & 1U << kind))
		return;
	/* Both are read without a lock: another part of the region is as good. */
	if (chance(2) && busy.npages &&
	    busy.first + busy.npages <= REGION_PAGES)
		part = busy;
	memory = region_memory(&region) + part.first * PAGE;
	if (kind == MIRROR_2)
		pthread_mutex_lock(&region.coherent);
	ret = away ? mover_away(mover, memory, part.npages) :
		     mover_back(mover, memory, part.npages);
	if (kind == MIRROR_2)
		pthread_mutex_unlock(&region.coherent);
	if (ret == -EPROTO)
		storm_fail("the engine broke a promise to a driver");
	if (ret > 0)
		count(away ? MOVED_AWAY : MOVED_BACK, ret);
}

static void *move(void *argument)
{
	chance_init((uintptr_t)argument);
	while (!is_over())
		move_part();
	return NULL;
}

static void no_access(int signal, siginfo_t *info, void *context)
{
	if (signal == SIGBUS && use_expects_signal())
		return;
	region_tell_signal(&region, signal, info->si_addr);
	_exit(1);
}

static void live(unsigned int number)
{
	struct sigaction action = {
		.sa_sigaction = no_access,
		.sa_flags = SA_SIGINFO,
	};
	unsigned int uses = 1 + chance(USES), i;
	pthread_t thread;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	/* Pages may go where the kernel wants them. */
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	if (!region_init(&region, number)) {
		storm_fail("no memory for region %u", number);
		_exit(1);
	}
	for (i = 0; i < NR_MOVERS; i++) {
		if (mover_open(&movers[i], i)) {
			storm_fail("mover %u does not open", i);
			_exit(1);
		}
	}
	region.mirrors[0] = movers[MIRROR_1].fd;
	region.mirrors[1] = movers[MIRROR_2].fd;
	for (i = 0; i < MOVERS; i++)
		pthread_create(&thread, NULL, move,
			       (void *)(uintptr_t)chance(1UL << 32));
	for (i = 0; i < uses && !is_over(); i++)
		if (!use_something(&region))
			_exit(1);
	count(ENDED, 1);
	_exit(0);
}

/* Each life has another number, and with it other contents and chances. */
pid_t worker_start(unsigned int number)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	file_write("/proc/self/oom_score_adj", "1000");
	chance_init(storm->seed + number);
	live(number);
	return 0;
}
