// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumping the files of a process that uses a GPU.
 *
 * criu calls for one open file after the other, render nodes and /dev/kfd in
 * the order of the process's fd numbers, and does not say whose file it is.
 * What restore has to know beyond the file itself (who holds it, how it is
 * numbered there, how many mappings there are) is found out through procfs
 * and kcmp() and goes into kfd-file-ID.img.
 *
 * The first file of /dev/kfd of a process brings its whole GPU state; another
 * one, opened a second time, only refers to that.
 *
 * A queue is preempted where it is, unless the environment asks for more:
 * KFD_PLUGIN_DRAIN_MS is how long the queues have to come to their ends first,
 * KFD_PLUGIN_DRAIN_ONLY=1 that the dump shall fail if they don't.
 *
 * A process stays paused, its queues off the GPU, until the whole dump is
 * over: criu saves the process's own memory after its files, and a queue that
 * ran on would write there things that the saved queue has not done yet. So
 * the plugin keeps its files of /dev/kfd open, and dump_finish() unpauses. If
 * criu dies before, the driver does.
 */
#define _GNU_SOURCE
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kfd_ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "foreign.h"
#include "held.h"
#include "image.h"
#include "log.h"
#include "options.h"
#include "room.h"
#include "snapshot.h"
#include "sys.h"
#include "topology.h"
#include "use.h"

#define REFUSAL_SIZE		256

/* A process whose GPU state has been dumped, and which is paused still. */
struct dumped {
	struct dumped *next;
	int kfd;
	pid_t pid;			/* as seen from here; 0: not known */
	pid_t ns_pid;
	unsigned int id;		/* of the file that has its state */
	struct use_list use;		/* GPUs that it is found to use */
	bool paused;
};

static struct {
	bool topology_read;
	struct gpu_list gpus;
	uint64_t dump_id;
	struct dumped *processes;
} dump;

static int read_machine(void)
{
	int ret;

	if (dump.topology_read)
		return 0;
	ret = topology_read(sys_topology_root(), &dump.gpus);
	if (ret && ret != -ENOENT) {
		pr_err("the GPU topology in %s cannot be read: %s\n", sys_topology_root(),
		       strerror(-ret));
		return ret;
	}
	if (getrandom(&dump.dump_id, sizeof(dump.dump_id), 0) != sizeof(dump.dump_id))
		return -EIO;
	dump.topology_read = true;
	return 0;
}

/**
 * dump_begin() - what comes before anything is written or paused; once is enough
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int dump_begin(void)
{
	int ret = read_machine();

	if (!ret)
		ret = foreign_check_tree();
	if (!ret)
		room_begin();
	return ret;
}

/**
 * dump_get_id() - the number that all images of this dump share
 *
 * From dump_begin() on.
 */
uint64_t dump_get_id(void)
{
	return dump.dump_id;
}

/**
 * dump_is_our_render() - whether a render node is of a GPU that KFD drives
 * @minor_nr: of the render node
 */
bool dump_is_our_render(unsigned int minor_nr)
{
	return !read_machine() &&
	       topology_by_minor(dump.gpus.gpus, dump.gpus.nr, minor_nr);
}

static const char *op_hint(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return " (criu needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN)";
	case -ENOTTY:
		return " (the KFD driver is too old for checkpoints: 1.8 is needed)";
	case -EBUSY:
		return " (it was restored and not resumed)";
	case -EXDEV:
		return " (it has imported a buffer: free that first)";
	case -EMLINK:
		return " (another process has a buffer of it: that must let go of it first)";
	case -EREMOTE:
		return " (a buffer is pinned for another device: detach it first)";
	case -EISCONN:
		return " (it has SMI events open: close them first)";
	case -EMFILE:
	case -ENFILE:
		return " (criu needs an fd for each buffer: raise ulimit -n, or fs.file-max)";
	case -ETIME:
		return " (a queue did not stop in time: try again when the GPU is less busy)";
	default:
		return "";
	}
}

/* What the driver itself has to say about it, if anything. */
static void print_refusal(int kfd)
{
	char text[REFUSAL_SIZE];

	if (!sys_refusal(kfd, text, sizeof(text)))
		pr_err("the driver refused: %s\n", text);
}

