// SPDX-License-Identifier: GPL-2.0-only
/*
 * deny_device CGROUP MINOR...: nobody in the cgroup may use these DRM devices.
 * It is how a container gets some of a machine's GPUs: a BPF program at the
 * cgroup that sees each open of a device, and each look at a GPU in KFD's
 * topology.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DRM_MAJOR	226
#define MAX_MINORS	16
#define MAJOR_REG	BPF_REG_2
#define MINOR_REG	BPF_REG_3

static struct bpf_insn code[8 + 2 * MAX_MINORS];
static unsigned int len;

static void emit(uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	code[len++] = (struct bpf_insn){
		.code = op, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm,
	};
}

static void load(uint8_t reg, size_t field)
{
	emit(BPF_LDX | BPF_MEM | BPF_W, reg, BPF_REG_1, field, 0);
}

/* Return 1, unless it is one of the devices. */
static void compile(int n, char **minors)
{
	int i;

	load(MAJOR_REG, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(MINOR_REG, offsetof(struct bpf_cgroup_dev_ctx, minor));
	emit(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
	/* over what follows, and the load of 0, to the end */
	emit(BPF_JMP | BPF_JNE | BPF_K, MAJOR_REG, 0, n + 2, DRM_MAJOR);
	for (i = 0; i < n; i++)
		emit(BPF_JMP | BPF_JEQ | BPF_K, MINOR_REG, 0, n - i, atoi(minors[i]));
	emit(BPF_JMP | BPF_JA, 0, 0, 1, 0);
	emit(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

int main(int argc, char **argv)
{
	union bpf_attr attr;
	int prog, cgroup;

	if (argc < 3 || argc > 2 + MAX_MINORS)
		return 2;
	compile(argc - 2, argv + 2);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = len;
	attr.license = (uintptr_t)"GPL";
	prog = bpf(BPF_PROG_LOAD, &attr);
	cgroup = open(argv[1], O_RDONLY | O_DIRECTORY);
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = cgroup;
	attr.attach_bpf_fd = prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (prog >= 0 && cgroup >= 0 && !bpf(BPF_PROG_ATTACH, &attr))
		return 0;
	fprintf(stderr, "deny_device %s: %s\n", argv[1], strerror(errno));
	return 1;
}
