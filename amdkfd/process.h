/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that uses KFD and what it has on each GPU (floor 2).
 *
 * A kfd_process is found by mm. It refers to its mm by pointer only; the
 * mmu_notifier release callback takes its state down or, when nothing in it
 * depends on the mm any more, leaves it to be adopted (owner.c); the last
 * reference (open files, work items, look-ups) frees the struct.
 *
 * Lock order, outermost first. What a lock protects is said at the field.
 *
 *	process->lock			mutex; user memory may be touched under it
 *	  svm->lock			(svm/, see there)
 *	    mirrors.validate_lock	(mirror.c, see there)
 *	      mmap_lock
 *	        mirrors.notifier_lock	(likewise)
 *	          device->scheduler_lock  mutex; NOTIFIER context from here down:
 *	            vm->lock		no allocation with reclaim, no mmap_lock
 *	              object locks
 *	                process->event_lock	spinlock
 *	                kfd_smi_lock	spinlock (smi.c)
 *	                owner->lock	spinlock; nothing is taken inside it
 *
 * Floor 3 (memory, queue, event) hangs its state into @state / @state of the
 * per-device data by registering kfd_component_ops; floor 2 never looks in.
 */
#ifndef AMDKFD_PROCESS_H
#define AMDKFD_PROCESS_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <linux/kfd_ioctl.h>

#include <amdkfd/device.h>

#include "kfd_device.h"
#include "mirror.h"
#include "vm.h"

struct kfd_owner_notifier;
struct kfd_proc_dir;
struct kfd_process;
struct kfd_process_device;
struct mm_struct;
struct pid;
struct seq_file;

/**
 * enum kfd_component - the kinds of state that floor 3 keeps per process
 * @KFD_COMPONENT_MEMORY: buffers and userptrs
 * @KFD_COMPONENT_SVM: shared virtual memory
 * @KFD_COMPONENT_EVENT: events and the event page
 * @KFD_COMPONENT_QUEUE: queues
 * @KFD_NUM_COMPONENTS: their number
 *
 * In the order of initialisation; torn down in reverse.
 */
enum kfd_component {
	KFD_COMPONENT_MEMORY,
	KFD_COMPONENT_SVM,
	KFD_COMPONENT_EVENT,
	KFD_COMPONENT_QUEUE,
	KFD_NUM_COMPONENTS,
};

/**
 * struct kfd_component_ops - how one kind of state lives with a process
 * @process_init: set up p->state[component]; before the process is published
 * @process_fini: take it down for good; the mm is going or gone, no ioctl
 *	runs any more; sleeps
 * @device_init: set up pdd->state[component]; for every GPU, when the process
 *	opens /dev/kfd; pdd->gpu_vm is still NULL, pdd->doorbell is ready
 * @device_fini: take it down
 *
 * Any may be NULL. All are called with process->lock held. @process_fini and
 * @device_fini are called only after their @..._init has succeeded.
 *
 * Set up: @process_init of all components in order, then for each GPU
 * @device_init in order. Taken down per component in reverse: @device_fini of
 * every GPU, then @process_fini, while the VMs, the doorbells and the
 * components before it still stand.
 */
struct kfd_component_ops {
	int (*process_init)(struct kfd_process *p);
	void (*process_fini)(struct kfd_process *p);
	int (*device_init)(struct kfd_process_device *pdd);
	void (*device_fini)(struct kfd_process_device *pdd);
};

/**
 * struct kfd_queue_sched_ops - what queue/ does for the other kinds of state
 * @evict: take every queue of this GPU's process data off the hardware
 * @restore: undo one @evict
 *
 * Called with pdd->dev->scheduler_lock held; NOTIFIER context (device.h).
 * They count pdd->evicted and pdd->evictions_total themselves.
 * @evict returns 0 or -ETIME when a queue did not stop; the count has been
 * raised in any case, and @restore is owed.
 */
struct kfd_queue_sched_ops {
	int (*evict)(struct kfd_process_device *pdd);
	int (*restore)(struct kfd_process_device *pdd);
};

/**
 * struct kfd_pause - who holds a process paused for a checkpoint
 * @active: PROCESS_INFO succeeded and neither UNPAUSE nor the owner's end has
 *	come yet
 * @again: the last PROCESS_INFO found it paused
 * @owner: thread group that paused it
 * @files: the owner's file table (compared, never dereferenced): its last
 *	close of the kfd file ends the pause
 * @filp: the kfd file that it was paused by (likewise only compared)
 * @closed: the owner has closed the file, but found process->lock taken: @watch
 *	ends the pause in his place
 * @lock: @files, @filp and @closed, for who does not hold process->lock
 * @watch: ends the pause when the owner is gone or no longer the tracer;
 *	pending, it holds a reference on the process; who cancels it (also
 *	teardown, process.c) puts that
 *
 * Protected by process->lock; what @lock is for changes with both held, but for
 * @closed. Driven by criu/pause.c.
 */
