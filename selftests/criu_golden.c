// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images of earlier versions can be restored for ever. selftests/golden has
 * one of each version that changed the format; here they are brought to life.
 *
 *   criu_golden                        restore every golden image
 *   criu_golden --write-golden FILE    make one
 *
 * GOLDEN names their directory, when it is not the one in the source tree.
 * The struct below is a part of the files: it can only grow at its end, under
 * a new version.
 */
#include <dirent.h>
#include <fcntl.h>

#include "lib/kfd_svm.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

#define GOLDEN_MAGIC	0x6e65646c6f67666bULL
#define GOLDEN_VERSION	3
#define SEED		0x901d

/* Words in the page at words_va, by index of 8 bytes. */
enum { GATE, COUNT, PM4_BEFORE, PM4_AFTER, DONE };

/**
 * struct golden_facts - what is to be found in a restored process
 * @magic: GOLDEN_MAGIC
 * @version: GOLDEN_VERSION
 * @num_gpus: GPUs that it needs
 * @vram_va: a page of VRAM, filled with a pattern
 * @vram_handle: its handle
 * @words_va: a page of GTT
 * @words_handle: its handle
 * @user_va: a page of registered memory, full of 0x11
 * @doorbells_va: the doorbell slice
 * @sdma_doorbell: offset in it
 * @pm4_doorbell: offset in it
 * @sdma_id: copy queue
 * @pm4_id: compute queue
 * @event_set: signal event that is set, manual reset
 * @event_clear: signal event that is not set, auto reset
 * @event_memory: memory exception event
 * @reserved: zero
 * @svm_va: from version 2 on: a page of shared virtual memory, full of 0x11,
 *	of granularity GRANULARITY
 * @half_va: from version 3 on: two pages of registered memory, the first full of
 *	0x11, the second unmapped since
 * @half_svm_va: likewise two of shared virtual memory, the second protected
 */
struct golden_facts {
	uint64_t magic;
	uint32_t version;
	uint32_t num_gpus;
	uint64_t vram_va;
	uint64_t vram_handle;
	uint64_t words_va;
	uint64_t words_handle;
	uint64_t user_va;
	uint64_t doorbells_va;
	uint32_t sdma_doorbell;
	uint32_t pm4_doorbell;
	uint32_t sdma_id;
	uint32_t pm4_id;
	uint32_t event_set;
	uint32_t event_clear;
	uint32_t event_memory;
	uint32_t reserved;
	uint64_t svm_va;
	uint64_t half_va;
	uint64_t half_svm_va;
};

#define FACTS_SIZE_1	offsetof(struct golden_facts, svm_va)
#define FACTS_SIZE_2	offsetof(struct golden_facts, half_va)
#define GRANULARITY	3

#define WORD(f, n)	(((volatile uint64_t *)(uintptr_t)(f)->words_va)[n])
#define WORD_VA(f, n)	((f)->words_va + (n) * 8ULL)

