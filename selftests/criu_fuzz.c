// SPDX-License-Identifier: GPL-2.0-only
/*
 * RESTORE fed with mutants of real images. What the parser refuses costs no
 * process: one worker goes on until an image is accepted, then lets that run
 * for a moment and ends, and another one takes over.
 *
 *   FUZZ_RUNS   mutants to try (2000)
 *   FUZZ_SEED   the first one's seed (1); the n-th mutant's is that plus n, so
 *               that one of them is made again by FUZZ_SEED=its own FUZZ_RUNS=1
 *
 * A process is dear, most of all in a debug kernel. So where the driver writes
 * its answer is nearly always a page that cannot be written: an image that is
 * good for everything is then restored completely, refused with EFAULT as the
 * last thing, and undone, and the worker stays. Every 32nd or so may pass. Images
 * without a buffer get no such answer, and so are taken less often.
 *
 * Nearly always the buckets and counts are those of the mutant, so that it gets
 * past the checks of the arguments; now and then they are spoilt too. Every
 * 128th image is left as it is and must be accepted: this shows that the
 * refusals before it have left nothing.
 */
#include <fcntl.h>
#include <signal.h>

#include "fuzz/image_mutate.h"
#include "fuzz/scenes.h"
#include "lib/kfd_image.h"
#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define MAX_SCENES	16
#define ROOM		16384
#define MAX_BOS		512
#define BOS_BYTES	(MAX_BOS * sizeof(struct kfd_criu_bo_bucket))
#define PASS_ONE_IN	32
#define CONTROL_EVERY	128
#define LOOK_EVERY	64	/* refusals between two looks at fdinfo */
#define ASK_EVERY	512	/* refusals between two PROCESS_INFO */
#define NO_PROGRESS_S	120
#define LARGEST_BO	(64 * KFD_PAGE)
#define NOT_ALLOWED	(1ULL << 46)	/* sizes from here on are refused at once */

/* No outcome of a restore, but what a worker says. */
#define TRACES		(-ENOTRECOVERABLE)

/**
 * struct tally - what has happened, shared by all workers
 * @seed: of the first run
 * @next: the next run
 * @end: where to stop
 * @undone: mutants that were restored but for the last step, and undone
 * @mutants: mutants that were accepted
 * @controls: images left as they were, all accepted
 * @runs_at_start: the run that the present worker began with
 * @restore: results of RESTORE on mutants by errno
 * @resume: results of RESUME by errno
 */
struct tally {
	uint64_t seed;
	uint64_t next;
	uint64_t end;
	uint64_t undone;
	uint64_t mutants;
	uint64_t controls;
	uint64_t runs_at_start;
	uint64_t restore[256];
	uint64_t resume[256];
};

/**
 * struct shot - one call of RESTORE
 * @rng: what decides
 * @base: the image that it was made of
 * @control: the image is left as it is
 * @spoilt: the arguments are not what they should be
 * @image: the mutant, right before a page that cannot be read
 * @len: its bytes
 * @devices: device buckets
 * @bos: BO buckets
 * @bos_read_only: the same memory, where it cannot be written
 * @args: the arguments
 */
struct shot {
	struct image_rng rng;
	const struct kfd_snapshot *base;
	bool control;
	bool spoilt;
	uint8_t *image;
	size_t len;
	struct kfd_criu_device_bucket devices[KFD_MAX_TEST_GPUS];
	struct kfd_criu_bo_bucket *bos;
	const struct kfd_criu_bo_bucket *bos_read_only;
	struct kfd_ioctl_criu_args args;
};

FIXTURE(fuzz)
{
	struct kfd_snapshot base[MAX_SCENES];
	unsigned int num_bases;
	struct tally *tally;
	uint8_t *memory;	/* ROOM bytes, a page without access */
	struct shot shot;
};

static struct tally *tally;
static const struct kfd_snapshot *bases;
static unsigned int num_bases;
static uint8_t *memory;
static uint64_t progress;

