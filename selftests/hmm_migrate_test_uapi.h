/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The requests of /dev/hmm_migrate_test, a device that calls hmm_vma_migrate()
 * and its relatives on behalf of the process that asks, or of another one.
 *
 * It has device-private memory of its own, moves memory between nodes, and is
 * a driver that delays, declines, and breaks the rules of the interface when
 * it is told to. Each request that reaches the engine returns 0 and says in
 * struct hmm_test_result what the engine did; an errno means that the request
 * itself made no sense and that the engine was not called.
 */
#ifndef HMM_MIGRATE_TEST_UAPI_H
#define HMM_MIGRATE_TEST_UAPI_H

#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/types.h>

#define HMM_TEST_PATH		"/dev/hmm_migrate_test"

/* The name of the device's memory in /proc/iomem. */
#define HMM_TEST_MEMORY		"hmm_migrate_test"

/* enum hmm_migrate_flags: what a call takes, and what it promises. */
#define HMM_TEST_FROM_SYSTEM	1
#define HMM_TEST_FROM_DEVICE	2
#define HMM_TEST_TO_SYSTEM	4
#define HMM_TEST_LARGE		8

/* enum hmm_migrate_reason: why a page is where it was. */
enum hmm_test_reason {
	HMM_TEST_NOTHING,
	HMM_TEST_KIND,
	HMM_TEST_FOREIGN,
	HMM_TEST_SWAPPED,
	HMM_TEST_POISONED,
	HMM_TEST_LOCKED,
	HMM_TEST_NOT_LRU,
	HMM_TEST_PINNED,
	HMM_TEST_PARTIAL,
	HMM_TEST_NOT_MAPPED,
	HMM_TEST_RACED,
	HMM_TEST_NO_MEMORY,
	HMM_TEST_DECLINED,
	HMM_TEST_BAD_DESTINATION,
	HMM_TEST_NR_REASONS
};

/* What the words of a request are once the engine is done with them. */
#define HMM_TEST_WORD_ERROR	_BITULL(3)
#define HMM_TEST_WORD_MIGRATE	_BITULL(9)
#define HMM_TEST_WORD_SHIFT	11
#define HMM_TEST_WORD_REASON(w)	((w) >> HMM_TEST_WORD_SHIFT)

/* The word by which a list of pages names one. */
#define HMM_TEST_WORD_VALID	_BITULL(0)
#define HMM_TEST_WORD_OF(pfn)	(((__u64)(pfn) << HMM_TEST_WORD_SHIFT) | \
				 HMM_TEST_WORD_VALID)

/*
 * Promises of the engine that it broke. The device checks them in each call;
 * a test that sees one of these bits has found a bug in the engine.
 *
 * PAIRS:   the callbacks did not come in pairs, in order, with the same window
 * WINDOW:  a window is empty, out of order, or larger than a page table
 * WORD:    an offered word has flags that its page contradicts, or stray bits
 * STATE:   an offered page is not locked, is mapped, or is on the LRU
 * KIND:    an offered page is of a kind that the call did not ask for
 * FINAL:   the words in finalize_and_map do not follow from those given
 * RETURN:  the words or the result after the call are malformed or disagree
 * CONTEXT: a callback ran without the mmap lock, in atomic context, or could
 *	    wait for a file system while pages of files were locked
 * BROKEN:  a large folio of which a page had broken was freed
 */
#define HMM_TEST_CONTRACT_PAIRS		_BITUL(0)
#define HMM_TEST_CONTRACT_WINDOW	_BITUL(1)
#define HMM_TEST_CONTRACT_WORD		_BITUL(2)
#define HMM_TEST_CONTRACT_STATE		_BITUL(3)
#define HMM_TEST_CONTRACT_KIND		_BITUL(4)
#define HMM_TEST_CONTRACT_FINAL		_BITUL(5)
#define HMM_TEST_CONTRACT_RETURN	_BITUL(6)
#define HMM_TEST_CONTRACT_CONTEXT	_BITUL(7)
#define HMM_TEST_CONTRACT_BROKEN	_BITUL(8)

/**
 * struct hmm_test_result - what the engine did
 * @ret: what the engine's function returned; of hmm_migrate_fault() the
 *	vm_fault_t
 * @contract: HMM_TEST_CONTRACT_* that it broke
 * @migrated: struct hmm_migrate_result, or the same counted from the words
 *	where the function has no result
 * @left: the same, by enum hmm_test_reason
 * @windows: pairs of callbacks
 * @offered: pages, holes not counted
 * @holes: holes
 * @given: destinations given, good or bad
 * @declined: pages and holes that the driver left on purpose
 * @broken: words in which the rule was broken
 * @brackets: MMU notifier brackets with event MIGRATE and this device as owner
 * @brackets_other: all others that touch the range meanwhile
 * @last_start: the last window
 * @last_end: the last window
 */