struct kfd_pause {
	bool active;
	bool again;
	struct pid *owner;
	void *files;
	const void *filp;
	bool closed;
	spinlock_t lock;	/* whose it is */
	struct delayed_work watch;
};

/**
 * struct kfd_owner - whose a process is, and what becomes of it at the end of
 *	its address space (owner.c)
 * @lock: protects the other fields and kfd_process.mm
 * @notifier: tells when kfd_process.mm ends
 * @files: open files of /dev/kfd
 * @orphan: the address space is gone, the context waits to be adopted
 * @watch: ends an orphan whose thread group has ended; pending, it holds a
 *	reference on the process
 */
struct kfd_owner {
	spinlock_t lock;	/* the binding to an address space */
	struct kfd_owner_notifier *notifier;
	u32 files;
	bool orphan;
	struct delayed_work watch;
};

/**
 * struct kfd_addresses - how the CPU addresses of USERPTR buffers stand
 * @userptrs: buffers
 * @invalid: those without an address
 * @live: those of them whose pages are held
 * @given_up: all addresses were given up, even if there were none
 * @held_pages: pages that are held; charged to kfd_process.mm
 *
 * Protected by process->lock; at the end of the address space, when no thread
 * of the process runs in it, read without.
 */
struct kfd_addresses {
	u32 userptrs;
	u32 invalid;
	u32 live;
	bool given_up;
	u64 held_pages;
};

#define KFD_REFUSAL_TEXT	160

/**
 * struct kfd_refusal - why the last checkpoint op was refused
 * @op: which one
 * @err: the errno, negative; 0: it was not refused
 * @text: the reason, naming the object
 *
 * Protected by process->lock. See refusal.c.
 */
struct kfd_refusal {
	const char *op;
	int err;
	char text[KFD_REFUSAL_TEXT];
};

/**
 * struct kfd_ending - a teardown that others may wait for, see ending.c
 * @node: in the list of teardowns under way
 * @number: its place among all that have begun
 */
struct kfd_ending {
	struct list_head node;
	u64 number;
};

/**
 * struct kfd_process_entry - where sysfs tells of a process
 * @dir: directory of the thread group; NULL: none yet, or no more
 * @link: in it
 *
 * Protected as process_sysfs.c says.
 */
struct kfd_process_entry {
	struct kfd_proc_dir *dir;
	struct list_head link;
};

/**
 * struct kfd_process_listener - who is told of processes
 * @added: one can be found by its address space; not -EBUSY; an error ends it
 * @removed: its state is gone; @added may not have been called or have failed
 *
 * Called in a task without any lock of a process; sleep.
 */
struct kfd_process_listener {
	int (*added)(struct kfd_process *p);
	void (*removed)(struct kfd_process *p);
};

/**
 * struct kfd_process - a process (mm) that opened /dev/kfd
 * @ref: references: the mm's notifier, every open file, look-ups, works
 * @lock: serialises ioctls that change state
 * @owner: whose it is
 * @mm: identity of the address space; owner.notifier holds the struct. Changes
 *	with @lock and owner.lock held: either protects a reader; without them
 *	it is good for comparing (READ_ONCE)
 * @tgid: thread group that opened it, referenced; immutable
 * @pasid: 1..65535, unique among processes that have not been taken down;
 *	immutable
 * @mapping: address space of all VMAs of this process's kfd files
 * @mapping_lock: page table entries of the event page against its end and
 *	against a change of owner; taken in page faults, below mmap_lock
 * @dead: the mm is going and teardown has begun; every ioctl answers EBADF.
 *	Set once and without @lock, so that the mm's end waits for nobody; who
 *	is inside @lock then runs to his end and teardown waits for him
 *	(READ_ONCE)
 * @dying: who sets it to 1 sets @dead and starts teardown (atomic)
 * @n_pdds: GPUs with per-device data, filled at open for all GPUs (@lock)
 * @pdds: per-device data; entries are immutable until teardown
 * @state: floor 3's per-process state, by enum kfd_component
 * @event_lock: see event/
 * @mirrors: memory of the process that GPUs use
 * @pause: checkpoint in progress (@lock)
 * @refusal: why there is none (@lock)
 * @addresses: CPU addresses of buffers
 * @smi_files: SMI files of its own (smi.c's lock)
 * @smi_sessions: SMI files that it has opened and that are still open, in
 *	whatever process (raised in @lock)
 * @sysmem: bytes of system memory that are charged to it, see sysmem.c
 * @xnack_enabled: SET_XNACK_MODE (@lock)
 * @restored: RESTORE has succeeded and RESUME has not yet (@lock); while it
 *	is set every queue carries one eviction more and userptrs stay absent
 * @ending: its teardown, while it is under way
 * @sysfs: its entry in sysfs
 * @teardown: work that takes the state down
 * @free: work that frees the struct
 * @n_components: components that are set up (@lock)
 */