/*
 * Why a process could not be paused. Of two that are ETIME the driver's words
 * tell which it was.
 */
static void print_not_paused(int kfd, unsigned int id, int err, const struct sys_holders *holders)
{
	const char *hint = op_hint(err);
	char text[REFUSAL_SIZE];

	if (err == -ETIME && !sys_refusal(kfd, text, sizeof(text)) && strstr(text, "not drained"))
		hint = " (not done within KFD_PLUGIN_DRAIN_MS, as KFD_PLUGIN_DRAIN_ONLY wants)";
	pr_err("file %#x of /dev/kfd: the process cannot be paused: %s%s\n", id, strerror(-err),
	       hint);
	print_refusal(kfd);
	if (err == -EBADF)
		held_explain(kfd, holders);
}

static void unpause(struct dumped *d)
{
	struct kfd_ioctl_criu_args args = { .op = KFD_CRIU_OP_UNPAUSE };
	int ret;

	if (!d->paused)
		return;
	d->paused = false;
	ret = sys_criu_op(d->kfd, &args);
	if (ret)
		pr_err("process %d: GPU queues cannot be started again: %s\n", d->ns_pid,
		       strerror(-ret));
}

/* A file of /dev/kfd that stays open until the dump is over. */
static struct dumped *new_dumped(int fd)
{
	struct dumped *d = calloc(1, sizeof(*d));
	int copy;

	if (!d)
		return NULL;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	d->kfd = copy < 0 ? -errno : sys_keep_fd(copy);
	if (d->kfd >= 0)
		return d;
	pr_err("no fd to keep /dev/kfd open: %s\n", strerror(-d->kfd));
	free(d);
	return NULL;
}

static void drop_dumped(struct dumped *d)
{
	unpause(d);
	close(d->kfd);
	free(d->use.ids);
	free(d);
}

/**
 * dump_finish() - unpause every process; the dump is over, well or not
 *
 * criu calls this before it lets the processes run or kills them.
 */
void dump_finish(void)
{
	struct dumped *d;

	/* All before any file is closed, which would unpause its process, too. */
	for (d = dump.processes; d; d = d->next)
		unpause(d);
	while (dump.processes) {
		d = dump.processes;
		dump.processes = d->next;
		drop_dumped(d);
	}
	topology_free(&dump.gpus);
	dump.topology_read = false;
	foreign_check_finish();
	room_end();
}

/*
 * The driver wants pointers even where there is nothing to write, so nothing
 * is allocated with a size of zero.
 */
static int checkpoint(struct dumped *d, struct snapshot *s)
{
	struct kfd_ioctl_criu_args *args = &s->args;
	uint32_t i;
	int ret;

	s->devices = calloc(args->num_devices + 1ul, sizeof(*s->devices));
	s->bos = calloc(args->num_bos + 1ul, sizeof(*s->bos));
	s->recs = calloc(args->num_bos + 1ul, sizeof(*s->recs));
	s->priv_data = calloc(1, args->priv_data_size + 1);
	if (!s->devices || !s->bos || !s->recs || !s->priv_data) {
		pr_err("process %d: out of memory for %u BOs and %" PRIu64 " bytes of GPU state\n",
		       d->ns_pid, args->num_bos, (uint64_t)args->priv_data_size);
		return -ENOMEM;
	}
	for (i = 0; i < args->num_bos; i++)
		s->bos[i].dmabuf_fd = SNAPSHOT_NO_FD;
	args->devices = (uintptr_t)s->devices;
	args->bos = (uintptr_t)s->bos;
	args->priv_data = (uintptr_t)s->priv_data;
	args->op = KFD_CRIU_OP_CHECKPOINT;
	ret = sys_criu_op(d->kfd, args);
	/* A driver that leaves 0 means no fd; an fd of 0 is never given. */
	for (i = 0; i < args->num_bos; i++)
		if (!s->bos[i].dmabuf_fd)
			s->bos[i].dmabuf_fd = SNAPSHOT_NO_FD;
	if (ret) {
		pr_err("process %d: CHECKPOINT of %u GPUs, %u BOs and %u objects failed: %s%s\n",
		       d->ns_pid, args->num_devices, args->num_bos, args->num_objects,
		       strerror(-ret), op_hint(ret));
		print_refusal(d->kfd);
	}
	return ret;
}