struct hmm_test_result {
	__s32 ret;
	__u32 contract;
	__u64 migrated;
	__u64 left[HMM_TEST_NR_REASONS];
	__u32 windows;
	__u32 offered;
	__u32 holes;
	__u32 given;
	__u32 declined;
	__u32 broken;
	__u32 brackets;
	__u32 brackets_other;
	__u64 last_start;
	__u64 last_end;
};

/* Rules for a destination that the driver breaks on request. */
enum hmm_test_rule {
	HMM_TEST_RULE_NONE,
	HMM_TEST_RULE_UNLOCKED,		/* the page is not locked */
	HMM_TEST_RULE_NOT_VALID,	/* the word has no VALID */
	HMM_TEST_RULE_NO_LOCKED_FLAG,	/* the page is locked, the word has no LOCKED */
	HMM_TEST_RULE_SOURCE,		/* the source itself */
	HMM_TEST_RULE_OTHER_SOURCE,	/* the source of another word */
	HMM_TEST_RULE_TWICE,		/* the same page for two words */
	HMM_TEST_RULE_MAPPED,		/* a page that a process maps, see @other */
	HMM_TEST_RULE_PAGE_CACHE,	/* a page of a file, not mapped, on the LRU */
	HMM_TEST_RULE_TAIL,		/* the second page of a large folio */
	HMM_TEST_RULE_ORDER,		/* a large folio, without the flag LARGE */
	HMM_TEST_RULE_ORDER_MISMATCH,	/* the word says order 2, the page is small */
	HMM_TEST_RULE_NO_SUCH_PFN,	/* the largest number that a word can hold */
	HMM_TEST_RULE_NO_PAGE,		/* an address without a struct page */
	HMM_TEST_RULE_UNKNOWN_DEVICE,	/* ZONE_DEVICE memory of type GENERIC */
	HMM_TEST_RULE_PROMISE,		/* device memory, whatever TO_SYSTEM promised */
	HMM_TEST_RULE_NO_REFERENCE,	/* a free page, with reference count 0 */
	HMM_TEST_RULE_CHARGED,		/* charged to the process's memory control group */
	HMM_TEST_RULE_GARBAGE,		/* every bit but ERROR is set */
	HMM_TEST_RULE_UNOFFERED,	/* a good page in a word that was not offered */
	HMM_TEST_RULE_BROKEN,		/* none: a page of a large folio has broken */
	HMM_TEST_RULE_SOURCE_BROKEN,	/* none: so has one of a large source that moved */
	HMM_TEST_NR_RULES
};

/**
 * struct hmm_test_driver - how the driver behaves; all zero is well
 * @rule: enum hmm_test_rule to break
 * @rule_every: in every n-th word; 0 and 1: wherever possible
 * @decline_every: leave every n-th word; 0: none
 * @decline_first: leave the words from the n-th of the call
 * @decline_last: to this one; 0: none
 * @decline_errno: and say why with this errno; 0: clear MIGRATE
 * @drop_percent: leave so many of 100 words at random, clearing MIGRATE
 * @drop_seed: for the random numbers
 * @memory_pages: find no memory after so many destinations; 0: no limit
 * @stamp: exclusive-or each byte with this while copying
 * @delay_alloc_us: sleep in alloc_and_copy, after the copies
 * @delay_finalize_us: sleep in finalize_and_map
 * @other: address of a page for HMM_TEST_RULE_MAPPED
 * @order_limit: the order that the destinations stay below; 0: they are as
 *	large as what is offered
 * @hold_every: have somebody take a reference of every n-th source when it is
 *	copied, and keep it until finalize_and_map; 0: none
 * @scribble: write this over each word of finalize_and_map; 0: write nothing
 */
struct hmm_test_driver {
	__u32 rule;
	__u32 rule_every;
	__u32 decline_every;
	__u32 decline_first;
	__u32 decline_last;
	__u32 decline_errno;
	__u32 drop_percent;
	__u32 drop_seed;
	__u32 memory_pages;
	__u32 stamp;
	__u32 delay_alloc_us;
	__u32 delay_finalize_us;
	__u64 other;
	__u32 order_limit;
	__u32 hold_every;
	__u64 scribble;
};

