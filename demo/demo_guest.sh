#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The demo, as it runs in the guest: see demo/run.

set -u
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh

VERBOSE=${VERBOSE:-0}
STEPS=${STEPS:-4096}
BOLD=${BOLD:-}
PLAIN=${PLAIN:-}
DIR=/tmp/demo
IMG=$DIR/img
STATUS=$DIR/status
LOG=$DIR/gpu_chain.log
CRIU_FAILED=

# ---------------------------------------------------------------- small tools

now_ms()
{
	local t=${EPOCHREALTIME/[.,]/}

	echo $((t / 1000))
}

# seconds MS: 1234 as 1.2
seconds()
{
	printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100))
}

mib()
{
	echo $((($1 + 524288) / 1048576))
}

# rate BYTES MS: MB/s
rate()
{
	echo $(($1 / 1000 / ($2 > 0 ? $2 : 1)))
}

# say WHAT TEXT...: one line of the timeline
say()
{
	local what=$1

	shift
	printf '%7s s  %s%-12s%s %s\n' "$(seconds $(($(now_ms) - START)))" \
		"$BOLD" "$what" "$PLAIN" "$*"
}

# nap SECONDS: sleep without a new process, by reading a pipe that stays empty
exec {NAP_FD}<> <(:)
nap()
{
	read -r -t "$1" -u "$NAP_FD" || :
}

