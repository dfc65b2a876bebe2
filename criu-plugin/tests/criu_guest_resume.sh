# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# A RESUME that fails: criu does not look, and nothing may be left that looks
# as if it were restored. Sourced by criu_guest.sh, whose functions it uses.
#
# RESUME fails when the memory of a buffer is not there: it is said to be
# somewhere else (KFD_PLUGIN_MOVE_USERPTRS).

# somewhere [ADDRESS]: what has to be in that variable for the program in mode moved
somewhere()
{
	local move pid

	move=$(sed -n 's/^move //p' $dir/result)
	pid=$(sed -n 's/^moved is //p' $dir/result)
	[ $# -eq 0 ] || move=${move%:*}:$1
	echo "${pid:+$pid/}$move"
}

# in_pid_namespace MODE COUNT: as start, the program being the init of one
in_pid_namespace()
{
	rm -rf $dir/img $dir/result
	mkdir $dir/img
	setsid unshare --pid --fork setsid "$user" "$1" $dir/result < /dev/null > /dev/null 2>&1 &
	disown
	await "$2" ready
	PID=$(pgrep -o -x gpu_user)
}

# none_left: every process of the tree is gone, whatever its pid
none_left()
{
	local i

	for ((i = 0; i < 300; i++)); do
		pgrep -x gpu_user > /dev/null || return 0
		sleep 0.1
	done
	why "still there: $(pgrep -ax gpu_user | tr '\n' ' ')"
	pkill -9 -x gpu_user
}

# resume_must_fail [OPTION...]: restore what $dir/img holds, in vain
resume_must_fail()
{
	local rc

	KFD_PLUGIN_MOVE_USERPTRS=$(somewhere 10000) timeout 120 \
		criu restore "$@" -D $dir/img -o restore.log -v4 -L "$PLUGIN_DIR" > $dir/out 2>&1
	rc=$?
	[ $rc -eq 1 ] || why "criu restore $*: exit code $rc"
	grep -q "kfd_plugin: Error: process [0-9]*: RESUME failed: Bad address" $dir/img/restore.log ||
		why "no reason: $(grep kfd_plugin $dir/img/restore.log)"
	grep -q 'Restoring FAILED' $dir/img/restore.log || why "criu takes it for a success"
	none_left
	vram_free
}

# resume_fails NAME MODE COUNT: with and without -d; nothing is wrong with the images
resume_fails()
{
	local name=$1 mode=$2 count=$3

	start "$mode" "$count"
	run_criu dump -t "$PID"
	gone
	resume_must_fail -d
	resume_must_fail
	[ "$(lines right)" -eq 0 ] || why "a process went on"
	KFD_PLUGIN_MOVE_USERPTRS=$(somewhere) run_criu restore -d && finish "$count"
	result "$name"
}

resume_fails_namespace()
{
	in_pid_namespace "$2" "$3"
	run_criu dump -t "$PID"
	none_left
	resume_must_fail -d
	resume_must_fail
	[ "$(lines right)" -eq 0 ] || why "a process went on"
	if KFD_PLUGIN_MOVE_USERPTRS=$(somewhere) run_criu restore -d; then
		PID=$(pgrep -o -x gpu_user)
		finish "$3"
	fi
	result "$1"
}

# resume_again PID: errno of another RESUME
resume_again()
{
	python3 - "$1" <<-'END'
		import fcntl, os, struct, sys
		args = struct.pack("QQQQIIIIII", 0, 0, 0, 0, 0, 0, 0, int(sys.argv[1]), 4, 0)
		try:
		    fcntl.ioctl(os.open("/dev/kfd", os.O_RDWR), 0xC0384B22, args)
		    print(0)
		except OSError as e:
		    print(e.errno)
	END
}

# Who wants to look at it gets a program that runs while its queues stand still.
keep_stopped()
{
	start moved 1
	run_criu dump -t "$PID"
	gone
	KFD_PLUGIN_KEEP_STOPPED=2 restore_must_fail keep_stopped_malformed 'neither 0 nor 1'
	if KFD_PLUGIN_KEEP_STOPPED=1 KFD_PLUGIN_MOVE_USERPTRS=$(somewhere 10000) run_criu restore -d; then
		grep -q "kfd_plugin: Warning: process $PID: goes on" $dir/img/restore.log ||
			why "nothing said: $(grep kfd_plugin $dir/img/restore.log)"
		[ "$(resume_again "$PID")" = 14 ] || why "there is nothing to be resumed"
		kill -9 "$PID"
		gone
		vram_free
	fi
	result keep_stopped
}