static int map_buckets(struct shot *shot)
{
	int fd = memfd_create("buckets", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, BOS_BYTES))
		return -errno;
	shot->bos = mmap(NULL, BOS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	shot->bos_read_only = mmap(NULL, BOS_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	return shot->bos == MAP_FAILED || shot->bos_read_only == MAP_FAILED ? -ENOMEM : 0;
}

FIXTURE_SETUP(fuzz)
{
	struct kfd k;
	unsigned int i;

	ASSERT_OK(kfd_topology_read(&k));
	ASSERT_LE(fuzz_num_scenes, MAX_SCENES);
	for (i = 0; i < fuzz_num_scenes; i++) {
		struct kfd_snapshot *s = &self->base[self->num_bases];

		if (fuzz_scenes[i].num_gpus > k.num_gpus)
			continue;
		ASSERT_OK(fuzz_scene_dump(&fuzz_scenes[i], s)) TH_LOG("%s", fuzz_scenes[i].name);
		ASSERT_LE(s->info.priv_data_size, ROOM / 2) TH_LOG("%s", fuzz_scenes[i].name);
		ASSERT_LE(s->info.num_bos, MAX_BOS / 2);
		self->num_bases++;
	}
	self->tally = mmap(NULL, sizeof(*self->tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->tally);
	self->memory = mmap(NULL, ROOM + KFD_PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_OK(mprotect(self->memory + ROOM, KFD_PAGE, PROT_NONE));
	ASSERT_OK(map_buckets(&self->shot));
	tally = self->tally;
	bases = self->base;
	num_bases = self->num_bases;
	memory = self->memory;
}

FIXTURE_TEARDOWN(fuzz)
{
	unsigned int i;

	for (i = 0; i < self->num_bases; i++)
		kfd_snapshot_free(&self->base[i]);
	munmap(self->tally, sizeof(*self->tally));
	munmap(self->memory, ROOM + KFD_PAGE);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* What RESTORE is documented to answer, see kfd_criu_restore(). */
static bool is_refusal(int ret)
{
	return ret == -EINVAL || ret == -E2BIG || ret == -EBUSY || ret == -EFAULT ||
	       ret == -EMFILE || ret == -ENOMEM || ret == -ENOSPC;
}

/* RESUME's: no memory where a userptr or a range was, a queue that does not come back. */
static bool is_resume_result(int ret)
{
	return !ret || ret == -EFAULT || ret == -ENOMEM || ret == -EIO;
}

/* The next record of a type in an image that may be damaged, or NULL. */
static void *next_of(uint8_t *image, size_t len, size_t *at, uint32_t type, size_t bytes)
{
	struct kfd_record_header *r;

	if (!*at)
		*at = len < sizeof(struct kfd_image_header) ? len :
			((struct kfd_image_header *)image)->header_len;
	while (*at % 8 == 0 && *at < len && len - *at >= sizeof(*r)) {
		r = (void *)(image + *at);
		if (r->length > len || kfd_record_space(r->length) > len - *at)
			return NULL;
		*at += kfd_record_space(r->length);
		if (r->type == type && r->length >= bytes)
			return r + 1;
	}
	return NULL;
}

/* Huge buffers that could be had would only cost time: criu_hostile has them. */
static void tame(struct shot *shot)
{
	struct kfd_record_bo *bo;
	size_t at = 0;

	while ((bo = next_of(shot->image, shot->len, &at, KFD_RECORD_BO, KFD_RECORD_BO_MIN)))
		if (bo->size > LARGEST_BO && bo->size < NOT_ALLOWED)
			bo->size = LARGEST_BO + bo->size % KFD_PAGE;
}

static uint32_t count_of(const struct shot *shot, uint32_t type)
{
	uint32_t n = 0;
	size_t at = 0;

	while (next_of(shot->image, shot->len, &at, type, 0))
		n++;
	return n;
}

/* Buckets and counts as the image has them. */
static void derive_arguments(struct kfd *k, struct shot *shot)
{
	uint64_t half = (uint32_t)KFD_IOC_ALLOC_MEM_FLAGS_AQL_QUEUE_MEM;
	struct kfd_record_device *device;
	struct kfd_record_bo *bo;
	uint32_t n;
	size_t at;

	for (n = 0, at = 0; n < KFD_MAX_TEST_GPUS; n++) {
		device = next_of(shot->image, shot->len, &at, KFD_RECORD_DEVICE, sizeof(*device));
		if (!device)
			break;
		shot->devices[n].user_gpu_id = device->user_gpu_id;
		shot->devices[n].actual_gpu_id = k->gpu[n % k->num_gpus].gpu_id;
		shot->devices[n].drm_fd = k->gpu[n % k->num_gpus].drm_fd;
	}
	shot->args.num_devices = n;
	for (n = 0, at = 0; n < MAX_BOS; n++) {
		bo = next_of(shot->image, shot->len, &at, KFD_RECORD_BO, KFD_RECORD_BO_MIN);
		if (!bo)
			break;
		shot->bos[n] = (struct kfd_criu_bo_bucket) {
			.addr = bo->va, .gpu_id = bo->gpu_id, .alloc_flags = bo->alloc_flags,
			.size = bo->alloc_flags & half ? bo->size / 2 : bo->size,
			.dmabuf_fd = KFD_INVALID_FD,
		};
	}
	shot->args.num_bos = n;
	shot->args.num_objects = count_of(shot, KFD_RECORD_SVM) +
				 count_of(shot, KFD_RECORD_EVENT) +
				 count_of(shot, KFD_RECORD_QUEUE);
}

static void spoil_buckets(struct kfd *k, struct shot *shot)
{
	struct image_rng *rng = &shot->rng;
	struct kfd_criu_device_bucket *d = &shot->devices[image_below(rng, k->num_gpus)];
	uint32_t num_bos = shot->args.num_bos ? shot->args.num_bos : 1;
	struct kfd_criu_bo_bucket *bo = &shot->bos[image_below(rng, num_bos)];
	int fds[] = { -1, 0, k->fd, k->gpu[0].drm_fd, (int)image_below(rng, 1024) };

	switch (image_below(rng, 6)) {
	case 0:
		d->drm_fd = fds[image_below(rng, 5)];
		break;
	case 1:
		d->actual_gpu_id = k->gpu[image_below(rng, k->num_gpus)].gpu_id;
		d->drm_fd = k->gpu[image_below(rng, k->num_gpus)].drm_fd;
		break;
	case 2:
		image_mutate_field(rng, (uint32_t *)d + image_below(rng, 4), 4);
		break;
	case 3:
		*bo = shot->bos[image_below(rng, num_bos)];
		break;
	default:
		image_mutate_field(rng, (uint32_t *)bo + image_below(rng, sizeof(*bo) / 4), 4);
	}
}

static void spoil_arguments(struct shot *shot)
{
	static const uint64_t nowhere[] = { 0, 1, 0x1000, 0xffff888000000000ULL, ~0ULL };
	struct kfd_ioctl_criu_args *a = &shot->args;
	struct image_rng *rng = &shot->rng;

	switch (image_below(rng, 7)) {
	case 0:
		image_mutate_field(rng, &a->num_devices, 4);
		break;
	case 1:
		image_mutate_field(rng, &a->num_bos, 4);
		break;
	case 2:
		image_mutate_field(rng, &a->num_objects, 4);
		break;
	case 3:
		image_mutate_field(rng, &a->priv_data_size, 8);
		break;
	case 4:
		a->devices = nowhere[image_below(rng, 5)];
		break;
	case 5:
		a->bos = nowhere[image_below(rng, 5)];
		break;
	default:
		a->priv_data = nowhere[image_below(rng, 5)];
	}
}

/* Make the @n-th mutant and what comes with it. */
static void load_shot(struct kfd *k, struct shot *shot, uint64_t n)
{
	struct image_rng *rng = &shot->rng;
	const struct kfd_snapshot *other;

	rng->state = tally->seed + n;
	/* Seeds are neighbours: their first numbers must not be. */
	rng->state = image_random(rng);
	shot->base = &bases[image_below(rng, num_bases)];
	if (!shot->base->info.num_bos && image_below(rng, 8))
		shot->base = &bases[image_below(rng, num_bases)];
	other = &bases[image_below(rng, num_bases)];
	shot->control = (tally->seed + n) % CONTROL_EVERY == 0;
	shot->len = shot->base->info.priv_data_size;
	memcpy(memory, shot->base->priv, shot->len);
	if (!shot->control)
		shot->len = image_mutate(memory, shot->len, ROOM - KFD_PAGE, other->priv,
					 other->info.priv_data_size, image_random(rng));
	shot->image = memory + ROOM - ((shot->len + 7) & ~7ULL);
	memmove(shot->image, memory, shot->len);
	memset(shot->devices, 0, sizeof(shot->devices));
	kfd_snapshot_args(shot->base, &shot->args);
	memcpy(shot->bos, shot->base->bos, shot->base->info.num_bos * sizeof(shot->bos[0]));
	tame(shot);
	derive_arguments(k, shot);
	shot->args.devices = (uintptr_t)shot->devices;
	shot->args.bos = (uintptr_t)shot->bos;
	shot->args.priv_data = (uintptr_t)shot->image;
	shot->args.priv_data_size = shot->len;
	shot->spoilt = false;
	if (shot->control)
		return;
	if (image_below(rng, PASS_ONE_IN))
		shot->args.bos = (uintptr_t)shot->bos_read_only;
	if (!image_below(rng, 10))
		spoil_buckets(k, shot);
	shot->spoilt = !image_below(rng, 16);
	if (shot->spoilt)
		spoil_arguments(shot);
}

/* The process's counters are all as in one that has only opened the driver. */
static int fdinfo_is_clean(struct kfd *k)
{
	unsigned int id, user, vm, evicted, value, gpus = 0, zeros = 0;
	char path[64], text[8192], *line, *save;
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", k->fd);
	ret = kfd_read_text(path, text, sizeof(text));
	if (ret < 0)
		return ret;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "kfd-gpu: %u user-id %u vm %u evicted %u", &id, &user, &vm,
			   &evicted) == 4) {
			if (id != user || vm || evicted)
				return TRACES;
			gpus++;
		} else if (sscanf(line, "kfd-paused: %u", &value) == 1 ||
			   sscanf(line, "kfd-restored: %u", &value) == 1 ||
			   sscanf(line, "kfd-bos: %u", &value) == 1 ||
			   sscanf(line, "kfd-events: %u", &value) == 1 ||
			   sscanf(line, "kfd-queues: %u", &value) == 1) {
			if (value)
				return TRACES;
			zeros++;
		}
	}
	return gpus == (unsigned int)k->num_gpus && zeros == 5 ? 0 : -EPROTO;
}

/* The lowest free descriptor: another one when one was left open. */
static int lowest_free_fd(struct kfd *k)
{
	int fd = fcntl(k->fd, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

static int look(struct kfd *k, int free_fd, int fds, uint64_t refusals, int result)
{
	bool few = tally->end <= LOOK_EVERY;
	struct kfd_ioctl_criu_args info;

	if (lowest_free_fd(k) != free_fd)
		return TRACES;
	if (few || refusals % LOOK_EVERY == 0 || result == -EBUSY)
		if (fdinfo_is_clean(k) || kfd_set_xnack(k, -1))
			return TRACES;
	if (!few && refusals % ASK_EVERY)
		return 0;
	if (kfd_count_fds() != fds || kfd_criu_unpause(k->fd) != -EINVAL)
		return TRACES;
	if (kfd_criu_info(k->fd, &info) || info.num_bos || info.num_objects)
		return TRACES;
	return kfd_criu_unpause(k->fd) ? TRACES : 0;
}

/* Memory where ranges are said to be; those that are too large stay without. */
static void map_ranges(struct shot *shot)
{
	struct kfd_record_svm *svm;
	size_t at = 0;

	while ((svm = next_of(shot->image, shot->len, &at, KFD_RECORD_SVM, sizeof(*svm))))
		if (svm->size <= LARGEST_BO)
			mmap((void *)(uintptr_t)svm->start, svm->size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

/* Give what was restored its memory, as far as that can be had. */
static void map_everything(struct kfd *k, struct shot *shot)
{
	const struct kfd_snapshot *base = shot->base;
	uint32_t by_kfd = KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL | KFD_IOC_ALLOC_MEM_FLAGS_MMIO_REMAP;
	struct kfd_record_bo *rec;
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < shot->args.num_bos; i++) {
		struct kfd_criu_bo_bucket *bo = &shot->bos[i];
		int gpu = 0, fd = k->fd;
		uint64_t addr = bo->addr;
		void *p;

		rec = next_of(shot->image, shot->len, &at, KFD_RECORD_BO, sizeof(*rec));
		if (bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_USERPTR) {
			addr = rec && rec->user_addr ? rec->user_addr : addr;
			mmap((void *)(uintptr_t)addr, bo->size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
			continue;
		}
		while (gpu < k->num_gpus - 1 && shot->devices[gpu].user_gpu_id != bo->gpu_id)
			gpu++;
		if (!(bo->alloc_flags & by_kfd))
			fd = k->gpu[gpu].drm_fd;
		p = mmap((void *)(uintptr_t)addr, bo->size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, (off_t)bo->restored_offset);
		if (p == MAP_FAILED)
			continue;
		if (i < base->info.num_bos && base->contents[i] && base->bos[i].size <= bo->size)
			memcpy(p, base->contents[i], base->bos[i].size);
		/* The queues of the scenes wait for this. */
		if (bo->size >= 2 * KFD_PAGE && !(bo->alloc_flags & by_kfd))
			*(volatile uint64_t *)((char *)p + FUZZ_SCENE_GATE_AT) = 1;
		if (bo->alloc_flags & KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL)
			*((volatile uint64_t *)p + image_below(&shot->rng, 1024)) = 64;
	}
}

/* RESUME what was accepted, let its queues run, and now and then dump it. */
static int run_restored(struct kfd *k, struct shot *shot)
{
	struct kfd_snapshot s;
	int ret;

	map_everything(k, shot);
	map_ranges(shot);
	ret = kfd_criu_resume(k->fd, getpid());
	tally->resume[-ret & 0xff]++;
	if (!is_resume_result(ret) || (shot->control && ret))
		return ret ? ret : TRACES;
	/* Memory that it names is not there: until it is there can be no dump. */
	if (ret)
		return kfd_criu_info(k->fd, &s.info) == -EBUSY ? 0 : TRACES;
	usleep(500);
	if (!shot->control && image_below(&shot->rng, 8))
		return 0;
	ret = kfd_snapshot_checkpoint(k->fd, &s);
	if (!ret) {
		kfd_snapshot_free(&s);
		ret = kfd_criu_unpause(k->fd);
	}
	/* What cannot be preempted any more cannot be dumped. */
	return ret == -ETIME || ret == -EIO ? 0 : ret;
}

static void tell(const char *what, int ret, uint64_t n)
{
	printf("# %s: %d\n# reproduce: FUZZ_SEED=%llu FUZZ_RUNS=1; or, with what this process "
	       "did before it: FUZZ_SEED=%llu FUZZ_RUNS=%llu\n", what, ret,
	       (unsigned long long)(tally->seed + n),
	       (unsigned long long)(tally->seed + tally->runs_at_start),
	       (unsigned long long)(n + 1 - tally->runs_at_start));
}

/* Go on until an image is accepted: 0 then, -ENODATA at the end. */
static int worker(void *arg)
{
	struct shot *shot = arg;
	int free_fd, fds, ret;
	uint64_t n, refusals;
	struct kfd k;

	if (kfd_open(&k) || kfd_open_drm(&k))
		return -EPROTO;
	fds = kfd_count_fds();
	free_fd = lowest_free_fd(&k);
	tally->runs_at_start = tally->next;
	for (refusals = 1; tally->next < tally->end; refusals++) {
		n = tally->next++;
		load_shot(&k, shot, n);
		ret = kfd_criu_op(k.fd, &shot->args, KFD_CRIU_OP_RESTORE);
		if (shot->control && !ret)
			tally->controls++;
		else if (!shot->control)
			tally->restore[-ret & 0xff]++;
		if (ret == -EFAULT && !shot->spoilt)
			tally->undone++;
		if (!ret) {
			tally->mutants += !shot->control;
			ret = run_restored(&k, shot);
			if (ret)
				tell("after a RESTORE that was accepted", ret, n);
			return ret ? TRACES : 0;
		}
		if (shot->control || !is_refusal(ret)) {
			tell(shot->control ? "RESTORE of an image that is good" :
			     "RESTORE", ret, n);
			return TRACES;
		}
		if (look(&k, free_fd, fds, refusals, ret)) {
			tell("something is left of a RESTORE that was refused", ret, n);
			return TRACES;
		}
	}
	return -ENODATA;
}

static void on_alarm(int sig)
{
	char text[160];
	int n;

	if (tally->next != progress) {
		progress = tally->next;
		alarm(NO_PROGRESS_S);
		return;
	}
	n = snprintf(text, sizeof(text), "# no progress in %u s: FUZZ_SEED=%llu FUZZ_RUNS=1\n",
		     NO_PROGRESS_S, (unsigned long long)(tally->seed + progress - 1));
	if (write(1, text, n) < 0)
		_exit(2);
	_exit(1);
}

static void print_results(const char *what, const uint64_t *results)
{
	int i;

	printf("# %s:", what);
	for (i = 0; i < 256; i++)
		if (results[i])
			printf(" %s %llu", i ? strerrorname_np(i) : "accepted",
			       (unsigned long long)results[i]);
	printf("\n");
}

TEST_F_TIMEOUT(fuzz, mutants_of_real_images, 24 * 3600)
{
	uint64_t began = kfd_now_ms(), refused = 0, ms;
	int ret, i;

	REQUIRE_OURS();
	tally->seed = number("FUZZ_SEED", 1);
	tally->end = number("FUZZ_RUNS", 2000);
	printf("# %llu runs from FUZZ_SEED=%llu, of %u images\n", (unsigned long long)tally->end,
	       (unsigned long long)tally->seed, num_bases);
	signal(SIGALRM, on_alarm);
	alarm(NO_PROGRESS_S);
	do
		ret = kfd_in_child(worker, &self->shot);
	while (!ret);
	alarm(0);
	ms = kfd_now_ms() - began + 1;
	print_results("RESTORE", tally->restore);
	print_results("RESUME", tally->resume);
	printf("# accepted: %llu mutants, %llu good images; restored and undone: %llu\n",
	       (unsigned long long)tally->mutants, (unsigned long long)tally->controls,
	       (unsigned long long)tally->undone);
	printf("# %llu runs in %llu ms, %llu a second\n",
	       (unsigned long long)tally->next, (unsigned long long)ms,
	       (unsigned long long)(tally->next * 1000 / ms));
	fflush(stdout);
	EXPECT_EQ(-ENODATA, ret)
		TH_LOG("run %llu", (unsigned long long)tally->next - 1);
	EXPECT_EQ(tally->end, tally->next);
	for (i = 1; i < 256; i++)
		refused += tally->restore[i];
	/* Too few runs prove nothing; they are for looking at one of them. */
	if (tally->end < 500)
		return;
	EXPECT_GT(tally->mutants, 0);
	EXPECT_GT(tally->controls, 0);
	EXPECT_GT(tally->undone, 0);
	EXPECT_GT(refused, 0);
	EXPECT_GT(tally->resume[0], 0);
}

/* The same seed makes the same mutant, and it is not the image itself. */
TEST_F(fuzz, mutants_are_reproducible)
{
	static uint8_t a[ROOM], b[ROOM];
	unsigned int i, same = 0;
	uint64_t seed;

	for (i = 0; i < num_bases; i++)
		for (seed = 0; seed < 50; seed++) {
			size_t len = bases[i].info.priv_data_size, n;

			memcpy(a, bases[i].priv, len);
			memcpy(b, bases[i].priv, len);
			n = image_mutate(a, len, ROOM, bases[0].priv,
					 bases[0].info.priv_data_size, seed);
			ASSERT_EQ(n, image_mutate(b, len, ROOM, bases[0].priv,
						  bases[0].info.priv_data_size, seed));
			ASSERT_EQ(0, memcmp(a, b, n));
			same += n == len && !memcmp(a, bases[i].priv, n);
		}
	EXPECT_LT(same, num_bases * 50 / 5);
}

/* The images themselves, for the fuzzer of the parser. */
static int write_corpus(const char *dir)
{
	struct kfd_snapshot s;
	char path[512];
	unsigned int i;
	int ret = 0, fd;

	for (i = 0; i < fuzz_num_scenes && !ret; i++) {
		ret = fuzz_scene_dump(&fuzz_scenes[i], &s);
		if (ret)
			break;
		snprintf(path, sizeof(path), "%s/%s.img", dir, fuzz_scenes[i].name);
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 || write(fd, s.priv, s.info.priv_data_size) !=
		    (ssize_t)s.info.priv_data_size)
			ret = -EIO;
		close(fd);
		kfd_snapshot_free(&s);
	}
	if (ret)
		fprintf(stderr, "%s: %s\n", fuzz_scenes[i].name, strerror(-ret));
	return ret;
}

int main(int argc, char **argv)
{
	if (!kfd_present()) {
		ksft_print_header();
		ksft_exit_skip("there is no /dev/kfd here\n");
	}
	if (argc == 3 && !strcmp(argv[1], "--write-corpus"))
		return !!write_corpus(argv[2]);
	return test_harness_run(argc, argv);
}