/* Messages about who holds the file and what there is on this machine. */
static int fill_file(KfdFileEntry *e, int fd, const struct sys_holders *holders)
{
	KfdHolder *list = calloc(holders->nr + 1, sizeof(*list));
	int flags = fcntl(fd, F_GETFL);
	size_t i;

	e->holders = calloc(holders->nr + 1, sizeof(*e->holders));
	if (!list || !e->holders) {
		free(list);
		free(e->holders);
		e->holders = NULL;
		return -ENOMEM;
	}
	e->holders[0] = list;	/* for free_file(), even if it is empty */
	for (i = 0; i < holders->nr; i++) {
		kfd_holder__init(&list[i]);
		list[i].pid = holders->list[i].ns_pid;
		list[i].fd = holders->list[i].fd;
		e->holders[i] = &list[i];
	}
	e->n_holders = holders->nr;
	e->flags = flags < 0 ? O_RDWR : flags;
	e->dump_id = dump.dump_id;
	e->has_inventory = 1;
	e->inventory = 1;
	e->gpus = dump.gpus.gpus;
	e->n_gpus = dump.gpus.nr;
	return 0;
}

/* What would not be read again is not written. */
static int write_file(int dir, unsigned int id, const KfdFileEntry *e)
{
	int ret = image_check_file(id, e);

	return ret ? ret : image_write_file(dir, id, e);
}

static void free_file(KfdFileEntry *e)
{
	if (e->holders)
		free(e->holders[0]);
	free(e->holders);
	if (e->vmas)
		free(e->vmas[0]);
	free(e->vmas);
}

static int fill_vmas(KfdFileEntry *e, pid_t pid)
{
	unsigned int counts[SYS_RENDER_COUNT];
	KfdVmaCount *list;
	unsigned int i;

	if (!pid || sys_count_vmas(pid, counts))
		return 0;	/* restore then expects some */
	list = calloc(SYS_RENDER_COUNT, sizeof(*list));
	e->vmas = calloc(SYS_RENDER_COUNT, sizeof(*e->vmas));
	if (!list || !e->vmas) {
		free(list);
		return -ENOMEM;
	}
	for (i = 0; i < SYS_RENDER_COUNT; i++) {
		kfd_vma_count__init(&list[i]);
		list[i].render_minor = SYS_RENDER_FIRST + i;
		list[i].count = counts[i];
		e->vmas[i] = &list[i];
	}
	e->n_vmas = SYS_RENDER_COUNT;
	return 0;
}

static int write_kfd_file(int dir, int fd, unsigned int id, const struct dumped *d,
			  const struct sys_holders *holders)
{
	KfdFileEntry e = KFD_FILE_ENTRY__INIT;
	KfdUse use = KFD_USE__INIT;
	int ret = fill_file(&e, fd, holders);

	if (ret)
		return ret;
	e.kind = KFD_FILE_KFD;
	e.has_pid = 1;
	e.pid = d->ns_pid;
	e.has_state_id = d->id != 0;
	e.state_id = d->id;
	use.gpu_ids = d->use.ids;
	use.n_gpu_ids = d->use.nr;
	ret = fill_vmas(&e, d->pid);
	/* Who has not been looked at may use any. */
	if (e.n_vmas)
		e.use = &use;
	if (!ret)
		ret = write_file(dir, id, &e);
	free_file(&e);
	return ret;
}

/*
 * What the process uses. criu may be where it sees fewer GPUs than the process
 * does, as in another container, and then cannot say what a GPU is like.
 */
