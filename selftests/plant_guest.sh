#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The guest's side of selftests/plant: make each mistake of kfd_plant.ko between
# two marks in the kernel log; and see what no_leaks says of those that leak.
set -u
top=$(dirname "$(dirname "$(readlink -f "$0")")")
plant=$top/build/$(uname -r)/kfd_plant.ko
# shellcheck source=selftests/debug_lib.sh
. "$top/selftests/debug_lib.sh"

mark()
{
	echo "plant-mark: $*" > /dev/kmsg
}

make_mistake()
{
	insmod "$plant" "what=$1" && rmmod kfd_plant
}

if [ "$(counts_leaks)" = 0 ]; then
	echo "plant: kmemleak is off"
	exit 1
fi
echo 3 > /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
echo 2 > /proc/sys/kernel/hung_task_timeout_secs

# lock_order first: lockdep is off once anything has been said
for what in nothing lock_order use_after_free overread warning bad_index bad_shift \
	    list_corruption sleep_in_atomic hung_task rcu_stall; do
	mark "$what"
	make_mistake "$what" || exit 1
	# what a watchdog prints comes a little later
	sleep 0.3
done
for what in no_leak leak leak_at_unload; do
	mark "$what"
	forget_leaks
	make_mistake "${what/no_leak/nothing}" || exit 1
	if no_leaks > /tmp/report; then
		echo "leaks: $what: none"
	else
		echo "leaks: $what: found $(grep -c 'unreferenced object' /tmp/report)"
		grep -q insmod /tmp/report || cat /tmp/report
	fi
done
mark end
