/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test programs share: memory with known contents, where its pages
 * are, the devices that move them, and the kernel's books.
 */
#ifndef SELFTESTS_LIB_H
#define SELFTESTS_LIB_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/const.h>
#include <linux/types.h>

#include "hmm_migrate_test_uapi.h"

#define PAGE	4096UL
#define TABLE	512UL	/* pages under one page table */

/* pattern.c: contents that tell which page of which buffer they are */
void *pages_map(size_t npages);
void pages_unmap(void *addr, size_t npages);
void fill(void *addr, size_t npages, unsigned int seed);
long wrong(const void *addr, size_t npages, unsigned int seed);
void fill_page(void *addr, size_t page, unsigned int seed);
bool page_is(const void *addr, size_t page, unsigned int seed);
bool page_is_zero(const void *addr, size_t page);

/* place.c: where the pages of this process are */
enum place {
	NOWHERE,	/* never touched */
	SYSTEM,		/* ordinary memory, or the zero page */
	PRIVATE,	/* device memory that the CPU cannot reach */
	COHERENT,	/* device memory that it can reach */
	ELSEWHERE,	/* swap, a marker, a migration in progress */
	NR_PLACES
};

#define PM_SOFT_DIRTY	_BITULL(55)
#define PM_EXCLUSIVE	_BITULL(56)
#define PM_UFFD_WP	_BITULL(57)
#define PM_GUARD	_BITULL(58)
#define PM_FILE		_BITULL(61)
#define PM_SWAP		_BITULL(62)
#define PM_PRESENT	_BITULL(63)

__u64 pagemap(const void *addr);
enum place place_of(const void *addr);
void entries_of(const void *addr, size_t npages, __u64 *entries,
		enum place *places);
size_t pages_at(const void *addr, size_t npages, enum place place);
size_t pages_with(const void *addr, size_t npages, __u64 flag);
__u64 pfn_in(__u64 entry);
__u64 pfn_of(const void *addr);
bool pfn_is_coherent(__u64 pfn);
size_t pages_on_node(const void *addr, size_t npages, int node);
const char *place_name(enum place place);

/* access.c: what the kernel does for a process with its memory */
bool can_read(const void *addr);
bool can_write(void *addr);

/* injected.c: what was made to go wrong, for a table */
void injected(unsigned long times, const char *what);

/* huge.c: large folios */
bool huge_pages_exist(void);
bool huge_pages_ask(void *addr, size_t npages);
long huge_pages_kb(const char *memory);
char *huge_pages_map(size_t tables, unsigned int seed);
void folio_order_set(unsigned int order);
void folio_order_add(unsigned int order);
void folio_order_reset(void);
long khugepaged_count(const char *name);
int khugepaged_wake(void);
void khugepaged_rest(void);
size_t folios_of_order(const char *addr, size_t npages, unsigned int order);

/* pair.c: two processes that take turns; the child goes first */
struct pair {
	int to_child[2], to_parent[2];
};

void pair_init(struct pair *pair);
void pair_child_turn(struct pair *pair);
bool pair_wait(struct pair *pair);
void pair_go(struct pair *pair);

/* mixed.c: a range with memory of every kind, side by side */
enum mixed_kind {
	MIXED_FOLIO,		/* a large folio that small entries map */
	MIXED_SMALL,
	MIXED_HOLE,
	MIXED_ZERO,		/* the zero page */
	MIXED_SHARED,		/* with a child */
	MIXED_SWAP_CACHE,	/* read back from the swap disk */
	MIXED_SWAPPED,		/* on the swap disk */
	MIXED_HUGE,		/* one entry maps a huge page */
	MIXED_NO_TABLE		/* a hole, and no page table either */
};

#define MIXED_SMALL_PAGES	32	/* before the huge page */
#define MIXED_PAGES		546

struct mixed {
	char *memory;
	size_t npages;
	bool locked;
	bool has_large;
	char *mapping;
	struct pair pair;
	pid_t child;
};

bool mixed_map(struct mixed *mixed, size_t npages, bool locked);
enum mixed_kind mixed_kind(const struct mixed *mixed, size_t page);
size_t mixed_folio_pages(const struct mixed *mixed, size_t page);
long mixed_wrong(const struct mixed *mixed);
int mixed_unmap(struct mixed *mixed);

/* own.c: the test device, /dev/hmm_migrate_test */
int own_open(void);
struct hmm_test_move own_request(void *addr, size_t npages, int to,
				 unsigned int flags);
int own_call(int fd, struct hmm_test_move *move);
long own_to_device(int fd, void *addr, size_t npages);
long own_to_node(int fd, void *addr, size_t npages, unsigned int node);
long own_to_system(int fd, void *addr, size_t npages);
int own_evict(int fd, struct hmm_test_evict *evict);
int own_hold(int fd, __u64 pfn, unsigned int what);
struct hmm_test_stats own_stats(int fd);
__u64 own_in_use(int fd);
bool own_tables(int fd, struct hmm_test_tables *tables);
int own_look(int fd, const void *addr, size_t npages, __u64 *pfns);
int own_wait_for_callback(int fd);
const char *reason_name(enum hmm_test_reason reason);
const char *own_describe(const struct hmm_test_result *result);

