// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that use KFD (floor 2): from the first open of /dev/kfd to the
 * end of the mm.
 *
 * How a process lives
 *
 *  - The first open of an mm makes the struct complete (components, GPUs),
 *    registers an MMU notifier and only then enters it into kfd_processes.
 *    When two threads race, the loser's is taken down like any other.
 *  - It does not die with its files: a process may close /dev/kfd and open it
 *    again and finds its state.
 *  - The end of the mm (exit, or exec) calls the notifier's release. Unless the
 *    context may be adopted (owner.c), nothing of the process runs on a GPU from
 *    then on, every ioctl answers EBADF and no look-up finds it. Release takes
 *    no process->lock: it may be called from whoever drops the last reference
 *    on the mm, maybe inside that lock. It queues the teardown work and returns.
 *  - Teardown waits for who is inside process->lock, takes down the components,
 *    gives back VMs and doorbells, and ends with the notifier, whose reference
 *    goes after an SRCU grace period. Till then p->mm points to a live struct
 *    (its user count may be 0: use mmget_not_zero(), or without process->lock
 *    kfd_process_mm_get(), and mmput_async() where process->lock or a
 *    component's lock is held).
 *  - The last reference (that of the notifier, of a file, of a look-up)
 *    queues the work that frees the struct, because it may be dropped in
 *    atomic context. It holds the module until then, so that module exit finds
 *    no process left and only has to let works and callbacks return.
 *
 * The xarrays' own locks protect the look-ups: an entry is erased before its
 * struct is freed, and a look-up takes its reference under the xarray's lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "mmap_offset.h"
#include "process.h"
#include "smi.h"

#define KFD_PASID_LIMIT		XA_LIMIT(1, 65535)

static DEFINE_XARRAY(kfd_processes);
static DEFINE_XARRAY_ALLOC1(kfd_pasids);
/* Its entries (the xarray's lock). */
static unsigned int kfd_pasids_used;
module_param_named(pasids_used, kfd_pasids_used, uint, 0444);
MODULE_PARM_DESC(pasids_used, "processes that GPUs know (read only)");
struct workqueue_struct *kfd_process_wq;
static const struct kfd_component_ops *kfd_components[KFD_NUM_COMPONENTS];
static const struct kfd_process_listener *kfd_process_listener;

/* --- registration of floor 3 --------------------------------------------- */

/**
 * kfd_process_register_component() - say how one kind of state lives
 * @component: which
 * @ops: static table
 *
 * Context: module init, before /dev/kfd can be opened.
 */
void kfd_process_register_component(enum kfd_component component,
				    const struct kfd_component_ops *ops)
{
	kfd_components[component] = ops;
}

/**
 * kfd_process_set_listener() - say who is told of processes
 * @listener: static table
 *
 * Context: module init, before /dev/kfd can be opened.
 */
void kfd_process_set_listener(const struct kfd_process_listener *listener)
{
	kfd_process_listener = listener;
}

/* --- locking and references ---------------------------------------------- */

/**
 * kfd_process_lock() - enter a process to read or change its state
 * @p: the process
 *
 * Context: sleeps, killably.
 * Return: 0 with p->lock held; -EBADF: the process is being taken down; -EINTR:
 * the caller is being killed.
 */
int kfd_process_lock(struct kfd_process *p)
{
	if (mutex_lock_killable(&p->lock))
		return -EINTR;
	if (READ_ONCE(p->dead)) {
		mutex_unlock(&p->lock);
		return -EBADF;
	}
	return 0;
}

/**
 * kfd_process_unlock() - leave a process
 * @p: the process, p->lock held
 */
void kfd_process_unlock(struct kfd_process *p)
{
	mutex_unlock(&p->lock);
}

/**
 * kfd_process_get() - take one more reference
 * @p: a process that the caller has a reference on
 *
 * Context: any.
 * Return: @p.
 */
struct kfd_process *kfd_process_get(struct kfd_process *p)
{
	kref_get(&p->ref);
	return p;
}

static void kfd_process_last_put(struct kref *ref)
{
	struct kfd_process *p = container_of(ref, struct kfd_process, ref);

	queue_work(kfd_process_wq, &p->free);
}

/**
 * kfd_process_put() - drop a reference
 * @p: the process, or NULL
 *
 * Context: any.
 */
void kfd_process_put(struct kfd_process *p)
{
	if (p)
		kref_put(&p->ref, kfd_process_last_put);
}

/* The entry of an xarray, with a reference unless it is gone already. */
static struct kfd_process *kfd_process_find(struct xarray *xa,
					    unsigned long index)
{
	struct kfd_process *p;

	xa_lock(xa);
	p = xa_load(xa, index);
	if (p && (READ_ONCE(p->dead) || !kref_get_unless_zero(&p->ref)))
		p = NULL;
	xa_unlock(xa);
	return p;
}

/**
 * kfd_process_get_by_mm() - look a process up by its address space
 * @mm: the address space
 *
 * Context: any but interrupts.
 * Return: the process, referenced, or NULL.
 */
struct kfd_process *kfd_process_get_by_mm(const struct mm_struct *mm)
{
	return kfd_process_find(&kfd_processes, (unsigned long)mm);
}

/**
 * kfd_process_publish() - let a process be found by an address space
 * @p: the process
 * @mm: the address space
 *
 * Context: sleeps.
 * Return: 0; -EBUSY: the address space has a process; -ENOMEM.
 */
int kfd_process_publish(struct kfd_process *p, struct mm_struct *mm)
{
	return xa_insert(&kfd_processes, (unsigned long)mm, p, GFP_KERNEL);
}

/**
 * kfd_process_unpublish() - undo kfd_process_publish(), if it was done
 * @p: the process
 * @mm: the address space
 *
 * Context: any but interrupts.
 */
void kfd_process_unpublish(struct kfd_process *p, struct mm_struct *mm)
{
	xa_cmpxchg(&kfd_processes, (unsigned long)mm, p, NULL, 0);
}

/**
 * kfd_process_get_by_pasid() - the process that a GPU knows by a pasid
 * @pasid: the pasid, any value
 *
 * Context: any but hard and soft interrupts.
 * Return: the process, referenced, or NULL when there is none or it is being
 * taken down.
 */
struct kfd_process *kfd_process_get_by_pasid(u32 pasid)
{
	return kfd_process_find(&kfd_pasids, pasid);
}

/**
 * kfd_process_get_by_task() - the KFD state of a task's address space
 * @task: a task that the caller has a reference on
 *
 * Context: process context.
 * Return: the process, referenced, or NULL when the task has no address space
 * or has not opened /dev/kfd.
 */
struct kfd_process *kfd_process_get_by_task(struct task_struct *task)
{
	struct kfd_process *p = NULL;
	struct task_struct *t;

	/* The main thread may have exited: any thread knows the mm. */
	rcu_read_lock();
	for_each_thread(task, t) {
		/* A reference on the mm might turn out to be the last. */
		task_lock(t);
		if (t->mm && !(t->flags & PF_KTHREAD))
			p = kfd_process_find(&kfd_processes,
					     (unsigned long)t->mm);
		task_unlock(t);
		if (p)
			break;
	}
	rcu_read_unlock();
	return p;
}

/**
 * kfd_process_for_each() - call a function for every process
 * @fn: the function; a reference on its process is held meanwhile
 * @arg: its second argument
 *
 * Processes that come or go meanwhile may be left out.
 *
 * Context: as @fn; not in interrupts.
 */
void kfd_process_for_each(void (*fn)(struct kfd_process *p, void *arg),
			  void *arg)
{
	struct kfd_process *p;
	unsigned long pasid = 0;

	for (;;) {
		xa_lock(&kfd_pasids);
		xa_for_each_start(&kfd_pasids, pasid, p, pasid) {
			if (!READ_ONCE(p->dead) && kref_get_unless_zero(&p->ref))
				break;
		}
		xa_unlock(&kfd_pasids);
		if (!p)
			return;
		fn(p, arg);
		kfd_process_put(p);
		pasid++;
	}
}

/* --- per-GPU data ---------------------------------------------------------- */

/**
 * kfd_process_device_by_user_id() - by the gpu_id that the process uses
 * @p: the process
 * @user_gpu_id: id from an ioctl's arguments
 *
 * Context: process->lock held where ids may change (RESTORE).
 * Return: the per-GPU data, or NULL.
 */
struct kfd_process_device *kfd_process_device_by_user_id(struct kfd_process *p,
							 u32 user_gpu_id)
{
	u32 i;

	/* 0 while a restore gives out the ids. */
	for (i = 0; i < p->n_pdds; i++)
		if (user_gpu_id && p->pdds[i]->user_gpu_id == user_gpu_id)
			return p->pdds[i];
	return NULL;
}

/**
 * kfd_process_device_by_id() - by the GPU's own gpu_id
 * @p: the process
 * @gpu_id: id from an mmap offset or a GPU
 *
 * Context: any, with a reference on @p.
 * Return: the per-GPU data, or NULL.
 */
struct kfd_process_device *kfd_process_device_by_id(struct kfd_process *p,
						    u32 gpu_id)
{
	u32 i;

	for (i = 0; i < p->n_pdds; i++)
		if (p->pdds[i]->dev->id == gpu_id)
			return p->pdds[i];
	return NULL;
}

/**
 * kfd_process_device_bound() - as by_user_id, with a VM
 * @p: the process, p->lock held
 * @user_gpu_id: id from an ioctl's arguments
 *
 * Context: process->lock held.
 * Return: the per-GPU data, or NULL when there is no such GPU or no VM has been
 * acquired on it yet.
 */
struct kfd_process_device *kfd_process_device_bound(struct kfd_process *p,
						    u32 user_gpu_id)
{
	struct kfd_process_device *pdd;

	lockdep_assert_held(&p->lock);
	pdd = kfd_process_device_by_user_id(p, user_gpu_id);
	return pdd && pdd->gpu_vm ? pdd : NULL;
}

/**
 * kfd_process_device_acquire_vm() - adopt the VM of an open DRM file
 * @pdd: the process on one GPU
 * @drm_file: file of that GPU's render node; a reference of our own is taken
 *
 * Context: sleeps; process->lock held.
 * Return: 0, also when that file's VM has been acquired already; -EBUSY:
 * another VM has been, or the file's VM has an owner; -EINVAL: not a file of
 * this GPU; -ENODEV: the GPU is gone; -ENOMEM.
 */
int kfd_process_device_acquire_vm(struct kfd_process_device *pdd,
				  struct file *drm_file)
{
	struct kfd_device *dev = pdd->dev;
	struct kfd_gpu_vm *vm;
	int ret;

	lockdep_assert_held(&pdd->process->lock);
	if (pdd->drm_file)
		return pdd->drm_file == drm_file ? 0 : -EBUSY;
	if (READ_ONCE(dev->gone))
		return -ENODEV;

	ret = dev->ops->vm_acquire(dev->gpu, drm_file, pdd->process->pasid, &vm);
	if (ret)
		return ret;
	pdd->gpu_vm = vm;
	pdd->drm_file = get_file(drm_file);
	return 0;
}

/**
 * kfd_process_device_release_vm() - undo acquire_vm
 * @pdd: the process on one GPU; nothing is mapped there and no queue exists;
 *	without a VM nothing happens
 *
 * Context: sleeps; process->lock held.
 */
void kfd_process_device_release_vm(struct kfd_process_device *pdd)
{
	lockdep_assert_held(&pdd->process->lock);
	if (!pdd->drm_file)
		return;
	pdd->dev->ops->vm_release(pdd->dev->gpu, pdd->gpu_vm);
	pdd->gpu_vm = NULL;
	kfd_gpu_fput(pdd->drm_file);
	pdd->drm_file = NULL;
}

/* --- the end --------------------------------------------------------------- */

static void kfd_process_close_scheduling(struct kfd_process *p)
{
	u32 i;

	for (i = 0; i < p->n_pdds; i++) {
		mutex_lock(&p->pdds[i]->dev->scheduler_lock);
		p->pdds[i]->closed = true;
		mutex_unlock(&p->pdds[i]->dev->scheduler_lock);
	}
}

/* Take down what there is of a component, in reverse of the set-up. */
static void kfd_process_fini_component(struct kfd_process *p, u32 component)
{
	const struct kfd_component_ops *ops = kfd_components[component];
	u32 i = p->n_pdds;

	while (i--) {
		struct kfd_process_device *pdd = p->pdds[i];

		if (pdd->n_components <= component)
			continue;
		pdd->n_components = component;
		if (ops->device_fini)
			ops->device_fini(pdd);
	}
	if (p->n_components <= component)
		return;
	p->n_components = component;
	if (ops->process_fini)
		ops->process_fini(p);
}

/*
 * Take all state down, however much of it there is. The structs of the GPUs
 * stay, for those who come with a mere reference on the process.
 */
static void kfd_process_dismantle(struct kfd_process *p)
{
	u32 component = KFD_NUM_COMPONENTS;
	u32 i;

	lockdep_assert_held(&p->lock);
	kfd_process_close_scheduling(p);
	kfd_mirrors_close(&p->mirrors);
	/* From here on no fault gives anything: it is dead, or nobody's yet. */
	kfd_mapping_revoke(p);

	while (component--)
		kfd_process_fini_component(p, component);

	i = p->n_pdds;
	while (i--) {
		struct kfd_process_device *pdd = p->pdds[i];

		kfd_process_device_release_vm(pdd);
		pdd->dev->ops->doorbell_fini(pdd->dev->gpu, &pdd->doorbell);
	}
	kfd_mirrors_fini(&p->mirrors);
}

/*
 * There are few, and a file of the process that somebody else keeps may last
 * for ever: they go with what the GPUs know it for.
 */
static void kfd_process_give_pasid(struct kfd_process *p)
{
	xa_lock(&kfd_pasids);
	__xa_erase(&kfd_pasids, p->pasid);
	kfd_pasids_used--;
	xa_unlock(&kfd_pasids);
}

static void kfd_process_teardown(struct work_struct *work)
{
	struct kfd_process *p = container_of(work, struct kfd_process, teardown);

	/* Who has entered before p->dead was set leaves; nobody follows. */
	mutex_lock(&p->lock);
	p->pause.active = false;
	put_pid(p->pause.owner);
	p->pause.owner = NULL;
	if (p->pause.watch.work.func && cancel_delayed_work(&p->pause.watch))
		kfd_process_put(p);
	kfd_process_dismantle(p);
	mutex_unlock(&p->lock);
	kfd_process_listener->removed(p);
	kfd_process_give_pasid(p);
	/* Files that were closed may have kept others: dma-bufs. */
	flush_delayed_fput();
	kfd_ending_done(p);

	kfd_owner_unbind(p);
	kfd_process_put(p);
}

static void kfd_process_free(struct work_struct *work)
{
	struct kfd_process *p = container_of(work, struct kfd_process, free);
	u32 i = p->n_pdds;

	/* One that has never been complete was not taken down. */
	if (!READ_ONCE(p->dead))
		kfd_process_give_pasid(p);
	kfd_smi_process_gone(p);
	while (i--) {
		struct kfd_process_device *pdd = p->pdds[i];

		kfd_device_unbind(pdd->dev);
		mutex_destroy(&pdd->doorbell_lock);
		mutex_destroy(&pdd->vm.lock);
		kfree(pdd);
	}
	kfd_owner_fini(p);
	mutex_destroy(&p->mapping_lock);
	mutex_destroy(&p->lock);
	kfree(p);
	/* kfd_process_exit() waits for the rest of this function. */
	module_put(THIS_MODULE);
}

/**
 * kfd_process_kill() - the beginning of the end
 * @p: the process, which stays valid for the caller
 *
 * Context: NOTIFIER context (amdkfd/device.h) is fine; takes the GPUs'
 * scheduler_lock.
 */
void kfd_process_kill(struct kfd_process *p)
{
	if (atomic_xchg(&p->dying, 1))
		return;

	kfd_ending_begin(p);
	WRITE_ONCE(p->dead, true);
	kfd_process_unpublish(p, READ_ONCE(p->mm));
	/* For good: nobody is told. */
	if (kfd_process_stop(p))
		pr_warn("process %d: a queue did not stop when the process ended\n",
			pid_nr(p->tgid));
	queue_work(kfd_process_wq, &kfd_process_get(p)->teardown);
}

/* --- the beginning --------------------------------------------------------- */

static int kfd_process_add_device(struct kfd_process *p, struct kfd_device *dev)
{
	struct kfd_process_device *pdd;
	int ret;

	pdd = kzalloc(sizeof(*pdd), GFP_KERNEL_ACCOUNT);
	if (!pdd)
		return -ENOMEM;
	pdd->process = p;
	pdd->index = p->n_pdds;
	pdd->dev = dev;
	pdd->user_gpu_id = dev->id;
	kfd_vm_init(&pdd->vm);
	mutex_init(&pdd->doorbell_lock);
	pdd->doorbell.dev = dev;
	pdd->doorbell.mapping = &p->mapping;
	pdd->doorbell.mmap_offset = KFD_MMAP_TYPE_DOORBELL |
				    KFD_MMAP_GPU_ID(dev->id);

	ret = dev->ops->doorbell_init(dev->gpu, &pdd->doorbell);
	if (ret) {
		mutex_destroy(&pdd->doorbell_lock);
		mutex_destroy(&pdd->vm.lock);
		kfree(pdd);
		return ret;
	}
	/* From here on dismantle and free take care of it. */
	p->pdds[p->n_pdds++] = pdd;
	return 0;
}

static int kfd_process_add_devices(struct kfd_process *p)
{
	struct kfd_device *devs[KFD_MAX_GPUS];
	u32 count = kfd_device_bind_all(devs);
	int ret = 0;
	u32 i;

	for (i = 0; i < count; i++) {
		if (!ret)
			ret = kfd_process_add_device(p, devs[i]);
		if (ret)
			kfd_device_unbind(devs[i]);
	}
	return ret;
}

static int kfd_process_init_components(struct kfd_process *p)
{
	const struct kfd_component_ops *ops;
	int ret;
	u32 i;

	while (p->n_components < KFD_NUM_COMPONENTS) {
		ops = kfd_components[p->n_components];
		ret = ops->process_init ? ops->process_init(p) : 0;
		if (ret)
			return ret;
		p->n_components++;
	}
	for (i = 0; i < p->n_pdds; i++) {
		struct kfd_process_device *pdd = p->pdds[i];

		while (pdd->n_components < KFD_NUM_COMPONENTS) {
			ops = kfd_components[pdd->n_components];
			ret = ops->device_init ? ops->device_init(pdd) : 0;
			if (ret)
				return ret;
			pdd->n_components++;
		}
	}
	return 0;
}

/* A struct that is complete but that nobody knows of yet. */
static struct kfd_process *kfd_process_alloc(struct mm_struct *mm)
{
	static u32 next_pasid;
	struct kfd_process *p;
	int ret;

	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return ERR_PTR(-ENOMEM);
	ret = xa_alloc_cyclic(&kfd_pasids, &p->pasid, NULL, KFD_PASID_LIMIT,
			      &next_pasid, GFP_KERNEL);
	if (ret < 0) {
		kfree(p);
		return ERR_PTR(ret == -EBUSY ? -ENOSPC : ret);
	}

	xa_lock(&kfd_pasids);
	kfd_pasids_used++;
	xa_unlock(&kfd_pasids);
	__module_get(THIS_MODULE);
	kref_init(&p->ref);
	mutex_init(&p->lock);
	mutex_init(&p->mapping_lock);
	INIT_LIST_HEAD(&p->smi_files);
	spin_lock_init(&p->event_lock);
	spin_lock_init(&p->pause.lock);
	INIT_WORK(&p->teardown, kfd_process_teardown);
	INIT_WORK(&p->free, kfd_process_free);
	kfd_mapping_setup(&p->mapping);
	kfd_owner_init(p, mm);
	kfd_mirrors_init(&p->mirrors, p);
	return p;
}

/* A complete process with one reference, which no look-up by mm finds yet. */
static struct kfd_process *kfd_process_make(struct mm_struct *mm)
{
	struct kfd_process *p = kfd_process_alloc(mm);
	int ret;

	if (IS_ERR(p))
		return p;

	mutex_lock(&p->lock);
	ret = kfd_process_add_devices(p);
	if (!ret)
		ret = kfd_process_init_components(p);
	if (ret)
		kfd_process_dismantle(p);
	mutex_unlock(&p->lock);
	if (ret)
		goto err_put;

	ret = kfd_owner_bind(p);
	if (ret) {
		mutex_lock(&p->lock);
		kfd_process_dismantle(p);
		mutex_unlock(&p->lock);
		goto err_put;
	}

	/* GPUs may call for it from now on. */
	xa_store(&kfd_pasids, p->pasid, p, GFP_KERNEL);
	return p;

err_put:
	kfd_process_put(p);
	return ERR_PTR(ret);
}

/**
 * kfd_process_create_current() - the process of the caller's address space
 *
 * Found, or else made with all GPUs that there are and that the caller's
 * cgroups allow.
 *
 * Context: sleeps; takes mmap_lock; nothing of ours held.
 * Return: the process, referenced, or an ERR_PTR: -EINVAL: current has no
 * address space; -ENOSPC: no pasid left; -ENOMEM; -EINTR: killed; or what a
 * GPU gives when it has no doorbells left.
 */
struct kfd_process *kfd_process_create_current(void)
{
	struct mm_struct *mm = current->mm;
	struct kfd_process *p;
	int ret;

	if (!mm || (current->flags & PF_KTHREAD))
		return ERR_PTR(-EINVAL);

	for (;;) {
		p = kfd_process_find(&kfd_processes, (unsigned long)mm);
		if (p)
			return p;
		p = kfd_process_make(mm);
		if (IS_ERR(p))
			return p;
		ret = kfd_process_publish(p, mm);
		if (!ret)
			ret = kfd_process_listener->added(p);
		if (!ret)
			return p;

		kfd_process_kill(p);
		kfd_process_put(p);
		/* EBUSY: another thread was faster */
		if (ret != -EBUSY)
			return ERR_PTR(ret);
	}
}

/**
 * kfd_process_init() - get ready for processes
 *
 * Context: module init.
 * Return: 0 or a negative errno.
 */
int kfd_process_init(void)
{
	int ret = kfd_mapping_init();

	if (ret)
		return ret;
	ret = kfd_mirrors_module_init();
	if (ret)
		goto err_mapping;
	kfd_process_wq = alloc_workqueue("amdkfd_process", WQ_UNBOUND, 0);
	if (kfd_process_wq)
		return 0;
	ret = -ENOMEM;
	kfd_mirrors_module_exit();
err_mapping:
	kfd_mapping_exit();
	return ret;
}

/**
 * kfd_process_exit() - wait for the last processes to be gone
 *
 * Context: module exit; /dev/kfd can't be opened any more.
 */
void kfd_process_exit(void)
{
	/*
	 * Every process holds the module, so the last of them has come to the
	 * end of its work of freeing; let that and the callbacks return.
	 */
	mmu_notifier_synchronize();
	destroy_workqueue(kfd_process_wq);
	WARN_ON(!xa_empty(&kfd_processes) || !xa_empty(&kfd_pasids));
	xa_destroy(&kfd_processes);
	xa_destroy(&kfd_pasids);
	kfd_mirrors_module_exit();
	kfd_mapping_exit();
}
