// SPDX-License-Identifier: GPL-2.0
/* Others that use the same memory, or the same processors. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define MAX_THREADS	4
#define MAX_CHILDREN	8

static bool bystanders_run;
static unsigned int bystanders_there;
static pthread_t bystanders[MAX_THREADS];
static unsigned int nr_bystanders;

/* It computes, and does not touch the memory that moves. */
static void *bystander(void *argument)
{
	if (on_cpu((uintptr_t)argument))
		fail("no processor %lu", (unsigned long)(uintptr_t)argument);
	__atomic_add_fetch(&bystanders_there, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&bystanders_run, __ATOMIC_RELAXED))
		;
	return NULL;
}

/* On the processors from the second on. Returns when they run there. */
void bystanders_start(unsigned int number)
{
	bystanders_run = true;
	for (nr_bystanders = 0; nr_bystanders < number; nr_bystanders++)
		if (pthread_create(&bystanders[nr_bystanders], NULL, bystander,
				   (void *)(uintptr_t)(nr_bystanders + 1)))
			fail("no thread");
	while (__atomic_load_n(&bystanders_there, __ATOMIC_RELAXED) < number)
		sleep_ms(1);
}

void bystanders_stop(void)
{
	__atomic_store_n(&bystanders_run, false, __ATOMIC_RELAXED);
	while (nr_bystanders)
		pthread_join(bystanders[--nr_bystanders], NULL);
}

static pid_t children[MAX_CHILDREN];
static unsigned int nr_children;
static int children_pipe[2];

/* Processes that have the memory too, and look at it when they end. */
void children_start(unsigned int number, const void *memory, size_t npages,
		    unsigned int seed)
{
	char byte;

	if (number && pipe(children_pipe))
		fail("no pipe");
	for (nr_children = 0; nr_children < number; nr_children++) {
		children[nr_children] = fork();
		if (children[nr_children] < 0)
			fail("no process");
		if (children[nr_children])
			continue;
		close(children_pipe[1]);
		if (read(children_pipe[0], &byte, 1))
			_exit(1);
		_exit(wrong(memory, npages, seed) != -1);
	}
}

void children_stop(void)
{
	bool good = true;
	int status;

	if (!nr_children)
		return;
	close(children_pipe[0]);
	close(children_pipe[1]);
	while (nr_children)
		good = waitpid(children[--nr_children], &status, 0) > 0 &&
		       WIFEXITED(status) && !WEXITSTATUS(status) && good;
	if (!good)
		fail("a child does not see what it should");
}

/*
 * How often processors had to flush their TLB for another; -1: it is not
 * known. Each flush of a range interrupts each of the others once.
 */
long remote_flushes(void)
{
	long flushes = file_number("/proc/vmstat", "nr_tlb_remote_flush");
	char line[256], *number, *end;
	FILE *file;

	if (flushes >= 0)
		return flushes;
	file = fopen("/proc/interrupts", "r");
	while (file && fgets(line, sizeof(line), file)) {
		number = strstr(line, "TLB:");
		if (!number)
			continue;
		flushes = 0;
		for (number += 4;; number = end) {
			long one = strtol(number, &end, 10);

			if (end == number)
				break;
			flushes += one;
		}
	}
	if (file)
		fclose(file);
	return flushes;
}

struct part {
	unsigned int number;
	unsigned int *waiting;	/* threads that are not there yet */
	void (*work)(unsigned int part, void *arg);
	void *arg;
};

static void *do_part(void *argument)
{
	struct part *part = argument;

	if (on_cpu(part->number))
		fail("no processor %u", part->number);
	__atomic_sub_fetch(part->waiting, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(part->waiting, __ATOMIC_ACQUIRE))
		;
	part->work(part->number, part->arg);
	return NULL;
}

/* Each part on a processor of its own, beginning at the same time. */
void in_parts(unsigned int threads, void (*work)(unsigned int part, void *arg),
	      void *arg)
{
	struct part parts[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	unsigned int waiting = threads, i;

	for (i = 0; i < threads; i++)
		parts[i] = (struct part){ i, &waiting, work, arg };
	for (i = 1; i < threads; i++)
		if (pthread_create(&ids[i], NULL, do_part, &parts[i]))
			fail("no thread");
	do_part(&parts[0]);
	for (i = 1; i < threads; i++)
		pthread_join(ids[i], NULL);
}
