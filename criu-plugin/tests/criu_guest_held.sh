# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154  # n, dir and so on are criu_guest.sh's
# Dumps that are refused before the program is touched, and files that are not
# the process's own. Sourced by criu_guest.sh.

# named PID: the process that the program says is to be dumped
named()
{
	PID=$(sed -n 's/^pid //p' $dir/result)
}

# refused_with REGEX [NAME=VALUE...]: a dump that fails and says so; the program goes on
refused_with()
{
	local regex=$1

	shift
	env "$@" timeout -s KILL 60 criu dump -t "$PID" -D $dir/img -o dump.log -v4 -L "$PLUGIN_DIR" > $dir/out 2>&1 &&
		why "the dump was not refused"
	grep -qE "kfd_plugin: Error: $regex" $dir/img/dump.log ||
		why "no message \"$regex\": $(grep -E 'kfd_plugin|Error' $dir/img/dump.log)"
	grep -q '^State:.*stopped' "/proc/$PID/status" && why "the program is stopped"
	find $dir/img -name 'kfd-*' >> $dir/why
}

# What is not understood is refused before anything else, at dump and restore.
options()
{
	start bos 1
	refused_with 'KFD_PLUGIN_DRAIN_ONLY=1: without KFD_PLUGIN_DRAIN_MS' KFD_PLUGIN_DRAIN_ONLY=1
	refused_with 'KFD_PLUGIN_DRAIN_MSS: there is no such variable' KFD_PLUGIN_DRAIN_MSS=20
	refused_with 'KFD_PLUGIN_DRAIN_MS=2s: not a number' KFD_PLUGIN_DRAIN_MS=2s
	if run_criu dump -t "$PID"; then
		gone
		restore_refused 'KFD_PLUGIN_DRAIN_ONLY=yes: neither' KFD_PLUGIN_DRAIN_ONLY=yes
		run_criu restore -d && finish 1
	fi
	kill -9 "$PID" 2>/dev/null
	result options
}

# A plugin that was built for another criu says so, and nothing is stopped or made.
another_criu()
{
	local ours=$PLUGIN_DIR other=$PLUGIN_DIR/tests/other_criu
	local seized='Seized task' message='built for criu .*: build it with the headers of this criu'

	start bos 1
	PLUGIN_DIR=$other refused_with "$message"
	grep -q "$seized" $dir/img/dump.log && why "the program was stopped"
	if run_criu dump -t "$PID"; then
		gone
		grep -q "$seized" $dir/img/dump.log || why "criu does not say \"$seized\""
		PLUGIN_DIR=$other restore_refused "$message"
		pgrep -x gpu_user > /dev/null && why "something was restored"
		PLUGIN_DIR=$ours
		run_criu restore -d && finish 1
	fi
	PLUGIN_DIR=$ours
	kill -9 "$PID" 2>/dev/null
	result another_criu
}

# Each image of a GPU taken away, and cut short
missing_image()
{
	local image name

	start bos 1
	if run_criu dump -t "$PID"; then
		gone
		for image in "$dir"/img/kfd-*.img; do
			name=$(basename "$image")
			mv "$image" $dir/away
			restore_refused "$name: "
			cp $dir/away "$image"
			truncate -s -1 "$image"
			restore_refused "$name: "
			mv $dir/away "$image"
		done
		run_criu restore -d && finish 1
	fi
	kill -9 "$PID" 2>/dev/null
	result missing_image
}

# A criu without the plugin does not restore; one that lists plugins says what it misses.
without_plugin()
{
	start bos 1
	run_criu dump -t "$PID" || why "no dump"
	gone
	mkdir -p $dir/empty
	criu restore -d -D $dir/img -o without.log -v4 -L $dir/empty > $dir/out 2>&1 &&
		why "restored without the plugin"
	if grep -q check_inventory_plugins "$(command -v criu)" &&
	   ! grep -q 'Missing required plugin: kfd_plugin' $dir/img/without.log; then
		why "criu misses nothing: $(grep Error $dir/img/without.log)"
	fi
	run_criu restore -d && finish 1
	kill -9 "$PID" 2>/dev/null
	result without_plugin
}

# orphan MODE: the file of a parent that is gone comes back as just that
orphan()
{
	start "$1" 1
	named
	if run_criu dump -t "$PID"; then
		gone
		grep -q 'kfd_plugin: file .* the process that opened it is gone' $dir/img/dump.log ||
			why "not said: $(grep kfd_plugin $dir/img/dump.log)"
		run_criu restore -d && finish 1
	fi
	kill -9 "$PID" 2>/dev/null
	result "$1"
}

# The parent goes on, and is not dumped.
outside()
{
	local parent

	start outside 2
	parent=$PID
	named
	refused_with "process $PID: its file of /dev/kfd is process $parent's, which is not dumped"
	kill -USR1 "$PID"
	await 1 right
	PID=$parent
	finish 2
	kill -9 "$PID" 2>/dev/null
	result outside
}

# Two rings and a GPU, then a thread of the kernel's that a ring has left: refused
# and named. Then neither, and a GPU whose work is not going to be done in time.
uring()
{
	start uring 1
	refused_with "process $PID: its fd [0-9]+ is an io_uring, .*drain and close it first"
	kill -USR1 "$PID"
	await 2 ready
	# a newer kernel ends it with the ring
	if grep -q '^iou-wrk' "/proc/$PID"/task/*/comm; then
		refused_with "process $PID: its thread [0-9]+ is the kernel's, from an io_uring"
	fi
	kill -USR1 "$PID"
	await 3 ready
	refused_with 'the driver refused: PROCESS_INFO ETIME queue [0-9]+ of GPU [0-9]+ is not drained' \
		KFD_PLUGIN_DRAIN_MS=50 KFD_PLUGIN_DRAIN_ONLY=1
	grep -q '(not done within KFD_PLUGIN_DRAIN_MS' $dir/img/dump.log ||
		why "no hint: $(grep kfd_plugin $dir/img/dump.log)"
	if run_criu dump -t "$PID"; then
		gone
		run_criu restore -d && finish 1
	fi
	kill -9 "$PID" 2>/dev/null
	result uring
}
