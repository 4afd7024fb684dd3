// SPDX-License-Identifier: GPL-2.0
/*
 * The device file. What its requests mean is written in
 * hmm_migrate_test_uapi.h.
 */
#include <linux/fs.h>
#include <linux/memremap.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "device.h"

static_assert((int)HMM_TEST_BAD_DESTINATION ==
	      (int)HMM_MIGRATE_BAD_DESTINATION);
static_assert((int)HMM_TEST_NR_REASONS == (int)HMM_MIGRATE_NR_REASONS);
static_assert(HMM_TEST_LARGE == HMM_MIGRATE_LARGE);
static_assert(HMM_TEST_WORD_ERROR == HMM_MIGRATE_PFN_ERROR);
static_assert(HMM_TEST_WORD_MIGRATE == HMM_MIGRATE_PFN_MIGRATE);
static_assert(HMM_TEST_WORD_SHIFT == HMM_MIGRATE_PFN_SHIFT);

#define MAX_HOLDS	512

/* What one open file holds, and whether it has changed the device. */
struct opener {
	struct mutex lock;	/* protects the list */
	unsigned int nr_holds;
	bool set_fault;
	struct {
		struct folio *folio;
		u32 what;
	} holds[MAX_HOLDS];
};

static const struct hmm_test_fault fault_default;

static bool start_writeback(struct folio *folio)
{
	bool is_first;

	if (!folio_trylock(folio))
		return false;
	is_first = !folio_test_writeback(folio);
	if (is_first)
		folio_start_writeback(folio);
	folio_unlock(folio);
	return is_first;
}

/* False: somebody else has taken it. */
static bool take(struct folio *folio, u32 what)
{
	switch (what) {
	case HMM_TEST_HOLD_LOCK:
		return folio_trylock(folio);
	case HMM_TEST_HOLD_LRU:
		return folio_test_clear_lru(folio);
	case HMM_TEST_HOLD_WRITEBACK:
		return start_writeback(folio);
	default:
		return true;
	}
}

static void release(struct folio *folio, u32 what)
{
	switch (what) {
	case HMM_TEST_HOLD_LOCK:
		folio_unlock(folio);
		break;
	case HMM_TEST_HOLD_LRU:
		folio_set_lru(folio);
		break;
	case HMM_TEST_HOLD_WRITEBACK:
		folio_end_writeback(folio);
		break;
	}
	folio_put(folio);
}

static void release_all(struct opener *opener)
{
	unsigned int i;

	for (i = 0; i < opener->nr_holds; i++)
		release(opener->holds[i].folio, opener->holds[i].what);
	opener->nr_holds = 0;
}

static long hold(struct opener *opener, const struct hmm_test_hold *request)
{
	struct folio *folio;

	if (request->what == HMM_TEST_RELEASE_ALL) {
		release_all(opener);
		return 0;
	}
	if (request->what > HMM_TEST_HOLD_WRITEBACK || !pfn_valid(request->pfn))
		return -EINVAL;
	if (opener->nr_holds == MAX_HOLDS)
		return -ENOSPC;
	folio = page_folio(pfn_to_page(request->pfn));
	if (!folio_try_get(folio))
		return -EBUSY;
	if (!take(folio, request->what)) {
		folio_put(folio);
		return -EBUSY;
	}
	opener->holds[opener->nr_holds].folio = folio;
	opener->holds[opener->nr_holds++].what = request->what;
	return 0;
}

static int device_open(struct inode *inode, struct file *file)
{
	struct opener *opener = kvzalloc_obj(*opener);

	if (!opener)
		return -ENOMEM;
	mutex_init(&opener->lock);
	file->private_data = opener;
	return 0;
}

static int device_release(struct inode *inode, struct file *file)
{
	struct opener *opener = file->private_data;

	release_all(opener);
	if (opener->set_fault)
		call_set_fault(&fault_default);
	kvfree(opener);
	return 0;
}

union request {
	struct hmm_test_move move;
	struct hmm_test_evict evict;
	struct hmm_test_fault fault;
	struct hmm_test_bad bad;
	struct hmm_test_hold hold;
	struct hmm_test_stats stats;
	struct hmm_test_tables tables;
	struct hmm_test_look look;
};

static long dispatch(struct opener *opener, unsigned int command,
		     union request *request)
{
	long ret;

	switch (command) {
	case HMM_TEST_MOVE:
		return call_move(&request->move);
	case HMM_TEST_EVICT:
		return call_evict(&request->evict);
	case HMM_TEST_FAULT:
		opener->set_fault = true;
		call_set_fault(&request->fault);
		return 0;
	case HMM_TEST_BAD:
		return arguments_call(&request->bad);
	case HMM_TEST_HOLD:
		mutex_lock(&opener->lock);
		ret = hold(opener, &request->hold);
		mutex_unlock(&opener->lock);
		return ret;
	case HMM_TEST_STATS:
		call_stats(&request->stats);
		return 0;
	case HMM_TEST_TABLES:
		request->tables = pages_tables();
		return 0;
	case HMM_TEST_LOOK:
		return look(&request->look);
	default:
		return -ENOTTY;
	}
}

static long device_ioctl(struct file *file, unsigned int command,
			 unsigned long arg)
{
	void __user *user_request = (void __user *)arg;
	unsigned int size = _IOC_SIZE(command);
	union request *request;
	long ret = -EFAULT;

	if (size > sizeof(*request))
		return -ENOTTY;
	request = kzalloc_obj(*request);
	if (!request)
		return -ENOMEM;
	if ((_IOC_DIR(command) & _IOC_WRITE) &&
	    copy_from_user(request, user_request, size))
		goto free;
	ret = dispatch(file->private_data, command, request);
	if (!ret && (_IOC_DIR(command) & _IOC_READ) &&
	    copy_to_user(user_request, request, size))
		ret = -EFAULT;
free:
	kfree(request);
	return ret;
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.open		= device_open,
	.release	= device_release,
	.unlocked_ioctl	= device_ioctl,
};

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "hmm_migrate_test",
	.fops	= &device_fops,
};

static int __init device_init(void)
{
	int ret = memory_init();

	if (ret)
		return ret;
	ret = misc_register(&device);
	if (ret)
		memory_exit();
	return ret;
}

static void __exit device_exit(void)
{
	misc_deregister(&device);
	if (!call_evict_all())
		pr_err("hmm_migrate_test: pages are still in use, waiting\n");
	memory_exit();
}

module_init(device_init);
module_exit(device_exit);
MODULE_DESCRIPTION("Test device for hmm_vma_migrate()");
MODULE_LICENSE("GPL");
