# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
# Programs that use some of a machine's GPUs, dumped and restored where there
# are others. Sourced by criu_guest.sh, whose functions it uses.

# reload NUM_GPUS: the modules, for another machine
reload()
{
	unload_modules || why "the modules cannot be unloaded"
	load_modules num_gpus="$1"
}

# fewer_gpus NAME MODE: two GPUs at dump, one at restore
fewer_gpus()
{
	if start "$2" 1 && run_criu dump -t "$PID"; then
		gone
		reload 1
		run_criu restore -d && finish 1
	fi
	kill -9 "$PID" 2>/dev/null
	gone
	reload 2
	result "$1"
}

# What used both needs both.
too_few_gpus()
{
	start bos 1
	run_criu dump -t "$PID"
	gone
	reload 1
	restore_must_fail too_few_gpus 'no GPU here can stand in for GPU [0-9]* of the image'
	reload 2
	run_criu restore -d && finish 1
	kill -9 "$PID" 2>/dev/null
	result enough_gpus
}

# A node of a GPU that is not used is not there, as in some containers.
no_render_node()
{
	if start gpu_1 1 && run_criu dump -t "$PID"; then
		gone
		mv /dev/dri/renderD129 /dev/dri/away
		run_criu restore -d && finish 1
		kill -9 "$PID" 2>/dev/null
		mv /dev/dri/away /dev/dri/renderD129
	fi
	result no_render_node
}

# new_pod NAME MINOR: a cgroup that may not use that GPU
new_pod()
{
	mkdir -p "/sys/fs/cgroup/$1"
	"${user%/*}/deny_device" "/sys/fs/cgroup/$1" "$2" $(($2 - 128)) || fail "no cgroup $1"
}

# enter_pod: this shell goes to where $pod says
enter_pod()
{
	[ -z "$pod" ] || echo "$BASHPID" > "/sys/fs/cgroup/$pod/cgroup.procs"
}

# pods NAME POD DUMPED RESTORED: a program of POD; where criu dumps and restores it
pods()
{
	pod=$2
	start bos 1
	pod=$3
	if run_criu dump -t "$PID"; then
		gone
		pod=$4
		run_criu restore -d && finish 1
	fi
	pod=
	kill -9 "$PID" 2>/dev/null
	gone
	result "$1"
}

# A program sees two GPUs, criu one.
criu_sees_less()
{
	start bos 1
	pod=a
	(enter_pod && exec criu dump -t "$PID" -D $dir/img -o dump.log -v4 -L "$PLUGIN_DIR") \
		> $dir/out 2>&1 && why "the dump was not refused"
	pod=
	# where criu cannot even open the node that is mapped it says so itself
	grep -qE -e 'kfd_plugin: (Error: .* which criu may not see|.*of no GPU of KFD that criu may see)' \
		-e 'Error .*\[/dev/dri/renderD129\]: Operation not permitted' \
		$dir/img/dump.log || why "no reason: $(grep -E 'kfd_plugin|Error' $dir/img/dump.log)"
	finish 1
	kill -9 "$PID" 2>/dev/null
	result criu_sees_less
}

containers()
{
	new_pod a 129
	new_pod b 128
	pods host_to_host a '' ''
	pods host_to_pod a '' a
	pods pod_to_host a a ''
	pods pod_to_pod a a a
	pods host_to_other_pod a '' b
	pods pod_to_other_pod a a b
	criu_sees_less
}