static int map_user(uint64_t va)
{
	void *p = mmap((void *)(uintptr_t)va, KFD_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	memset(p, 0x11, KFD_PAGE);
	return 0;
}

/* A queue whose doorbell is in the process's slice, as the thunk has it. */
static int golden_queue(struct kfd *k, uint32_t type, const struct kfd_bo *doorbells,
			struct kfd_queue *q)
{
	int ret = kfd_queue_buffers(k, 0, type, 4096, q);

	if (!ret)
		ret = kfd_call(k->fd, AMDKFD_IOC_CREATE_QUEUE, &q->args);
	q->id = q->args.queue_id;
	q->doorbell_offset = q->args.doorbell_offset;
	q->doorbell = (volatile uint64_t *)((char *)doorbells->cpu +
					    q->doorbell_offset % (2 * KFD_PAGE));
	return ret;
}

static int golden_svm(struct kfd *k, struct golden_facts *f)
{
	const struct kfd_ioctl_svm_attribute attrs[] = {
		{ KFD_IOCTL_SVM_ATTR_ACCESS, k->gpu[0].gpu_id },
		{ KFD_IOCTL_SVM_ATTR_GRANULARITY, GRANULARITY },
	};
	int ret;

	f->svm_va = kfd_reserve_va(k, KFD_PAGE);
	ret = map_user(f->svm_va);
	return ret ? ret : kfd_svm_set(k, (void *)(uintptr_t)f->svm_va, KFD_PAGE, attrs, 2);
}

/* Two pages each; the second one goes later. */
static int golden_halves(struct kfd *k, struct golden_facts *f)
{
	struct kfd_bo half;
	int ret;

	f->half_va = kfd_reserve_va(k, 2 * KFD_PAGE);
	f->half_svm_va = kfd_reserve_va(k, 2 * KFD_PAGE);
	ret = map_user(f->half_va);
	if (!ret)
		ret = map_user(f->half_va + KFD_PAGE);
	if (!ret)
		ret = kfd_bo_userptr(k, 0, (void *)(uintptr_t)f->half_va, 2 * KFD_PAGE, &half);
	if (!ret)
		ret = map_user(f->half_svm_va);
	if (!ret)
		ret = map_user(f->half_svm_va + KFD_PAGE);
	return ret ? ret : kfd_svm_set1(k, (void *)(uintptr_t)f->half_svm_va, 2 * KFD_PAGE,
					KFD_IOCTL_SVM_ATTR_ACCESS, k->gpu[0].gpu_id);
}

static int golden_lose(const struct golden_facts *f)
{
	if (munmap((void *)(uintptr_t)(f->half_va + KFD_PAGE), KFD_PAGE) ||
	    mprotect((void *)(uintptr_t)(f->half_svm_va + KFD_PAGE), KFD_PAGE, PROT_NONE))
		return -errno;
	return 0;
}

static int golden_memory(struct kfd *k, struct golden_facts *f, struct kfd_bo *doorbells)
{
	struct kfd_bo vram, words, user;
	int ret;

	ret = kfd_bo_create(k, 0, MEM_VRAM, KFD_PAGE, &vram);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_GTT, KFD_PAGE, &words);
	if (!ret)
		ret = kfd_bo_create(k, 0, MEM_DOORBELL, 2 * KFD_PAGE, doorbells);
	if (ret)
		return ret;
	f->user_va = kfd_reserve_va(k, KFD_PAGE);
	ret = map_user(f->user_va);
	if (!ret)
		ret = kfd_bo_userptr(k, 0, (void *)(uintptr_t)f->user_va, KFD_PAGE, &user);
	kfd_fill_pattern(vram.cpu, KFD_PAGE, SEED);
	if (!ret)
		ret = golden_svm(k, f);
	if (!ret)
		ret = golden_halves(k, f);
	f->vram_va = vram.va;
	f->vram_handle = vram.handle;
	f->words_va = words.va;
	f->words_handle = words.handle;
	f->doorbells_va = doorbells->va;
	return ret;
}

static int golden_events(struct kfd *k, struct golden_facts *f)
{
	struct kfd_ioctl_create_event_args ev = { .event_type = KFD_IOC_EVENT_SIGNAL };
	struct kfd_bo page;
	int ret;

	ret = kfd_bo_create(k, 0, MEM_GTT, KFD_EVENT_PAGE_SIZE, &page);
	if (ret)
		return ret;
	memset(page.cpu, 0xff, page.size);
	ev.event_page_offset = page.handle;
	ret = kfd_call(k->fd, AMDKFD_IOC_CREATE_EVENT, &ev);
	f->event_set = ev.event_id;
	if (!ret)
		ret = kfd_event_set(k, ev.event_id);
	if (!ret)
		ret = kfd_event_create(k, KFD_IOC_EVENT_SIGNAL, true, &ev);
	f->event_clear = ev.event_id;
	if (!ret)
		ret = kfd_event_create(k, KFD_IOC_EVENT_MEMORY, true, &ev);
	f->event_memory = ev.event_id;
	return ret;
}

