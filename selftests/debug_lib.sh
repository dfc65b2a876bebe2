# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the debug kernel can tell: leaks and coverage. Sourced by what runs in the
# guest; on another kernel all of it does nothing.

KMEMLEAK=/sys/kernel/debug/kmemleak

# counts_leaks: prints 1 where no_leaks can tell anything, else 0
counts_leaks()
{
	# there, but switched off (no kmemleak=on), it takes no command
	if [ -e $KMEMLEAK ] && echo scan=off 2> /dev/null > $KMEMLEAK; then
		echo 1
	else
		echo 0
	fi
}

# forget_leaks: what is lost now is not ours; and no scan but those asked for
forget_leaks()
{
	[ "$(counts_leaks)" = 1 ] || return 0
	echo clear > $KMEMLEAK
}

# no_leaks: whether everything allocated since forget_leaks can still be reached.
# An object is reported when it is older than five seconds; its checksum must not
# change between two scans.
no_leaks()
{
	local report

	[ "$(counts_leaks)" = 1 ] || return 0
	sleep 6
	echo scan > $KMEMLEAK
	sleep 1
	echo scan > $KMEMLEAK
	report=$(cat $KMEMLEAK)
	[ -n "$report" ] || return 0
	echo "kmemleak: leaks:" > /dev/kmsg
	# shellcheck disable=SC2001 # of every line
	sed 's/^/# /' <<< "$report"
	return 1
}

# save_coverage: leave what the kernel has counted for our modules in GCOV_DIR
save_coverage()
{
	local from

	[ -n "${GCOV_DIR:-}" ] && [ -d /sys/kernel/debug/gcov ] || return 0
	mkdir -p "$GCOV_DIR"
	# the innermost of that name: the tree may lie in another
	from=$(find /sys/kernel/debug/gcov -depth -type d -name amdkfd -print -quit)
	# in one process: there are a hundred files
	(cd "$from" && find . -name '*.gcda' -exec cp --parents -t "$GCOV_DIR" {} +)
}
