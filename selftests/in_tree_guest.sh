#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: the kernel's own amdgpu provides KFD; amdkfd.ko must refuse to load,
# say so in one line, and change nothing. Prints KTAP.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

modules=${MODULES:-build/$(uname -r)}

kfd_state()
{
	ls -l /dev/kfd
	find /sys/devices/virtual/kfd /sys/class/kfd/ | sort
	cat /sys/class/kfd/kfd/topology/generation_id
}

in_tree_is_there()
{
	[ "$rc" -eq 0 ] && [ -d /sys/class/kfd ]
}

said_once()
{
	[ "$(dmesg | grep -c 'amdkfd: another driver')" -eq 1 ]
}

only_in_tree_is_there()
{
	[ ! -e /sys/module/amdkfd ] && [ -d /sys/module/amdgpu ]
}

echo "KTAP version 1"
echo "1..6"
out=$(modprobe amdgpu 2>&1)
rc=$?
[ -z "$out" ] || echo "# $out"
in_tree_is_there
result in_tree_driver_provides_kfd $?

before=$(kfd_state)
dmesg --clear
out=$(insmod "$modules/amdkfd.ko" 2>&1)
rc=$?
echo "# $out"
[ $rc -ne 0 ] && grep -q 'File exists' <<< "$out"
result refuses_to_load $?

dmesg | sed 's/^/# /'
said_once
result says_so_in_one_line $?

only_in_tree_is_there
result is_not_there $?

[ "$(kfd_state)" = "$before" ]
result changed_nothing $?

modprobe -r amdgpu && [ ! -e /sys/class/kfd ] &&
	insmod "$modules/amdkfd.ko" && unload amdkfd
result loads_once_the_other_is_gone $?
exit $failed