static int golden_queues(struct kfd *k, struct golden_facts *f, const struct kfd_bo *doorbells)
{
	struct kfd_queue sdma, pm4;
	uint32_t p[8];
	int ret, i;

	ret = golden_queue(k, KFD_IOC_QUEUE_TYPE_SDMA, doorbells, &sdma);
	if (!ret)
		ret = golden_queue(k, KFD_IOC_QUEUE_TYPE_COMPUTE, doorbells, &pm4);
	if (ret)
		return ret;
	for (i = 0; i < 8; i++) {
		if (i == 4)
			kfd_queue_emit(&sdma, p, sdma_poll(p, PM4_FUNC_EQUAL, WORD_VA(f, GATE), 1,
							   ~0u));
		kfd_queue_emit(&sdma, p, sdma_atomic_add64(p, WORD_VA(f, COUNT), 1));
	}
	kfd_queue_emit(&sdma, p, sdma_atomic_add64(p, f->user_va, 5));
	kfd_queue_emit(&sdma, p, sdma_atomic_add64(p, f->svm_va, 6));
	kfd_queue_emit(&sdma, p, sdma_atomic_add64(p, f->half_va, 7));
	kfd_queue_emit(&sdma, p, sdma_atomic_add64(p, f->half_svm_va, 7));
	kfd_queue_emit(&sdma, p, sdma_fence(p, WORD_VA(f, DONE), 0xd0e));
	kfd_queue_submit(&sdma);
	kfd_queue_emit(&pm4, p, pm4_write_data(p, WORD_VA(f, PM4_BEFORE), 1));
	kfd_queue_emit(&pm4, p, pm4_wait_reg_mem(p, PM4_FUNC_EQUAL, WORD_VA(f, GATE), 1, ~0u));
	kfd_queue_emit(&pm4, p, pm4_write_data(p, WORD_VA(f, PM4_AFTER), 1));
	kfd_queue_submit(&pm4);
	ret = kfd_wait_u64(&WORD(f, COUNT), 4, PATIENCE);
	if (!ret)
		ret = kfd_wait_u64(&WORD(f, PM4_BEFORE), 1, PATIENCE);
	f->sdma_id = sdma.id;
	f->pm4_id = pm4.id;
	f->sdma_doorbell = sdma.doorbell_offset % (2 * KFD_PAGE);
	f->pm4_doorbell = pm4.doorbell_offset % (2 * KFD_PAGE);
	return ret;
}

static int write_golden(const char *path)
{
	struct golden_facts f = { .magic = GOLDEN_MAGIC, .version = GOLDEN_VERSION };
	struct kfd_snapshot s;
	struct kfd_bo doorbells;
	struct kfd k;
	int ret, fd;

	ret = kfd_start(&k);
	if (!ret)
		ret = golden_memory(&k, &f, &doorbells);
	if (!ret)
		ret = golden_events(&k, &f);
	if (!ret)
		ret = golden_queues(&k, &f, &doorbells);
	if (!ret)
		ret = golden_lose(&f);
	if (!ret)
		ret = kfd_snapshot_dump(&k, k.fd, &s);
	if (ret)
		return ret;
	f.num_gpus = s.info.num_devices;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, &f, sizeof(f)) != sizeof(f))
		return -EIO;
	ret = kfd_snapshot_write(&s, fd);
	close(fd);
	return ret;
}

