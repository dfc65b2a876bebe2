#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# arguments.sh - what make, demo/run and bench/run are told and cannot do is refused at
# once, with one line, before anything is built or booted; and whose the logs are. Prints
# KTAP.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh
top=$PWD
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# nothing of whoever calls this
unset MAKEFLAGS MAKELEVEL MFLAGS KVER KDIR WORLD KERNEL VERBOSE DEMO STEPS PLAN LOG QUICK ONLY
# of this machine's kernels
read -ra series < <(vm/kernels.py series)
first=${series[0]} last=${series[-1]}

# told TEST: in a tree of its own; what a command said when it was refused comes last
told()
{
	rm -rf "$tmp/tree/build" "$tmp/booted"
	make_tree
	trap 'cat "$tmp/err"' EXIT
	cd "$tmp/tree" || exit 1
	"$1"
}

# The scripts, with programs that are built as far as they can tell, and a machine that
# says how it was started
make_tree()
{
	mkdir -p "$tmp"/tree/{demo,bench,vm,build/demo,build/bench,build/criu-plugin}
	cp "$top"/demo/{run,host_lib.sh} "$tmp/tree/demo/"
	cp "$top/bench/run" "$tmp/tree/bench/"
	cp "$top/vm/releases" "$tmp/tree/vm/"
	(cd "$tmp/tree/build" && touch demo/{gpu_chain,liveupdate-1,liveupdate-2} \
		bench/{kfd_bench,target} criu-plugin/kfd_plugin.so)
	cat > "$tmp/tree/vm/run" <<-'END'
		#!/bin/bash
		echo "$@" >> "$(dirname "$0")/../../booted"
		[ -z "${WRITES:-}" ] || while [ "$1" != --log ]; do shift; done
		[ -z "${WRITES:-}" ] || { mkdir -p "$(dirname "$2")" && echo "$WRITES" > "$2"; }
		exit "${EXITS:-0}"
	END
	chmod +x "$tmp/tree/vm/run"
}

# refused COMMAND...: exit code 2, one line, no machine
refused()
{
	local rc=0

	"$@" > "$tmp/out" 2> "$tmp/err" || rc=$?
	[ "$rc" -eq 2 ]
	[ ! -s "$tmp/out" ]
	[ "$(wc -l < "$tmp/err")" -eq 1 ]
	[ ! -e "$tmp/booted" ]
}

demo_is_refused()
{
	local bad

	for bad in STEPS=abc STEPS=0 STEPS=255 STEPS=-5 STEPS=1.5 STEPS=0x100 STEPS=010 STEPS=99999999 \
		STEPS=99999999999999999999 "STEPS=1 2" VERBOSE=2 VERBOSE=yes KERNEL=nonsense \
		KERNEL=5.10 DEMO=nonsense PLAN=n STEP=100 STEPS nonsense -v --help ""; do
		refused demo/run "$bad"
	done
	for bad in WORLD=nonsense WORLD=bare-trixie; do
		refused demo/run "$bad"
	done
	refused demo/run WORLD=trixie KERNEL=6.1
	refused demo/run WORLD=trixie KERNEL=debug
	refused demo/run WORLD=sid KERNEL=7.2
	for bad in PLAN=x PLAN=nle1 "PLAN=n l" "PLAN=$(printf 'n%.0s' {1..63})" STEPS=100; do
		refused demo/run DEMO=liveupdate "$bad"
	done
	refused env STEPS=abc demo/run
	refused env KERNEL=nonsense demo/run DEMO=liveupdate
}

bench_is_refused()
{
	local bad

	for bad in QUICK=2 QUICK=-1 ONLY=z ONLY=az ONLY=ausltrimpa KERNEL=nonsense KERNEL=debug \
		AMDGPU_PLUGIN=/nowhere CRIU=/nowhere STEPS=1 ONLY nonsense ""; do
		refused bench/run "$bad"
	done
	refused env ONLY=z bench/run
}

demo_is_run()
{
	demo/run STEPS=9999999 VERBOSE=1 KERNEL="$last"
	grep -e "--kernel $last .*--env VERBOSE=1 --env STEPS=9999999 " "$tmp/booted"
	demo/run STEPS=256
	grep -e "--kernel $first .*--env VERBOSE=0 --env STEPS=256 " "$tmp/booted"
	demo/run KERNEL= VERBOSE= STEPS=
	grep -e "--env STEPS=4096 " "$tmp/booted"
	demo/run DEMO=liveupdate "PLAN=$(printf 'nl%.0s' {1..31})"
	grep -e "--env PLAN=nlnl" "$tmp/booted"
	bench/run ONLY=ausrimp QUICK=1
	grep -e "--env QUICK=1 --env ONLY=ausrimp " "$tmp/booted"
}

