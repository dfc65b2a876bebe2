/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR MIT */
/*
 * The interface between user space and the KFD compute driver, /dev/kfd.
 *
 * Numbers, names and layouts are those of the in-tree driver's interface 1.11,
 * byte for byte; selftests/abi proves that against the system's copy at build
 * time. Meanings are described here in our own words, and where this driver
 * promises more than the in-tree one, the comment says so.
 */
#ifndef KFD_IOCTL_H_INCLUDED
#define KFD_IOCTL_H_INCLUDED

#include <linux/types.h>
#include <linux/ioctl.h>

/**
 * DOC: Rules that hold for every operation
 *
 * **Arguments.** Every operation takes one struct by pointer. Its size is a
 * part of the request number. A caller with a shorter struct than the
 * driver's has the missing tail read as zero, and gets back only what it has
 * room for; a struct so short that a mandatory field is cut off is %EINVAL.
 * Of a caller with a longer struct than the driver's the tail is neither looked
 * at nor written to, as with the in-tree driver; in the extensions, which are
 * this driver's alone, it has to be zeros, else %E2BIG.
 *
 * **Pointers** are carried as __u64 and name memory of the calling process.
 * A count that goes with a pointer counts array elements, not bytes, unless
 * the field says bytes. With a count of zero the pointer is not looked at.
 *
 * **Padding** is ignored on input, as it is by the in-tree driver, and is
 * zero on output.
 *
 * **GPU ids** are the 16-bit numbers that the topology in sysfs shows as
 * ``gpu_id``. A process that was restored goes on using the ids that it knew
 * (user ids) though the GPU may now be another one (actual id).
 *
 * **Addresses** are GPU virtual addresses unless a field says otherwise. All
 * GPUs of a process see a buffer at the same address.
 *
 * **Failure.** An operation that fails changes nothing, with two exceptions
 * that the interface itself foresees: mapping to several GPUs reports in
 * n_success how far it came, and attributes of shared virtual memory stay set
 * although a page that a GPU needs then cannot be had.
 */

/**
 * DOC: What each errno means
 *
 * An errno has one meaning across the whole interface:
 *
 * %E2BIG
 *	The struct of an extension or a checkpoint image ends in non-zero bytes
 *	that this driver does not know: it was made by something newer.
 * %EACCES
 *	The caller may not use a privileged operation: every checkpoint or
 *	restore operation asks for CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN.
 * %EADDRINUSE
 *	Addresses of a buffer are shared virtual memory already, or the other
 *	way round.
 * %EBADF
 *	The file is another process's: it was opened before a fork or was
 *	passed on. Only checkpoint and restore operations are open to one other
 *	caller, the ptrace parent of the owner's lead thread.
 * %EBUSY
 *	What is to be freed, replaced or taken is in use: a buffer that is
 *	still mapped or that a queue or the event page needs, a GPU for which the
 *	process has already acquired another VM, a render node whose VM has an
 *	owner, an XNACK mode while queues exist, access to shared virtual memory
 *	that a queue lives in, a restore into a process that already has
 *	buffers, queues or events, a checkpoint or a change of shared virtual
 *	memory of a process that was restored and not yet resumed, a CPU address
 *	that has been given up and not yet replaced, an address space that has
 *	GPU state of its own when it is to adopt another's.
 * %EISCONN
 *	A checkpoint is refused because the process has a session open that an
 *	image cannot hold: a file of SMI events.
 * %EFAULT
 *	A user pointer, or an address that the driver itself has to read or
 *	write on the caller's behalf, is not accessible; memory that is to be
 *	shared with GPUs is not mapped, or is a device's; a checkpoint is
 *	refused because memory that a queue lives in has been unmapped.
 * %EINTR
 *	A signal ended a wait. Never given for a lasting condition, because
 *	user space repeats the call.
 * %EINVAL
 *	An argument is wrong in itself (unknown type, flag, operation; a size
 *	that is zero, unaligned, not a power of two or too large), or names
 *	nothing (an unknown GPU, buffer, queue or event id; a descriptor that is
 *	not open or not of the kind asked for, such as a render node of this
 *	GPU; a queue buffer that is not mapped), or overlaps what stands there
 *	(an address range), or does not suit the state (checkpoint without a
 *	pause, counts that no longer match, resume without a restore, a damaged
 *	image).
 * %EIO
 *	The GPU is gone, or an awaited event was destroyed.
 * %EMFILE
 *	The caller's file table has no room for the files of a checkpoint.
 * %EMLINK
 *	A checkpoint is refused because another process has a buffer of this one
 *	too: it imported it, has a handle of it, or holds its DMA-BUF.
 * %ENODEV
 *	The GPU has no VM of this process: ACQUIRE_VM has to come first; or
 *	the GPU is gone.
 * %ENOENT
 *	No buffer has any of the GPU addresses whose CPU address is to be given
 *	up or replaced.
 * %ENOMEM
 *	Out of memory of the kind asked for: host memory, VRAM, or GPU address
 *	translation; all queues of the SDMA engines are taken; the limit on
 *	system memory that GPUs may use is reached; or RLIMIT_MEMLOCK does not
 *	allow as many pages to be held.
 * %ENOSPC
 *	A limit on the number of objects is reached: queues, events, doorbells.
 * %ENOTTY
 *	There is no such operation.
 * %EOPNOTSUPP
 *	The operation exists in this interface, but this driver or this GPU
 *	does not offer it.
 * %EPERM
 *	Nobody may do this here: a 32-bit program opens /dev/kfd, or an XNACK
 *	mode is asked for that a GPU of the process cannot have.
 * %EREMOTE
 *	A checkpoint is refused because a buffer is pinned for another device,
 *	which has attached its DMA-BUF.
 * %ESRCH
 *	The pid given to a resume is not that of a process with GPU state.
 * %ETIME
 *	A queue could not be preempted before its deadline, or was not drained
 *	before the caller's.
 * %EXDEV
 *	A checkpoint is refused because a buffer was imported from a DMA-BUF: it
 *	would come back as a private copy.
 */

/** DOC: Version
 *
 * A change of the major number breaks programs; the minor one grows when
 * something is added, and user space decides by it what to try:
 * 1 interrupt-driven waits, 3 SMI events, 4 SRAM ECC bit in the topology,
 * 5 SVM, 6 cleared flags in SVM queries, 7 checkpoint and restore, 8 buffers
 * of system memory in a checkpoint, 9 available memory, 10 SMI profiling
 * events, 11 SVM for context save areas.
 */
#define KFD_IOCTL_MAJOR_VERSION 1
#define KFD_IOCTL_MINOR_VERSION 11

/**
 * struct kfd_ioctl_get_version_args - GET_VERSION: which interface this is
 * @major_version: out: %KFD_IOCTL_MAJOR_VERSION of the driver
 * @minor_version: out: %KFD_IOCTL_MINOR_VERSION of the driver
 */
struct kfd_ioctl_get_version_args {
	__u32 major_version;
	__u32 minor_version;
};

/*
 * Queues
 */

/* Kinds of queue: kfd_ioctl_create_queue_args.queue_type */
#define KFD_IOC_QUEUE_TYPE_COMPUTE		0x0	/* PM4 packets */
#define KFD_IOC_QUEUE_TYPE_SDMA			0x1	/* copy engine */
#define KFD_IOC_QUEUE_TYPE_COMPUTE_AQL		0x2	/* 64-byte AQL packets */
#define KFD_IOC_QUEUE_TYPE_SDMA_XGMI		0x3	/* copy engine on the GPU link */

#define KFD_MAX_QUEUE_PERCENTAGE	100
#define KFD_MAX_QUEUE_PRIORITY		15
#define KFD_MIN_QUEUE_RING_SIZE		1024	/* bytes */

/**
 * struct kfd_ioctl_create_queue_args - CREATE_QUEUE: a user-mode queue
 * @ring_base_address: in: address of the ring, 256-byte aligned, mapped on
 *	the GPU; 0 creates the queue disabled
 * @write_pointer_address: in: address of the 64-bit write pointer, which the
 *	process advances: dwords for PM4, packets for AQL, bytes for SDMA
 * @read_pointer_address: in: address of the read pointer, which the GPU
 *	advances: 32 bits, in dwords modulo the ring, for PM4; 64 bits for AQL
 *	(packets) and SDMA (bytes)
 * @doorbell_offset: out: offset for mmap() of /dev/kfd, doorbell type and GPU
 *	id in the upper bits; the low bits are the byte offset of this queue's
 *	8-byte doorbell in the process's doorbell slice of that GPU
 * @ring_size: in: bytes, a power of two or 0; less than
 *	%KFD_MIN_QUEUE_RING_SIZE means that
 * @gpu_id: in: GPU to run on; needs an acquired VM
 * @queue_type: in: KFD_IOC_QUEUE_TYPE_*
 * @queue_percentage: in: bits 0..7 share of the GPU, 0 (disabled) to
 *	%KFD_MAX_QUEUE_PERCENTAGE; bits 8..15 the XCC target, 0 here
 * @queue_priority: in: 0 (lowest) to %KFD_MAX_QUEUE_PRIORITY
 * @queue_id: out: id of the queue in this process
 * @eop_buffer_address: in: end-of-pipe buffer of a compute queue, 256-byte
 *	aligned, mapped on the GPU; 0 for none
 * @eop_buffer_size: in: bytes, 0 or a power of two, at least 256
 * @ctx_save_restore_address: in: where a preempted compute queue's waves are
 *	saved, page-aligned; 0 for none
 * @ctx_save_restore_size: in: bytes of that area, control stack included
 * @ctl_stack_size: in: bytes of the control stack at the area's start,
 *	at most @ctx_save_restore_size
 */
