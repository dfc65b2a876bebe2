#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Dumps that there is no room for, wherever it ends: the dump fails and says where and how
# much there was, nothing of it is left, and the program's GPU goes on. Runs as root in the
# guest, in the top directory; prints KTAP.
#
#	vm/run --kernel 6.1 --mem 2G --timeout 400 -- criu-plugin/tests/room_guest.sh

# no path here has blanks
# shellcheck disable=SC2086
set -u
# shellcheck source=criu-plugin/tests/parts_guest.sh
. criu-plugin/tests/parts_guest.sh

steps=30000	# more than it gets to do before the last dump
# criu has more to write into one file than the plugin
memory=(--vram 4 --gtt 4 --userptr 16)
img=$dir/img
log=$dir/dump.log
limit=unlimited

# dump OPTION...: with a log elsewhere; criu's exit code
dump()
{
	(ulimit -f "$limit" && exec timeout 60 criu dump -t "$PID" --link-remap -D $img -o $log \
		-v4 -L "$PLUGIN_DIR" "$@") > $dir/out 2>&1
}

# fails NAME REASON: the dump into $img, with REASON in its log
fails()
{
	local before rc=0

	dump || rc=$?
	[ $rc -eq 1 ] || why "criu dump: exit code $rc"
	grep -Eq "$2" $log || why "no reason: $(grep -E 'Error|n: Warn' $log | head -n 5)"
	grep 'kfd_plugin: Error: .*GPU queues' $log >> $dir/why
	find $img -name 'kfd-*' >> $dir/why
	before=$(step)
	if gone || reached $((steps - 32)); then
		why "the program is gone, or at its end"
	else
		await "the GPU to go on" reached $((before + 32))
	fi
	result "$1"
}

# kib FILE...: what they take
kib()
{
	du -kc "$@" | tail -n 1 | cut -f 1
}

# in_tmpfs KIB NAME REASON: with so much room
in_tmpfs()
{
	# 0 would be no limit
	mount -t tmpfs -o size="$(($1 ? $1 : 4))"k none $img
	[ "$1" -ne 0 ] || echo full > $img/full
	fails "$2" "$3"
	umount $img
}

no_room='No space left on device: [0-9]+ bytes to be written to /tmp/parts/img, which has [0-9]+ left'

# The order of what is written: the inventory, kfd-file, kfd-process, contents; the same of
# the render node; then criu's own. Each takes whole pages.
tmpfs()
{
	local first all

	dump -R || why "no dump: $(grep Error $log)"
	first=$((8 + $(kib $img/kfd-process-*)))
	all=$(kib $img/kfd-*)
	rm -rf $img
	mkdir $img
	result room
	in_tmpfs 0 full_at_inventory "kfd-inventory.img: cannot be written: $no_room"
	in_tmpfs 4 full_at_file "kfd-file-[0-9]+.img: cannot be written: $no_room"
	in_tmpfs 8 full_at_metadata "kfd-process-[0-9]+.img: cannot be written: $no_room"
	in_tmpfs $first full_at_contents "kfd-contents-[0-9]+-0.img: cannot be written: $no_room"
	in_tmpfs 4096 full_in_contents \
		"BO [0-9]+ .*contents cannot be written .*: $no_room; [0-9]+ bytes had been written"
	grep -q 'Warning: process .* its buffers have [0-9]* bytes, .* room for [0-9]*: ' $log ||
		why "no warning"
	result full_in_contents_warning
	in_tmpfs $((all - 4)) full_at_render_file "kfd-file-[0-9]+.img: cannot be written: $no_room"
	in_tmpfs $((all + 64)) full_in_pages 'Error \(criu/.*No space left on device'
}

# new_ext4 KIB: a small disk at $img, with so much left
new_ext4()
{
	local left

	dd if=/dev/zero of=$dir/disk bs=1M count=16 status=none
	mke2fs -q -F -t ext4 $dir/disk
	mount -o loop $dir/disk $img
	dd if=/dev/zero of=$img/fill bs=64k 2> /dev/null
	left=$(stat -c %s $img/fill)
	truncate -s $((left - $1 * 1024)) $img/fill
}

ext4()
{
	new_ext4 0
	# ext4 has a few blocks more than it says
	fails ext4_full "kfd-(inventory|file-[0-9]+|process-[0-9]+).img: cannot be written: $no_room"
	umount $img
	new_ext4 4096
	fails ext4_full_in_contents "BO [0-9]+ .*contents cannot be written .*: $no_room"
	umount $img
}

# ulimit -f would end criu.
limits()
{
	local too_large='File too large: [0-9]+ bytes to be written to /tmp/parts/img, where no file'

	limit=1024
	fails limit_in_contents "BO [0-9]+ .*contents cannot be written .*: $too_large may have more than 1048576 "
	limit=12288
	fails limit_in_pages 'Error \(criu/.*File too large'
	limit=unlimited
}

load_modules vram_mb=64
modprobe -a loop ext4 || fail "no loop devices or no ext4"
echo "KTAP version 1"
echo "1..15"
start
tmpfs
ext4
limits
reached $steps && why "the GPU was ready before the last dump"
dump || why "no dump: $(grep Error $log)"
await "the end of the dumped one" gone
run_criu restore img -d
is_right
kill -9 "$PID" 2> /dev/null
result right_in_the_end
kernel_complaints >> $dir/why
unload_modules || why "the modules cannot be unloaded"
result unload
exit $failed
