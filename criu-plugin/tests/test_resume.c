// SPDX-License-Identifier: GPL-2.0-only
/*
 * RESUME, whose failure criu does not look at: nothing may be left then that looks as if
 * it were restored.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "fake_sys.h"
#include "flow.h"
#include "ktap.h"
#include "restore.h"

/* criu does not look: nothing of a tree in which a RESUME failed may go on. */
static void test_resume_error(void)
{
	flow_machine();
	flow_dump();
	CHECK(restore_resume(ktap_dirfd, 17) == -ENOTSUP && !fake.kills);
	fake.fail_op = KFD_CRIU_OP_RESUME;
	fake.fail_err = -EFAULT;
	CHECK(restore_resume(ktap_dirfd, 4242) == -EFAULT);
	CHECK(ktap_logged("process 4242: RESUME failed: Bad address"));
	CHECK(ktap_logged("Error: process 4242: its GPU queues cannot run"));
	CHECK(fake.kills == 1 && fake.killed == 4242);
	/* nobody's queues run in a tree that dies */
	fake.fail_op = -1;
	fake.calls[KFD_CRIU_OP_RESUME] = 0;
	CHECK(restore_resume(ktap_dirfd, 4242) == -ESRCH);
	CHECK(!fake.calls[KFD_CRIU_OP_RESUME] && fake.kills == 1);
	flow_done();
}

/* It is as bad not to know whether there is something to resume. */
static void test_resume_unknown(void)
{
	flow_machine();
	flow_dump();
	fake.gone = 4243;
	CHECK(restore_resume(ktap_dirfd, 4243) == -ENOTSUP && !fake.kills);
	fake.no_procfs = true;
	CHECK(restore_resume(ktap_dirfd, 4243) == -ENOTSUP && !fake.kills);
	CHECK(restore_resume(ktap_dirfd, 4242) == -EIO);
	CHECK(fake.kills == 1 && fake.killed == 4242);
	CHECK(ktap_logged("process 4242: procfs does not say which one it is"));
	flow_done();
}

static void test_resume_bad_image(void)
{
	flow_machine();
	flow_dump();
	flow_spoil("kfd-file-7.img", 60);
	CHECK(restore_resume(ktap_dirfd, 4242) == -EINVAL);
	CHECK(fake.kills == 1 && !fake.calls[KFD_CRIU_OP_RESUME]);
	flow_done();
}

/* Who wants it so gets a process whose queues stand still. */
static void test_resume_keep_stopped(void)
{
	flow_machine();
	flow_dump();
	fake.fail_op = KFD_CRIU_OP_RESUME;
	fake.fail_err = -EFAULT;
	CHECK(!setenv("KFD_PLUGIN_KEEP_STOPPED", "1", 1));
	CHECK(restore_resume(ktap_dirfd, 4242) == -EFAULT);
	CHECK(!fake.kills && ktap_logged("Warning: process 4242: goes on, but its GPU queues"));
	/* the others of the tree have theirs */
	fake.fail_op = -1;
	CHECK(!restore_resume(ktap_dirfd, 4242) && fake.resumed == 4242);
	fake.fail_op = KFD_CRIU_OP_RESUME;
	CHECK(!setenv("KFD_PLUGIN_KEEP_STOPPED", "0", 1));
	CHECK(restore_resume(ktap_dirfd, 4242) == -EFAULT && fake.kills == 1);
	flow_done();
}

static const struct ktap_test tests[] = {
	{ "resume_error", test_resume_error },
	{ "resume_unknown", test_resume_unknown },
	{ "resume_bad_image", test_resume_bad_image },
	{ "resume_keep_stopped", test_resume_keep_stopped },
};

int main(void)
{
	return ktap_main(tests, sizeof(tests) / sizeof(tests[0]));
}
