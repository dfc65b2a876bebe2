#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# broken_guest.sh [NAME...], in a guest with the modules of a BREAK=all build: does
# every regression test (those named) fail when its bug is there? For each bug the
# modules are loaded with it (broken=NAME) and the test of that name in
# criu_regressions* is run, or the one that "elsewhere" names: "ok" when the test
# fails or the kernel log has a splat. Before that all of them must pass with no bug
# in the same build. Prints KTAP. The kernel log is full of splats that are wanted.
#
# For kernels with KASAN, booted with kasan_multi_shot: without KASAN a bug that
# only reads or frees too much goes unseen.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

modules=${MODULES:-build/broken/$(uname -r)}
programs=${PROGRAMS:-build/selftests}
limit=${TEST_TIMEOUT:-120}
run=(env "MODULES=$modules" NUM_GPUS=2 selftests/run_guest --with timeout -k 5 "$limit")

# Those that may leave the kernel in a bad state come last.
bugs=(
	ctl_stack_overread
	queue_type_bounds
	mqd_size_mismatch
	sdma_mqd_size
	id_over_int_max
	restore_without_buffers
	no_buffer_objects
	doorbell_offset
	multi_event_page
	dmabuf_fd_leak
	paused_forever
	counts_changed
	fork_unseen
	hole_unseen
	unmap_leaves_pages
	checkpoint_events_race
	resume_svm_twice
)

# Bugs whose test is another program's: the program and the test.
declare -A elsewhere=(
	[fork_unseen]="fork storm_while_the_gpu_counts"
	[hole_unseen]="svm what_is_mapped_instead_is_left_alone"
	[unmap_leaves_pages]="walk the_model_holds"
)

# test_of BUG: the program and the test
test_of()
{
	local source

	if [ -n "${elsewhere[$1]:-}" ]; then
		echo "${elsewhere[$1]}"
		return
	fi
	source=$(grep -lE "^TEST_F[A-Z_]*\(regression, $1[,)]" selftests/criu_regressions*.c)
	echo "$(basename "${source:-none.c}" .c) $1"
}

# run_tests BUG...: the tests of these bugs, each program once; 0 when all pass
run_tests()
{
	local bug program test rc=0
	local -A tests=()

	for bug in "$@"; do
		read -r program test <<< "$(test_of "$bug")"
		tests[$program]+=" $test"
	done
	for program in "${!tests[@]}"; do
		# shellcheck disable=SC2086 # several names
		"${run[@]}" "$programs/$program" ${tests[$program]} || rc=1
	done
	return $rc
}

# The test of a bug, with it: 0 when something showed it. What the test prints is
# not KTAP of ours: it is meant to fail.
shows()
{
	local bug=$1 out rc splats

	dmesg --clear
	out=$(KFD_PARAMS="broken=$bug" run_tests "$bug" 2>&1)
	rc=$?
	splats=$(dmesg | grep -E 'BUG:|WARNING:|UBSAN:|Oops|refcount_t:' |
		sed 's/^\[[^]]*\] //' | sort -u | head -n 4)
	sed 's/^/#   /' <<< "$out" | grep -iE 'expected|fail|time|cannot|rmmod|error' | head -n 8
	[ -z "$splats" ] || sed 's/^/#   kernel: /' <<< "$splats"
	[ "$rc" -ne 0 ] || [ -n "$splats" ]
}

if [ "$(cat /proc/sys/kernel/panic_on_oops)" != 0 ]; then
	# a bug that oopses has been shown
	echo 0 > /proc/sys/kernel/panic_on_oops
fi

all=("${bugs[@]}")
[ $# -eq 0 ] || bugs=("$@")
echo "KTAP version 1"
echo "1..$((${#bugs[@]} + 2))"

for bug in "${all[@]}"; do
	read -r program _ <<< "$(test_of "$bug")"
	[ -x "$programs/$program" ] || { echo "Bail out! no test of $bug"; exit 1; }
done
list_is_whole()
{
	[ "$(scripts/bugs)" = "$(printf '%s\n' "${all[@]}" | sort)" ] &&
	[ "$(scripts/bugs "$modules/amdkfd.ko" | grep -v '^parameter:')" = "$(scripts/bugs)" ]
}

list_is_whole
result every_bug_is_in_the_list $?

# Names of tests, not of bugs: the same tests, and nothing is wrong.
out=$(run_tests "${bugs[@]}" 2>&1)
rc=$?
[ $rc -eq 0 ] || sed 's/^/#   /' <<< "$out"
result without_a_bug_they_pass $rc

for bug in "${bugs[@]}"; do
	started=$SECONDS
	shows "$bug"
	rc=$?
	echo "# $bug took $((SECONDS - started)) s"
	result "$bug" $rc
	if [ -e /sys/module/amdkfd ]; then
		echo "Bail out! the modules are stuck after $bug"
		exit 1
	fi
done
exit $failed