# in another release's root, with what was built in there
demo_is_run_in_a_world()
{
	local rc=0

	demo/run WORLD=trixie 2> "$tmp/err" || rc=$?
	[ "$rc" -eq 1 ]
	[ "$(cat "$tmp/err")" = \
		"demo: no build/world/trixie/demo/gpu_chain: run make world WORLD=trixie first" ]
	[ ! -e "$tmp/booted" ]
	mkdir -p "$tmp"/tree/build/world/{trixie,sid}
	cp -r "$tmp"/tree/build/{demo,criu-plugin} "$tmp/tree/build/world/trixie"
	demo/run WORLD=trixie KERNEL=7.3
	grep -e "--world trixie --kernel 7.3 " "$tmp/booted"
	demo/run WORLD=trixie
	grep -e "--world trixie --kernel 6.12 " "$tmp/booted"
	# which has whatever it has
	cp -r "$tmp/tree/build/demo" "$tmp/tree/build/world/sid"
	demo/run WORLD=sid DEMO=liveupdate
	grep -e "--world sid --env " "$tmp/booted"
}

# --check looks, and that is all
is_only_checked()
{
	demo/run --check STEPS=500
	bench/run --check
	[ ! -e "$tmp/booted" ]
	refused demo/run --check STEPS=x
	refused bench/run --check QUICK=x
}

logs_are_not_shared()
{
	local _

	for _ in 1 2; do
		demo/run > /dev/null &
		bench/run > /dev/null &
	done
	wait
	[ "$(wc -l < "$tmp/booted")" -eq 4 ]
	[ "$(grep -o -e '--log [^ ]*' "$tmp/booted" | sort -u | wc -l)" -eq 4 ]
	demo/run LOG=build/my.log
	grep -e "--log build/my.log" "$tmp/booted"
}

# said COMMAND...: what it says when it fails
said()
{
	local rc=0

	"$@" > "$tmp/out" 2> "$tmp/err" || rc=$?
	[ "$rc" -eq 125 ]
	cat "$tmp/err"
}

no_log_is_named_that_is_not_there()
{
	local cmd log

	export EXITS=125
	for cmd in demo/run bench/run; do
		[ "$(WRITES='' said "$cmd")" = "${cmd%/run}: failed with 125" ]
		log=$(WRITES=text said "$cmd")
		log=${log##* }
		[ "$(cat "$log")" = text ]
		# an older run's is none
		[ "$(WRITES='' said "$cmd" LOG="$log")" = "${cmd%/run}: failed with 125" ]
	done
}

modules_are_refused()
{
	local bad

	mkdir "$tmp/empty"
	for bad in KVER=nonsense KVER= KVER=6.99 "KVER=$first nonsense" KVER=../x 'KVER=$x' \
		"KVER=x KDIR=/nonsense"; do
		local args=("$bad") rc=0
		[[ $bad != *KDIR* ]] || args=(KVER=x KDIR=/nonsense)
		make -s -C "$top" modules OUT="$tmp/empty" "${args[@]}" \
			> "$tmp/out" 2> "$tmp/err" || rc=$?
		[ "$rc" -eq 2 ]
		[ "$(wc -l < "$tmp/err")" -eq 1 ]
		[ ! -s "$tmp/out" ]
		[ -z "$(ls -A "$tmp/empty")" ]
	done
	rmdir "$tmp/empty"
}

# a series is the newest of it
modules_of_a_series()
{
	local name kver

	for name in "$first" "$last"; do
		kver=$("$top/vm/kernels.py" headers "$name")
		make -s -n -C "$top" modules OUT="$tmp/out.d" KVER="$name" > "$tmp/out"
		grep "M=$tmp/out.d/$kver " "$tmp/out"
		make -s -n -C "$top" modules OUT="$tmp/out.d" KVER="$kver" | diff "$tmp/out" -
	done
}

# make says it before it sets up or builds anything
make_refuses()
{
	local args

	for args in "demo STEPS=abc" "demo KERNEL=nonsense" "demo WORLD=nonsense" "demo-liveupdate PLAN=x" \
		"bench ONLY=z" "bench KERNEL=5.10" "fuzz ROUNDS=abc" "fuzz ROUNDS=0" \
		"fuzz RUNS=-1" "fuzz SEED=0x1"; do
		local rc=0
		# shellcheck disable=SC2086	# several arguments
		timeout 20 make -s -C "$top" OUT="$tmp/empty" $args > "$tmp/out" 2> "$tmp/err" ||
			rc=$?
		[ "$rc" -eq 2 ]
		[ ! -s "$tmp/out" ]
		[ "$(grep -vc '^make' "$tmp/err")" -eq 1 ]
		[ ! -e "$tmp/empty" ]
	done
}

fuzz_image_is_refused()
{
	local bad

	for bad in abc 0 -1 1.5; do
		refused "$top/selftests/fuzz/run" /nonsense "$bad"
	done
}

tests=(demo_is_refused bench_is_refused demo_is_run demo_is_run_in_a_world is_only_checked
	logs_are_not_shared no_log_is_named_that_is_not_there modules_are_refused modules_of_a_series
	make_refuses fuzz_image_is_refused)
: > "$tmp/err"
echo "KTAP version 1"
echo "1..${#tests[@]}"
for test in "${tests[@]}"; do
	run_strictly "$test" told "$test"
done
exit $failed
