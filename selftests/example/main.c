// SPDX-License-Identifier: GPL-2.0
/*
 * A driver as small as one can be, for a device that has memory of its own and
 * can do one thing: add a number to bytes. The manual (driver.rst) goes through
 * it part by part. The device is a program, its memory is vmalloc()ed,
 * and its copy engine is memcpy(); all else is as a real driver has it.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/hmm.h>
#include <linux/hmm_migrate.h>
#include <linux/memremap.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "example.h"

#define MEMORY_PAGES	16384UL
#define WINDOW_PAGES	64UL	/* that the device works on at a time */

/* 1. The device's memory. */

static struct {
	struct dev_pagemap pgmap;
	struct resource *addresses;	/* which stand for it */
	void *memory;
	spinlock_t lock;		/* protects in_use */
	DECLARE_BITMAP(in_use, MEMORY_PAGES);
} device;

static unsigned long first_pfn(void)
{
	return PHYS_PFN(device.pgmap.range.start);
}

/* Where the device keeps what is in a page of it. */
static void *memory_of(struct page *page)
{
	return device.memory + (page_to_pfn(page) - first_pfn()) * PAGE_SIZE;
}

/* A destination: a fresh page, locked, with one reference. */
static struct page *device_page(void)
{
	struct page *page;
	unsigned long i;

	spin_lock(&device.lock);
	i = find_first_zero_bit(device.in_use, MEMORY_PAGES);
	if (i < MEMORY_PAGES)
		__set_bit(i, device.in_use);
	spin_unlock(&device.lock);
	if (i == MEMORY_PAGES)
		return NULL;
	page = pfn_to_page(first_pfn() + i);
	zone_device_page_init(page, &device.pgmap, 0);
	return page;
}

/* The last reference is gone. */
static void device_folio_free(struct folio *folio)
{
	unsigned long i = folio_pfn(folio) - first_pfn();

	hmm_migrate_folio_freed(folio);

	spin_lock(&device.lock);
	__clear_bit(i, device.in_use);
	spin_unlock(&device.lock);
}

/* 2. To the device. */

static void copy_to_device(struct vm_area_struct *vma, unsigned long start,
			   unsigned long end, hmm_pfn_t *pfns, void *private)
{
	unsigned long i, npages = (end - start) >> PAGE_SHIFT;
	struct page *page;

	for (i = 0; i < npages; i++) {
		if (!(pfns[i] & (HMM_MIGRATE_PFN_MIGRATE |
				 HMM_MIGRATE_PFN_EMPTY)))
			continue;
		page = device_page();
		if (!page) {
			pfns[i] = hmm_migrate_pfn_error(-ENOMEM);
			continue;
		}
		if (pfns[i] & HMM_MIGRATE_PFN_EMPTY)
			memset(memory_of(page), 0, PAGE_SIZE);
		else
			memcpy_from_page(memory_of(page),
					 hmm_migrate_pfn_to_page(pfns[i]), 0,
					 PAGE_SIZE);
		pfns[i] = hmm_migrate_pfn(page_to_pfn(page));
	}
	/* Here a real driver waits for its copy engine. */
}

/* Of what has not moved the engine takes care itself. */
static void nothing_to_do(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, hmm_pfn_t *pfns, void *private)
{
}

static const struct hmm_migrate_ops to_device = {
	.alloc_and_copy = copy_to_device,
	.finalize_and_map = nothing_to_do,
	.owner = &device,
	.flags = HMM_MIGRATE_FROM_SYSTEM,
};

/* 3. Back to the process, because its CPU needs it or the device goes. */

static void copy_back(struct vm_area_struct *vma, unsigned long start,
		      unsigned long end, hmm_pfn_t *pfns, void *private)
{
	unsigned long i, npages = (end - start) >> PAGE_SHIFT;
	struct page *page;

	for (i = 0; i < npages; i++) {
		if (!(pfns[i] & HMM_MIGRATE_PFN_MIGRATE))
			continue;
		page = alloc_page(GFP_HIGHUSER_MOVABLE);
		if (!page) {
			pfns[i] = hmm_migrate_pfn_error(-ENOMEM);
			continue;
		}
		lock_page(page);
		memcpy_to_page(page, 0,
			       memory_of(hmm_migrate_pfn_to_page(pfns[i])),
			       PAGE_SIZE);
		pfns[i] = hmm_migrate_pfn(page_to_pfn(page));
	}
}

static const struct hmm_migrate_ops to_system = {
	.alloc_and_copy = copy_back,
	.finalize_and_map = nothing_to_do,
	.owner = &device,
	.flags = HMM_MIGRATE_FROM_DEVICE | HMM_MIGRATE_TO_SYSTEM,
};

