#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The live update demo, as it runs in the guest: see demo/run.

set -u
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh

VERBOSE=${VERBOSE:-0}
PLAN=${PLAN:-}
ARGS=()
[ -z "$PLAN" ] || ARGS=(--plan "$PLAN")

# stop TEXT...: the demo has failed
stop()
{
	echo "FAILED: $*"
	echo "--- kernel log"
	if [ "$VERBOSE" = 1 ]; then dmesg; else dmesg | tail -n 15; fi
	exit 1
}

# separate: the simulated GPU on one processor, with a witness of when that stands
# still, and the program on the other: a GPU takes no processor's time
separate()
{
	local thread

	[ "$(nproc)" -ge 2 ] || return 0
	thread=$(pgrep -x sim0:cp) || stop "no thread of the simulated GPU"
	taskset -p -c 1 "$thread" > /dev/null || stop "taskset of the simulated GPU"
	taskset -p -c 0 $$ > /dev/null || stop "taskset of the program"
	ARGS+=(--witness 1)
}

echo "kernel $KVER, $(nproc) processors"
echo
load_modules vram_mb=64
separate
build/demo/liveupdate-1 "${ARGS[@]}" || stop "exit code $?"
# what a process had may be freed a moment after its end
for ((i = 0; i < 50 && $(vram_used) > 0; i++)); do sleep 0.1; done
[ "$(vram_used)" -eq 0 ] || stop "VRAM is in use after the end"
unload_modules || stop "the modules cannot be unloaded"
kernel_complaints && stop "the kernel complained"
[ "$VERBOSE" = 1 ] && dmesg
exit 0
