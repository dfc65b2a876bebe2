/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engines of a simulated GPU: what sched.c, queue.c, retry.c, slot.c,
 * exec.c, pm4.c, sdma.c, aql.c, job.c, client.c, doorbell.c and debugfs.c share.
 *
 * An engine is one kthread that runs the queues loaded on it in turn. It owns
 * a queue's registers while queue->running is set; nobody else touches them
 * then. While it is not set, they belong to whoever holds engine->lock, so
 * stopping a queue that is not just being worked on takes no help from the
 * thread.
 *
 * Who may run: the driver loads queues; a loaded queue that has work needs a
 * hardware slot, whose number is finite. What a slot holds is decoded from the
 * MQD when it is given, and encoded into the MQD when it is taken away: by
 * preemption, or because more queues than slots want to run.
 *
 * Who wakes an engine: loading a queue, a job, a doorbell's first store
 * (doorbell.c). With nothing of these an engine sleeps without a timer.
 *
 * Locks: engine->lock (spinlock) > doorbell->lock (spinlock). Neither is held
 * across sim_vm_*() or a call into the driver.
 */
#ifndef AMDGPU_SIM_ENGINE_H
#define AMDGPU_SIM_ENGINE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "sim.h"

/* Dwords fetched ahead from a ring or an indirect buffer. */
#define SIM_WINDOW_DWORDS	256u

/* Dwords at the start of a packet that a decoder gets at once. */
#define SIM_HEAD_DWORDS		16u

/* Work in one turn of a queue, in bytes; a packet counts as so many. */
#define SIM_TURN_COST		(4u * SIM_CHUNK)
#define SIM_PACKET_COST		4096u
/* What an interrupt counts for besides. */
#define SIM_INTERRUPT_COST	(16u * SIM_PACKET_COST)

/*
 * Packets after which the read pointer in memory moves, at the latest: a
 * program computes from it how much room the ring has. See sim_signal().
 */
#define SIM_RPTR_PACKETS	8u

/* Largest ring: log2(dwords). */
#define SIM_RING_ORDER_MAX	28u

/*
 * Why a queue halted; kept in MQD9_CP_HQD_ERROR or SDMA_MQD9_STATUS, so that
 * it stays halted wherever it is loaded again. The low ones are the
 * hardware's, those from bit 24 on are reserved there.
 */
#define SIM_ERROR_AQL		BIT(5)
#define SIM_ERROR_RING_FAULT	BIT(8)
#define SIM_ERROR_IB_FAULT	BIT(9)
#define SIM_ERROR_DATA_FAULT	BIT(19)
#define SIM_ERROR_BAD_PACKET	BIT(24)
#define SIM_ERROR_NO_SHADER	BIT(25)
#define SIM_ERROR_LOST		BIT(26)	/* in a GPU reset */
#define SIM_ERROR_MASK		(SIM_ERROR_AQL | SIM_ERROR_RING_FAULT | \
				 SIM_ERROR_IB_FAULT | SIM_ERROR_DATA_FAULT | \
				 SIM_ERROR_BAD_PACKET | SIM_ERROR_NO_SHADER | \
				 SIM_ERROR_LOST)

/**
 * enum sim_result - what came of one step of a decoder
 * @SIM_DONE: a packet is finished
 * @SIM_MORE: a chunk of a packet is done
 * @SIM_IDLE: the ring holds no whole packet (an IB: all of it is done)
 * @SIM_BLOCKED: the packet's condition is not true yet
 * @SIM_FAULT: an access has no translation; exec->fault says which
 * @SIM_BAD: not a packet of this engine
 * @SIM_NO_SHADER: a dispatch
 */
enum sim_result {
	SIM_DONE,
	SIM_MORE,
	SIM_IDLE,
	SIM_BLOCKED,
	SIM_FAULT,
	SIM_BAD,
	SIM_NO_SHADER,
};

/**
 * struct sim_regs - the registers of a queue
 * @ring_va: start of the ring
 * @ring_size: dwords (PM4, SDMA) or packets (AQL), a power of two
 * @rptr: next to be read, same unit, never wrapped
 * @wptr: end of what is known to be written, same unit
 * @rptr_va: where @rptr is reported
 * @wptr_va: where the write pointer is read from
 * @ib: an indirect buffer is being run
 * @ib_va: its start
 * @ib_size: its dwords
 * @ib_pos: dwords of it that are done
 * @mid: what is done of the current packet (bytes, or retries)
 * @error: SIM_ERROR_*: halted
 * @rptr_reported: sim_rptr_done() as memory has it
 */
