#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dump and restore programs that use GPUs, and some that do not, with the
# distribution's criu. Runs as root in the guest, in the top directory; prints KTAP.
#
#	vm/run --kernel 6.1 --mem 2G --timeout 600 -- criu-plugin/tests/criu_guest.sh

set -u
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh
# shellcheck source=criu-plugin/tests/criu_guest_resume.sh
. criu-plugin/tests/criu_guest_resume.sh
# shellcheck source=criu-plugin/tests/criu_guest_held.sh
. criu-plugin/tests/criu_guest_held.sh
# shellcheck source=criu-plugin/tests/criu_guest_gpus.sh
. criu-plugin/tests/criu_guest_gpus.sh

user=$PWD/build/criu-plugin/tests/gpu_user
dir=/tmp/criu-guest
pod=	# cgroup that programs and criu are started in
rm -rf $dir
mkdir -p $dir

# lines TEXT: how often it stands alone in the program's result
lines()
{
	touch $dir/result
	grep -cx "$1" $dir/result
}

# gone: wait until $PID is; it may be a child of init
gone()
{
	local i

	for ((i = 0; i < 300; i++)); do
		[ -e "/proc/$PID" ] || return 0
		sleep 0.1
	done
	why "process $PID is still there"
}

# await COUNT TEXT
await()
{
	local i

	for ((i = 0; i < 300; i++)); do
		[ "$(lines "$2")" -ge "$1" ] && return 0
		sleep 0.1
	done
	why "waited in vain for $1 times $2: $(cat $dir/result 2>/dev/null)"
	return 1
}

# start MODE COUNT: the program, until COUNT processes of it are ready; sets PID
start()
{
	rm -rf $dir/img $dir/result
	mkdir $dir/img
	(enter_pod && exec setsid "$user" "$1" $dir/result) < /dev/null > /dev/null 2>&1 &
	PID=$!
	disown	# or bash tells that it was killed
	await "$2" ready
}

run_criu()
{
	local what=$1

	shift
	(enter_pod && exec criu "$what" "$@" -D $dir/img -o "$what.log" -v4 -L "$PLUGIN_DIR") \
		> $dir/out 2>&1 && return 0
	why "criu $what failed"
	grep -E 'Error|Warning.*kfd_plugin' "$dir/img/$what.log" >> $dir/why
	return 1
}

# vram_free: the driver takes a dead process down in its own time
vram_free()
{
	local i

	for ((i = 0; i < 100; i++)); do
		[ "$(vram_used)" -eq 0 ] && return 0
		sleep 0.1
	done
	why "VRAM in use: $(vram_used) bytes"
}

# finish: let the program check, and see that nothing of it is left
finish()
{
	local want=$1

	kill -USR1 "$PID"
	await "$want" right
	gone
	vram_free
}

