// SPDX-License-Identifier: GPL-2.0
/*
 * A run: fresh processes that take turns. The first one hands out the turns;
 * whoever has one does the operation that is going on.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oracle/oracle.h"

#define SECONDS	120	/* after which a process that hangs is ended */

struct process {
	const struct sequence *sequence;
	struct run *run;
	struct device device;
	struct pair pairs[PROCESSES];
	int who;
};

static void do_operation(struct process *self);

static void live_as_child(struct process *self, int who)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(SECONDS);
	device_forked(&self->device);
	self->who = who;
	while (true) {
		pair_child_turn(&self->pairs[who]);
		do_operation(self);
	}
}

/*
 * Every process is the child of who waits for its end. The C library's own
 * fork() is left out: it has nothing to do for these processes.
 */
static long make_process(struct process *self, int who)
{
	unsigned long flags = SIGCHLD | (self->who ? CLONE_PARENT : 0);
	long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

	if (!pid)
		live_as_child(self, who);
	self->run->pids[who] = pid;
	return pid < 0 ? -errno : 0;
}

static void do_operation(struct process *self)
{
	int number = self->run->now;
	const struct op *op = &self->sequence->ops[number];
	struct step *step = &self->run->steps[number];

	switch (op->what) {
	case OP_FORK:
		step->ret = make_process(self, op->to);
		break;
	case OP_EXIT:
		_exit(0);
	default:
		act(&self->device, op, number, step);
		break;
	}
}

static int end_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid ? status : -ECHILD;
}

/* The turn of a child; ends when it has done its operation, or has ended. */
static void give_turn(struct process *self, const struct op *op,
		      struct step *step)
{
	struct run *run = self->run;

	pair_go(&self->pairs[op->who]);
	if (op->what == OP_EXIT) {
		step->ret = end_of(run->pids[op->who]);
		run->pids[op->who] = 0;
	} else if (!pair_wait(&self->pairs[op->who])) {
		exit(1);
	}
}

static void take_step(struct process *self, int number)
{
	const struct op *op = &self->sequence->ops[number];
	struct run *run = self->run;
	struct step *step = &run->steps[number];

	run->now = number;
	if (!run->pids[op->who]) {
		step->ret = -ESRCH;
		return;
	}
	if (op->who)
		give_turn(self, op, step);
	else
		do_operation(self);
	if (op->what == OP_FORK && !step->ret &&
	    !pair_wait(&self->pairs[op->to]))
		exit(1);
}

static void record(struct process *self, int number)
{
	struct run *run = self->run;
	struct step *step = &run->steps[number];
	int who;

	step->events = run->events;
	for (who = 0; who < PROCESSES; who++) {
		step->alive[who] = run->pids[who];
		if (step->alive[who])
			look_at(run->pids[who], step->looks[who],
				pages_used(self->sequence));
	}
}

/* A list of operations that was made shorter may leave somebody behind. */
static void end_children(struct run *run)
{
	int who;

	for (who = 1; who < PROCESSES; who++) {
		if (!run->pids[who])
			continue;
		kill(run->pids[who], SIGKILL);
		end_of(run->pids[who]);
	}
}

static void live(struct process *self)
{
	int number, who;

	alarm(SECONDS);
	on_cpu(0);
	access_init();
	device_init(&self->device, self->device.engine, self->sequence->unit);
	for (who = 1; who < PROCESSES; who++)
		pair_init(&self->pairs[who]);
	self->run->pids[0] = getpid();
	if (watch_init(&self->run->events))
		exit(1);
	for (number = 0; number < self->sequence->nr; number++) {
		take_step(self, number);
		record(self, number);
	}
	end_children(self->run);
	self->run->now = number;
}

static const char *engine_to_use(enum engine engine)
{
	return engine == MAINLINE ? "mainline" : "hmm_migrate";
}

void run_sequence(const struct sequence *sequence, enum engine engine,
		  struct run *run)
{
	struct process first = {
		.sequence = sequence,
		.run = run,
		.device = { .engine = engine },
	};
	pid_t pid;
	int who;

	if (engine != NONE && mirror_engine(engine_to_use(engine))) {
		fprintf(stderr, "# test_hmm has no engine to choose\n");
		exit(1);
	}
	quiet_allow_sizes(sequence->sizes);
	run->events = 0;
	run->now = -1;
	for (who = 0; who < PROCESSES; who++)
		run->pids[who] = 0;
	pid = fork();
	if (!pid) {
		live(&first);
		_exit(0);
	}
	run->status = end_of(pid);
}
