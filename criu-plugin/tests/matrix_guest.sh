#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every kind of state that tests/matrix/ knows through criu: a dump that lets the
# program go on, a dump and restore here, on another number of GPUs, and on another
# machine. Two outcomes are right: all is as it was, or the dump is refused with a
# reason and the program goes on unharmed; the list of kinds says which. Runs as root
# in the guest, in the top directory; prints KTAP, a test for each kind and each way.
#
#	matrix_guest.sh here [KIND...]		images are left in /tmp/matrix/images
#	matrix_guest.sh elsewhere DIR [KIND...]	restores what another machine left in DIR
#
#	vm/run --kernel 6.1 --get /tmp/matrix/images:DIR -- criu-plugin/tests/matrix_guest.sh here
#	vm/run --kernel 6.12 -- criu-plugin/tests/matrix_guest.sh elsewhere DIR

set -u
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

program=$PWD/build/criu-plugin/tests/gpu_state
dir=/tmp/matrix
images=$dir/images
gpus=2		# of the machine that dumps

# Starting a program is dear in an emulated machine, and all of this waits often: for
# that there are no grep, pgrep and sleep.

# nap: a tenth of a second, by reading a pipe that stays empty
exec {never}<> <(:)
nap()
{
	read -rt 0.1 -u "$never"
}

# said WORD: whether the program has said that
said()
{
	local line

	[ -e $dir/result ] || return 1
	while read -r line || [ -n "$line" ]; do
		[ "$line" != "$1" ] || return 0
	done < $dir/result
	return 1
}

# find_it: PIDS become the program's processes, and PID the first of them
find_it()
{
	local p

	PIDS=() PID=
	for p in /proc/[0-9]*; do
		[ "$p/exe" -ef "$program" ] || continue
		p=${p#/proc/}
		PIDS+=("$p")
		[ -n "$PID" ] && [ "$PID" -lt "$p" ] || PID=$p
	done
	[ -n "$PID" ]
}

# await WORD: wait until it has, unless it has said what is wrong or is gone
await()
{
	local i

	for ((i = 0; i < 600; i++)); do
		said "$1" && return 0
		nap
		# one that has only just been started is not there yet
		[ $i -lt 20 ] || find_it || break
	done
	said "$1" && return 0
	why "waited in vain for \"$1\": $(tail -n 1 $dir/result 2>/dev/null)"
	return 1
}

gone()
{
	local i

	for ((i = 0; i < 300; i++)); do
		find_it || return 0
		nap
	done
	why "the program is still there"
	return 1
}

# start KIND: until it is ready; sets PID
start()
{
	rm -f $dir/result
	setsid "$program" "$1" $dir/result < /dev/null > /dev/null 2>&1 {never}<&- &
	disown
	await ready
	find_it
}

# stop: whatever is left of it
stop()
{
	! find_it || kill -9 "${PIDS[@]}"
	gone
}

# go_on: the program finds all as it was
go_on()
{
	! find_it || kill -USR1 "$PID"
	await right && gone
}

# run_criu COMMAND OPTION...: in the directory $img
run_criu()
{
	local what=$1

	shift
	criu "$what" "$@" -D "$img" -o "$what.log" -v4 -L "$PLUGIN_DIR" > $dir/out 2>&1 {never}<&-
}

complain()
{
	why "criu $1 failed"
	grep -E 'Error|Warning.*kfd_plugin' "$img/$1.log" | head -n 8 >> $dir/why
}

# refused KIND REASON: a dump is, with that reason, and does no harm
refused()
{
	start "$1" || { result "$1: refused"; return; }
	if run_criu dump -t "$PID" --link-remap; then
		why "the dump was not refused"
		run_criu restore -d || complain restore
	elif ! grep -qE "$2" "$img/dump.log"; then
		why "the reason is not \"$2\""
		grep -E 'Error' "$img/dump.log" | head -n 8 >> $dir/why
	fi
	go_on
	stop
	result "$1: refused"
}

# comes_back KIND WAY: what is in $img, restored
comes_back()
{
	rm -f $dir/result
	echo ready > $dir/result
	if run_criu restore -d; then
		go_on
	else
		complain restore
	fi
	stop
	result "$1: $2"
}

# dumped KIND: goes on after a dump, and leaves an image for all that follows
dumped()
{
	start "$1" || why "it did not start"
	if run_criu dump -t "$PID" --link-remap --leave-running; then
		go_on
	else
		complain dump
	fi
	stop
	result "$1: dumped and goes on"

	rm -rf "$img"
	mkdir "$img"
	start "$1" || why "it did not start"
	if run_criu dump -t "$PID" --link-remap && gone; then
		comes_back "$1" "restored here"
		return
	fi
	complain dump
	stop
	rm -rf "$img"
	result "$1: restored here"
}

kinds()
{
	local name need outcome wanted

	while read -r name need outcome; do
		[ $# -eq 0 ] && echo "$name $need $outcome"
		for wanted; do
			[ "$wanted" = "$name" ] && echo "$name $need $outcome"
		done
	done < <("$program" --list)
}

# left_gpus N: what has an image, on that many GPUs
with_gpus()
{
	local name need outcome

	unload_modules || why "the modules cannot be unloaded"
	load_modules num_gpus="$1"
	while read -r name need outcome; do
		img=$images/$name
		if [ -d "$img" ] && [ "$need" -le "$1" ]; then
			comes_back "$name" "restored on $1 GPUs"
		fi
	done < $dir/kinds
}

here()
{
	local name need outcome

	# pids that no other machine has given to anything when it restores these
	echo 20000 > /proc/sys/kernel/ns_last_pid || fail "pids cannot be chosen"
	load_modules num_gpus=$gpus
	while read -r name need outcome; do
		img=$images/$name
		mkdir -p "$img"
		if [ "$outcome" = back ]; then
			dumped "$name"
		else
			refused "$name" "$outcome"
			rm -rf "$img"
		fi
	done < $dir/kinds
	with_gpus 1
	with_gpus 3
}

elsewhere()
{
	local name need outcome

	load_modules num_gpus=$gpus
	while read -r name need outcome; do
		img=$dir/img
		rm -rf $dir/img
		[ -d "$1/$name" ] || continue
		cp -r "$1/$name" $dir/img
		comes_back "$name" "restored elsewhere"
	done < $dir/kinds
}

rm -rf $dir
mkdir -p $images
mode=${1:-}
from=${2:-}
shift
[ "$mode" = elsewhere ] && shift
kinds "$@" > $dir/kinds
[ -s $dir/kinds ] || fail "there is no such kind: $*"
echo "KTAP version 1"
case $mode in
here) here ;;
elsewhere) elsewhere "$from" ;;
*) fail "usage: matrix_guest.sh here|elsewhere DIR [KIND...]" ;;
esac
kernel_complaints >> $dir/why
unload_modules || why "the modules cannot be unloaded"
result unload
echo "1..$n"
exit $failed