# round_trip NAME MODE COUNT [DUMP_OPTION...]
round_trip()
{
	local name=$1 mode=$2 count=$3

	shift 3
	if start "$mode" "$count" && run_criu dump -t "$PID" "$@"; then
		gone
		if run_criu restore -d; then
			grep -h 'kfd_plugin: Error' $dir/img/*.log >> $dir/why
			finish "$count"
		fi
	fi
	kill -9 "$PID" 2>/dev/null
	result "$name"
}

# A dump that leaves the program running
leave_running()
{
	if start bos 1 && run_criu dump -t "$PID" --leave-running; then
		finish 1
	fi
	kill -9 "$PID" 2>/dev/null
	result leave_running
}

# Twice in a row: the second dump is of a restored process.
again()
{
	local i

	start bos 1
	for ((i = 0; i < 2; i++)); do
		rm -rf $dir/img
		mkdir $dir/img
		run_criu dump -t "$PID" || break
		gone
		run_criu restore -d || break
	done
	[ $i -eq 2 ] && finish 1
	kill -9 "$PID" 2>/dev/null
	result again
}

# What the driver refuses to dump is named in criu's log, and goes on.
refused()
{
	local log=$dir/img/dump.log reason="buffer 0x[0-9a-f]+ .* was imported from a dma-buf"

	start imported 1
	criu dump -t "$PID" -D $dir/img -o dump.log -v4 -L "$PLUGIN_DIR" > $dir/out 2>&1 &&
		why "the dump was not refused"
	grep -qE "kfd_plugin: Error: the driver refused: PROCESS_INFO EXDEV $reason" "$log" ||
		why "no reason: $(grep kfd_plugin "$log")"
	finish 1
	kill -9 "$PID" 2>/dev/null
	result refused
}

# The images have no room: the program goes on, and nothing of them is left.
no_space()
{
	local log=$dir/no_space.log

	start bos 1
	mount -t tmpfs -o size=8m none $dir/img
	criu dump -t "$PID" -D $dir/img -o $log -v4 -L "$PLUGIN_DIR" > $dir/out 2>&1 &&
		why "there was room"
	grep -q "kfd_plugin: Error: process .*BO .*: No space left on device" $log ||
		why "no reason: $(grep kfd_plugin $log)"
	find $dir/img -name 'kfd*' >> $dir/why
	umount $dir/img
	finish 1
	kill -9 "$PID" 2>/dev/null
	result no_space
}

# The GPU is at the first of two mappings of the same memory, and after the
# restore at the second. So it is after another dump and restore, which say
# nothing of that: then the image has the second one.
moved()
{
	local move

	start moved 1
	move=$(sed -n 's/^move //p' $dir/result)
	run_criu dump -t "$PID"
	gone
	KFD_PLUGIN_MOVE_USERPTRS=${move/-/-+} \
		restore_must_fail moved_malformed 'is not \[PID/]START-END:NEW'
	KFD_PLUGIN_MOVE_USERPTRS=1/$move \
		restore_must_fail moved_other_process 'process 1 has no GPU state'
	KFD_PLUGIN_MOVE_USERPTRS=$PID/$move run_criu restore -d
	grep -q "process $PID: 2 of 3 USERPTR BOs have other CPU addresses" $dir/img/restore.log ||
		why "not moved: $(grep kfd_plugin $dir/img/restore.log)"
	rm -rf $dir/img
	mkdir $dir/img
	if run_criu dump -t "$PID"; then
		gone
		run_criu restore -d && finish 1
	fi
	kill -9 "$PID" 2>/dev/null
	result moved
}

# A process without a GPU: nothing opened, nothing said at info level, no image.
no_gpu()
{
	rm -rf $dir/img
	mkdir $dir/img
	setsid sleep 1000 < /dev/null > /dev/null 2>&1 &
	PID=$!
	disown
	sleep 0.3
	criu dump -t $PID -D $dir/img -o dump.log -v3 -L "$PLUGIN_DIR" > $dir/out 2>&1 ||
		why "criu dump failed"
	criu restore -d -D $dir/img -o restore.log -v3 -L "$PLUGIN_DIR" > $dir/out 2>&1 ||
		why "criu restore failed"
	grep -hE "kfd_plugin|/dev/kfd" $dir/img/*.log >> $dir/why
	find $dir/img -name 'kfd*' >> $dir/why
	kill -9 $PID
	result no_gpu
}

# restore_refused MESSAGE [VARIABLE=VALUE...]: what $dir/img holds, with that message
restore_refused()
{
	local message=$1

	shift
	env "$@" criu restore -d -D $dir/img -o restore.log -v4 -L "$PLUGIN_DIR" \
		> $dir/out 2>&1 && why "the restore did not fail"
	grep -q "kfd_plugin: Error: $message" $dir/img/restore.log ||
		why "no message \"$message\": $(grep Error $dir/img/restore.log)"
}

# restore_must_fail NAME MESSAGE: with what $dir/img holds
restore_must_fail()
{
	restore_refused ".*$2"
	gone
	vram_free
	result "$1"
}

# flip FILE OFFSET: change one byte
flip()
{
	local byte

	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

damaged()
{
	local meta contents

	start bos 1
	run_criu dump -t "$PID" || why "no dump"
	gone
	meta=$(ls $dir/img/kfd-process-*.img)
	contents=$(ls $dir/img/kfd-contents-*-0.img)
	flip "$meta" 200
	restore_must_fail damaged_metadata "checksum mismatch"
	flip "$meta" 200
	flip "$contents" 100000
	restore_must_fail damaged_contents "BO .*contents checksum mismatch at 0x"
	flip "$contents" 100000
	cp "$contents" $dir/copy
	truncate -s -1 "$contents"
	restore_must_fail truncated_contents "truncated"
	cp $dir/copy "$contents"
	if run_criu restore -d; then
		finish 1
	fi
	kill -9 "$PID" 2>/dev/null
	result undamaged
}

# What is above is for other scripts as well.
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0

load_modules num_gpus=2
echo "KTAP version 1"
echo "1..47"
no_gpu
round_trip bos bos 1
round_trip idle idle 1
round_trip unused unused 1
round_trip twice twice 1
round_trip child child 2
round_trip pair pair 3
round_trip fds fds 1
round_trip closed closed 1
leave_running
again
refused
no_space
moved
resume_fails resume_fails moved 1
resume_fails resume_fails_in_a_tree mixed 4
resume_fails_namespace resume_fails_in_a_namespace mixed 4
keep_stopped
fewer_gpus first_of_two gpu_1
fewer_gpus second_of_two gpu_2
too_few_gpus
no_render_node
containers
damaged
options
another_criu
missing_image
without_plugin
round_trip inherited inherited 2
orphan orphan
orphan orphan_exec
outside
uring
kernel_complaints >> $dir/why
unload_modules || why "the modules cannot be unloaded"
result unload
exit $failed
