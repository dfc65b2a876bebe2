// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that becomes another program; see the header.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "kfd_criu.h"
#include "kfd_fdinfo.h"
#include "kfd_mem.h"
#include "kfd_packets.h"
#include "kfd_scene.h"
#include "kfd_workload.h"

#define PATIENCE	(20000 * kfd_time_scale())
#define RING		4096
#define SEED		5

static int last_gpu(const struct kfd_scene *sc)
{
	return sc->k.num_gpus - 1;
}

char *kfd_scene_map(int fd)
{
	return mmap(NULL, SCENE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* --- the program before ------------------------------------------------------ */

int kfd_scene_become(struct kfd_scene *sc)
{
	char file[16];

	snprintf(file, sizeof(file), "%d", sc->file);
	execl("/proc/self/exe", "vaddr_exec", "--image", sc->next[sc->image++], file, NULL);
	return -errno;
}

/* What does not depend on the address space. */
int kfd_scene_base(struct kfd_scene *sc)
{
	STEP(sc, kfd_start(&sc->k));
	STEP(sc, kfd_keep_files(&sc->k, true));
	STEP(sc, kfd_bo_create(&sc->k, 0, MEM_VRAM, SCENE_VRAM, &sc->vram));
	kfd_fill_pattern(sc->vram.cpu, SCENE_VRAM, SEED);
	STEP(sc, kfd_queue_create(&sc->k, 0, KFD_IOC_QUEUE_TYPE_SDMA, RING, &sc->idle));
	STEP(sc, kfd_event_create(&sc->k, KFD_IOC_EVENT_SIGNAL, true, &sc->set));
	STEP(sc, kfd_event_create(&sc->k, KFD_IOC_EVENT_SIGNAL, true, &sc->later));
	STEP(sc, kfd_event_set(&sc->k, sc->set.event_id));
	return 0;
}

/* A queue that counts in memory that lives. */
int kfd_scene_live(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data);

	STEP(sc, p == MAP_FAILED ? -errno : 0);
	STEP(sc, kfd_scene_base(sc));
	STEP(sc, kfd_vaddr_bo(&sc->k, 0, p, SCENE_SIZE, &sc->live));
	STEP(sc, kfd_queue_create(&sc->k, 0, KFD_IOC_QUEUE_TYPE_COMPUTE, RING, &sc->pm4));
	STEP(sc, kfd_counter_start(&sc->k, 0, sc->live.va, &sc->counter));
	STEP(sc, kfd_word_moves(p));
	STEP(sc, kfd_vaddr_live(&sc->k, &sc->live));
	sc->evictions = kfd_gpu_word(&sc->k, 0, "evictions");
	return 0;
}

/* And another one, where there is a GPU for it, in memory that does not. */
int kfd_scene_dead(struct kfd_scene *sc)
{
	char *p = kfd_scene_map(sc->data2);

	STEP(sc, p == MAP_FAILED ? -errno : 0);
	STEP(sc, kfd_vaddr_bo(&sc->k, last_gpu(sc), p, SCENE_SIZE, &sc->dead));
	STEP(sc, kfd_counter_start(&sc->k, last_gpu(sc), sc->dead.va, &sc->stopped));
	STEP(sc, kfd_word_moves(p));
	STEP(sc, kfd_vaddr_invalidate(&sc->k, &sc->dead));
	return 0;
}

int kfd_scene_blockers(struct kfd_scene *sc)
{
	struct kfd_ioctl_vaddr_info_args info;
	int ret = kfd_vaddr_info(&sc->k, &info);

	return ret ? ret : (int)info.exec_blockers;
}

int kfd_scene_old_live(void *arg)
{
	struct kfd_scene *sc = arg;

	STEP(sc, kfd_scene_live(sc));
	STEP(sc, kfd_scene_blockers(sc));
	return kfd_scene_become(sc);
}

/* --- the program after ------------------------------------------------------- */

/* Whatever it is asked, the file is nobody's. */
int kfd_scene_nobodys(struct kfd_scene *sc)
{
	struct kfd_ioctl_get_version_args version;
	struct kfd_ioctl_vaddr_info_args info;
	struct kfd_ioctl_criu_args args;
	static char text[64 << 10];
	int op;

	STEP_ERR(sc, EBADF, kfd_call(sc->k.fd, AMDKFD_IOC_GET_VERSION, &version));
	STEP_ERR(sc, EBADF, kfd_vaddr_info(&sc->k, &info));
	STEP_ERR(sc, EBADF, kfd_vaddr_all(&sc->k, VADDR_INVALIDATE));
	STEP_ERR(sc, EBADF, kfd_vaddr_update(&sc->k, &sc->live, text));
	STEP_ERR(sc, EBADF, kfd_bo_free(&sc->k, &sc->vram));
	STEP_ERR(sc, EBADF, kfd_event_set(&sc->k, sc->set.event_id));
	for (op = KFD_CRIU_OP_PROCESS_INFO; op <= KFD_CRIU_OP_RESUME; op++) {
		memset(&args, 0, sizeof(args));
		STEP_ERR(sc, EBADF, kfd_criu_op(sc->k.fd, &args, op));
	}
	STEP_ERR(sc, EBADF, kfd_queue_map_doorbell(&sc->k, &sc->idle));
	STEP(sc, kfd_fdinfo_read(getpid(), sc->k.fd, text, sizeof(text)));
	return 0;
}

/* All that it maps again, and that it is what it was. */
int kfd_scene_map_again(struct kfd_scene *sc)
{
	STEP(sc, kfd_bo_map_cpu(&sc->k, &sc->vram));
	STEP(sc, kfd_check_pattern(sc->vram.cpu, SCENE_VRAM, SEED) ? 0 : -EILSEQ);
	STEP(sc, kfd_queue_map_again(&sc->k, &sc->idle));
	STEP(sc, kfd_queue_map_again(&sc->k, &sc->counter.q));
	STEP(sc, kfd_bo_map_cpu(&sc->k, &sc->counter.ib));
	STEP(sc, kfd_bo_map_cpu(&sc->k, &sc->counter.shadow));
	return 0;
}

int kfd_scene_events(struct kfd_scene *sc)
{
	uint32_t p[8], result;
	uint64_t *slots;

	STEP(sc, kfd_event_wait_one(&sc->k, sc->set.event_id, 0, &result));
	STEP(sc, result == KFD_IOC_WAIT_RESULT_COMPLETE ? 0 : -EILSEQ);
	STEP(sc, kfd_event_wait_one(&sc->k, sc->set.event_id, 0, &result));
	STEP(sc, result == KFD_IOC_WAIT_RESULT_TIMEOUT ? 0 : -EILSEQ);
	STEP(sc, kfd_event_wait_one(&sc->k, sc->later.event_id, 0, &result));
	STEP(sc, result == KFD_IOC_WAIT_RESULT_TIMEOUT ? 0 : -EILSEQ);
	slots = mmap(NULL, KFD_EVENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, sc->k.fd,
		     (off_t)sc->later.event_page_offset);
	STEP(sc, slots == MAP_FAILED ? -errno : 0);
	slots[sc->later.event_slot_index] = sc->later.event_id;
	STEP(sc, kfd_queue_run(&sc->idle, p, sdma_trap(p, sc->later.event_trigger_data)));
	STEP(sc, kfd_event_wait_one(&sc->k, sc->later.event_id, PATIENCE, &result));
	STEP(sc, result == KFD_IOC_WAIT_RESULT_COMPLETE ? 0 : -EILSEQ);
	return 0;
}

int kfd_scene_charged(struct kfd_scene *sc, pid_t pid, uint64_t pages)
{
	struct kfd_locked l;

	STEP(sc, kfd_locked_read(pid, &l));
	STEP(sc, l.lck == pages && !l.pin ? 0 : -EILSEQ);
	return 0;
}

int kfd_scene_adopt(struct kfd_scene *sc)
{
	STEP(sc, kfd_device_maps() ? -ENOTUNIQ : 0);
	STEP(sc, kfd_scene_nobodys(sc));
	STEP(sc, kfd_scene_charged(sc, getpid(), 0));
	STEP(sc, kfd_change_owner(sc->k.fd));
	STEP_ERR(sc, EINVAL, kfd_change_owner(sc->k.fd));
	return 0;
}

/* Everything of the queue that has never stood still. */
int kfd_scene_goes_on(struct kfd_scene *sc, char *p)
{
	uint32_t packet[8];

	STEP(sc, kfd_scene_map_again(sc));
	STEP(sc, kfd_scene_events(sc));
	STEP(sc, kfd_word_moves(p));
	STEP(sc, kfd_vaddr_update(&sc->k, &sc->live, p));
	STEP(sc, kfd_gpu_word(&sc->k, 0, "evictions") == sc->evictions ? 0 : -EILSEQ);
	STEP(sc, kfd_scene_charged(sc, getpid(), 0));
	STEP(sc, kfd_word_moves(p));
	STEP(sc, kfd_vaddr_reaches(&sc->idle, &sc->live, SCENE_SIZE - 8, p));
	STEP(sc, kfd_queue_map_again(&sc->k, &sc->pm4));
	STEP(sc, kfd_queue_run(&sc->pm4, packet,
			       pm4_write_data(packet, sc->live.va + KFD_PAGE, 0x600d)));
	STEP(sc, *(volatile uint32_t *)(p + KFD_PAGE) == 0x600d ? 0 : -EILSEQ);
	STEP(sc, kfd_counter_stop(&sc->k, &sc->counter, p, 0));
	STEP(sc, kfd_queue_destroy(&sc->k, &sc->pm4));
	STEP(sc, kfd_bo_destroy(&sc->k, &sc->live));
	return 0;
}

/* --- the test ---------------------------------------------------------------- */

static int inheritable(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_ALLOW_SEALING);

	return fd < 0 || ftruncate(fd, size) ? -errno : fd;
}

