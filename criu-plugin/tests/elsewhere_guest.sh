#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The two sides of criu-plugin/tests/elsewhere, as they run in their guests:
#
#	elsewhere_guest.sh dump			leaves everything in /tmp/elsewhere
#	elsewhere_guest.sh restore DIRECTORY	has a copy of that, and no more
#
# The program's own open files, its log and its status, travel with the images:
# criu wants them as they were. What it shares with other users of libhsakmt in
# /dev/shm does not.

set -u
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh

dir=/tmp/elsewhere
steps=4096

die()
{
	echo "$*"
	tail -n 5 "$dir"/log 2>/dev/null
	exit 1
}

# field NAME: of the program's status line
field()
{
	sed -n "s/.*\<$1 \([a-z0-9]*\).*/\1/p" "$dir"/status 2>/dev/null
}

# await SECONDS WHAT COMMAND...
await()
{
	local i what=$2

	for ((i = 0; i < $1 * 10; i++)); do
		"${@:3}" && return 0
		sleep 0.1
	done
	die "waited in vain: $what"
}

under_way()
{
	[ "$(field step | sed 's/^0*//')" -ge $((steps / 16)) ] 2>/dev/null
}

finished()
{
	[ "$(field state)" = passed ] || [ "$(field state)" = failed ]
}

gone()
{
	[ ! -e "/proc/$(cat "$dir"/pid)" ]
}

no_vram_used()
{
	[ "$(vram_used)" -eq 0 ]
}

run_criu()
{
	local what=$1

	shift
	criu "$what" "$@" -D "$dir" -o "$what.log" -v4 -L "$PLUGIN_DIR" > "$dir"/criu.out 2>&1 ||
		die "criu $what failed: $(grep Error "$dir/$what.log")"
}

dump()
{
	mkdir -p "$dir"
	# a pid that is free on the other side, too
	echo 20000 > /proc/sys/kernel/ns_last_pid
	setsid build/demo/gpu_chain --steps "$steps" --vram 48 --gtt 16 --userptr 8 --status "$dir"/status \
		< /dev/null > "$dir"/log 2>&1 &
	echo $! > "$dir"/pid
	disown
	await 200 "a part of the chain" under_way
	run_criu dump -t "$(cat "$dir"/pid)" --link-remap
	finished && die "the chain was through before the dump"
	[ -n "$(ls /dev/shm)" ] || die "the program has nothing in /dev/shm: what is tested?"
}

restore()
{
	cp -a "$1" "$dir" || exit 1
	[ -z "$(ls -A /dev/shm)" ] || die "in /dev/shm there is $(ls -A /dev/shm)"
	run_criu restore -d
	grep 'kfd_plugin: /dev/shm' "$dir"/restore.log | sed 's/.*kfd_plugin: //'
	await 300 "the end of the chain" finished
	grep -q '^result: right$' "$dir"/log || die "the result is not right"
	[ "$(field state)" = passed ] || die "the program says $(field state)"
	find /dev/shm -name 'link_remap.*' | grep . && die "criu's link is left"
	await 30 "the program to exit" gone
	await 30 "VRAM to be free" no_vram_used
	echo "dumped on another kernel, finished on $KVER: right"
}

load_modules vram_mb=512
# what criu finds out about a kernel it keeps in a file: it takes a while
criu check > /dev/null 2>&1 || die "criu check failed"
"$@" || exit 1
unload_modules || die "the modules cannot be unloaded"
kernel_complaints && exit 1
exit 0