/* The CPU's fault, and sixteen pages around it. */
static vm_fault_t device_migrate_to_ram(struct vm_fault *vmf)
{
	unsigned long start = ALIGN_DOWN(vmf->address, 16 * PAGE_SIZE);

	return hmm_migrate_fault(&to_system, vmf, start, start + 16 * PAGE_SIZE,
				 NULL, NULL, NULL);
}

static const struct dev_pagemap_ops pgmap_ops = {
	.folio_free	= device_folio_free,
	.migrate_to_ram	= device_migrate_to_ram,
};

/* Until the device is empty: a page may be in somebody's hands for a while. */
static void evict_all(void)
{
	while (!bitmap_empty(device.in_use, MEMORY_PAGES)) {
		hmm_migrate_device_range(&to_system, first_pfn(), MEMORY_PAGES,
					 NULL, NULL, NULL);
		msleep(20);
	}
}

/* 4. The device at work, in the address space of a process. */

/* One open file. */
struct mirror {
	struct mmu_interval_notifier notifier;
	struct mutex lock;	/* held while the device uses what it has found */
};

/* Something in the address space changes: what the device knows is not true. */
static bool mirror_invalidate(struct mmu_interval_notifier *notifier,
			      const struct mmu_notifier_range *range,
			      unsigned long cur_seq)
{
	struct mirror *mirror = container_of(notifier, struct mirror, notifier);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&mirror->lock);
	else if (!mutex_trylock(&mirror->lock))
		return false;
	mmu_interval_set_seq(notifier, cur_seq);
	mutex_unlock(&mirror->lock);
	return true;
}

static const struct mmu_interval_notifier_ops mirror_ops = {
	.invalidate = mirror_invalidate,
};

/* What the device's page table would have for these addresses now. */
static int find_pages(struct mirror *mirror, struct hmm_range *range)
{
	struct mm_struct *mm = mirror->notifier.mm;
	int ret;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		range->notifier_seq = mmu_interval_read_begin(range->notifier);
		mmap_read_lock(mm);
		ret = hmm_range_fault(range);
		mmap_read_unlock(mm);
	} while (ret == -EBUSY);
	return ret;
}

/* Moves what it can to the device, which uses the rest where it is. */
static int move_to_device(struct mirror *mirror, unsigned long start,
			  unsigned long end)
{
	struct mm_struct *mm = mirror->notifier.mm;
	hmm_pfn_t words[WINDOW_PAGES] = {};
	struct vm_area_struct *vma;
	unsigned long next;
	int ret = 0;

	mmap_read_lock(mm);
	for (; start < end && ret != -EINTR; start = next) {
		vma = vma_lookup(mm, start);
		if (!vma) {
			ret = -EFAULT;
			break;
		}
		next = min(end, vma->vm_end);
		ret = hmm_migrate_range(&to_device, vma, start, next, words,
					NULL, NULL);
	}
	mmap_read_unlock(mm);
	/* Its arguments being right, -EINVAL is for an area that does not move. */
	return ret == -EINVAL ? 0 : ret;
}

/* Whether the process may write all of it, so that the device may. */
static bool may_write(const unsigned long *pfns, unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < npages; i++)
		if (!(pfns[i] & HMM_PFN_WRITE))
			return false;
	return true;
}

/* A page as the device sees it: its own, or the process's by DMA. */
static void add_to_page(struct page *page, u8 value, u64 *on_device)
{
	bool own = is_device_private_page(page);
	u8 *bytes = own ? memory_of(page) : kmap_local_page(page);
	unsigned long i;

	for (i = 0; i < PAGE_SIZE; i++)
		bytes[i] += value;
	if (own) {
		++*on_device;
	} else {
		kunmap_local(bytes);
		/* The page table does not know that the device has written. */
		set_page_dirty(page);
	}
}

