// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file of SMI events whose GPU goes away: it keeps this driver loaded, but
 * neither the GPU nor its provider's module, and it is at its end then.
 */
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "lib/kfd_smi.h"
#include "lib/kfd_test.h"
#include "lib/kfd_workload.h"

FIXTURE(smi_gone)
{
	struct kfd_smi s;	/* its opener has ended */
	char params[64];	/* of amdgpu_sim */
};

static int param(const char *name, char *params, size_t size)
{
	size_t used = strlen(params);
	char path[128], value[16];
	int ret;

	snprintf(path, sizeof(path), "/sys/module/amdgpu_sim/parameters/%s", name);
	ret = kfd_read_text(path, value, sizeof(value));
	if (!ret)
		snprintf(params + used, size - used, "%s=%.*s ", name,
			 (int)strcspn(value, "\n"), value);
	return ret;
}

/* A child opens it, and ends when we have it. */
static int open_and_end(struct kfd_smi *s)
{
	int ready[2], go[2], fd;
	pid_t child;
	char c;

	if (pipe(ready) || pipe(go))
		return -errno;
	child = fork();
	if (!child) {
		struct kfd k;

		if (kfd_start(&k) || kfd_smi_open(&k, 0, ~0ULL, s))
			_exit(1);
		if (write(ready[1], &s->fd, sizeof(s->fd)) != sizeof(s->fd))
			_exit(1);
		_exit(read(go[0], &c, 1) != 1);
	}
	if (child < 0)
		return -errno;
	close(ready[1]);
	if (read(ready[0], &fd, sizeof(fd)) != sizeof(fd))
		return -ECHILD;
	s->used = 0;
	s->fd = kfd_steal_fd(child, fd);
	if (s->fd < 0 || write(go[1], "g", 1) != 1)
		return -ECHILD;
	return kfd_wait_child(child);
}

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

/* What the child had may be taken down a moment after its end. */
static int unload_sim(void)
{
	uint64_t end = kfd_now_ms() + PATIENCE;
	int ret;

	do {
		ret = unload("amdgpu_sim");
		if (ret != -EAGAIN && ret != -EBUSY)
			return ret;
		kfd_sleep_ms(20);
	} while (kfd_now_ms() < end);
	return ret;
}

static int load_sim(const char *params)
{
	char self[256] = "", path[512];
	struct utsname u;
	int fd, ret;

	uname(&u);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/../%s/amdgpu_sim.ko", dirname(self), u.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return ret;
}

FIXTURE_SETUP(smi_gone)
{
	self->params[0] = '\0';
	/* The harness runs a test even when its fixture has skipped it. */
	if (!kfd_sim_present())
		return;
	ASSERT_OK(param("num_gpus", self->params, sizeof(self->params)));
	ASSERT_OK(param("vram_mb", self->params, sizeof(self->params)));
	ASSERT_OK(open_and_end(&self->s));
}

FIXTURE_TEARDOWN(smi_gone)
{
}

TEST_F(smi_gone, the_file_ends)
{
	struct pollfd p = { .fd = self->s.fd, .events = POLLIN };
	struct kfd_smi_line line;
	char c;

	REQUIRE_SIM();
	ASSERT_OK(kfd_sim_set(0, "reset", "1"));
	ASSERT_OK(unload_sim());
	/* The driver stays, for the file. */
	EXPECT_ERR_EITHER(EWOULDBLOCK, EBUSY, unload("amdkfd"));
	/* What was told before is still there to read. */
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(POLLIN | POLLHUP, p.revents);
	EXPECT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_GPU_PRE_RESET, 0, &line));
	EXPECT_OK(kfd_smi_expect(&self->s, KFD_SMI_EVENT_GPU_POST_RESET, 0, &line));
	EXPECT_EQ(0, read(self->s.fd, &c, 1));
	EXPECT_EQ(1, poll(&p, 1, 0));
	/* A GPU that comes in its place is another one. */
	EXPECT_OK(load_sim(self->params));
	EXPECT_OK(kfd_sim_set(0, "reset", "1"));
	EXPECT_EQ(0, read(self->s.fd, &c, 1));
	EXPECT_OK(kfd_smi_select(&self->s, 0));
	kfd_smi_close(&self->s);
}

/* Who waits for a line is woken by the end. */
TEST_F(smi_gone, who_waits_is_woken)
{
	struct pollfd p = { .fd = self->s.fd, .events = POLLIN };
	pid_t child;

	REQUIRE_SIM();
	child = fork();
	if (!child) {
		if (poll(&p, 1, PATIENCE) != 1)
			_exit(ETIMEDOUT);
		_exit(p.revents & POLLHUP ? 0 : EPROTO);
	}
	ASSERT_LT(0, child);
	kfd_sleep_ms(50);
	ASSERT_OK(unload_sim());
	EXPECT_OK(kfd_wait_child(child));
	EXPECT_OK(load_sim(self->params));
	kfd_smi_close(&self->s);
}

KFD_TEST_MAIN
