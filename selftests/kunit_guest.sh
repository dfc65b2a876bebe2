#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# kunit_guest.sh: load the modules of the running kernel with kunit=1, so that
# their KUnit suites run, and print the results as one KTAP document: a subtest
# for each suite. A suite that is missing or printed nothing has failed, and so
# has a module that does not load or unload, or a leak where the kernel has
# kmemleak. Exit status 1 when anything failed.
#
# For a kernel with CONFIG_KUNIT and CONFIG_KUNIT_DEBUGFS and modules built for
# it with DEBUG=1. Environment:
#   MODULES   where they are
#   GCOV_DIR  where to leave the coverage that the kernel has counted
set -u

here=$(dirname "$(readlink -f "$0")")
top=$(dirname "$here")
modules=${MODULES:-$top/build/$(uname -r)}
results=/sys/kernel/debug/kunit
suites=(kfd_gate kfd_image kfd_mirror kfd_mqd sim_packet sim_ring sim_svm sim_retry)
# shellcheck source=demo/guest_lib.sh
. "$top/demo/guest_lib.sh"
# shellcheck source=selftests/ktap_lib.sh
. "$here/ktap_lib.sh"

load()
{
	local dep

	for dep in $(modinfo -F depends "$modules/amdgpu_sim.ko" | tr ',' ' ') \
		   $(modinfo -F depends "$modules/amdkfd.ko" | tr ',' ' '); do
		[ "$dep" = amdkfd ] || modprobe "$dep" || return 1
	done
	insmod "$modules/amdkfd.ko" kunit=1 || return 1
	insmod "$modules/amdgpu_sim.ko" kunit=1
}

# One suite's cases, nested by two spaces. What debugfs has is a document of its
# own: cases indented by four, then the suite's own line, which tells.
suite()
{
	local name=$1 file=$results/$1/results cases

	if [ ! -r "$file" ]; then
		echo "# $name: $file is missing"
		return 1
	fi
	cases=$(grep -cE '^ +(not )?ok [0-9]+' "$file")
	if [ "$cases" -eq 0 ]; then
		echo "# $name: no case has run"
		return 1
	fi
	echo "  1..$cases"
	grep -E '^ +' "$file" | grep -vE '^ +(1\.\.|KTAP|TAP|# Subtest)' |
		sed -E 's/^ +(ok|not ok) /  \1 /; s/^ +#/  #/'
	grep -qE "^ok [0-9]+( -)? $name" "$file"
}

mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
# shellcheck source=selftests/debug_lib.sh
. "$here/debug_lib.sh"
forget_leaks

echo "TAP version 13"
echo "1..$((${#suites[@]} + 2 + $(counts_leaks)))"
load
rc=$?
result load $rc
if [ $rc -ne 0 ]; then
	echo "Bail out! cannot load the modules from $modules with kunit=1"
	dmesg | tail -n 20 | sed 's/^/# /'
	exit 1
fi
for name in "${suites[@]}"; do
	suite "$name"
	result "$name" $?
done
unload_modules
result unload $?
save_coverage
if [ "$(counts_leaks)" = 1 ]; then
	no_leaks
	result no_leaks $?
fi
exit $failed
