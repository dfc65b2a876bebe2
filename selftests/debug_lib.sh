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
	local from=/sys/kernel/debug/gcov file to

	[ -n "${GCOV_DIR:-}" ] && [ -d $from ] || return 0
	find $from -name '*.gcda' -path '*/amdkfd/*' | while read -r file; do
		to=$GCOV_DIR/${file##*/amdkfd/}
		mkdir -p "$(dirname "$to")"
		# a file of debugfs has no size
		cat "$file" > "$to"
	done
}