struct sim_regs {
	u64 ring_va;
	u32 ring_size;
	u64 rptr;
	u64 wptr;
	u64 rptr_va;
	u64 wptr_va;
	bool ib;
	u64 ib_va;
	u32 ib_size;
	u32 ib_pos;
	u64 mid;
	u32 error;
	u64 rptr_reported;
};

/**
 * struct sim_retry - a queue's retry fault, see retry.c
 * @waiting: not to be run before the driver has replied
 * @refused: the driver can't help: another fault at @va is an error
 * @va: page of the last retry fault
 * @count: retry faults so far
 */
struct sim_retry {
	bool waiting;
	bool refused;
	u64 va;
	u64 count;
};

/**
 * struct kfd_gpu_queue - the GPU's side of a queue
 * @node: link in engine->queues
 * @engine: whose
 * @vm: address space, referenced
 * @desc: from the driver
 * @doorbell: slice that its doorbell lies in
 * @served: of its client on this engine, see struct sim_client
 * @loaded: by the driver; not preempted yet
 * @running: the engine's thread works on it
 * @stop: a preemption or the end waits for it
 * @slot: has a hardware slot
 * @peek: the write pointer is to be looked at
 * @work: there are packets
 * @hung: makes no progress and does not stop (fault injection)
 * @lost: in a GPU reset, while it was running
 * @delayed: its next packet has had its delay (fault injection)
 * @retry: what it waits for from the driver, see retry.c
 * @slot_since: when it got the slot, ns
 * @blocked_until: not to be tried before, ns
 * @backoff: last wait for a condition, ns
 * @regs: registers
 * @aql_start: GPU clock when the current AQL packet started, or 0
 * @packets: finished
 * @switches: saves into the MQD
 * @preemptions: those that the driver asked for
 *
 * Protected by engine->lock, but @regs, @delayed, @backoff, @aql_start and
 * @packets are the thread's while @running. @node to @served are immutable.
 */
struct kfd_gpu_queue {
	struct list_head node;
	struct sim_engine *engine;
	struct sim_vm *vm;
	struct kfd_gpu_queue_desc desc;
	struct sim_doorbell *doorbell;
	u64 *served;
	bool loaded;
	bool running;
	bool stop;
	bool slot;
	bool peek;
	bool work;
	bool hung;
	bool lost;
	bool delayed;
	struct sim_retry retry;
	u64 slot_since;
	u64 blocked_until;
	u64 backoff;
	struct sim_regs regs;
	u64 aql_start;
	u64 packets;
	u64 switches;
	u64 preemptions;
};

/**
 * struct sim_exec - what a decoder works with; the engine thread's
 * @gpu: the GPU
 * @vm: address space
 * @regs: registers of the queue or job
 * @queue: NULL for a job
 * @pasid: who gets interrupts
 * @cost: bytes moved in this turn, and SIM_PACKET_COST a packet
 * @dwords: of the current packet; not in an AQL ring
 * @unreported: packets done in this turn since the read pointer was written
 * @fault: of the last failed access
 * @fault_error: SIM_ERROR_*_FAULT that goes with it
 * @moved: bytes that the last write, copy or fill has done, also when it failed
 * @window_va: address of what @window holds
 * @window_dwords: how much of it, 0: nothing
 * @window: fetched ahead
 * @head: start of the current packet
 */
struct sim_exec {
	struct sim_gpu *gpu;
	struct sim_vm *vm;
	struct sim_regs *regs;
	struct kfd_gpu_queue *queue;
	u32 pasid;
	u32 cost;
	u32 dwords;
	u32 unreported;
	struct sim_fault_info fault;
	u32 fault_error;
	u32 moved;
	u64 window_va;
	u32 window_dwords;
	u32 window[SIM_WINDOW_DWORDS];
	u32 head[SIM_HEAD_DWORDS];
};

/**
 * struct sim_line - a client's submissions to one engine
 * @node: link in engine->lines, while there are any (engine->lock)
 * @jobs: struct sim_job, in order (engine->lock)
 * @regs: registers of the first job
 * @started: whether @regs holds it
 * @blocked_until: it is not to be tried before, ns
 * @blocked_since: when it found a condition not true, ns; 0: it goes on
 * @blocked: how long it has waited so before, ns
 *
 * @regs and what follows are the engine thread's; @blocked_until is 0 without
 * a first job.
 */
