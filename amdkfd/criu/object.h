/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How one kind of object is counted, saved and loaded (floor 0).
 *
 * Checkpoint and restore walk an array of kfd_criu_object_ops and know no
 * queue, event or BO. Each sibling of floor 3 provides its table in a file of
 * its own beside its state (memory/memory_criu.c, ...).
 */
#ifndef AMDKFD_CRIU_OBJECT_H
#define AMDKFD_CRIU_OBJECT_H

#include <linux/types.h>

#include "image.h"

struct kfd_process;
struct kfd_criu_bo_bucket;
struct file;
struct seq_file;

/**
 * struct kfd_criu_dump - a checkpoint under way
 * @p: process being dumped; p->lock is held while it is saved
 * @out: cursor into the kernel copy of priv_data
 * @bos: kernel copy of the BO buckets, not initialised
 * @num_bos: their number
 * @bo: index of the next bucket to fill (memory/ advances it)
 * @fd_files: files to be installed as fds of the caller once nothing can
 *	fail any more; fd_files[i] belongs to bos[i].dmabuf_fd; NULL: no fd
 *	(the bucket then gets KFD_INVALID_FD)
 */
struct kfd_criu_dump {
	struct kfd_process *p;
	struct kfd_image_writer *out;
	struct kfd_criu_bo_bucket *bos;
	u32 num_bos;
	u32 bo;
	struct file **fd_files;
};

/**
 * struct kfd_criu_load - a restore under way
 * @p: the process (current's own); p->lock is held throughout
 * @image: the validated image
 * @bos: kernel copy of the BO buckets; restored_offset is filled by memory/
 * @num_bos: their number
 * @fd_files: as in struct kfd_criu_dump: memory/ puts the dma-buf of every
 *	VRAM and GTT buffer here as it loads it; fd_files[i] belongs to
 *	bos[i].dmabuf_fd. Whoever runs the restore installs or puts them.
 */
struct kfd_criu_load {
	struct kfd_process *p;
	const struct kfd_image *image;
	struct kfd_criu_bo_bucket *bos;
	u32 num_bos;
	struct file **fd_files;
};

/**
 * struct kfd_criu_object_ops - one kind of object in an image
 * @name: for messages
 * @type: record type of its objects
 * @count: how many objects there are; constant while paused and p->lock held
 * @size: bytes that save() takes exactly, over all objects, record headers
 *	included
 * @save: write one record per object. Must not change the object.
 * @load: create one object from its record. @rec has been validated as far
 *	as pure code can; @index is its number among its kind.
 *	On error the object has not been created.
 * @unload: undo all loads of this kind, newest first, and @load_process; the
 *	process had none of this kind before. Cannot fail.
 * @has_state: optional: whether the process has state of this kind that is no
 *	counted object; it must have none for a RESTORE
 * @save_process: optional: fields of the process record that are this kind's
 * @load_process: optional: act on them, before the first @load of this kind
 *
 * @check: optional: whether an image can hold what there is: 0, or what
 *	kfd_refuse() returned; before a pause begins
 * @show: optional: its lines of fdinfo, the whole of its state; -EINTR: the
 *	reader is being killed
 *
 * All sleep and are called with p->lock held, and all but @check and @show with
 * all queues evicted.
 */
struct kfd_criu_object_ops {
	const char *name;
	enum kfd_record_type type;
	u32 (*count)(struct kfd_process *p);
	u64 (*size)(struct kfd_process *p);
	int (*save)(struct kfd_criu_dump *dump);
	int (*load)(struct kfd_criu_load *load, const struct kfd_record *rec,
		    u32 index);
	void (*unload)(struct kfd_process *p);
	bool (*has_state)(struct kfd_process *p);
	void (*save_process)(struct kfd_process *p,
			     struct kfd_record_process *rec);
	int (*load_process)(struct kfd_criu_load *load);
	int (*check)(struct kfd_process *p);
	int (*show)(struct seq_file *m, struct kfd_process *p);
};

extern const struct kfd_criu_object_ops kfd_memory_criu_ops;
extern const struct kfd_criu_object_ops kfd_svm_criu_ops;
extern const struct kfd_criu_object_ops kfd_event_criu_ops;
extern const struct kfd_criu_object_ops kfd_queue_criu_ops;

/* Beside each kind's state: its .show and .check. */
int kfd_memory_show(struct seq_file *m, struct kfd_process *p);
int kfd_svm_show(struct seq_file *m, struct kfd_process *p);
int kfd_event_show(struct seq_file *m, struct kfd_process *p);
int kfd_queue_show(struct seq_file *m, struct kfd_process *p);
int kfd_memory_check(struct kfd_process *p);

#endif