/* Which function of the engine is called. */
enum hmm_test_function {
	HMM_TEST_VMA_MIGRATE,
	HMM_TEST_RANGE,
	HMM_TEST_CALLER_2016,	/* hmm_vma_migrate() by a caller written in 2016 */
	HMM_TEST_DEVICE_RANGE,
	HMM_TEST_DEVICE_PFNS,
};

/* &hmm_migrate_ops.owner of a call. */
enum hmm_test_owner {
	HMM_TEST_OWNER_DEVICE,	/* this device */
	HMM_TEST_OWNER_NONE,	/* NULL */
	HMM_TEST_OWNER_OTHER,	/* somebody who has no memory at all */
};

/* Where destinations come from. */
enum hmm_test_to {
	HMM_TEST_TO_NODE,	/* system memory of a node */
	HMM_TEST_TO_DEVICE,	/* this device's private memory */
};

/**
 * struct hmm_test_move - HMM_TEST_MOVE: move memory of a process
 * @addr: first address, in a VMA
 * @npages: how many pages
 * @words: user array of @npages __u64 for the words after the call, or 0
 * @function: VMA_MIGRATE, RANGE or CALLER_2016; the last looks at @addr,
 *	@npages, @words and @node only
 * @to: enum hmm_test_to
 * @node: for HMM_TEST_TO_NODE
 * @flags: HMM_TEST_FROM_*, TO_SYSTEM, LARGE and any other bits, as they are
 * @owner: enum hmm_test_owner
 * @pid: whose memory; 0: the caller's; -ESRCH: it has none
 * @driver: how the driver behaves
 * @result: (out) what happened
 */
struct hmm_test_move {
	__u64 addr;
	__u64 npages;
	__u64 words;
	__u32 function;
	__u32 to;
	__u32 node;
	__u32 flags;
	__u32 owner;
	__u32 pid;
	struct hmm_test_driver driver;
	struct hmm_test_result result;
};

/**
 * struct hmm_test_evict - HMM_TEST_EVICT: move device memory by its pfns
 * @first_pfn: of the range, for HMM_TEST_DEVICE_RANGE
 * @npages: how many pages, or words
 * @words: user array of @npages __u64. For HMM_TEST_DEVICE_PFNS they name the
 *	pages (HMM_TEST_WORD_OF()), 0 none, and anything else is garbage that
 *	must be refused. After the call they are what the engine made of them.
 *	For HMM_TEST_DEVICE_RANGE 0 passes no array.
 * @function: HMM_TEST_DEVICE_RANGE or HMM_TEST_DEVICE_PFNS
 * @node: where the destinations are
 * @flags: of the call
 * @owner: enum hmm_test_owner
 * @mmap_locked: hold the caller's mmap lock for writing meanwhile
 * @pad: 0
 * @driver: how the driver behaves
 * @result: (out) what happened
 */
struct hmm_test_evict {
	__u64 first_pfn;
	__u64 npages;
	__u64 words;
	__u32 function;
	__u32 node;
	__u32 flags;
	__u32 owner;
	__u32 mmap_locked;
	__u32 pad;
	struct hmm_test_driver driver;
	struct hmm_test_result result;
};

/* A window that is what hmm_migrate_fault_range() says. */
#define HMM_TEST_WINDOW_FOLIO	(~0U)

/**
 * struct hmm_test_fault - HMM_TEST_FAULT: what a CPU access to the device's
 * memory does from now on, until the file is closed
 * @window: bring so many pages around the address; 0 and 1: that page alone;
 *	HMM_TEST_WINDOW_FOLIO: all of its folio
 * @fault_errno: decline the page that the CPU waits for, with this errno;
 *	-1: by clearing MIGRATE
 * @argument: enum hmm_test_argument to get wrong in hmm_migrate_fault()
 * @pad: 0
 * @driver: how the driver behaves
 */
struct hmm_test_fault {
	__u32 window;
	__s32 fault_errno;
	__u32 argument;
	__u32 pad;
	struct hmm_test_driver driver;
};

/* Arguments to get wrong. */
enum hmm_test_argument {
	HMM_TEST_ARGUMENT_GOOD,
	HMM_TEST_ARGUMENT_NULL_OPS,
	HMM_TEST_ARGUMENT_NULL_ALLOC,		/* no alloc_and_copy */
	HMM_TEST_ARGUMENT_NULL_FINALIZE,	/* no finalize_and_map */
	HMM_TEST_ARGUMENT_NULL_VMA,
	HMM_TEST_ARGUMENT_NULL_PFNS,
	HMM_TEST_ARGUMENT_UNKNOWN_FLAGS,
	HMM_TEST_ARGUMENT_EMPTY,		/* start is end, or npages is 0 */
	HMM_TEST_ARGUMENT_REVERSED,
	HMM_TEST_ARGUMENT_UNALIGNED_START,
	HMM_TEST_ARGUMENT_UNALIGNED_END,
	HMM_TEST_ARGUMENT_BELOW_VMA,
	HMM_TEST_ARGUMENT_ABOVE_VMA,
	HMM_TEST_ARGUMENT_WRAPS,		/* the end of the range overflows */
	HMM_TEST_NR_ARGUMENTS
};

