/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The KUnit suites: those of amdkfd.ko (debug/debug.c runs them) and those of
 * amdgpu_sim.ko (sim/debug.c). They are in debug builds for kernels that have
 * KUnit, and nowhere else.
 */
#ifndef AMDKFD_TESTS_TESTS_H
#define AMDKFD_TESTS_TESTS_H

struct kunit_suite;

extern struct kunit_suite kfd_gate_suite;
extern struct kunit_suite kfd_image_suite;
extern struct kunit_suite kfd_mirror_suite;
extern struct kunit_suite kfd_mqd_suite;

extern struct kunit_suite sim_packet_suite;
extern struct kunit_suite sim_ring_suite;
extern struct kunit_suite sim_svm_suite;
extern struct kunit_suite sim_retry_suite;

#endif