# field NAME: a value of the program's status line
field()
{
	local -a words
	local i v

	read -r -a words 2>/dev/null < "$STATUS" || return 1
	for ((i = 0; i + 1 < ${#words[@]}; i++)); do
		[ "${words[i]}" = "$1" ] || continue
		v=${words[i + 1]}
		[[ $v =~ ^[0-9]+$ ]] && v=$((10#$v))
		echo "$v"
		return 0
	done
	return 1
}

# alive PID: there, and not a zombie
alive()
{
	local -a stat

	read -r -a stat 2>/dev/null < "/proc/$1/stat" && [ "${stat[2]}" != Z ]
}

# await SECONDS WHAT COMMAND...: until COMMAND is true
await()
{
	local end=$(($(now_ms) + $1 * 1000)) what=$2

	shift 2
	until "$@"; do
		[ "$(now_ms)" -lt $end ] || stop "waited in vain: $what"
		nap 0.1
	done
}

indent()
{
	sed 's/^/             | /'
}

show_logs()
{
	local f

	for f in "$LOG" "$IMG/dump.log" "$IMG/restore.log"; do
		[ -f "$f" ] || continue
		echo "--- $(basename "$f")"
		if [ "$VERBOSE" = 1 ]; then cat "$f"; else tail -n 15 "$f"; fi
	done
	echo "--- kernel log"
	if [ "$VERBOSE" = 1 ]; then dmesg; else dmesg | tail -n 15; fi
}

# stop TEXT...: the demo has failed
stop()
{
	say FAILED "$*"
	show_logs
	exit 1
}

# criu_run WHAT ARGUMENT...: run criu, milliseconds in CRIU_MS
criu_run()
{
	local what=$1 t rc

	shift
	t=$(now_ms)
	criu "$what" "$@" -D "$IMG" -o "$what.log" -v4 -L "$PLUGIN_DIR" > "$DIR/criu.out" 2>&1
	rc=$?
	CRIU_MS=$(($(now_ms) - t))
	[ $rc -eq 0 ] && return 0
	CRIU_FAILED=$(grep -hE 'Error' "$IMG/$what.log" "$DIR/criu.out" 2>/dev/null | head -n 3)
	stop "criu $what: exit code $rc: $CRIU_FAILED"
}

# ------------------------------------------------------------------ the acts

reached()
{
	[ "$(field step)" -ge "$1" ] 2>/dev/null && return 0
	alive "$PID" || stop "gpu_chain is gone: $(tail -n 1 "$LOG")"
	return 1
}

no_vram_used()
{
	[ "$(vram_used)" -eq 0 ]
}

users_as_before()
{
	[ "$(cat /sys/module/amdkfd/refcnt)" = "$USERS" ]
}

start_program()
{
	mkdir -p "$IMG"
	setsid build/demo/gpu_chain --steps "$STEPS" --status "$STATUS" \
		< /dev/null > "$LOG" 2>&1 &
	PID=$!
	disown		# the shell need not say that it was killed
	await 60 "the program to begin" test -s "$STATUS"
	await 60 "the program's first steps" reached 1
	indent < "$LOG"
	say running "pid $PID: step $(field step) of $STEPS," \
		"VRAM in use: $(mib "$(vram_used)") MiB"
	await 300 "half of the chain" reached $((STEPS * 2 / 5))
}

freeze()
{
	local seen

	seen=$(field step)
	say dump "frozen in the middle: step $seen done, up to step $(field queued) queued on the GPU"
	FROZEN=$(now_ms)
	# libhsakmt keeps an unlinked semaphore: criu links it anew, if told to
	criu_run dump -t "$PID" --link-remap
	DUMP_MS=$CRIU_MS
	await 10 "the dumped process to go" dead
	AT=$(field step)
	QUEUED=$(field queued)
	BYTES=$(du -sb --apparent-size "$IMG" | cut -f1)
	say dumped "at step $AT with $((QUEUED - AT)) steps in the queues:" \
		"$(mib "$BYTES") MiB in $(seconds "$DUMP_MS") s, $(rate "$BYTES" "$DUMP_MS") MB/s"
	[ "$AT" -lt "$STEPS" ] || stop "the chain was through before the dump: $STEPS steps are too few here"
	[ "$QUEUED" -gt "$AT" ] || stop "nothing was in the queues"
}

show_gone()
{
	alive "$PID" && stop "pid $PID is still there"
	await 10 "VRAM to be free" no_vram_used
	await 10 "the driver's users to go" users_as_before
	nap 1
	[ "$(field step)" -eq "$AT" ] || stop "something still counts steps"
	say gone "no pid $PID, VRAM in use: $(vram_used) bytes," \
		"uses of amdkfd: $(cat /sys/module/amdkfd/refcnt), as before"
}

thaw()
{
	criu_run restore -d
	RESTORE_MS=$CRIU_MS
	FROZEN=$(($(now_ms) - FROZEN))
	alive "$PID" || stop "pid $PID is not there after the restore"
	say restored "pid $PID: $(mib "$BYTES") MiB in $(seconds "$RESTORE_MS") s," \
		"$(rate "$BYTES" "$RESTORE_MS") MB/s"
	await 120 "the first step after the restore" reached $((AT + 1))
	say "goes on" "step $(field step), from step $AT"
}

finished()
{
	local here=0

	# in this order: its last word may come while we look
	alive "$PID" && here=1
	case $(field state) in passed | failed) return 0 ;; esac
	[ $here = 1 ] || stop "the restored program died: $(tail -n 1 "$LOG")"
	return 1
}

dead()
{
	! alive "$PID"
}

finish()
{
	await 300 "the end of the chain" finished
	await 30 "the program to exit" dead
	say finished "step $(field step) of $STEPS"
	tail -n 5 "$LOG" | indent
	[ "$(field state)" = passed ] || stop "the result is wrong"
	grep -q '^result: right$' "$LOG" || stop "no result"
	await 10 "VRAM to be free" no_vram_used
	unload_modules || stop "the modules cannot be unloaded"
	kernel_complaints > "$DIR/complaints" && stop "the kernel complained: $(head -n 1 "$DIR/complaints")"
}

# what criu finds out about a kernel it keeps in a file: not a part of the first dump
prepare_criu()
{
	local out

	out=$(criu check 2>&1) || stop "criu check: $out"
	say criu "$(tail -n 1 <<< "$out")"
}

START=$(now_ms)
echo "kernel $KVER, $(criu --version | head -n 1 | sed 's/Version: /criu /')," \
	"libhsakmt $(dpkg-query -W -f '${Version}' libhsakmt1)"
echo
load_modules vram_mb=512
USERS=$(cat /sys/module/amdkfd/refcnt)
no_vram_used || stop "VRAM is in use before anything runs"
say modules "amdkfd and amdgpu_sim loaded, uses of amdkfd: $USERS, VRAM in use: 0"
prepare_criu
start_program
freeze
show_gone
thaw
finish
[ "$VERBOSE" = 1 ] && show_logs
echo
echo "Away for $(seconds "$FROZEN") s (dump $(seconds "$DUMP_MS") s, restore $(seconds "$RESTORE_MS") s)" \
	"with $(mib "$BYTES") MiB; the result is right."