/**
 * struct hmm_test_bad - HMM_TEST_BAD: one wrong argument
 * @addr: a good range
 * @npages: a good range, at least two pages
 * @function: enum hmm_test_function, not CALLER_2016
 * @argument: enum hmm_test_argument
 * @result: (out) @windows must be 0 unless the argument is good
 *
 * A combination that the function has no argument for returns -EOPNOTSUPP.
 */
struct hmm_test_bad {
	__u64 addr;
	__u64 npages;
	__u32 function;
	__u32 argument;
	struct hmm_test_result result;
};

/* What HMM_TEST_HOLD does to a page. */
enum hmm_test_hold_what {
	HMM_TEST_RELEASE_ALL,	/* give back whatever this file holds */
	HMM_TEST_HOLD_REFERENCE,
	/* and a reference: */
	HMM_TEST_HOLD_LOCK,
	HMM_TEST_HOLD_LRU,	/* as who is taking it off its list */
	HMM_TEST_HOLD_WRITEBACK,	/* as who is writing it to a disk */
};

/**
 * struct hmm_test_hold - HMM_TEST_HOLD: be somebody who holds a page, until
 * RELEASE_ALL or until the file is closed
 * @pfn: any page with users; -EBUSY: it is free, or somebody else does that
 *	already; for HMM_TEST_HOLD_LRU, or it is on no list
 * @what: enum hmm_test_hold_what
 * @pad: 0
 */
struct hmm_test_hold {
	__u64 pfn;
	__u32 what;
	__u32 pad;
};

/**
 * struct hmm_test_stats - HMM_TEST_STATS: the state of the device
 * @first_pfn: of the device's memory
 * @npages: of the device's memory
 * @allocated: device pages that were ever taken
 * @freed: device pages that were ever given back; in use: the difference
 * @calls: HMM_TEST_MOVE and HMM_TEST_EVICT that have ended
 * @faults: CPU faults that have ended
 * @last_given: frame number of the destination that was given last, while the
 *	driver has yet to return it; else 0
 * @in_callback: callbacks that run now
 * @contract: promises that the engine has broken since the device is there
 * @last: result of the last call that ended, even of one that was killed
 * @last_fault: result of the last fault
 */
struct hmm_test_stats {
	__u64 first_pfn;
	__u64 npages;
	__u64 allocated;
	__u64 freed;
	__u64 calls;
	__u64 faults;
	__u64 last_given;
	__u32 in_callback;
	__u32 contract;
	struct hmm_test_result last;
	struct hmm_test_result last_fault;
};

/**
 * struct hmm_test_tables - the pages that are page tables
 * @all: as each page of the machine says itself
 * @kernel: of these, the kernel's own
 */
struct hmm_test_tables {
	__u64 all;
	__u64 kernel;
};

/**
 * struct hmm_test_look - HMM_TEST_LOOK: where hmm_range_fault() finds pages
 * of the caller, faulting none in
 * @addr: first address
 * @npages: how many pages
 * @pfns: user array of @npages __u64 for the frame numbers, 0 where the owner
 *	of this device's memory may not use a page, or there is none
 */
struct hmm_test_look {
	__u64 addr;
	__u64 npages;
	__u64 pfns;
};

#define HMM_TEST_MOVE	_IOWR('H', 0x40, struct hmm_test_move)
#define HMM_TEST_EVICT	_IOWR('H', 0x41, struct hmm_test_evict)
#define HMM_TEST_FAULT	_IOW('H', 0x42, struct hmm_test_fault)
#define HMM_TEST_BAD	_IOWR('H', 0x43, struct hmm_test_bad)
#define HMM_TEST_HOLD	_IOW('H', 0x44, struct hmm_test_hold)
#define HMM_TEST_STATS	_IOR('H', 0x45, struct hmm_test_stats)

#define HMM_TEST_TABLES	_IOR('H', 0x46, struct hmm_test_tables)
#define HMM_TEST_LOOK	_IOW('H', 0x47, struct hmm_test_look)

#endif /* HMM_MIGRATE_TEST_UAPI_H */