struct kfd_ioctl_create_queue_args {
	__u64 ring_base_address;
	__u64 write_pointer_address;
	__u64 read_pointer_address;
	__u64 doorbell_offset;
	__u32 ring_size;
	__u32 gpu_id;
	__u32 queue_type;
	__u32 queue_percentage;
	__u32 queue_priority;
	__u32 queue_id;
	__u64 eop_buffer_address;
	__u64 eop_buffer_size;
	__u64 ctx_save_restore_address;
	__u32 ctx_save_restore_size;
	__u32 ctl_stack_size;
};

/**
 * struct kfd_ioctl_destroy_queue_args - DESTROY_QUEUE: stop and free a queue
 * @queue_id: in: from CREATE_QUEUE
 * @pad: unused
 */
struct kfd_ioctl_destroy_queue_args {
	__u32 queue_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_update_queue_args - UPDATE_QUEUE: move, resize, stop, go on
 * @ring_base_address: in: as for CREATE_QUEUE; 0 disables the queue
 * @queue_id: in: from CREATE_QUEUE
 * @ring_size: in: bytes, as for CREATE_QUEUE
 * @queue_percentage: in: as for CREATE_QUEUE; 0 disables the queue
 * @queue_priority: in: as for CREATE_QUEUE
 *
 * A disabled queue keeps its place: enabling it again goes on at the packet
 * at which it was stopped.
 */
struct kfd_ioctl_update_queue_args {
	__u64 ring_base_address;
	__u32 queue_id;
	__u32 ring_size;
	__u32 queue_percentage;
	__u32 queue_priority;
};

/**
 * struct kfd_ioctl_set_cu_mask_args - SET_CU_MASK: compute units of a queue
 * @queue_id: in: a compute queue
 * @num_cu_mask: in: length of the mask in bits, a multiple of 32 and not 0;
 *	bits beyond the GPU's number of CUs are ignored
 * @cu_mask_ptr: in: pointer to @num_cu_mask / 32 words of type __u32
 */
struct kfd_ioctl_set_cu_mask_args {
	__u32 queue_id;
	__u32 num_cu_mask;
	__u64 cu_mask_ptr;
};

/**
 * struct kfd_ioctl_get_queue_wave_state_args - GET_QUEUE_WAVE_STATE: how much
 *	of a stopped queue's save area holds something
 * @ctl_stack_address: in: where to copy the control stack to, ctl_stack_size
 *	bytes as given to CREATE_QUEUE
 * @ctl_stack_used_size: out: bytes of the control stack in use
 * @save_area_used_size: out: bytes of the wave save area in use
 * @queue_id: in: a compute queue with a save area; it must be disabled
 * @pad: unused
 */
struct kfd_ioctl_get_queue_wave_state_args {
	__u64 ctl_stack_address;
	__u32 ctl_stack_used_size;
	__u32 save_area_used_size;
	__u32 queue_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_alloc_queue_gws_args - ALLOC_QUEUE_GWS: global wave sync
 * @queue_id: in: a compute queue
 * @num_gws: in: entries wanted; 0 gives back what the queue has
 * @first_gws: out: index of the first entry
 * @pad: unused
 */
struct kfd_ioctl_alloc_queue_gws_args {
	__u32 queue_id;
	__u32 num_gws;
	__u32 first_gws;
	__u32 pad;
};

/*
 * The GPU as a process sees it
 */

/**
 * struct kfd_ioctl_get_available_memory_args - AVAILABLE_MEMORY: free VRAM
 * @available: out: bytes of VRAM that an allocation can still get
 * @gpu_id: in: which GPU
 * @pad: unused
 */
struct kfd_ioctl_get_available_memory_args {
	__u64 available;
	__u32 gpu_id;
	__u32 pad;
};

/* kfd_ioctl_set_memory_policy_args.default_policy and alternate_policy */
#define KFD_IOC_CACHE_POLICY_COHERENT 0
#define KFD_IOC_CACHE_POLICY_NONCOHERENT 1

/**
 * struct kfd_ioctl_set_memory_policy_args - SET_MEMORY_POLICY: cache policy
 * @alternate_aperture_base: in: start of the range that gets
 *	@alternate_policy; GPUs from gfx9 on have no such range and ignore it
 * @alternate_aperture_size: in: bytes of that range
 * @gpu_id: in: which GPU
 * @default_policy: in: KFD_IOC_CACHE_POLICY_* outside that range
 * @alternate_policy: in: KFD_IOC_CACHE_POLICY_* inside that range
 * @pad: unused
 */
struct kfd_ioctl_set_memory_policy_args {
	__u64 alternate_aperture_base;
	__u64 alternate_aperture_size;
	__u32 gpu_id;
	__u32 default_policy;
	__u32 alternate_policy;
	__u32 pad;
};

/**
 * struct kfd_ioctl_get_clock_counters_args - GET_CLOCK_COUNTERS: clocks, all
 *	read as near to one another as can be; none ever goes backwards
 * @gpu_clock_counter: out: ticks of the GPU's own clock, 0 without a GPU
 * @cpu_clock_counter: out: the CPU's raw monotonic clock, nanoseconds
 * @system_clock_counter: out: the boot-time clock, nanoseconds
 * @system_clock_freq: out: ticks per second of @system_clock_counter
 * @gpu_id: in: which GPU; an id that is no GPU's (0 for a CPU node) reads the
 *	CPU clocks only
 * @pad: unused
 */
struct kfd_ioctl_get_clock_counters_args {
	__u64 gpu_clock_counter;
	__u64 cpu_clock_counter;
	__u64 system_clock_counter;
	__u64 system_clock_freq;
	__u32 gpu_id;
	__u32 pad;
};

/**
 * struct kfd_process_device_apertures - address windows of one GPU
 * @lds_base: out: first address of the window on the local data share
 * @lds_limit: out: its last address
 * @scratch_base: out: first address of the window on private memory
 * @scratch_limit: out: its last address
 * @gpuvm_base: out: first address at which buffers may be placed
 * @gpuvm_limit: out: last address at which buffers may be placed
 * @gpu_id: out: the GPU
 * @pad: unused
 */
struct kfd_process_device_apertures {
	__u64 lds_base;
	__u64 lds_limit;
	__u64 scratch_base;
	__u64 scratch_limit;
	__u64 gpuvm_base;
	__u64 gpuvm_limit;
	__u32 gpu_id;
	__u32 pad;
};

#define NUM_OF_SUPPORTED_GPUS 7

/**
 * struct kfd_ioctl_get_process_apertures_args - GET_PROCESS_APERTURES: the
 *	older form, which shows no more than %NUM_OF_SUPPORTED_GPUS GPUs
 * @process_apertures: out: the first @num_of_nodes are filled
 * @num_of_nodes: out: number of GPUs filled in
 * @pad: unused
 */
struct kfd_ioctl_get_process_apertures_args {
	struct kfd_process_device_apertures process_apertures[NUM_OF_SUPPORTED_GPUS];
	__u32 num_of_nodes;
	__u32 pad;
};

/**
 * struct kfd_ioctl_get_process_apertures_new_args - GET_PROCESS_APERTURES_NEW
 * @kfd_process_device_apertures_ptr: in: pointer to an array of @num_of_nodes
 *	struct kfd_process_device_apertures; its first elements are written
 * @num_of_nodes: in: elements that the array has room for; out: elements
 *	written, or, when 0 was given, the number of GPUs there are
 * @pad: unused
 */
struct kfd_ioctl_get_process_apertures_new_args {
	__u64 kfd_process_device_apertures_ptr;
	__u32 num_of_nodes;
	__u32 pad;
};

/**
 * struct kfd_ioctl_set_scratch_backing_va_args - SET_SCRATCH_BACKING_VA
 * @va_addr: in: address that backs the scratch window of the GPU's queues
 * @gpu_id: in: which GPU
 * @pad: unused
 */
struct kfd_ioctl_set_scratch_backing_va_args {
	__u64 va_addr;
	__u32 gpu_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_get_tile_config_args - GET_TILE_CONFIG: tiling registers
 * @tile_config_ptr: in: pointer to an array of @num_tile_configs words (__u32)
 * @macro_tile_config_ptr: in: pointer to an array of @num_macro_tile_configs
 *	words (__u32)
 * @num_tile_configs: in: room in words; out: words written
 * @num_macro_tile_configs: in: room in words; out: words written
 * @gpu_id: in: which GPU
 * @gb_addr_config: out: the GPU's address configuration register
 * @num_banks: out: memory banks, in the register's encoding
 * @num_ranks: out: memory ranks, in the register's encoding
 */
struct kfd_ioctl_get_tile_config_args {
	__u64 tile_config_ptr;
	__u64 macro_tile_config_ptr;
	__u32 num_tile_configs;
	__u32 num_macro_tile_configs;
	__u32 gpu_id;
	__u32 gb_addr_config;
	__u32 num_banks;
	__u32 num_ranks;
};

/**
 * struct kfd_ioctl_set_trap_handler_args - SET_TRAP_HANDLER: second level
 * @tba_addr: in: address of the handler's code; 0 for none
 * @tma_addr: in: address of the handler's data; 0 for none
 * @gpu_id: in: which GPU
 * @pad: unused
 */
struct kfd_ioctl_set_trap_handler_args {
	__u64 tba_addr;
	__u64 tma_addr;
	__u32 gpu_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_acquire_vm_args - ACQUIRE_VM: take a render node's VM as
 *	this process's address space on a GPU
 * @drm_fd: in: open render node of that GPU; the driver keeps a reference of
 *	its own on the file. Repeating the call with the same file is harmless
 * @gpu_id: in: which GPU
 */
struct kfd_ioctl_acquire_vm_args {
	__u32 drm_fd;
	__u32 gpu_id;
};

/*
 * The address watch and wave control calls of 1.x. They were withdrawn; the
 * numbers answer with an error.
 */
#define MAX_ALLOWED_NUM_POINTS    100
#define MAX_ALLOWED_AW_BUFF_SIZE 4096
#define MAX_ALLOWED_WAC_BUFF_SIZE  128

/**
 * struct kfd_ioctl_dbg_register_args - DBG_REGISTER, withdrawn
 * @gpu_id: in: which GPU
 * @pad: unused
 */
struct kfd_ioctl_dbg_register_args {
	__u32 gpu_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_dbg_unregister_args - DBG_UNREGISTER, withdrawn
 * @gpu_id: in: which GPU
 * @pad: unused
 */
struct kfd_ioctl_dbg_unregister_args {
	__u32 gpu_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_dbg_address_watch_args - DBG_ADDRESS_WATCH, withdrawn
 * @content_ptr: in: pointer to @buf_size_in_bytes bytes
 * @gpu_id: in: which GPU
 * @buf_size_in_bytes: in: bytes, with this header counted
 */
struct kfd_ioctl_dbg_address_watch_args {
	__u64 content_ptr;
	__u32 gpu_id;
	__u32 buf_size_in_bytes;
};

/**
 * struct kfd_ioctl_dbg_wave_control_args - DBG_WAVE_CONTROL, withdrawn
 * @content_ptr: in: pointer to @buf_size_in_bytes bytes
 * @gpu_id: in: which GPU
 * @buf_size_in_bytes: in: bytes, with this header counted
 */
struct kfd_ioctl_dbg_wave_control_args {
	__u64 content_ptr;
	__u32 gpu_id;
	__u32 buf_size_in_bytes;
};

/* Stands for "no file" wherever a field carries a file descriptor */
#define KFD_INVALID_FD     0xffffffff

/*
 * Events
 */

/* kfd_ioctl_create_event_args.event_type */
#define KFD_IOC_EVENT_SIGNAL			0	/* set by a GPU interrupt or SET_EVENT */
#define KFD_IOC_EVENT_NODECHANGE		1
#define KFD_IOC_EVENT_DEVICESTATECHANGE		2
#define KFD_IOC_EVENT_HW_EXCEPTION		3	/* a GPU was reset or had an ECC error */
#define KFD_IOC_EVENT_SYSTEM_EVENT		4
#define KFD_IOC_EVENT_DEBUG_EVENT		5
#define KFD_IOC_EVENT_PROFILE_EVENT		6
#define KFD_IOC_EVENT_QUEUE_EVENT		7
#define KFD_IOC_EVENT_MEMORY			8	/* a GPU memory access failed */

/* kfd_ioctl_wait_events_args.wait_result */
#define KFD_IOC_WAIT_RESULT_COMPLETE		0	/* what was awaited has come */
#define KFD_IOC_WAIT_RESULT_TIMEOUT		1
#define KFD_IOC_WAIT_RESULT_FAIL		2	/* an event was destroyed */

/* Signal events of one process; also the slots of its event page */
#define KFD_SIGNAL_EVENT_LIMIT			4096

/* kfd_hsa_hw_exception_data.reset_type */
#define KFD_HW_EXCEPTION_WHOLE_GPU_RESET	0
#define KFD_HW_EXCEPTION_PER_ENGINE_RESET	1

/* kfd_hsa_hw_exception_data.reset_cause */
#define KFD_HW_EXCEPTION_GPU_HANG	0
#define KFD_HW_EXCEPTION_ECC		1

/* kfd_hsa_memory_exception_data.ErrorType */
#define KFD_MEM_ERR_NO_RAS		0	/* a plain fault, no memory error */
#define KFD_MEM_ERR_SRAM_ECC		1
#define KFD_MEM_ERR_POISON_CONSUMED	2
#define KFD_MEM_ERR_GPU_HANG		3

/**
 * struct kfd_ioctl_create_event_args - CREATE_EVENT
 * @event_page_offset: in: the first time, handle of a buffer of this process
 *	to hold the event page (%KFD_SIGNAL_EVENT_LIMIT slots of 8 bytes), or 0
 *	to have the driver make one with the first signal event; later 0, else
 *	%EINVAL. out: signal events: offset at which /dev/kfd maps the driver's
 *	own page; meaningless when a buffer was given
 * @event_trigger_data: out: signal events: what the GPU puts into its
 *	interrupt to set this event (equal to the event id)
 * @event_type: in: KFD_IOC_EVENT_*
 * @auto_reset: in: not 0: a wait that is satisfied by the event clears it
 * @node_id: in: for memory and hardware exceptions, informative only
 * @event_id: out: id of the event in this process
 * @event_slot_index: out: signal events: index of its 8-byte slot in the
 *	event page
 */
struct kfd_ioctl_create_event_args {
	__u64 event_page_offset;
	__u32 event_trigger_data;
	__u32 event_type;
	__u32 auto_reset;
	__u32 node_id;
	__u32 event_id;
	__u32 event_slot_index;
};

/**
 * struct kfd_ioctl_destroy_event_args - DESTROY_EVENT: waits on it fail
 * @event_id: in: from CREATE_EVENT
 * @pad: unused
 */
struct kfd_ioctl_destroy_event_args {
	__u32 event_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_set_event_args - SET_EVENT: set a signal event by hand
 * @event_id: in: a signal event
 * @pad: unused
 */
struct kfd_ioctl_set_event_args {
	__u32 event_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_reset_event_args - RESET_EVENT: clear a signal event
 * @event_id: in: a signal event
 * @pad: unused
 */
struct kfd_ioctl_reset_event_args {
	__u32 event_id;
	__u32 pad;
};

/**
 * struct kfd_memory_exception_failure - why a memory access failed (0 or 1)
 * @NotPresent: nothing is mapped there
 * @ReadOnly: a write where only reading is allowed
 * @NoExecute: an instruction fetch where that is not allowed
 * @imprecise: the address is only near the one that failed
 */
struct kfd_memory_exception_failure {
	__u32 NotPresent;
	__u32 ReadOnly;
	__u32 NoExecute;
	__u32 imprecise;
};

/**
 * struct kfd_hsa_memory_exception_data - a GPU memory access that failed
 * @failure: out: why
 * @va: out: address of the page
 * @gpu_id: out: on which GPU
 * @ErrorType: out: KFD_MEM_ERR_*
 */
struct kfd_hsa_memory_exception_data {
	struct kfd_memory_exception_failure failure;
	__u64 va;
	__u32 gpu_id;
	__u32 ErrorType;
};

/**
 * struct kfd_hsa_hw_exception_data - something happened to a whole GPU
 * @reset_type: out: KFD_HW_EXCEPTION_*_RESET
 * @reset_cause: out: %KFD_HW_EXCEPTION_GPU_HANG or %KFD_HW_EXCEPTION_ECC
 * @memory_lost: out: 1 when the contents of VRAM are gone
 * @gpu_id: out: which GPU
 */
struct kfd_hsa_hw_exception_data {
	__u32 reset_type;
	__u32 reset_cause;
	__u32 memory_lost;
	__u32 gpu_id;
};

/**
 * struct kfd_event_data - one event of a wait
 * @memory_exception_data: out: for %KFD_IOC_EVENT_MEMORY that has come
 * @hw_exception_data: out: for %KFD_IOC_EVENT_HW_EXCEPTION that has come
 * @kfd_event_data_ext: in: 0; kept for exceptions with more to say
 * @event_id: in: the event to wait for
 * @pad: unused
 */
struct kfd_event_data {
	union {
		struct kfd_hsa_memory_exception_data memory_exception_data;
		struct kfd_hsa_hw_exception_data hw_exception_data;
	};
	__u64 kfd_event_data_ext;
	__u32 event_id;
	__u32 pad;
};

/**
 * struct kfd_ioctl_wait_events_args - WAIT_EVENTS: sleep until events come
 * @events_ptr: in/out: pointer to an array of @num_events struct
 *	kfd_event_data
 * @num_events: in: elements of the array
 * @wait_for_all: in: 0: the first event ends the wait; else all must come
 * @timeout: in: milliseconds; 0 looks without sleeping, 0xffffffff has no end
 * @wait_result: out: KFD_IOC_WAIT_RESULT_*
 */
struct kfd_ioctl_wait_events_args {
	__u64 events_ptr;
	__u32 num_events;
	__u32 wait_for_all;
	__u32 timeout;
	__u32 wait_result;
};

/*
 * Memory
 */

/* kfd_ioctl_alloc_memory_of_gpu_args.flags: kind of memory, exactly one */
#define KFD_IOC_ALLOC_MEM_FLAGS_VRAM		(1 << 0)	/* the GPU's own memory */
#define KFD_IOC_ALLOC_MEM_FLAGS_GTT		(1 << 1)	/* system memory of the driver's */
#define KFD_IOC_ALLOC_MEM_FLAGS_USERPTR		(1 << 2)	/* pages of the process itself */
#define KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL	(1 << 3)	/* the process's doorbell slice */
#define KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP	(1 << 4)	/* page of HDP flush registers */
/* ... and access, any of them */
#define KFD_IOC_ALLOC_MEM_FLAGS_WRITABLE	(1 << 31)
#define KFD_IOC_ALLOC_MEM_FLAGS_EXECUTABLE	(1 << 30)
#define KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC		(1 << 29)	/* VRAM that the CPU can reach */
#define KFD_IOC_ALLOC_MEM_FLAGS_NO_SUBSTITUTE	(1 << 28)
#define KFD_IOC_ALLOC_MEM_FLAGS_AQL_QUEUE_MEM	(1 << 27)	/* mapped twice in a row */
#define KFD_IOC_ALLOC_MEM_FLAGS_COHERENT	(1 << 26)
#define KFD_IOC_ALLOC_MEM_FLAGS_UNCACHED	(1 << 25)
/* ... or, with USERPTR and nothing else, a new CPU address: see below */
#define KFD_IOC_ALLOC_MEM_FLAGS_VADDR_INVALIDATE	(1 << 12)
#define KFD_IOC_ALLOC_MEM_FLAGS_VADDR_UPDATE		(1 << 13)
#define KFD_IOC_ALLOC_MEM_FLAGS_VADDR_LIVE		(1 << 14)

/**
 * DOC: Replacing the CPU address of a buffer
 *
 * This is an extension: the in-tree driver does not have it, and as it ignores
 * flags that it does not know, VADDR_INFO (not a trial) tells whether it is
 * there.
 *
 * A process that is about to move memory, or to become a new build of itself
 * by exec, gives up the CPU address behind its USERPTR buffers and supplies
 * another one later. GPU addresses, handles, GPU mappings, queues and events
 * stay. It is ALLOC_MEMORY_OF_GPU with flags of its own, always together with
 * USERPTR and with no other flag (%EINVAL otherwise); @handle is left alone:
 *
 * USERPTR | VADDR_INVALIDATE
 *	gives up the CPU address of the USERPTR buffer of GPU @gpu_id that
 *	starts at @va_addr and has exactly @size bytes; @mmap_offset must be 0.
 *	With @va_addr and @size both 0 it is meant for all USERPTR buffers of
 *	the process (@gpu_id 0) or of that GPU: either all lose their address or
 *	none. The GPU no longer uses the pages when the call returns. Queues of
 *	each GPU that such a buffer is mapped on are evicted until none that is
 *	mapped there lacks its address.
 * USERPTR | VADDR_INVALIDATE | VADDR_LIVE
 *	the same for buffers on a shared mapping of a file in memory (memfd,
 *	tmpfs, shared anonymous or System V memory, hugetlbfs), for which the
 *	mapping is not needed: the driver holds the file and its pages,
 *	charged to the process as locked memory, and the GPU goes on.
 *	Whatever happens to the mapping, the GPU keeps writing to the pages that
 *	were the file's then.
 * USERPTR | VADDR_UPDATE
 *	@mmap_offset is the CPU address of that buffer from now on. After
 *	VADDR_LIVE it must map the same file at the same offset, shared, and
 *	writable if the buffer is. Otherwise any memory will do: contents are
 *	what stands there. Pages are looked up before the call returns, as when
 *	a buffer is made.
 *
 * Rules:
 *
 * - Of several USERPTR buffers of one GPU with the same address and size (only
 *   one can be mapped there) the one that is mapped on a GPU is meant.
 * - While an address is invalid, what needs it fails at once with %EBUSY:
 *   mapping the buffer on one more GPU, and every checkpoint. Nothing in the
 *   driver ever waits for user space. Unmapping and freeing the buffer work.
 * - Between RESTORE and RESUME all CPU addresses are those of the image and
 *   none is in use: VADDR_UPDATE replaces one of them (nothing is looked up
 *   before RESUME), VADDR_INVALIDATE is %EINVAL.
 * - Without VADDR_LIVE nothing is held or charged, valid or not. Pages held
 *   count against RLIMIT_MEMLOCK unless the caller has CAP_IPC_LOCK, and are
 *   in VmLck of /proc/PID/status from VADDR_INVALIDATE to VADDR_UPDATE. After
 *   CHANGE_OWNER they are in the new address space's; those of a context that
 *   waits for it count against the limit, too.
 * - fork: a child has nothing of this. Pages that a child's write copies are
 *   the child's copies; those that the GPU writes stay the parent's.
 *
 * Errors, all of which change nothing:
 *
 * %ENOENT
 *	no buffer of that GPU has any address of the range.
 * %EINVAL
 *	start or size is not exactly a buffer's; it is not a USERPTR buffer; an
 *	address is not page-aligned, wraps, or is not user space's;
 *	flags that do not go together; VADDR_UPDATE of an address that is valid,
 *	VADDR_INVALIDATE of one that is not (meant for all: of any);
 *	VADDR_LIVE where memory is not such a shared mapping as a whole;
 *	VADDR_UPDATE after it with an address that maps something else, or
 *	nothing.
 * %EFAULT
 *	there is no memory at the address, or none that the buffer can use; with
 *	VADDR_LIVE: the file has become too short.
 * %ENOMEM
 *	no memory, or over RLIMIT_MEMLOCK.
 * %ETIME
 *	a queue did not stop in time.
 * %ENODEV
 *	the GPU has no VM of this process.
 * %EINTR
 *	a signal came first.
 *
 * Bits 12 to 14 are in the middle of what the in-tree driver leaves free: it
 * counts kinds of memory upwards from bit 0 and access flags downwards from
 * bit 31, and in eight years has come to bits 4 and 23.
 */

/**
 * DOC: Exec with a GPU context
 *
 * A context normally ends with its address space. It outlives an exec of its
 * process when nothing in it depends on the old address space and the new
 * program can reach it:
 *
 * - every CPU address has been given up (VADDR_LIVE or not). If there is no
 *   USERPTR buffer, VADDR_INVALIDATE of all of the process says that this is
 *   meant; it holds until one is made or the owner changes;
 * - there is no range of shared virtual memory and no XNACK (with which all
 *   memory is shared), no pause for a checkpoint, and no restore that has not
 *   been resumed (VADDR_INFO tells all of this beforehand);
 * - a file of /dev/kfd is kept open over the exec (no O_CLOEXEC).
 *
 * The new program calls CHANGE_OWNER on that file before it opens /dev/kfd
 * anew, maps doorbells, events and buffers again (the offsets are the same;
 * render nodes have to be kept open too for that), and replaces the addresses
 * by VADDR_UPDATE. Until then every other operation on the file is %EBADF, from
 * whomever. Nobody but the process that held the context can adopt it; when it
 * ends, or the last file of /dev/kfd is closed that belongs to the context,
 * everything is freed. It may exec more than once before.
 *
 * Queues whose buffers all live go on through all of this.
 */

/**
 * struct kfd_ioctl_alloc_memory_of_gpu_args - ALLOC_MEMORY_OF_GPU: a buffer
 * @va_addr: in: address that the buffer has on every GPU that will map it;
 *	page-aligned
 * @size: in: bytes, a multiple of the page size and not 0
 * @handle: out: names the buffer to the other calls
 * @mmap_offset: in: USERPTR: CPU address of the pages, page-aligned.
 *	out: VRAM, GTT: offset at which the render node given to ACQUIRE_VM
 *	maps the buffer; DOORBELL, MMIO_REMAP: offset at which /dev/kfd does
 * @gpu_id: in: GPU that owns the buffer; needs an acquired VM
 * @flags: in: KFD_IOC_ALLOC_MEM_FLAGS_*: one kind, any access
 *
 * VRAM comes zeroed. The buffer is not yet mapped on any GPU.
 *
 * With KFD_IOC_ALLOC_MEM_FLAGS_VADDR_* no buffer is made, see above.
 */
struct kfd_ioctl_alloc_memory_of_gpu_args {
	__u64 va_addr;
	__u64 size;
	__u64 handle;
	__u64 mmap_offset;
	__u32 gpu_id;
	__u32 flags;
};

/* kfd_ioctl_vaddr_info_args.capabilities */
#define KFD_IOC_VADDR_CAP_REMAP		(1ULL << 0)	/* VADDR_INVALIDATE, VADDR_UPDATE */
#define KFD_IOC_VADDR_CAP_LIVE		(1ULL << 1)	/* VADDR_LIVE: memfd, tmpfs */
#define KFD_IOC_VADDR_CAP_LIVE_HUGETLB	(1ULL << 2)	/* VADDR_LIVE: hugetlbfs */
#define KFD_IOC_VADDR_CAP_CHANGE_OWNER	(1ULL << 3)	/* contexts outlive exec */

/* kfd_ioctl_vaddr_info_args.exec_blockers: what an exec would end it for */
#define KFD_IOC_VADDR_EXEC_ADDRESSES	(1 << 0)	/* CPU addresses that are valid */
#define KFD_IOC_VADDR_EXEC_SVM		(1 << 1)	/* shared virtual memory */
#define KFD_IOC_VADDR_EXEC_PAUSED	(1 << 2)	/* paused for a checkpoint */
#define KFD_IOC_VADDR_EXEC_RESTORED	(1 << 3)	/* restored, not resumed */

/**
 * struct kfd_ioctl_vaddr_info_args - VADDR_INFO: what can be done with CPU
 *	addresses, and how they stand
 * @capabilities: out: KFD_IOC_VADDR_CAP_*; a driver without this operation
 *	(%EINVAL or %ENOTTY) has none
 * @held_pages: out: pages of the system's page size that VADDR_LIVE holds and
 *	has charged
 * @num_userptrs: out: USERPTR buffers of the process
 * @num_invalid: out: those that have no CPU address now
 * @num_live: out: those of them whose pages are held
 * @exec_blockers: out: KFD_IOC_VADDR_EXEC_*; 0: the context would outlive an
 *	exec, if the file stays open
 */
struct kfd_ioctl_vaddr_info_args {
	__u64 capabilities;
	__u64 held_pages;
	__u32 num_userptrs;
	__u32 num_invalid;
	__u32 num_live;
	__u32 exec_blockers;
};

/**
 * struct kfd_ioctl_change_owner_args - CHANGE_OWNER: adopt a context after exec
 * @flags: in: 0
 * @pad: in: 0
 *
 * By the process that held the context, in its new address space, on a file of
 * /dev/kfd that was kept open. Pages that are held are charged to the new
 * address space before they are taken off the old one's account.
 *
 * %EBADF: not this process's context, or it has ended: see the conditions
 * above. %EINVAL: @flags or @pad; it already is the owner. %EBUSY: the address
 * space has a context of its own, or the old one is still in use (by a process
 * that shares it) and the conditions do not hold. %ENOMEM: no memory, or over
 * RLIMIT_MEMLOCK: it can be called again. %EPERM: by a 32-bit program. %EINTR.
 */
struct kfd_ioctl_change_owner_args {
	__u32 flags;
	__u32 pad;
};

/**
 * struct kfd_ioctl_free_memory_of_gpu_args - FREE_MEMORY_OF_GPU
 * @handle: in: a buffer that is not mapped on any GPU
 */
struct kfd_ioctl_free_memory_of_gpu_args {
	__u64 handle;
};

/**
 * struct kfd_ioctl_map_memory_to_gpu_args - MAP_MEMORY_TO_GPU
 * @handle: in: the buffer
 * @device_ids_array_ptr: in: pointer to an array of @n_devices GPU ids (__u32)
 * @n_devices: in: elements of the array, not 0
 * @n_success: in: elements at the array's start to leave out, because an
 *	earlier call has done them; out: elements done so far. Equal to
 *	@n_devices when the call succeeds
 *
 * Mapping on a GPU where the buffer is mapped already does nothing.
 */
struct kfd_ioctl_map_memory_to_gpu_args {
	__u64 handle;
	__u64 device_ids_array_ptr;
	__u32 n_devices;
	__u32 n_success;
};

/**
 * struct kfd_ioctl_unmap_memory_from_gpu_args - UNMAP_MEMORY_FROM_GPU
 * @handle: in: the buffer
 * @device_ids_array_ptr: in: pointer to an array of @n_devices GPU ids (__u32)
 * @n_devices: in: elements of the array, not 0
 * @n_success: in, out: as for MAP_MEMORY_TO_GPU
 *
 * Taking a buffer off a GPU where it is not mapped is %EINVAL.
 */
struct kfd_ioctl_unmap_memory_from_gpu_args {
	__u64 handle;
	__u64 device_ids_array_ptr;
	__u32 n_devices;
	__u32 n_success;
};

/**
 * struct kfd_ioctl_get_dmabuf_info_args - GET_DMABUF_INFO: what a DMA-BUF is
 * @size: out: bytes of the buffer
 * @metadata_ptr: in: pointer to @metadata_size bytes, or 0
 * @metadata_size: in: bytes of room; out: bytes of metadata that there are
 * @gpu_id: out: GPU that owns the buffer
 * @flags: out: KFD_IOC_ALLOC_MEM_FLAGS_*
 * @dmabuf_fd: in: the DMA-BUF; one that no GPU of ours exported is %EINVAL
 */
struct kfd_ioctl_get_dmabuf_info_args {
	__u64 size;
	__u64 metadata_ptr;
	__u32 metadata_size;
	__u32 gpu_id;
	__u32 flags;
	__u32 dmabuf_fd;
};

/**
 * struct kfd_ioctl_import_dmabuf_args - IMPORT_DMABUF: a buffer from elsewhere
 * @va_addr: in: address that the buffer shall have
 * @handle: out: names the buffer to the other calls
 * @gpu_id: in: GPU that shall own this process's view of it
 * @dmabuf_fd: in: the DMA-BUF; the driver takes a reference of its own
 */
struct kfd_ioctl_import_dmabuf_args {
	__u64 va_addr;
	__u64 handle;
	__u32 gpu_id;
	__u32 dmabuf_fd;
};

/**
 * enum kfd_mmio_remap - registers in the MMIO_REMAP page, by byte offset
 * @KFD_MMIO_REMAP_HDP_MEM_FLUSH_CNTL: a write flushes CPU writes to VRAM
 * @KFD_MMIO_REMAP_HDP_REG_FLUSH_CNTL: a write flushes CPU register writes
 */
enum kfd_mmio_remap {
	KFD_MMIO_REMAP_HDP_MEM_FLUSH_CNTL = 0,
	KFD_MMIO_REMAP_HDP_REG_FLUSH_CNTL = 4,
};

/*
 * System management events: a file that lines of text are read from
 */

/**
 * enum kfd_smi_event - what a line of an SMI file tells
 * @KFD_SMI_EVENT_NONE: no event has this number
 * @KFD_SMI_EVENT_VMFAULT: a GPU memory access failed
 * @KFD_SMI_EVENT_THERMAL_THROTTLE: the GPU slowed down to cool off
 * @KFD_SMI_EVENT_GPU_PRE_RESET: the GPU is about to be reset
 * @KFD_SMI_EVENT_GPU_POST_RESET: the GPU has been reset
 * @KFD_SMI_EVENT_MIGRATE_START: SVM pages begin to move
 * @KFD_SMI_EVENT_MIGRATE_END: SVM pages have moved
 * @KFD_SMI_EVENT_PAGE_FAULT_START: a recoverable GPU fault is being served
 * @KFD_SMI_EVENT_PAGE_FAULT_END: a recoverable GPU fault has been served
 * @KFD_SMI_EVENT_QUEUE_EVICTION: a process's queues were stopped
 * @KFD_SMI_EVENT_QUEUE_RESTORE: a process's queues go on
 * @KFD_SMI_EVENT_UNMAP_FROM_GPU: SVM pages were taken off a GPU
 * @KFD_SMI_EVENT_ALL_PROCESS: not an event: a mask bit that asks for the
 *	events of all processes, and needs privilege
 */
enum kfd_smi_event {
	KFD_SMI_EVENT_NONE = 0,
	KFD_SMI_EVENT_VMFAULT = 1,
	KFD_SMI_EVENT_THERMAL_THROTTLE = 2,
	KFD_SMI_EVENT_GPU_PRE_RESET = 3,
	KFD_SMI_EVENT_GPU_POST_RESET = 4,
	KFD_SMI_EVENT_MIGRATE_START = 5,
	KFD_SMI_EVENT_MIGRATE_END = 6,
	KFD_SMI_EVENT_PAGE_FAULT_START = 7,
	KFD_SMI_EVENT_PAGE_FAULT_END = 8,
	KFD_SMI_EVENT_QUEUE_EVICTION = 9,
	KFD_SMI_EVENT_QUEUE_RESTORE = 10,
	KFD_SMI_EVENT_UNMAP_FROM_GPU = 11,
	KFD_SMI_EVENT_ALL_PROCESS = 64
};

/**
 * enum KFD_MIGRATE_TRIGGERS - why SVM pages move
 * @KFD_MIGRATE_TRIGGER_PREFETCH: the process asked for it
 * @KFD_MIGRATE_TRIGGER_PAGEFAULT_GPU: a GPU touched them
 * @KFD_MIGRATE_TRIGGER_PAGEFAULT_CPU: a CPU touched them
 * @KFD_MIGRATE_TRIGGER_TTM_EVICTION: VRAM ran short
 */
enum KFD_MIGRATE_TRIGGERS {
	KFD_MIGRATE_TRIGGER_PREFETCH,
	KFD_MIGRATE_TRIGGER_PAGEFAULT_GPU,
	KFD_MIGRATE_TRIGGER_PAGEFAULT_CPU,
	KFD_MIGRATE_TRIGGER_TTM_EVICTION
};

/**
 * enum KFD_QUEUE_EVICTION_TRIGGERS - why queues are stopped
 * @KFD_QUEUE_EVICTION_TRIGGER_SVM: an SVM range changed under them
 * @KFD_QUEUE_EVICTION_TRIGGER_USERPTR: registered host memory changed
 * @KFD_QUEUE_EVICTION_TRIGGER_TTM: a buffer of theirs had to move
 * @KFD_QUEUE_EVICTION_TRIGGER_SUSPEND: the system sleeps
 * @KFD_QUEUE_EVICTION_CRIU_CHECKPOINT: the process is being dumped
 * @KFD_QUEUE_EVICTION_CRIU_RESTORE: the process is being restored
 */
enum KFD_QUEUE_EVICTION_TRIGGERS {
	KFD_QUEUE_EVICTION_TRIGGER_SVM,
	KFD_QUEUE_EVICTION_TRIGGER_USERPTR,
	KFD_QUEUE_EVICTION_TRIGGER_TTM,
	KFD_QUEUE_EVICTION_TRIGGER_SUSPEND,
	KFD_QUEUE_EVICTION_CRIU_CHECKPOINT,
	KFD_QUEUE_EVICTION_CRIU_RESTORE
};

/**
 * enum KFD_SVM_UNMAP_TRIGGERS - why SVM pages are taken off a GPU
 * @KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY: the CPU's page tables changed
 * @KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY_MIGRATE: the same, by our own migration
 * @KFD_SVM_UNMAP_TRIGGER_UNMAP_FROM_CPU: the process unmapped them
 */
enum KFD_SVM_UNMAP_TRIGGERS {
	KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY,
	KFD_SVM_UNMAP_TRIGGER_MMU_NOTIFY_MIGRATE,
	KFD_SVM_UNMAP_TRIGGER_UNMAP_FROM_CPU
};

#define KFD_SMI_EVENT_MASK_FROM_INDEX(i) (1ULL << ((i) - 1))
#define KFD_SMI_EVENT_MSG_SIZE	96	/* bytes, the longest line */

/**
 * DOC: The file of SMI events
 *
 * SMI_EVENTS opens a file, close-on-exec, for one GPU. It tells what happens
 * there to the process that opened it, and resets of the GPU; with
 * %KFD_SMI_EVENT_ALL_PROCESS in the mask, and if its opener had CAP_SYS_ADMIN,
 * what happens to all processes. Whoever gets the file sees what its opener
 * may see.
 *
 * **write()** of a __u64 mask selects events; nothing is selected at first.
 * Bits that are no event's are without effect. Fewer than eight bytes:
 * %EFAULT.
 *
 * **read()** never waits: %EAGAIN when there is nothing. It gives as many whole
 * lines as fit; a line that does not fit alone comes in pieces. 1024 bytes of
 * unread lines are kept, further ones are dropped and counted in the file's
 * fdinfo. 0: the GPU has been unregistered, there is no more.
 *
 * **poll()**: %POLLIN when there is something to read, %POLLHUP at the end.
 *
 * A line begins with the number of its event in hex. Times are nanoseconds
 * since boot, sleep included; ids of processes are those of the initial
 * namespace; addresses and sizes are in pages; NAME has no unprintable
 * characters (they are told as "?")::
 *
 *	VMFAULT			"%x:%s"			pid, name
 *	GPU_PRE_RESET, _POST	"%x"			number of the reset
 *	MIGRATE_START		"%d -%d @%x(%x) %x->%x %x:%x %d"
 *				time, pid, first page, pages, from and to
 *				gpu_id, prefetch and preferred location, why
 *	MIGRATE_END		"%d -%d @%x(%x) %x->%x %d"
 *	PAGE_FAULT_START	"%d -%d @%x(%x) %c"	time, pid, page, gpu_id,
 *				R or W
 *	PAGE_FAULT_END		the same, M: pages were moved, U: were not
 *	QUEUE_EVICTION		"%d -%d %x %d"		time, pid, gpu_id, why
 *	QUEUE_RESTORE		"%d -%d %x", and " R" when it did not work and
 *				will be tried again
 *	UNMAP_FROM_GPU		"%d -%d @%x(%x) %x %d"	time, pid, first page,
 *				pages, gpu_id, why
 *
 * gpu_ids in lines are the GPU's own, as in the topology.
 */

/**
 * struct kfd_ioctl_smi_events_args - SMI_EVENTS: open a file of events
 * @gpuid: in: which GPU
 * @anon_fd: out: the file, see above
 */
struct kfd_ioctl_smi_events_args {
	__u32 gpuid;
	__u32 anon_fd;
};

/**
 * DOC: Checkpoint and restore
 *
 * One operation with five sub-operations.
 *
 * A dumper that has stopped a process with ptrace uses the process's own
 * /dev/kfd file: PROCESS_INFO preempts all queues of the process, keeps them
 * off the GPUs ("paused") and tells how much there is to save; CHECKPOINT
 * hands out that state; UNPAUSE lets the queues go on. A second PROCESS_INFO
 * while paused just tells again. When the dumper goes away or closes its file
 * without UNPAUSE, the driver unpauses by itself.
 *
 * A restorer runs in the new process: it opens /dev/kfd and the render nodes
 * and calls RESTORE, which brings everything back with the same ids,
 * addresses and doorbells, or brings back nothing at all. Queues stay off
 * the GPUs, and registered host memory stays unread, until RESUME, which
 * comes when the process's memory stands again.
 *
 * A checkpoint that could not be restored faithfully is refused by
 * PROCESS_INFO before anything is changed, with an errno per cause (%EXDEV,
 * %EMLINK, %EREMOTE, %EISCONN, %EFAULT, %E2BIG, %EBUSY). The reason in words,
 * which names the object, is then in /proc/PID/fdinfo/N of any file of the process's,
 * the dumper's copy too, until the next PROCESS_INFO or CHECKPOINT::
 *
 *	kfd-refused:	PROCESS_INFO EXDEV buffer 0x... was imported from ...
 *
 * What the process itself has of its own buffers (DMA-BUF fds, mappings of
 * them, handles in its DRM files) is not sharing, nor is what the caller has.
 *
 * The buckets and counts are for the caller to read; the private data is not:
 * its format is the driver's own, versioned, and checked in full before any of
 * it is used.
 *
 * Who may call: the process itself or the ptrace parent of its lead thread
 * (%EBADF for anyone else), holding CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN
 * (%EACCES without).
 */

/**
 * enum kfd_criu_op - sub-operations of CRIU_OP
 * @KFD_CRIU_OP_PROCESS_INFO: pause, and say how much there is. %ETIME when a
 *	queue cannot be preempted in time; then all go on. %EXDEV, %EMLINK,
 *	%EREMOTE, %EISCONN, %EFAULT: refused, see above
 * @KFD_CRIU_OP_CHECKPOINT: hand out the state of a paused process. %EINVAL
 *	when it is not paused or the counts or size given are not those that
 *	PROCESS_INFO would tell now; %EXDEV when a buffer was imported since
 * @KFD_CRIU_OP_UNPAUSE: end the pause. %EINVAL when there is none
 * @KFD_CRIU_OP_RESTORE: bring back state in a process that has none yet,
 *	%EBUSY when it has buffers, queues or events; %EINVAL for an image that
 *	is damaged or does not fit the GPUs, %E2BIG for one that is newer
 * @KFD_CRIU_OP_RESUME: let a restored process run. %ESRCH when the pid is not
 *	that of a process with GPU state, %EINVAL when it was not restored or
 *	was resumed already, %EFAULT when registered host memory is not where
 *	it was: the process then stays as it is and can be resumed later
 */
enum kfd_criu_op {
	KFD_CRIU_OP_PROCESS_INFO,
	KFD_CRIU_OP_CHECKPOINT,
	KFD_CRIU_OP_UNPAUSE,
	KFD_CRIU_OP_RESTORE,
	KFD_CRIU_OP_RESUME,
};

/**
 * DOC: Draining before a checkpoint
 *
 * PROCESS_INFO preempts queues in the middle of what they do, and a checkpoint
 * has what is left of it. A caller who wants them to come to their ends first
 * says so in kfd_ioctl_criu_args.priv_data: %KFD_CRIU_DRAIN, and how many
 * milliseconds it may take in %KFD_CRIU_DRAIN_MS_MASK, at most
 * %KFD_CRIU_DRAIN_MAX_MS; 0: only look. This field is a pointer in other
 * sub-operations and says nothing in PROCESS_INFO: the in-tree driver does not
 * look at it there and criu's plugins leave it zero. A user pointer has none of
 * the two highest bits, and is ignored as ever.
 *
 * The process and its queues go on meanwhile, and work that they are given
 * meanwhile is waited for too. When all that was written to the rings has been
 * done, or when the time is over, the pause begins as without the request: a
 * queue that is not done is preempted in place. With %KFD_CRIU_DRAIN_ONLY it is
 * %ETIME instead, and all goes on as before. So it is for a process that is
 * paused already and was not drained: nothing can be waited for then. A queue
 * that is disabled or has stopped at an error counts as done.
 *
 * On success priv_data is %KFD_CRIU_DRAIN_ANSWERED, with %KFD_CRIU_DRAINED when
 * all were done; a driver that does not know the request leaves it as it was.
 *
 * %EINVAL: any other bit set, more than %KFD_CRIU_DRAIN_MAX_MS, or
 * %KFD_CRIU_DRAIN_ONLY without %KFD_CRIU_DRAIN.
 */
#define KFD_CRIU_DRAIN		(1ULL << 63)	/* in: wait for the queues */
#define KFD_CRIU_DRAIN_ONLY	(1ULL << 62)	/* in: and fail if they are not done */
#define KFD_CRIU_DRAIN_ANSWERED	(1ULL << 61)	/* out: the request was known */
#define KFD_CRIU_DRAINED	(1ULL << 60)	/* out: all queues were done */
#define KFD_CRIU_DRAIN_MS_MASK	0xffffffffULL	/* in: for so long */
#define KFD_CRIU_DRAIN_MAX_MS	60000

/**
 * struct kfd_ioctl_criu_args - CRIU_OP
 * @devices: CHECKPOINT: in: pointer to an array of @num_devices struct
 *	kfd_criu_device_bucket, which are written. RESTORE: the same array, in
 * @bos: CHECKPOINT: in: pointer to an array of @num_bos struct
 *	kfd_criu_bo_bucket, which are written. RESTORE: the same array, in;
 *	dmabuf_fd and restored_offset are written
 * @priv_data: CHECKPOINT, RESTORE: in: pointer to @priv_data_size bytes,
 *	which CHECKPOINT writes and RESTORE reads. PROCESS_INFO: in and out:
 *	%KFD_CRIU_DRAIN and so on, or 0
 * @priv_data_size: bytes. PROCESS_INFO: out. CHECKPOINT, RESTORE: in
 * @num_devices: GPUs on which the process has state, that is, a VM; may be 0,
 *	and @devices then anything. PROCESS_INFO: out. CHECKPOINT, RESTORE: in.
 *	The in-tree driver counts every GPU that the process may see, and wants
 *	as many at RESTORE
 * @num_bos: buffers, may be 0. PROCESS_INFO: out. CHECKPOINT, RESTORE: in
 * @num_objects: queues, events and SVM ranges in the private data, may be 0.
 *	PROCESS_INFO: out. CHECKPOINT, RESTORE: in
 * @pid: PROCESS_INFO: out: process id of the target in its own pid
 *	namespace. RESUME: in: process id of the target in the caller's
 * @op: in: enum kfd_criu_op
 */
struct kfd_ioctl_criu_args {
	__u64 devices;
	__u64 bos;
	__u64 priv_data;
	__u64 priv_data_size;
	__u32 num_devices;
	__u32 num_bos;
	__u32 num_objects;
	__u32 pid;
	__u32 op;
};

/**
 * struct kfd_criu_device_bucket - one GPU in a checkpoint
 * @user_gpu_id: id that the process knows the GPU by. CHECKPOINT: out.
 *	RESTORE: in
 * @actual_gpu_id: id in the topology. CHECKPOINT: out. RESTORE: in: the GPU
 *	that stands in for it now
 * @drm_fd: RESTORE: in: render node of that GPU, whose VM becomes the
 *	process's (as by ACQUIRE_VM); the driver keeps a reference of its own.
 *	CHECKPOINT: out: %KFD_INVALID_FD
 * @pad: CHECKPOINT: out: 0. RESTORE: in: must be 0
 */
struct kfd_criu_device_bucket {
	__u32 user_gpu_id;
	__u32 actual_gpu_id;
	__u32 drm_fd;
	__u32 pad;
};

/**
 * struct kfd_criu_bo_bucket - one buffer in a checkpoint
 * @addr: GPU address of the buffer; where the CPU has it mapped too, the same
 *	address there. CHECKPOINT: out. RESTORE: in
 * @size: bytes. CHECKPOINT: out. RESTORE: in
 * @offset: CHECKPOINT: out, RESTORE: in: offset of its CPU mapping, as
 *	/proc/PID/maps shows it; says nothing for a USERPTR
 * @restored_offset: RESTORE: out: offset to map it at from now on: on the
 *	render node for VRAM and GTT, on /dev/kfd for DOORBELL and MMIO_REMAP
 * @gpu_id: user_gpu_id of the owning GPU. CHECKPOINT: out. RESTORE: in
 * @alloc_flags: KFD_IOC_ALLOC_MEM_FLAGS_*. CHECKPOINT: out. RESTORE: in
 * @dmabuf_fd: CHECKPOINT, RESTORE: out: for VRAM and GTT a DMA-BUF in the
 *	caller's file table (close-on-exec) to read or fill the contents
 *	through, which the caller closes; %KFD_INVALID_FD for the others
 * @pad: CHECKPOINT: out: 0. RESTORE: in: must be 0
 */
struct kfd_criu_bo_bucket {
	__u64 addr;
	__u64 size;
	__u64 offset;
	__u64 restored_offset;
	__u32 gpu_id;
	__u32 alloc_flags;
	__u32 dmabuf_fd;
	__u32 pad;
};

/*
 * Shared virtual memory: ranges of the process's own address space
 */
#define KFD_IOCTL_SVM_FLAG_HOST_ACCESS 0x00000001	/* the CPU can always reach it */
#define KFD_IOCTL_SVM_FLAG_COHERENT    0x00000002	/* coherent between devices */
#define KFD_IOCTL_SVM_FLAG_HIVE_LOCAL  0x00000004	/* any GPU of the hive will do */
#define KFD_IOCTL_SVM_FLAG_GPU_RO      0x00000008	/* GPUs only read */
#define KFD_IOCTL_SVM_FLAG_GPU_EXEC    0x00000010	/* GPUs may execute */
#define KFD_IOCTL_SVM_FLAG_GPU_READ_MOSTLY     0x00000020	/* GPUs seldom write */
#define KFD_IOCTL_SVM_FLAG_GPU_ALWAYS_MAPPED   0x00000040	/* never leave it to faults */

/**
 * enum kfd_ioctl_svm_op - what to do with attributes
 * @KFD_IOCTL_SVM_OP_SET_ATTR: give them to a range
 * @KFD_IOCTL_SVM_OP_GET_ATTR: ask for those of a range
 */
enum kfd_ioctl_svm_op {
	KFD_IOCTL_SVM_OP_SET_ATTR,
	KFD_IOCTL_SVM_OP_GET_ATTR
};

/**
 * enum kfd_ioctl_svm_location - places that are not a GPU
 * @KFD_IOCTL_SVM_LOCATION_SYSMEM: system memory
 * @KFD_IOCTL_SVM_LOCATION_UNDEFINED: no place in particular, or, in an answer,
 *	not the same place for all pages
 */
enum kfd_ioctl_svm_location {
	KFD_IOCTL_SVM_LOCATION_SYSMEM = 0,
	KFD_IOCTL_SVM_LOCATION_UNDEFINED = 0xffffffff
};

/**
 * enum kfd_ioctl_svm_attr_type - kinds of attribute and what their value is
 * @KFD_IOCTL_SVM_ATTR_PREFERRED_LOC: where pages should be: GPU id or location
 * @KFD_IOCTL_SVM_ATTR_PREFETCH_LOC: move pages there at once: GPU id or
 *	location
 * @KFD_IOCTL_SVM_ATTR_ACCESS: GPU id that may reach the range, by migration
 *	if need be; in a query the question, answered by one of these three
 * @KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE: GPU id that reaches it where it is
 * @KFD_IOCTL_SVM_ATTR_NO_ACCESS: GPU id that does not reach it
 * @KFD_IOCTL_SVM_ATTR_SET_FLAGS: KFD_IOCTL_SVM_FLAG_* to set; in a query,
 *	those set on every page
 * @KFD_IOCTL_SVM_ATTR_CLR_FLAGS: KFD_IOCTL_SVM_FLAG_* to clear; in a query,
 *	those clear on every page
 * @KFD_IOCTL_SVM_ATTR_GRANULARITY: pages move in blocks of 2 to the power of
 *	this many; in a query the least in the range
 */
enum kfd_ioctl_svm_attr_type {
	KFD_IOCTL_SVM_ATTR_PREFERRED_LOC,
	KFD_IOCTL_SVM_ATTR_PREFETCH_LOC,
	KFD_IOCTL_SVM_ATTR_ACCESS,
	KFD_IOCTL_SVM_ATTR_ACCESS_IN_PLACE,
	KFD_IOCTL_SVM_ATTR_NO_ACCESS,
	KFD_IOCTL_SVM_ATTR_SET_FLAGS,
	KFD_IOCTL_SVM_ATTR_CLR_FLAGS,
	KFD_IOCTL_SVM_ATTR_GRANULARITY
};

/**
 * struct kfd_ioctl_svm_attribute - one attribute
 * @type: in: enum kfd_ioctl_svm_attr_type; out: in the answer to an access
 *	query, the access there is
 * @value: SET_ATTR: in. GET_ATTR: out, except for access queries, where it is
 *	the GPU id asked about
 */
struct kfd_ioctl_svm_attribute {
	__u32 type;
	__u32 value;
};

/**
 * struct kfd_ioctl_svm_args - SVM: attributes of a range of addresses
 * @start_addr: in: first address, page-aligned
 * @size: in: bytes, a multiple of the page size and not 0
 * @op: in: enum kfd_ioctl_svm_op
 * @nattr: in: elements of @attrs
 * @attrs: in (SET_ATTR), in and out (GET_ATTR): the attributes
 *
 * The attributes follow in the struct itself, so the request number's size
 * field carries the whole length.
 */
struct kfd_ioctl_svm_args {
	__u64 start_addr;
	__u64 size;
	__u32 op;
	__u32 nattr;
	struct kfd_ioctl_svm_attribute attrs[];
};

/**
 * struct kfd_ioctl_set_xnack_mode_args - SET_XNACK_MODE: recoverable faults
 * @xnack_enabled: in: 0 off, positive on, negative only ask; out: the mode
 *	that holds now, 0 or 1
 *
 * %EBUSY while the process has queues; %EPERM when a GPU cannot do it.
 */
struct kfd_ioctl_set_xnack_mode_args {
	__s32 xnack_enabled;
};

/*
 * Request numbers
 */
#define AMDKFD_IOCTL_BASE 'K'
#define AMDKFD_IO(nr)			_IO(AMDKFD_IOCTL_BASE, nr)
#define AMDKFD_IOR(nr, type)		_IOR(AMDKFD_IOCTL_BASE, nr, type)
#define AMDKFD_IOW(nr, type)		_IOW(AMDKFD_IOCTL_BASE, nr, type)
#define AMDKFD_IOWR(nr, type)		_IOWR(AMDKFD_IOCTL_BASE, nr, type)

#define AMDKFD_IOC_GET_VERSION \
	AMDKFD_IOR(0x01, struct kfd_ioctl_get_version_args)
#define AMDKFD_IOC_CREATE_QUEUE \
	AMDKFD_IOWR(0x02, struct kfd_ioctl_create_queue_args)
#define AMDKFD_IOC_DESTROY_QUEUE \
	AMDKFD_IOWR(0x03, struct kfd_ioctl_destroy_queue_args)
#define AMDKFD_IOC_SET_MEMORY_POLICY \
	AMDKFD_IOW(0x04, struct kfd_ioctl_set_memory_policy_args)
#define AMDKFD_IOC_GET_CLOCK_COUNTERS \
	AMDKFD_IOWR(0x05, struct kfd_ioctl_get_clock_counters_args)
#define AMDKFD_IOC_GET_PROCESS_APERTURES \
	AMDKFD_IOR(0x06, struct kfd_ioctl_get_process_apertures_args)
#define AMDKFD_IOC_UPDATE_QUEUE \
	AMDKFD_IOW(0x07, struct kfd_ioctl_update_queue_args)
#define AMDKFD_IOC_CREATE_EVENT \
	AMDKFD_IOWR(0x08, struct kfd_ioctl_create_event_args)
#define AMDKFD_IOC_DESTROY_EVENT \
	AMDKFD_IOW(0x09, struct kfd_ioctl_destroy_event_args)
#define AMDKFD_IOC_SET_EVENT \
	AMDKFD_IOW(0x0A, struct kfd_ioctl_set_event_args)
#define AMDKFD_IOC_RESET_EVENT \
	AMDKFD_IOW(0x0B, struct kfd_ioctl_reset_event_args)
#define AMDKFD_IOC_WAIT_EVENTS \
	AMDKFD_IOWR(0x0C, struct kfd_ioctl_wait_events_args)
#define AMDKFD_IOC_DBG_REGISTER_DEPRECATED \
	AMDKFD_IOW(0x0D, struct kfd_ioctl_dbg_register_args)
#define AMDKFD_IOC_DBG_UNREGISTER_DEPRECATED \
	AMDKFD_IOW(0x0E, struct kfd_ioctl_dbg_unregister_args)
#define AMDKFD_IOC_DBG_ADDRESS_WATCH_DEPRECATED \
	AMDKFD_IOW(0x0F, struct kfd_ioctl_dbg_address_watch_args)
#define AMDKFD_IOC_DBG_WAVE_CONTROL_DEPRECATED \
	AMDKFD_IOW(0x10, struct kfd_ioctl_dbg_wave_control_args)
#define AMDKFD_IOC_SET_SCRATCH_BACKING_VA \
	AMDKFD_IOWR(0x11, struct kfd_ioctl_set_scratch_backing_va_args)
#define AMDKFD_IOC_GET_TILE_CONFIG \
	AMDKFD_IOWR(0x12, struct kfd_ioctl_get_tile_config_args)
#define AMDKFD_IOC_SET_TRAP_HANDLER \
	AMDKFD_IOW(0x13, struct kfd_ioctl_set_trap_handler_args)
#define AMDKFD_IOC_GET_PROCESS_APERTURES_NEW \
	AMDKFD_IOWR(0x14, struct kfd_ioctl_get_process_apertures_new_args)
#define AMDKFD_IOC_ACQUIRE_VM \
	AMDKFD_IOW(0x15, struct kfd_ioctl_acquire_vm_args)
#define AMDKFD_IOC_ALLOC_MEMORY_OF_GPU \
	AMDKFD_IOWR(0x16, struct kfd_ioctl_alloc_memory_of_gpu_args)
#define AMDKFD_IOC_FREE_MEMORY_OF_GPU \
	AMDKFD_IOW(0x17, struct kfd_ioctl_free_memory_of_gpu_args)
#define AMDKFD_IOC_MAP_MEMORY_TO_GPU \
	AMDKFD_IOWR(0x18, struct kfd_ioctl_map_memory_to_gpu_args)
#define AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU \
	AMDKFD_IOWR(0x19, struct kfd_ioctl_unmap_memory_from_gpu_args)
#define AMDKFD_IOC_SET_CU_MASK \
	AMDKFD_IOW(0x1A, struct kfd_ioctl_set_cu_mask_args)
#define AMDKFD_IOC_GET_QUEUE_WAVE_STATE \
	AMDKFD_IOWR(0x1B, struct kfd_ioctl_get_queue_wave_state_args)
#define AMDKFD_IOC_GET_DMABUF_INFO \
	AMDKFD_IOWR(0x1C, struct kfd_ioctl_get_dmabuf_info_args)
#define AMDKFD_IOC_IMPORT_DMABUF \
	AMDKFD_IOWR(0x1D, struct kfd_ioctl_import_dmabuf_args)
#define AMDKFD_IOC_ALLOC_QUEUE_GWS \
	AMDKFD_IOWR(0x1E, struct kfd_ioctl_alloc_queue_gws_args)
#define AMDKFD_IOC_SMI_EVENTS \
	AMDKFD_IOWR(0x1F, struct kfd_ioctl_smi_events_args)
#define AMDKFD_IOC_SVM \
	AMDKFD_IOWR(0x20, struct kfd_ioctl_svm_args)
#define AMDKFD_IOC_SET_XNACK_MODE \
	AMDKFD_IOWR(0x21, struct kfd_ioctl_set_xnack_mode_args)
#define AMDKFD_IOC_CRIU_OP \
	AMDKFD_IOWR(0x22, struct kfd_ioctl_criu_args)
#define AMDKFD_IOC_AVAILABLE_MEMORY \
	AMDKFD_IOWR(0x23, struct kfd_ioctl_get_available_memory_args)

/* Requests are numbered from START up to, not including, END */
#define AMDKFD_COMMAND_START		0x01
#define AMDKFD_COMMAND_END		0x24

/*
 * This driver's extensions. The in-tree driver counts up from 0x01, the one
 * that AMD ships outside of the tree has further operations from 0x80 on; half
 * of what is left above that is left to each.
 */
#define AMDKFD_IOC_VADDR_INFO \
	AMDKFD_IOR(0xc0, struct kfd_ioctl_vaddr_info_args)
#define AMDKFD_IOC_CHANGE_OWNER \
	AMDKFD_IOW(0xc1, struct kfd_ioctl_change_owner_args)

#define AMDKFD_EXTENSION_START		0xc0
#define AMDKFD_EXTENSION_END		0xc2

#endif /* KFD_IOCTL_H_INCLUDED */