/* mirror.c: test_hmm's devices, /dev/hmm_dmirror* */
enum { MIRROR_PRIVATE = 0, MIRROR_PRIVATE_TWO = 1, MIRROR_COHERENT = 2 };

int mirror_open(int unit);
long mirror_command(int fd, unsigned long command, void *addr, size_t npages,
		    void *copy);
long mirror_to_device(int fd, void *addr, size_t npages);
long mirror_to_system(int fd, void *addr, size_t npages);
int mirror_engine(const char *engine);

/* mover.c: all ways to move memory away and back, to test them alike */
enum mover_kind { MIRROR_1, MIRROR_2, OWN_DEVICE, OWN_NODES, NR_MOVERS };

struct mover {
	enum mover_kind kind;
	int fd;
	enum place away;	/* where pages are when they are away */
};

int mover_open(struct mover *mover, enum mover_kind kind);
void mover_close(struct mover *mover);
long mover_away(struct mover *mover, void *addr, size_t npages);
long mover_back(struct mover *mover, void *addr, size_t npages);
void mover_try(struct mover *mover);
size_t mover_pages_away(struct mover *mover, void *addr, size_t npages);
bool mover_is_away(struct mover *mover, void *addr, size_t npages);
bool mover_none_away(struct mover *mover, void *addr, size_t npages);

/* migrator.c: a thread that moves memory back and forth until it is stopped */
struct migrator {
	struct mover *mover;
	void *memory;
	size_t npages;
	__u64 begin;
	unsigned long moved;
	bool stopped;
	bool broken;
	pthread_t thread;
};

void migrator_start(struct migrator *migrator, struct mover *mover,
		    void *memory, size_t npages);
bool migrator_goes_on(const struct migrator *migrator, unsigned int ms,
		      bool happened);
long migrator_stop(struct migrator *migrator);

/* ksm.c: the thread that merges pages */
long ksm(const char *name);
int ksm_set(const char *name, const char *value);
int ksm_fast(void);
void ksm_stop(void);

/* uffd.c: waiting for accesses to one's own memory */
int uffd_open(__u64 features);
int uffd_register(int fd, const void *addr, size_t npages, __u64 mode);
int uffd_wp(int fd, const void *addr, size_t npages, bool on);
int uffd_rwp(int fd, const void *addr, size_t npages, bool on);
int uffd_zero(int fd, const void *addr, size_t npages);
int uffd_copy(int fd, void *to, const void *from, size_t npages);
int uffd_continue(int fd, const void *addr, size_t npages);
int uffd_poison(int fd, const void *addr, size_t npages);
int uffd_move(int fd, void *to, const void *from, size_t npages);
long uffd_event(int fd, void *addr, bool write,
		int (*resolve)(int fd, const void *addr));

/* books.c: what the kernel counts */
long file_number(const char *path, const char *name);
long status_kb(const char *name);
long page_faults(void);
long smaps_kb(const void *addr, const char *name);
bool soft_dirty_exists(void);
long vm_count(const char *name);
long vm_settled(const char *name);
long vm_awaited(const char *name, long wanted);
__u64 page_flags(__u64 pfn);
int file_write(const char *path, const char *text);
long stats(const char *name);
long stats_left(enum hmm_test_reason reason);
int stats_on(void);
void stats_off(void);
int drop_after(const char *stage);
int pause_after(const char *stage);

/* group.c: a memory control group for this process and its children */
bool groups_exist(void);
int group_enter(const char *name);
int group_leave(const char *name);
int group_set(const char *name, const char *file, const char *value);
long group_number(const char *name, const char *file, const char *key);

/* chance.c: random numbers that a seed repeats, for each thread its own */
void chance_init(__u64 seed);
__u64 chance(__u64 below);

/* patience.c: by how much to multiply what a fast kernel's times are */
unsigned int patience(void);

/* broken.c: pages that break, and are mended */
int breaking_on(void);
void breaking_off(void);
int page_break(__u64 pfn);
int page_mend(__u64 pfn);
bool page_is_broken(__u64 pfn);
long pages_mend(void);

/* machine.c: parts of the machine that some tests need */
bool nodes_exist(void);
bool swap_exists(void);
int swap_on(void);
int swap_off(void);
size_t swap_out(void *memory, size_t npages);
int module_load(const char *name, const char *options);
int module_unload(const char *name);
int run(const char *command);
void sleep_ms(unsigned int ms);
__u64 now_ns(void);
bool goes_on(__u64 begin, unsigned int ms, bool happened);
int on_cpu(int cpu);
void on_any_cpu(void);

#endif