/* The device faults, the driver brings it the memory, and the device goes on. */
static int add_to_window(struct mirror *mirror, struct hmm_example_add *add,
			 unsigned long start, unsigned long end)
{
	unsigned long npages = (end - start) >> PAGE_SHIFT;
	unsigned long pfns[WINDOW_PAGES] = {}, i;
	struct hmm_range range = {
		.notifier = &mirror->notifier,
		.start = start,
		.end = end,
		.hmm_pfns = pfns,
		.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE,
		.dev_private_owner = &device,
	};
	int ret;

	ret = move_to_device(mirror, start, end);
	while (!ret) {
		ret = find_pages(mirror, &range);
		if (ret)
			break;
		/*
		 * The owner's pages are told as they are, never faulted: read-only,
		 * or shared since fork(). As nobody's they come back, and are the
		 * process's own then.
		 */
		if (!may_write(pfns, npages)) {
			range.dev_private_owner = NULL;
			continue;
		}
		mutex_lock(&mirror->lock);
		if (!mmu_interval_read_retry(range.notifier,
					     range.notifier_seq)) {
			for (i = 0; i < npages; i++)
				add_to_page(hmm_pfn_to_page(pfns[i]),
					    add->value, &add->on_device);
			mutex_unlock(&mirror->lock);
			break;
		}
		mutex_unlock(&mirror->lock);
	}
	return ret;
}

static long device_ioctl(struct file *file, unsigned int command,
			 unsigned long argument)
{
	struct mirror *mirror = file->private_data;
	struct hmm_example_add add;
	unsigned long at, end;
	long ret = 0;

	if (command != HMM_EXAMPLE_ADD)
		return -ENOTTY;
	if (copy_from_user(&add, (void __user *)argument, sizeof(add)))
		return -EFAULT;
	if (!PAGE_ALIGNED(add.addr) || !add.npages ||
	    add.addr >= TASK_SIZE ||
	    add.npages > (TASK_SIZE - add.addr) >> PAGE_SHIFT)
		return -EINVAL;
	if (!mmget_not_zero(mirror->notifier.mm))
		return -EFAULT;
	add.on_device = 0;
	end = add.addr + add.npages * PAGE_SIZE;
	for (at = add.addr; at < end && !ret; at += WINDOW_PAGES * PAGE_SIZE)
		ret = add_to_window(mirror, &add, at,
				    min(end, at + WINDOW_PAGES * PAGE_SIZE));
	mmput(mirror->notifier.mm);
	if (copy_to_user((void __user *)argument, &add, sizeof(add)))
		return -EFAULT;
	return ret;
}

static int device_open(struct inode *inode, struct file *file)
{
	struct mirror *mirror = kzalloc_obj(*mirror);
	int ret;

	if (!mirror)
		return -ENOMEM;
	mutex_init(&mirror->lock);
	ret = mmu_interval_notifier_insert(&mirror->notifier, current->mm, 0,
					   ULONG_MAX & PAGE_MASK, &mirror_ops);
	if (ret) {
		kfree(mirror);
		return ret;
	}
	file->private_data = mirror;
	return 0;
}

static int device_release(struct inode *inode, struct file *file)
{
	struct mirror *mirror = file->private_data;

	mmu_interval_notifier_remove(&mirror->notifier);
	kfree(mirror);
	return 0;
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.open		= device_open,
	.release	= device_release,
	.unlocked_ioctl	= device_ioctl,
};

static struct miscdevice device_file = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "hmm_migrate_example",
	.fops	= &device_fops,
};

/* 5. The device comes and goes. */

static int __init example_init(void)
{
	unsigned long size = MEMORY_PAGES * PAGE_SIZE;
	void *ret;
	int error;

	spin_lock_init(&device.lock);
	device.memory = vmalloc(size);
	if (!device.memory)
		return -ENOMEM;
	/* Maybe of more pages than there is memory for; no more are used. */
	device.addresses = request_free_mem_region(&iomem_resource, size,
						   HMM_EXAMPLE_MEMORY);
	error = PTR_ERR_OR_ZERO(device.addresses);
	if (error)
		goto free;
	device.pgmap.type = MEMORY_DEVICE_PRIVATE;
	device.pgmap.range.start = device.addresses->start;
	device.pgmap.range.end = device.addresses->end;
	device.pgmap.nr_range = 1;
	device.pgmap.ops = &pgmap_ops;
	device.pgmap.owner = &device;
	ret = memremap_pages(&device.pgmap, NUMA_NO_NODE);
	error = PTR_ERR_OR_ZERO(ret);
	if (error)
		goto release;
	error = misc_register(&device_file);
	if (!error)
		return 0;
	memunmap_pages(&device.pgmap);
release:
	release_mem_region(device.addresses->start,
			   resource_size(device.addresses));
free:
	vfree(device.memory);
	return error;
}

static void __exit example_exit(void)
{
	misc_deregister(&device_file);
	evict_all();
	memunmap_pages(&device.pgmap);
	release_mem_region(device.addresses->start,
			   resource_size(device.addresses));
	vfree(device.memory);
}

module_init(example_init);
module_exit(example_exit);
MODULE_DESCRIPTION("Example of a driver that uses hmm_migrate");
MODULE_LICENSE("GPL");