struct kfd_process {
	struct kref ref;
	struct mutex lock; /* ioctls that change state */
	struct kfd_owner owner;
	struct mm_struct *mm;
	struct pid *tgid;
	u32 pasid;
	struct address_space mapping;
	struct mutex mapping_lock; /* entries of the event page */
	bool dead;
	atomic_t dying;
	u32 n_pdds;
	struct kfd_process_device *pdds[KFD_MAX_GPUS];
	void *state[KFD_NUM_COMPONENTS];
	spinlock_t event_lock; /* what interrupts touch of events */
	struct kfd_mirrors mirrors;
	struct kfd_pause pause;
	struct kfd_refusal refusal;
	struct kfd_addresses addresses;
	struct list_head smi_files;
	atomic_t smi_sessions;
	atomic64_t sysmem;
	bool xnack_enabled;
	bool restored;
	struct kfd_ending ending;
	struct kfd_process_entry sysfs;
	struct work_struct teardown;
	struct work_struct free;
	u32 n_components;
};

/**
 * struct kfd_process_device - what a process has on one GPU
 * @process: whose
 * @index: in its table of GPUs; what a bit of a set of GPUs stands for
 * @dev: the GPU, referenced
 * @user_gpu_id: the gpu_id that the process knows it by: dev->id, or after a
 *	restore the id of the machine that the image came from (process->lock)
 * @drm_file: DRM file whose VM was acquired, referenced; NULL before (lock)
 * @gpu_vm: the provider's VM; NULL before ACQUIRE_VM (process->lock)
 * @vm: what is mapped where on this GPU
 * @doorbell: doorbell slice and MMIO page
 * @doorbell_lock: page table entries of the slice against kfd_doorbell_zap();
 *	taken in page faults, below mmap_lock
 * @closed: teardown: no evictions any more (dev->scheduler_lock)
 * @evicted: evictions of all queues here, minus restores
 *	(dev->scheduler_lock)
 * @evictions_total: for fdinfo (dev->scheduler_lock)
 * @scratch_va: SET_SCRATCH_BACKING_VA (process->lock)
 * @tba: trap handler code, GPU VA (process->lock)
 * @tma: trap handler memory, GPU VA (process->lock)
 * @policy_default: KFD_IOC_CACHE_POLICY_* (process->lock)
 * @policy_alternate: likewise
 * @alternate_base: SET_MEMORY_POLICY aperture
 * @alternate_size: its bytes
 * @state: floor 3's per-GPU state, by enum kfd_component
 * @n_components: components that are set up (process->lock)
 */
struct kfd_process_device {
	struct kfd_process *process;
	u32 index;
	struct kfd_device *dev;
	u32 user_gpu_id;
	struct file *drm_file;
	struct kfd_gpu_vm *gpu_vm;
	struct kfd_vm vm;
	struct kfd_doorbell doorbell;
	struct mutex doorbell_lock; /* page table entries of the slice */
	bool closed;
	u32 evicted;
	u64 evictions_total;
	u64 scratch_va;
	u64 tba;
	u64 tma;
	u32 policy_default;
	u32 policy_alternate;
	u64 alternate_base;
	u64 alternate_size;
	void *state[KFD_NUM_COMPONENTS];
	u32 n_components;
};

/**
 * struct kfd_gpu_sink - where upward calls of a GPU go (set by module.c)
 * @interrupt: event/: from a provider's thread, must not sleep on queues
 * @vm_fault: event/ raises the memory exception; the GPU has halted the queue
 * @queue_error: queue/ marks the queue, event/ raises the HW exception
 * @reset: event/ raises the HW exception for every process of the GPU
 *
 * Each is called with a reference on @p that ends with the call; @p may be in
 * teardown.
 */