static const char *golden_dir(void)
{
	static char path[512];
	ssize_t n;
	int up;

	if (getenv("GOLDEN"))
		return getenv("GOLDEN");
	n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	if (n < 0)
		return ".";
	path[n] = '\0';
	/* build/selftests/criu_golden */
	for (up = 0; up < 3; up++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/selftests/golden");
	return path;
}

static int wait_result(struct kfd *k, uint32_t id, uint32_t expected)
{
	uint32_t result;
	int ret = kfd_event_wait_one(k, id, 0, &result);

	return ret ? ret : result == expected ? 0 : -EILSEQ;
}

#define STEP(what, call) \
	do { \
		int _ret = (call); \
		if (_ret) { \
			printf("# %s: %d\n", what, _ret); \
			return _ret; \
		} \
	} while (0)

#define STEP_TRUE(what, condition) STEP(what, (condition) ? 0 : -EILSEQ)

static int check_objects(struct kfd *k, const struct golden_facts *f)
{
	struct kfd_ioctl_destroy_queue_args sdma = { .queue_id = f->sdma_id };
	struct kfd_ioctl_destroy_queue_args pm4 = { .queue_id = f->pm4_id };
	struct kfd_bo vram = { .handle = f->vram_handle };

	STEP("event that was set", wait_result(k, f->event_set, KFD_IOC_WAIT_RESULT_COMPLETE));
	STEP("event that was not", wait_result(k, f->event_clear, KFD_IOC_WAIT_RESULT_TIMEOUT));
	STEP("memory event", wait_result(k, f->event_memory, KFD_IOC_WAIT_RESULT_TIMEOUT));
	STEP("set", kfd_event_set(k, f->event_clear));
	STEP("event set now", wait_result(k, f->event_clear, KFD_IOC_WAIT_RESULT_COMPLETE));
	STEP("auto reset", wait_result(k, f->event_clear, KFD_IOC_WAIT_RESULT_TIMEOUT));
	STEP("destroy SDMA", kfd_call(k->fd, AMDKFD_IOC_DESTROY_QUEUE, &sdma));
	STEP("destroy PM4", kfd_call(k->fd, AMDKFD_IOC_DESTROY_QUEUE, &pm4));
	STEP("unmap", kfd_bo_unmap_gpu(k, &vram, 0));
	STEP("free", kfd_bo_free(k, &vram));
	return 0;
}

static int read_facts(int fd, struct golden_facts *f)
{
	const size_t sizes[] = { 0, FACTS_SIZE_1, FACTS_SIZE_2, sizeof(*f) };
	ssize_t more;

	memset(f, 0, sizeof(*f));
	STEP_TRUE("facts", read(fd, f, FACTS_SIZE_1) == (ssize_t)FACTS_SIZE_1);
	STEP_TRUE("magic", f->magic == GOLDEN_MAGIC);
	STEP_TRUE("version", f->version && f->version <= GOLDEN_VERSION);
	more = (ssize_t)(sizes[f->version] - FACTS_SIZE_1);
	STEP_TRUE("more facts", read(fd, &f->svm_va, more) == more);
	return 0;
}

static int check_svm(struct kfd *k, const struct golden_facts *f)
{
	void *p = (void *)(uintptr_t)f->svm_va;
	uint32_t granularity;

	STEP("granularity", kfd_svm_get1(k, p, KFD_PAGE, KFD_IOCTL_SVM_ATTR_GRANULARITY,
					 &granularity));
	STEP_TRUE("granularity's value", granularity == GRANULARITY);
	STEP_TRUE("shared memory's value", *(volatile uint64_t *)p == 0x1111111111111117);
	return 0;
}

/* As criu would bring it: the range's second page comes back protected. */
static int map_halves(const struct golden_facts *f)
{
	if (!f->half_va)
		return 0;
	STEP("half of the user memory", map_user(f->half_va));
	STEP("half of the shared memory", map_user(f->half_svm_va));
	STEP("the other half of it", map_user(f->half_svm_va + KFD_PAGE));
	STEP("protected", mprotect((void *)(uintptr_t)(f->half_svm_va + KFD_PAGE), KFD_PAGE,
				   PROT_NONE));
	return 0;
}

static int check_halves(const struct golden_facts *f)
{
	const uint64_t expected = 0x1111111111111118;

	if (!f->half_va)
		return 0;
	STEP_TRUE("value in half of the user memory",
		  *(volatile uint64_t *)(uintptr_t)f->half_va == expected);
	STEP_TRUE("value in half of the shared memory",
		  *(volatile uint64_t *)(uintptr_t)f->half_svm_va == expected);
	return 0;
}

static int restore_golden(void *arg)
{
	struct golden_facts f;
	struct kfd_snapshot s;
	int fd = *(int *)arg;
	struct kfd k;

	STEP("facts", read_facts(fd, &f));
	STEP("read", kfd_snapshot_read(&s, fd));
	STEP("restore", kfd_snapshot_restore(&k, &s));
	STEP("user memory", map_user(f.user_va));
	if (f.svm_va)
		STEP("shared memory", map_user(f.svm_va));
	STEP("halves", map_halves(&f));
	STEP_TRUE("VRAM", kfd_check_pattern((void *)(uintptr_t)f.vram_va, KFD_PAGE, SEED));
	STEP_TRUE("count before", WORD(&f, COUNT) == 4 && !WORD(&f, DONE));
	STEP("resume", kfd_criu_resume(k.fd, getpid()));
	WORD(&f, GATE) = 1;
	STEP("SDMA", kfd_wait_u32((uint32_t *)&WORD(&f, DONE), 0xd0e, PATIENCE));
	STEP("PM4", kfd_wait_u32((uint32_t *)&WORD(&f, PM4_AFTER), 1, PATIENCE));
	STEP_TRUE("count after", WORD(&f, COUNT) == 8);
	STEP_TRUE("user memory's value",
		  *(volatile uint64_t *)(uintptr_t)f.user_va == 0x1111111111111116);
	if (f.svm_va)
		STEP("shared memory", check_svm(&k, &f));
	STEP("halves", check_halves(&f));
	return check_objects(&k, &f);
}

FIXTURE(golden) {};

FIXTURE_SETUP(golden)
{
}

FIXTURE_TEARDOWN(golden)
{
}

TEST_F_TIMEOUT(golden, every_image, 120)
{
	struct dirent *entry;
	unsigned int found = 0;
	struct kfd k;
	DIR *dir;

	REQUIRE_OURS();
	ASSERT_OK(kfd_topology_read(&k));
	REQUIRE_GPUS(&k, 2);
	dir = opendir(golden_dir());
	ASSERT_NE(NULL, dir) TH_LOG("no directory %s", golden_dir());
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);
		int fd;

		if (len < 4 || strcmp(entry->d_name + len - 4, ".img"))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		ASSERT_GE(fd, 0);
		EXPECT_OK(kfd_in_child(restore_golden, &fd)) TH_LOG("%s", entry->d_name);
		close(fd);
		found++;
	}
	closedir(dir);
	EXPECT_GT(found, 0);
}

/* What this version writes, it can read; so a golden file can be made of it. */
TEST_F_TIMEOUT(golden, one_made_now, 120)
{
	char path[] = "/tmp/golden-XXXXXX";
	int fd = mkstemp(path), out;
	pid_t pid;

	ASSERT_GE(fd, 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		out = write_golden(path);
		_exit(-out & 0xff);
	}
	ASSERT_OK(kfd_wait_child(pid));
	EXPECT_OK(kfd_in_child(restore_golden, &fd));
	close(fd);
	unlink(path);
}

int main(int argc, char **argv)
{
	int ret;

	if (!kfd_present()) {
		ksft_print_header();
		ksft_exit_skip("there is no /dev/kfd here\n");
	}
	if (argc == 3 && !strcmp(argv[1], "--write-golden")) {
		ret = write_golden(argv[2]);
		fprintf(stderr, "%s: %s\n", argv[2], ret ? strerror(-ret) : "written");
		return !!ret;
	}
	return test_harness_run(argc, argv);
}
