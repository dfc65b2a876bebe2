#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# soak_guest.sh [ROUNDS]: run the selftests of selftests/fast ROUNDS times (100) in one
# guest that stays up. Each round is all that "run_guest --fast" is: the modules are
# loaded and unloaded for each program, and nothing may be left. Prints KTAP, one test
# for each round; of one that failed also what it printed. It ends with the first:
# what comes after may be its doing. Exit status 1 when there was one.
#
# The last test is about the list: the quickest round takes a minute at most.
set -u

here=$(dirname "$(readlink -f "$0")")
rounds=${1:-100}
most=60		# seconds
out=$(mktemp)
trap 'rm -f "$out"' EXIT
[[ $rounds =~ ^[1-9][0-9]*$ ]] || { echo "usage: soak_guest.sh [ROUNDS]" >&2; exit 2; }

echo "KTAP version 1"
echo "1..$((rounds + 1))"
quickest=
for ((i = 1; i <= rounds; i++)); do
	SECONDS=0
	"$here/run_guest" --fast > "$out" 2>&1
	rc=$?
	took=$SECONDS
	if [ $rc -ne 0 ]; then
		sed 's/^/  /' "$out"
		echo "not ok $i round_$i"
		exit 1
	fi
	if [ -z "$quickest" ] || [ "$took" -lt "$quickest" ]; then
		quickest=$took
	fi
	read -r _ available _ < <(grep ^MemAvailable: /proc/meminfo)
	echo "# $took s; $((available / 1024)) MiB available"
	echo "ok $i round_$i"
done
echo "# the quickest round took $quickest s"
if [ "$quickest" -gt $most ]; then
	echo "not ok $i fast_is_fast"
	exit 1
fi
echo "ok $i fast_is_fast"
