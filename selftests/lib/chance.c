// SPDX-License-Identifier: GPL-2.0
/* Random numbers that a seed repeats. */
#include "lib.h"

static __thread __u64 state;

void chance_init(__u64 seed)
{
	state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

__u64 chance(__u64 below)
{
	__u64 x;

	state += 0x9e3779b97f4a7c15ULL;
	x = state;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x ^ (x >> 31)) % below;
}
