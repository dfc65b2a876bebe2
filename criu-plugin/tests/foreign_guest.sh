#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Programs that have more of a GPU than an image can hold: criu refuses them, says
# why, and they go on unharmed; and programs whose mappings are in pieces, which
# come back. As root in the guest, in the top directory; prints KTAP.
#
#	vm/run --kernel 6.1 --mem 2G --timeout 600 -- criu-plugin/tests/foreign_guest.sh [TEST...]

set -u
only=" $* "
# shellcheck source=criu-plugin/tests/criu_guest.sh
. criu-plugin/tests/criu_guest.sh
dir=/tmp/criu-guest

wanted()
{
	[ "$only" = "  " ] || [[ $only == *" $1 "* ]]
}

# left MODE COUNT REASON [NAME=VALUE]: not dumped, for a reason, and then as right as
# without; NAME in criu's environment
left()
{
	local mode=$1 count=$2 reason=$3

	wanted "$mode" || return
	start "$mode" "$count"
	env ${4:+"$4"} criu dump -t "$PID" -D "$dir/img" -o dump.log -v4 -L "$PLUGIN_DIR" > "$dir/out" 2>&1 &&
		why "the dump was not refused"
	grep -qE "$reason" "$dir/img/dump.log" ||
		why "no reason: $(grep -E 'Error' "$dir/img/dump.log")"
	finish "$count"
	kill -9 "$PID" 2>/dev/null
	result "$mode"
}

# comes_back MODE COUNT
comes_back()
{
	wanted "$1" || return
	round_trip "$1" "$1" "$2"
}

error="kfd_plugin: Error: "
has="${error}process [0-9]+: renderD128, fd [0-9]+: has"
held="${error}process [0-9]+: fd [0-9]+ is"
closed="${error}process [0-9]+: renderD128 .GPU [0-9]+., whose file is closed: has"
stray="${error}process [0-9]+: has state of a GPU, and no file of /dev/kfd of its own open"

load_modules num_gpus=1
echo "KTAP version 1"
left gem 1 "$has 1 GEM buffer that no image"
left gem_mapped 1 "${error}process [0-9]+: maps /dev/dri/renderD128 at .* where no buffer of KFD"
left ctx 1 "$has 1 context that"
left second 1 "$has 1 context that"
left list 1 "$has 1 buffer list that"
left syncobj 1 "$has 1 sync object that"
left syncobj_fd 1 "$held a sync object"
left sync_file 1 "$held a sync file"
left dmabuf 1 "$held a DMA-BUF"
left dmabuf_mapped 1 "${error}process [0-9]+: maps a DMA-BUF at"
if grep -q pidfd_entry "$(command -v criu)"; then
	comes_back pidfd 1	# since 4.1
else
	left pidfd 1 "Can't dump file [0-9]+ of that type .*pidfd"
fi
left smi 1 "${error}the driver refused: PROCESS_INFO EISCONN"
left card 1 "${error}process [0-9]+: has /dev/dri/card0 open"
left freed 1 "${error}process [0-9]+: maps .* where no buffer of KFD"
left only_gem 1 "$has 1 GEM buffer that"
left only_mapping 1 "${error}process [0-9]+: maps .* and has no file of /dev/kfd of its own"
left kfd_closed 1 "$stray"
left in_child 2 "$has 1 GEM buffer that"
left closed_gem 1 "$closed 1 GEM buffer that"
left closed_ctx 1 "$closed 1 context that"
left closed_list 1 "$closed 1 buffer list that"
left closed_syncobj 1 "$closed 1 sync object that"
left stray 1 "$stray"
left stray_child 2 "$stray"
left stray_late 1 "$stray" LD_PRELOAD="$PWD/build/criu-plugin/tests/late_close.so"
comes_back looked 1
comes_back closed_clean 1
comes_back only_open 1
comes_back eventfd 1
comes_back split 1
kernel_complaints >> "$dir/why"
unload_modules || why "the modules cannot be unloaded"
result unload
echo "1..$n"
exit "$failed"