static int note_use(struct dumped *d, const struct snapshot *s)
{
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < s->args.num_devices; i++) {
		uint32_t id = s->devices[i].actual_gpu_id;

		if (!topology_by_id(dump.gpus.gpus, dump.gpus.nr, id)) {
			pr_err("process %d: it uses GPU %u, which criu may not see: run criu where it may\n",
			       d->ns_pid, id);
			return -ENODEV;
		}
		ret = use_add(&d->use, id);
	}
	if (!ret && d->pid)
		ret = use_add_mappings(&d->use, d->pid, &dump.gpus);
	if (ret)
		pr_err("process %d: what it uses cannot be found out: %s\n", d->ns_pid,
		       strerror(-ret));
	return ret;
}

/*
 * The state of one process, from PROCESS_INFO's counts to its images: the small
 * ones first, as contents take long, and may leave no room.
 */
static int dump_state(int dir, int fd, struct dumped *d, const struct kfd_ioctl_criu_args *info,
		      const struct sys_holders *holders)
{
	struct snapshot s = {
		.args = *info,
		.kfd = d->kfd,
		.pid = d->pid,
		.ns_pid = d->ns_pid,
		.id = d->id,
		.dump_id = dump.dump_id,
		.gpus = &dump.gpus,
	};
	int ret;

	pr_info("process %d: %u GPUs, %u BOs, %u objects, %" PRIu64 " bytes of GPU state\n",
		d->ns_pid, info->num_devices, info->num_bos, info->num_objects,
		(uint64_t)info->priv_data_size);
	ret = checkpoint(d, &s);
	if (!ret)
		ret = snapshot_check_maps(&s);
	if (!ret)
		ret = note_use(d, &s);
	if (!ret)
		ret = write_kfd_file(dir, fd, d->id, d, holders);
	if (!ret)
		ret = snapshot_prepare(dir, &s);
	if (!ret)
		ret = snapshot_save_contents(dir, &s);
	if (!ret)
		ret = snapshot_write(dir, &s);
	snapshot_free(&s);
	return ret;
}

/* The real pid of the process whose id in its own namespace is @ns_pid. */
static pid_t real_pid(const struct sys_holders *holders, pid_t ns_pid)
{
	size_t i;

	for (i = 0; i < holders->nr; i++)
		if (holders->list[i].ns_pid == ns_pid)
			return holders->list[i].pid;
	return 0;
}

static struct dumped *find_dumped(pid_t pid, pid_t ns_pid)
{
	struct dumped *d;

	for (d = dump.processes; d; d = d->next)
		if (d->pid && pid ? d->pid == pid : d->ns_pid == ns_pid)
			return d;
	return NULL;
}

/*
 * The driver may not know what is asked for: then it has paused the process as
 * ever, which is not enough if only drained queues are wanted.
 */
static int check_drained(struct dumped *d, uint64_t request, uint64_t answer)
{
	if (!request)
		return 0;
	if (answer & KFD_CRIU_DRAIN_ANSWERED) {
		pr_info("process %d: %s\n", d->ns_pid, answer & KFD_CRIU_DRAINED ?
			"its queues have come to their ends" :
			"a queue was stopped in the middle of its work");
		return 0;
	}
	if (!(request & KFD_CRIU_DRAIN_ONLY)) {
		pr_warn("process %d: this driver does not wait for queues\n", d->ns_pid);
		return 0;
	}
	pr_err("process %d: this driver does not wait for queues, as KFD_PLUGIN_DRAIN_ONLY wants\n",
	       d->ns_pid);
	return -EOPNOTSUPP;
}

static int process_info(struct dumped *d, struct kfd_ioctl_criu_args *info)
{
	uint64_t request;
	int ret;

	ret = options_drain(&request);
	if (ret)
		return ret;
	memset(info, 0, sizeof(*info));
	info->op = KFD_CRIU_OP_PROCESS_INFO;
	info->priv_data = request;
	ret = sys_criu_op(d->kfd, info);
	if (ret)
		return ret;
	d->ns_pid = info->pid;
	d->paused = true;
	return check_drained(d, request, info->priv_data);
}

