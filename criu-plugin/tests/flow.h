/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of whole dumps and restores have in common: a process on a
 * machine of fake_sys.h, what criu does with it, and what must be so afterwards.
 */
#ifndef KFD_PLUGIN_TEST_FLOW_H
#define KFD_PLUGIN_TEST_FLOW_H

#include <stdint.h>
#include <sys/types.h>

#define MIB		(1024 * 1024ULL)
/* criu's ids of the process's two files, and their numbers in it */
#define KFD_ID		7u
#define RENDER_ID	8u
#define KFD_FD		40
#define RENDER_FD	41
#define DOORBELL	(3ULL << 62 | 1000ULL << 46)

/* Process 42, 4242 for criu, and GPU 1000 with renderD128, which it knows as 500. */
void flow_one_gpu(void);
/* The same with its render node mapped, and with a buffer of each kind. */
void flow_machine_without_bos(void);
void flow_machine(void);
/* One more buffer; what lies in VRAM or GTT has contents, unlike any other's. */
void flow_add_bo(uint32_t flags, uint64_t size, uint64_t offset, uint32_t gpu_id);
/* The end of a test. */
void flow_done(void);

/* Its two files are dumped, or the first is not, and nothing is left of that. */
void flow_dump(void);
void flow_dump_fails(int op, int err, const char *message);
/* What criu does with the fd that a hook returns: it becomes @number. */
int flow_install(int fd, int number);
void flow_restore_fails(int err, const char *message);
/* One bit of an image, the other way round. */
void flow_spoil(const char *name, off_t at);

/* All contents are as they were; @render is for those that came without a dmabuf. */
void flow_check_contents(int render);
/* Mappings find the files at their numbers, and offsets of GPU 0 as it is now. */
void flow_check_vmas(unsigned int old_minor);

#endif