struct sim_line {
	struct list_head node;
	struct list_head jobs;
	struct sim_regs regs;
	bool started;
	u64 blocked_until;
	u64 blocked_since;
	u64 blocked;
};

/**
 * struct sim_client - a process that has opened DRM files, see client.c
 * @ref: its VMs and its user memory
 * @node: in the list of all (client.c's lock)
 * @tgid: thread group, referenced; immutable
 * @lock: protects @debt and @debt_at
 * @debt: how long others have waited for it, less what has come back, ns
 * @debt_at: when @debt was right, ns
 * @lines: its submissions, by GPU and SDMA engine
 * @served: by GPU and engine, the number of the last turn that a queue of its had
 *	(engine->lock)
 */
struct sim_client {
	struct kref ref;
	struct list_head node;
	struct pid *tgid;
	spinlock_t lock;	/* the account */
	u64 debt;
	u64 debt_at;
	struct sim_line lines[SIM_MAX_GPUS][SIM_SDMA_ENGINES];
	u64 served[SIM_MAX_GPUS][1 + SIM_SDMA_ENGINES];
};

/**
 * struct sim_engine - one engine
 * @gpu: whose
 * @name: "cp", "sdma0", ...
 * @thread: runs it
 * @lock: see above
 * @queues: all its queues; of a client, the next one to run first
 * @turns: turns of queues so far
 * @n_slots: hardware slots
 * @used_slots: those taken
 * @wait: woken when a queue is no longer running
 * @kick: something has changed since the thread last looked
 * @look: a doorbell may have been rung: look at every write pointer
 * @lines: struct sim_line of clients with jobs; the next one to serve first
 * @dead: takes no more work
 * @poll: pause between two looks at open doorbells, ns
 * @poll_at: when to look again, ns
 * @exec: what the decoders work with
 *
 * @queues .. @used_slots, @lines and @dead are protected by @lock; what follows
 * @dead is the thread's.
 */
struct sim_engine {
	struct sim_gpu *gpu;
	char name[8];
	struct task_struct *thread;
	spinlock_t lock;	/* queues, slots, jobs */
	struct list_head queues;
	u64 turns;
	u32 n_slots;
	u32 used_slots;
	wait_queue_head_t wait;
	atomic_t kick;
	atomic_t look;
	struct list_head lines;
	bool dead;
	u64 poll;
	u64 poll_at;
	struct sim_exec exec;
};

/**
 * struct sim_doorbell - a process's doorbell slice, see doorbell.c
 * @db: the driver's side
 * @gpu: whose
 * @lock: protects @open and @zapping
 * @open: stores go through unseen, so write pointers have to be looked at;
 *	else the next store faults
 * @zapping: calls of kfd_gpu_doorbell_zap() under way
 * @active: when a queue of the slice last had work, ns
 * @arm: does the zap, outside the engine's thread
 * @wait: woken when @zapping drops
 * @pages: the slice, contiguous
 * @mmio: the MMIO remap page
 */
struct sim_doorbell {
	struct kfd_doorbell *db;
	struct sim_gpu *gpu;
	spinlock_t lock;	/* open, zapping */
	bool open;
	u32 zapping;
	u64 active;
	struct work_struct arm;
	wait_queue_head_t wait;
	void *pages;
	void *mmio;
};

/* What sim_gpu_set_hang() takes besides a doorbell offset. */
#define SIM_HANG_NEXT	(-1)
#define SIM_HANG_NONE	(-2)

/**
 * struct sim_faults - fault injection knobs
 * @hang: SIM_HANG_NEXT: the next queue that would run something hangs; else
 *	SIM_HANG_NONE
 * @fail_preempt: preemptions fail at once with ETIME
 * @delay_nth: every nth packet is delayed; 0: none
 * @delay_ms: by so much
 * @packets: counter for @delay_nth
 */
struct sim_faults {
	atomic_t hang;
	bool fail_preempt;
	u32 delay_nth;
	u32 delay_ms;
	atomic_t packets;
};

static inline bool sim_queue_is_aql(const struct kfd_gpu_queue *q)
{
	return q && q->desc.type == KFD_GPU_QUEUE_AQL;
}