/* The process that opened it is gone: there is no state, and never will be. */
static int dump_dead(int dir, int fd, unsigned int id, const struct sys_holders *holders)
{
	KfdFileEntry e = KFD_FILE_ENTRY__INIT;
	int ret = fill_file(&e, fd, holders);

	if (ret)
		return ret;
	pr_info("file %#x of /dev/kfd: the process that opened it is gone, nobody can use it\n",
		id);
	e.kind = KFD_FILE_DEAD;
	ret = write_file(dir, id, &e);
	free_file(&e);
	return ret;
}

static int dump_kfd(int dir, int fd, unsigned int id, const struct sys_holders *holders)
{
	struct dumped *d = new_dumped(fd), *known;
	struct kfd_ioctl_criu_args info;
	int ret;

	if (!d)
		return -ENOMEM;
	ret = process_info(d, &info);
	if (ret == -ENODEV) {
		/* There was no GPU when the file was opened: nothing to save. */
		d->ns_pid = holders->nr ? holders->list[0].ns_pid : 1;
		d->pid = holders->nr ? holders->list[0].pid : 0;
		ret = write_kfd_file(dir, fd, id, d, holders);
		drop_dumped(d);
		return ret;
	}
	if (ret) {
		print_not_paused(d->kfd, id, ret, holders);
		drop_dumped(d);
		return ret;
	}
	d->pid = real_pid(holders, info.pid);
	known = find_dumped(d->pid, d->ns_pid);
	d->id = known ? known->id : id;
	d->paused = !known;
	ret = held_check_opener(id, d->ns_pid, holders);
	if (!ret)
		ret = known ? write_kfd_file(dir, fd, id, d, holders) :
			      dump_state(dir, fd, d, &info, holders);
	if (ret) {
		drop_dumped(d);
		return ret;
	}
	d->next = dump.processes;
	dump.processes = d;
	return 0;
}

/**
 * dump_kfd_file() - dump an open file of /dev/kfd and the state behind it
 * @dir: image directory
 * @fd: the process's file
 * @id: criu's number of the file
 *
 * Return: 0, or a negative errno; the error has been logged, the process is
 * not paused and the file's images are gone.
 */
int dump_kfd_file(int dir, int fd, unsigned int id)
{
	struct sys_holders holders;
	int ret = dump_begin();

	if (ret)
		return ret;
	if (sys_find_holders(fd, &holders) || !holders.nr)
		pr_warn("file %#x of /dev/kfd: the process that has it open was not found\n", id);
	ret = held_is_dead(fd) ? dump_dead(dir, fd, id, &holders) :
				 dump_kfd(dir, fd, id, &holders);
	free(holders.list);
	if (ret) {
		pr_err("file %#x of /dev/kfd cannot be dumped\n", id);
		image_remove(dir, id);
	}
	return ret;
}

/**
 * dump_render_file() - dump an open file of a render node
 * @dir: image directory
 * @fd: the process's file
 * @id: criu's number of the file
 * @minor_nr: of the node, one that dump_is_our_render() knows
 *
 * Return: 0, or a negative errno; the error has been logged.
 */
int dump_render_file(int dir, int fd, unsigned int id, unsigned int minor_nr)
{
	KfdFileEntry e = KFD_FILE_ENTRY__INIT;
	struct sys_holder self = { 0 };
	struct sys_holders holders;
	int ret = dump_begin();

	if (ret)
		return ret;
	if (sys_find_holders(fd, &holders) || !holders.nr)
		pr_warn("file %#x of renderD%u: the process that has it open was not found\n", id,
			minor_nr);
	/* Sent through a socket and not received, it is none that the tree shows. */
	if (holders.nr)
		self.ns_pid = holders.list[0].ns_pid;
	ret = foreign_check_file(&self, fd, minor_nr);
	if (!ret)
		ret = fill_file(&e, fd, &holders);
	if (!ret) {
		e.kind = KFD_FILE_RENDER;
		e.has_render_minor = 1;
		e.render_minor = minor_nr;
		ret = write_file(dir, id, &e);
		free_file(&e);
	}
	free(holders.list);
	if (ret) {
		pr_err("file %#x of renderD%u cannot be dumped: %s\n", id, minor_nr,
		       strerror(-ret));
		image_remove(dir, id);
	}
	return ret;
}