struct kfd_gpu_sink {
	void (*interrupt)(struct kfd_process *p, struct kfd_device *dev,
			  const struct kfd_irq_entry *irq);
	void (*vm_fault)(struct kfd_process *p, struct kfd_device *dev,
			 const struct kfd_gpu_fault *fault);
	void (*queue_error)(struct kfd_process *p, struct kfd_device *dev,
			    void *cookie, enum kfd_queue_error error);
	void (*reset)(struct kfd_process *p, struct kfd_device *dev,
		      bool begin);
};

/* process.c */
int kfd_process_init(void);
void kfd_process_exit(void);
void kfd_process_register_component(enum kfd_component component,
				    const struct kfd_component_ops *ops);
void kfd_process_set_listener(const struct kfd_process_listener *listener);
void kfd_process_register_sched(const struct kfd_queue_sched_ops *ops);

/*
 * Every handler that reads or changes a process's state takes p->lock by
 * kfd_process_lock(): 0 with the lock held, -EBADF when the process is being
 * taken down, -EINTR when the caller is being killed (nothing held in both).
 * The release path and works that must run whatever has happened take p->lock
 * by mutex_lock() and look at p->dead themselves.
 */
int kfd_process_lock(struct kfd_process *p);
void kfd_process_unlock(struct kfd_process *p);

struct kfd_process *kfd_process_create_current(void);
struct kfd_process *kfd_process_get_by_task(struct task_struct *task);
struct kfd_process *kfd_process_get_by_mm(const struct mm_struct *mm);
struct kfd_process *kfd_process_get_by_pasid(u32 pasid);
struct kfd_process *kfd_process_get(struct kfd_process *p);
void kfd_process_put(struct kfd_process *p);
void kfd_process_for_each(void (*fn)(struct kfd_process *p, void *arg),
			  void *arg);

/* Look-up by the gpu_id that the process uses / by the GPU's own. */
struct kfd_process_device *kfd_process_device_by_user_id(struct kfd_process *p,
							 u32 user_gpu_id);
struct kfd_process_device *kfd_process_device_by_id(struct kfd_process *p,
						    u32 gpu_id);
/* As by_user_id, but NULL too when no VM has been acquired on it yet. */
struct kfd_process_device *kfd_process_device_bound(struct kfd_process *p,
						    u32 user_gpu_id);

/* ACQUIRE_VM and RESTORE: adopt the VM of an open DRM file. */
int kfd_process_device_acquire_vm(struct kfd_process_device *pdd,
				  struct file *drm_file);
void kfd_process_device_release_vm(struct kfd_process_device *pdd);

/* For owner.c: the table of processes by mm, the end, and its works. */
extern struct workqueue_struct *kfd_process_wq;

/* ending.c: teardowns under way */
void kfd_ending_begin(struct kfd_process *p);
void kfd_ending_done(struct kfd_process *p);

int kfd_process_publish(struct kfd_process *p, struct mm_struct *mm);
void kfd_process_unpublish(struct kfd_process *p, struct mm_struct *mm);
void kfd_process_kill(struct kfd_process *p);

/* owner.c: the binding to an address space */
void kfd_owner_init(struct kfd_process *p, struct mm_struct *mm);
void kfd_owner_fini(struct kfd_process *p);
int kfd_owner_bind(struct kfd_process *p);
void kfd_owner_unbind(struct kfd_process *p);
void kfd_owner_file_opened(struct kfd_process *p);
void kfd_owner_file_released(struct kfd_process *p);
bool kfd_process_is_orphan(struct kfd_process *p);
u32 kfd_process_exec_blockers(struct kfd_process *p);
int kfd_process_adopt(struct kfd_process *p);
struct mm_struct *kfd_process_mm_get(struct kfd_process *p);
int kfd_process_charge(struct kfd_process *p, u64 pages);
void kfd_process_uncharge(struct kfd_process *p, u64 pages);

/* doorbell.c: mmap() of /dev/kfd, types doorbell and MMIO */
int kfd_mapping_init(void);
void kfd_mapping_exit(void);
void kfd_mapping_setup(struct address_space *mapping);
void kfd_mapping_revoke(struct kfd_process *p);
vm_fault_t kfd_mapping_check(const struct kfd_process *p,
			     const struct vm_area_struct *vma);
int kfd_doorbell_mmap(struct kfd_process_device *pdd,
		      struct vm_area_struct *vma, u64 at, bool mmio);

/* refusal.c: why a checkpoint is refused; p->lock held */
int kfd_refuse(struct kfd_process *p, int err, const char *fmt, ...)
	__printf(3, 4);
