// SPDX-License-Identifier: GPL-2.0
/*
 * The device file. What its requests mean is written in
 * hmm_migrate_bench_uapi.h.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "bench.h"

union request {
	struct bench_move move;
	struct bench_evict evict;
	struct bench_faults faults;
};

static long dispatch(unsigned int command, union request *request)
{
	switch (command) {
	case BENCH_MOVE:
		return call_move(&request->move);
	case BENCH_EVICT:
		return call_evict(&request->evict);
	case BENCH_FAULTS:
		return call_faults(&request->faults);
	case BENCH_RESET:
		return memory_reset();
	default:
		return -ENOTTY;
	}
}

static long bench_ioctl(struct file *file, unsigned int command,
			unsigned long arg)
{
	void __user *user_request = (void __user *)arg;
	unsigned int size = _IOC_SIZE(command);
	union request request;
	long ret;

	if (size > sizeof(request))
		return -ENOTTY;
	if ((_IOC_DIR(command) & _IOC_WRITE) &&
	    copy_from_user(&request, user_request, size))
		return -EFAULT;
	ret = dispatch(command, &request);
	if (!ret && (_IOC_DIR(command) & _IOC_READ) &&
	    copy_to_user(user_request, &request, size))
		ret = -EFAULT;
	return ret;
}

static const struct file_operations bench_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= bench_ioctl,
};

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "hmm_migrate_bench",
	.fops	= &bench_fops,
};

static int __init bench_init(void)
{
	int ret = memory_init();

	if (ret)
		return ret;
	ret = misc_register(&device);
	if (ret)
		memory_exit();
	return ret;
}

static void __exit bench_exit(void)
{
	misc_deregister(&device);
	memory_exit();
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Driver for the benchmark of hmm_vma_migrate()");
MODULE_LICENSE("GPL");
