// SPDX-License-Identifier: GPL-2.0
/* An operation in words. */
#include <stdio.h>
#include <sys/mman.h>

#include "oracle/oracle.h"

const char *process_name(int who)
{
	static const char * const names[PROCESSES] = {
		"parent", "child", "second child", "third child",
	};

	return names[who];
}

static const char *protection_name(unsigned int protection)
{
	if (!protection)
		return "nothing";
	return protection & PROT_WRITE ? "read and write" : "read";
}

static const char *detail(const struct op *op)
{
	static char text[64];

	switch (op->what) {
	case OP_FORK:
		snprintf(text, sizeof(text), " the %s", process_name(op->to));
		return text;
	case OP_MOVE:
		snprintf(text, sizeof(text), "to %zu", op->to);
		return text;
	case OP_MAP:
	case OP_PROTECT:
		return protection_name(op->how);
	case OP_WRITE:
		return op->how & HOW_WORD ? "a word each" : "all";
	case OP_FREE:
		snprintf(text, sizeof(text), "%sthe %s writes",
			 op->how & HOW_MIGRATED ? "to the device, " : "",
			 op->how & HOW_BY_DEVICE ? "device" : "process");
		return text;
	default:
		return "";
	}
}

const char *describe(const struct op *op)
{
	static char text[160];
	char range[48] = "";

	if (op->pages)
		snprintf(range, sizeof(range), " %zu..%zu ", op->at,
			 op->at + op->pages - 1);
	snprintf(text, sizeof(text), "%-12s %s%s%s", process_name(op->who),
		 op_name(op->what), range, detail(op));
	return text;
}