/* In memory that all of them share, and whose file is open in all of them. */
struct kfd_scene *kfd_scene_new(void)
{
	int file = inheritable("scene", sizeof(struct kfd_scene));
	struct kfd_scene *sc;

	if (file < 0)
		return NULL;
	sc = mmap(NULL, sizeof(*sc), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (sc == MAP_FAILED)
		return NULL;
	sc->file = file;
	sc->data = inheritable("data", SCENE_SIZE);
	sc->data2 = inheritable("data2", SCENE_SIZE);
	return sc;
}

/* A process that becomes up to two other programs. */
pid_t kfd_scene_start(struct kfd_scene *sc, int (*old)(void *arg), const char *next,
		      const char *then)
{
	sc->step = 0;
	sc->image = 0;
	sc->ready = 0;
	snprintf(sc->next[0], sizeof(sc->next[0]), "%s", next);
	snprintf(sc->next[1], sizeof(sc->next[1]), "%s", then ? then : "");
	return kfd_spawn(KFD_FORK, old, sc);
}

int kfd_scene_run(struct kfd_scene *sc, int (*old)(void *arg), const char *next,
		  const char *then)
{
	pid_t pid = kfd_scene_start(sc, old, next, then);
	int ret = pid < 0 ? pid : kfd_wait_child(pid);

	if (ret)
		printf("# program %d, line %d: %d\n", sc->image, sc->step, ret);
	return ret;
}

static int run_image(const char *name, int file, const struct kfd_image_fn *images,
		     unsigned int n)
{
	struct kfd_scene *sc = mmap(NULL, sizeof(*sc), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sc == MAP_FAILED)
		return -errno;
	for (i = 0; i < n; i++)
		if (!strcmp(images[i].name, name))
			return images[i].run(sc);
	return -ENOEXEC;
}

int kfd_scene_main(int argc, char **argv, const struct kfd_image_fn *images, unsigned int n)
{
	if (argc != 4 || strcmp(argv[1], "--image"))
		return -1;
	return -run_image(argv[2], atoi(argv[3]), images, n) & 0xff;
}
