// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of the emulator: counts how often each block of instructions runs
 * while something is measured. selftests/bench/mark.h says how it learns what
 * that is. For one emulated processor at a time (thread=single).
 *
 * At the end it writes a line for each block that has run then: its address, its
 * instructions, and how often it ran under each mark.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../selftests/bench/mark.h"

/* The part of the emulator's interface that is used; no package has its header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_trans_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_t)(unsigned int cpu, void *data);
typedef void (*exit_t)(qemu_plugin_id_t id, void *data);
enum { NO_REGISTERS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_t cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_t cb,
					  int registers, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    exec_t cb, int registers,
					    void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_t cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to,
			     size_t length);

__attribute__((visibility("default"))) int qemu_plugin_version = 4;

struct block {
	struct block *next;
	uint64_t address;
	uint64_t length;
	uint64_t runs[MARKS];
};

static struct block *blocks;
static unsigned int now;
static const char *output;

static void run(unsigned int cpu, void *data)
{
	struct block *block = data;

	block->runs[now]++;
}

static void set_mark(unsigned int cpu, void *data)
{
	now = (uintptr_t)data;
}

/* Which mark an instruction is; MARKS: none. */
static unsigned int mark_of(const struct qemu_plugin_insn *insn)
{
	static const unsigned char opcode[] = { 0x0f, 0x1f, 0x80 };
	unsigned char bytes[8];
	uint32_t number;

	if (qemu_plugin_insn_data(insn, bytes, sizeof(bytes)) != 7 ||
	    memcmp(bytes, opcode, sizeof(opcode)))
		return MARKS;
	memcpy(&number, bytes + sizeof(opcode), sizeof(number));
	return number - MARK_MAGIC < MARKS ? number - MARK_MAGIC : MARKS;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct block *block = calloc(1, sizeof(*block));
	uintptr_t number;
	size_t i;

	if (!block)
		abort();
	block->address = qemu_plugin_tb_vaddr(tb);
	block->length = qemu_plugin_tb_n_insns(tb);
	block->next = blocks;
	blocks = block;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, run, NO_REGISTERS, block);
	for (i = 0; i < block->length; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		number = mark_of(insn);
		if (number < MARKS)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, set_mark, NO_REGISTERS, (void *)number);
	}
}

static void finish(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(output, "w");
	struct block *block;
	unsigned int i;

	for (block = blocks; file && block; block = block->next) {
		fprintf(file, "%" PRIx64 " %" PRIu64, block->address,
			block->length);
		for (i = 0; i < MARKS; i++)
			fprintf(file, " %" PRIu64, block->runs[i]);
		fprintf(file, "\n");
	}
	if (!file || fclose(file))
		fprintf(stderr, "%s cannot be written\n", output);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
		    char **argv)
{
	if (argc != 1 || strncmp(argv[0], "to=", 3))
		return 1;
	output = strdup(argv[0] + 3);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