void kfd_refusal_begin(struct kfd_process *p, const char *op);
void kfd_refusal_show(struct seq_file *m, struct kfd_process *p);

/* upcall.c */
void kfd_process_set_sink(const struct kfd_gpu_sink *sink);

/*
 * Evict or restore all queues of a process on a set of its GPUs (bits are
 * kfd_process_device.index), or on all. NOTIFIER context is fine. Evictions
 * nest: each must be undone by one restore. Both are told as SMI events, evict
 * with its reason. evict returns -ETIME when a queue did not stop; it has then
 * been counted on all GPUs asked for all the same.
 */
#define KFD_ALL_GPUS	GENMASK(KFD_MAX_GPUS - 1, 0)

int kfd_process_evict_on(struct kfd_process *p, u32 gpus,
			 enum KFD_QUEUE_EVICTION_TRIGGERS trigger);
int kfd_process_restore_on(struct kfd_process *p, u32 gpus);
int kfd_process_evict(struct kfd_process *p,
		      enum KFD_QUEUE_EVICTION_TRIGGERS trigger);
int kfd_process_restore(struct kfd_process *p);
/* At the end: not told, never undone. */
int kfd_process_stop(struct kfd_process *p);

/**
 * struct kfd_bo_vmap_ops - what memory/ does for siblings that need a buffer
 *	in the kernel's address space (the event page)
 * @vmap: as kfd_process_bo_vmap()
 * @vunmap: as kfd_process_bo_vunmap()
 *
 * Called with p->lock held.
 */
struct kfd_bo_vmap_ops {
	int (*vmap)(struct kfd_process *p, u64 handle, u64 min_size,
		    void **vaddr, void **cookie);
	void (*vunmap)(struct kfd_process *p, void *cookie);
};

void kfd_process_register_bo_ops(const struct kfd_bo_vmap_ops *ops);

/*
 * Kernel address of the buffer (VRAM or GTT) that has this handle, at least
 * @min_size bytes of it. It can't be freed until vunmap (EBUSY). p->lock held;
 * sleeps. 0; EINVAL: no such buffer, too small, or of another kind; EBUSY: it
 * has been vmapped already; ENOMEM.
 */
int kfd_process_bo_vmap(struct kfd_process *p, u64 handle, u64 min_size,
			void **vaddr, void **cookie);
void kfd_process_bo_vunmap(struct kfd_process *p, void *cookie);

/**
 * struct kfd_svm_ops - what svm/ does for its siblings
 * @overlaps: as kfd_process_svm_overlaps()
 * @hold: make sure that a queue on that GPU keeps shared virtual memory; NULL
 *	never; ERR_PTR: -EINVAL: not all of it is shared with the GPU, or only
 *	for reading and @write; -ENOMEM
 * @release: undo @hold
 * @in_use: whether any memory is shared, or, with XNACK, all of it; does not
 *	sleep and needs no lock
 * @settle: of a process that shares nothing: when it returns, nothing of svm/
 *	is under way that uses the address space
 *
 * Called with p->lock held, but for @in_use; sleep.
 */
struct kfd_svm_ops {
	bool (*overlaps)(struct kfd_process *p, u64 start, u64 size);
	void *(*hold)(struct kfd_process_device *pdd, u64 start, u64 size,
		      bool write);
	void (*release)(struct kfd_process_device *pdd, void *hold);
	bool (*in_use)(struct kfd_process *p);
	void (*settle)(struct kfd_process *p);
};

void kfd_process_register_svm_ops(const struct kfd_svm_ops *ops);

bool kfd_process_svm_in_use(struct kfd_process *p);
void kfd_process_svm_settle(struct kfd_process *p);
/* Whether any address of [start, start + size) is shared virtual memory. */
bool kfd_process_svm_overlaps(struct kfd_process *p, u64 start, u64 size);

/**
 * struct kfd_hold - memory that a queue can't do without
 * @range: the mapped buffer that it lies in, or NULL
 * @svm: svm/'s, or NULL
 */
struct kfd_hold {
	struct kfd_vm_range *range;
	void *svm;
};

/*
 * Keep memory reachable for a queue on a GPU, be it a buffer's or shared
 * virtual memory. 0; EINVAL: it is not mapped as a whole, or only for reading
 * and @write; ENOMEM.
 */
int kfd_process_hold(struct kfd_process_device *pdd, u64 start, u64 size,
		     bool write, struct kfd_hold *hold);
void kfd_process_release(struct kfd_process_device *pdd, struct kfd_hold *hold);

/* The state of one component. */
#define kfd_state(obj, component)	((obj)->state[component])

#endif
