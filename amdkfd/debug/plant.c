// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfd_plant.ko (debug builds only): does, when it is loaded, one thing that no
 * driver may do, so that what watches the kernel's log and memory can be seen
 * to notice (selftests/plant). It has nothing to do with the driver.
 *
 * No state is shared; each fault has locks of its own.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#define PLANT_BYTES	64
#define PLANT_LEAKS	16
/* Twice what the watchdogs take at most, as plant_guest.sh sets them. */
#define PLANT_HUNG_MS	12000	/* three looks, one every 2 s */
#define PLANT_STALL_MS	16000	/* 3 s, and 5 s on top with PROVE_RCU */

static char *what = "nothing";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "The mistake to make");

/* What keeps an object reachable until the module is gone. */
static void *plant_kept;
/* A parameter, or the compiler sees what is going on. */
static unsigned int plant_index = PLANT_BYTES;
module_param(plant_index, uint, 0444);
MODULE_PARM_DESC(plant_index, "One more than the last byte of an object");

static void plant_nothing(void)
{
	kfree(kmalloc(PLANT_BYTES, GFP_KERNEL));
}

static void plant_use_after_free(void)
{
	u8 *p = kzalloc(PLANT_BYTES, GFP_KERNEL);

	if (!p)
		return;
	kfree(p);
	(void)READ_ONCE(*p);
}

static void plant_overread(void)
{
	u8 *p = kzalloc(PLANT_BYTES, GFP_KERNEL);

	if (!p)
		return;
	(void)READ_ONCE(p[plant_index]);
	kfree(p);
}

static void plant_warning(void)
{
	WARN_ON(plant_index);
}

static noinline u8 plant_read(unsigned int i)
{
	static const u8 table[4] = { 1, 2, 3, 4 };

	return table[i];
}

static void plant_bad_index(void)
{
	pr_info("kfd_plant: %u\n", plant_read(plant_index / PLANT_BYTES * 4));
}

static void plant_bad_shift(void)
{
	pr_info("kfd_plant: %d\n", 1 << plant_index);
}

static void plant_lock_order(void)
{
	static DEFINE_MUTEX(a);
	static DEFINE_MUTEX(b);

	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void plant_sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void plant_list_corruption(void)
{
	LIST_HEAD(head);
	struct list_head node;

	list_add(&node, &head);
	head.next = &head;
	list_del(&node);
}

/* Several: a stale copy of an address on some stack hides a single one. */
static void plant_leak(void)
{
	unsigned int i;
	void *p;

	for (i = 0; i < PLANT_LEAKS; i++) {
		p = kmalloc(PLANT_BYTES, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(p);
	}
}

static void plant_leak_at_unload(void)
{
	plant_kept = kmalloc(PLANT_BYTES, GFP_KERNEL);
}

static DECLARE_COMPLETION(plant_runs);

static int plant_hang(void *unused)
{
	unsigned long end = jiffies + msecs_to_jiffies(PLANT_HUNG_MS);

	complete(&plant_runs);
	while (time_before(jiffies, end))
		schedule_timeout_uninterruptible(end - jiffies);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 10);
	return 0;
}

static void plant_hung_task(void)
{
	struct task_struct *task = kthread_run(plant_hang, NULL, "kfd_plant");

	if (IS_ERR(task))
		return;
	/* One that is stopped before it runs never does. */
	wait_for_completion(&plant_runs);
	kthread_stop(task);
}

static void plant_rcu_done(struct rcu_head *unused)
{
}

static void plant_rcu_stall(void)
{
	unsigned long end = jiffies + msecs_to_jiffies(PLANT_STALL_MS);
	static struct rcu_head head;

	/*
	 * Somebody has to wait for it: the clock runs from the beginning of a
	 * grace period, which comes after this call. With preemption off, the
	 * thread that begins it might have to wait for this very CPU.
	 */
	rcu_read_lock();
	call_rcu(&head, plant_rcu_done);
	while (time_before(jiffies, end))
		cpu_relax();
	rcu_read_unlock();
}

static const struct {
	const char *name;
	void (*make)(void);
} plants[] = {
	{ "nothing", plant_nothing },
	{ "use_after_free", plant_use_after_free },
	{ "overread", plant_overread },
	{ "warning", plant_warning },
	{ "bad_index", plant_bad_index },
	{ "bad_shift", plant_bad_shift },
	{ "lock_order", plant_lock_order },
	{ "sleep_in_atomic", plant_sleep_in_atomic },
	{ "list_corruption", plant_list_corruption },
	{ "leak", plant_leak },
	{ "leak_at_unload", plant_leak_at_unload },
	{ "hung_task", plant_hung_task },
	{ "rcu_stall", plant_rcu_stall },
};

static int __init plant_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(plants); i++) {
		if (strcmp(plants[i].name, what))
			continue;
		plants[i].make();
		return 0;
	}
	return -EINVAL;
}

static void __exit plant_exit(void)
{
	rcu_barrier();
}

module_init(plant_init);
module_exit(plant_exit);

MODULE_DESCRIPTION("Mistakes on purpose, for the tests of the tests");
MODULE_LICENSE("GPL");