/* The GPU's clock: 100 MHz, as get_clocks() gives it. */
static inline u64 sim_gpu_clock(void)
{
	return div_u64(ktime_get_raw_ns(), 10);
}

/* sched.c */
void sim_engine_kick(struct sim_engine *e);
void sim_gpu_look(struct sim_gpu *gpu);
void sim_exec_begin(struct sim_exec *x, struct sim_vm *vm,
		    struct sim_regs *regs, struct kfd_gpu_queue *queue,
		    u32 pasid);
void sim_exec_report_fault(struct sim_exec *x);

/* queue.c */
void sim_gpu_lose_queues(struct sim_gpu *gpu);
int sim_gpu_set_hang(struct sim_gpu *gpu, int hang);

/* retry.c */
bool sim_retry_begin(struct kfd_gpu_queue *q,
		     const struct sim_fault_info *fault);
bool sim_retry_raise(struct sim_exec *x);
bool sim_retry_answer(struct kfd_gpu_queue *q, u64 va, bool resolved);

/* slot.c: registers and the MQD; the queue is not running, engine->lock held */
void sim_slot_decode(struct kfd_gpu_queue *q);
void sim_slot_release(struct kfd_gpu_queue *q, bool save);
bool sim_slot_room(struct sim_engine *e, u64 now);
bool sim_slot_get(struct kfd_gpu_queue *q, u64 now);

/* exec.c: memory as the decoders see it. 0 or -EFAULT with x->fault set. */
u32 sim_src_avail(const struct sim_exec *x);
void sim_src_advance(struct sim_exec *x, u32 dwords);
int sim_src_read(struct sim_exec *x, u32 ofs, u32 *dst, u32 dwords);
int sim_src_copy(struct sim_exec *x, u32 ofs, u64 dst, u32 bytes);
int sim_read(struct sim_exec *x, u64 va, void *dst, u32 bytes);
int sim_write(struct sim_exec *x, u64 va, const void *src, u32 bytes);
int sim_write32(struct sim_exec *x, u64 va, u32 value);
int sim_write64(struct sim_exec *x, u64 va, u64 value);
int sim_commit(struct sim_exec *x, const struct sim_effect *effects, u32 n);
int sim_signal(struct sim_exec *x, u64 va, u32 size, bool add, u64 value);
int sim_copy(struct sim_exec *x, u64 dst, u64 src, u32 bytes);
int sim_fill(struct sim_exec *x, u64 va, u32 value, u32 size, u32 bytes);
enum sim_result sim_atomic(struct sim_exec *x, u32 op, u64 va, u64 operand);
bool sim_compare(u32 function, u32 value, u32 mask, u32 ref);
void sim_interrupt(struct sim_exec *x, enum kfd_irq_source source, u32 context);
int sim_read_wptr(struct sim_exec *x);
u64 sim_rptr_done(const struct kfd_gpu_queue *q);
struct sim_effect sim_rptr_effect(const struct kfd_gpu_queue *q, u64 rptr);
int sim_report_rptr(struct sim_exec *x);

/* Decoders: one step each. */
enum sim_result sim_pm4_step(struct sim_exec *x);
/* Parts of theirs that look at nothing but their arguments. */
u32 sim_pm4_sh_reg_mask(u32 reg);
u32 sim_sdma_head_dwords(u32 h);
u64 sim_aql_packet_va(const struct sim_regs *r);
bool sim_aql_empty(const struct sim_regs *r);
enum sim_result sim_aql_vendor(struct sim_exec *x, const u32 *p);
enum sim_result sim_sdma_step(struct sim_exec *x);
enum sim_result sim_aql_step(struct sim_exec *x);
/* Whether the next AQL packet is valid; SIM_DONE, SIM_IDLE or SIM_FAULT. */
enum sim_result sim_aql_peek(struct sim_exec *x);

/* job.c */
bool sim_job_turn(struct sim_engine *e);
u64 sim_job_wakeup(struct sim_engine *e);
void sim_jobs_cancel(struct sim_engine *e, int error);

/* doorbell.c */
void sim_doorbell_active(struct sim_doorbell *d, u64 now);
bool sim_doorbell_expired(struct sim_doorbell *d, u64 now);
bool sim_doorbell_arm_begin(struct sim_doorbell *d);
void sim_doorbell_arm(struct sim_doorbell *d);

#endif
