#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# criu's ways to do it in parts, with a program whose GPU is busy with registered memory:
# a pre-dump before the dump, and a restore whose memory comes later. Runs as root in the
# guest, in the top directory; prints KTAP.
#
#	vm/run --kernel 6.1 --mem 2G --timeout 400 -- criu-plugin/tests/parts_guest.sh

set -u
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

dir=/tmp/parts
steps=9000	# many times what a dump takes
memory=(--vram 16)

# await WHAT COMMAND...: until it is true
await()
{
	local i what=$1

	shift
	for ((i = 0; i < 1200; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	why "waited in vain for $what: $(cat $dir/status)"
	return 1
}

# step: how far the program is
step()
{
	local key value

	read -r key value _ < <(grep -o 'step [0-9]*' $dir/status)
	[ "$key" = step ] && echo $((10#$value)) || echo 0
}

reached()
{
	[ "$(step)" -ge "$1" ]
}

gone()
{
	[ ! -e "/proc/$PID" ] || [ "$(cut -d' ' -f3 "/proc/$PID/stat" 2> /dev/null)" = Z ]
}

# start: the program, until its GPU is at work; sets PID
start()
{
	rm -rf $dir
	mkdir -p $dir/pre $dir/img
	setsid build/demo/gpu_chain --steps $steps "${memory[@]}" --status $dir/status \
		< /dev/null > $dir/log 2>&1 &
	PID=$!
	disown	# or bash tells that it was killed
	touch $dir/status
	await "the first steps" reached 64
}

# run_criu WHAT IMAGES OPTION...
run_criu()
{
	local what=$1 images=$2

	shift 2
	criu "$what" "$@" -D $dir/"$images" -o "$what.log" -v4 -L "$PLUGIN_DIR" \
		> $dir/out 2>&1 && return 0
	why "criu $what failed: $(grep Error "$dir/$images/$what.log" | head -n 3)"
	return 1
}

is_right()
{
	await "the end" gone
	grep -q '^result: right$' $dir/log || why "$(tail -n 2 $dir/log)"
}

pre_dump()
{
	local before

	start
	run_criu pre-dump pre -t "$PID"
	[ -s $dir/pre/pages-1.img ] || why "the pre-dump has no memory"
	[ -z "$(find $dir/pre -name 'kfd-*')" ] || why "the pre-dump has something of a GPU"
	gone && why "the program is gone"
	# so that the GPU has written to memory that is in the pre-dump
	before=$(step)
	await "steps after the pre-dump" reached $((before + 256))
	run_criu dump img -t "$PID" --link-remap --track-mem --prev-images-dir ../pre
	await "the end of the dumped one" gone
	reached $steps && why "the GPU was ready before the dump"
	run_criu restore img -d
	is_right
	kill -9 "$PID" 2> /dev/null
	result pre_dump
}

# RESUME brings what is registered in, before the program runs; the rest comes later.
lazy()
{
	local daemon

	start
	run_criu dump img -t "$PID" --link-remap
	await "the end of the dumped one" gone
	reached $steps && why "the GPU was ready before the dump"
	criu lazy-pages -D $dir/img -o lazy.log -v4 > $dir/lazy 2>&1 &
	daemon=$!
	disown
	await "the daemon" test -S $dir/img/lazy-pages.socket
	run_criu restore img -d --lazy-pages
	grep -q 'uffd' $dir/img/lazy.log || why "no page came lazily"
	is_right
	kill $daemon 2> /dev/null
	kill -9 "$PID" 2> /dev/null
	result lazy
}

# What is above is for other scripts as well.
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0

load_modules vram_mb=64
echo "KTAP version 1"
echo "1..3"
pre_dump
lazy
kernel_complaints >> $dir/why
unload_modules || why "the modules cannot be unloaded"
result unload
exit $failed
