# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154  # failed is for whoever sources this; dir is theirs
# Tests in bash that print KTAP, on the host or in a guest. Sourced by a script that
# prints the first line and the plan, and ends with "exit $failed". Those that have
# complaints (why) keep files in $dir, which is there before the first of them.

n=0
failed=0

# result NAME [RC]: of a test that ended so; without RC it has failed when there are
# complaints, which are said and forgotten
result()
{
	local rc=${2-0}

	if [ $# -eq 1 ] && [ -s "$dir/why" ]; then
		sed 's/^/# /' "$dir/why"
		rc=1
	fi
	[ $# -ne 1 ] || : > "$dir/why"
	n=$((n + 1))
	if [ "$rc" -eq 0 ]; then
		echo "ok $n $1"
	else
		echo "not ok $n $1"
		failed=1
	fi
}

# why TEXT: a complaint about the test that runs
why()
{
	echo "$*" >> "$dir/why"
}

# What a function calls sees its locals: those of the two below are named so that a test
# has none of that name.

# run NAME COMMAND...: a test, of what the command's exit code is; it runs in a shell of
# its own
run()
{
	local ktap_name=$1 ktap_said ktap_rc

	shift
	ktap_said=$("$@" 2>&1)
	ktap_rc=$?
	[ -z "$ktap_said" ] || sed 's/^/# /' <<< "$ktap_said"
	result "$ktap_name" $ktap_rc
}

# run_strictly NAME FUNCTION...: as run, but the shell ends at the first command that
# fails; which one that is, and what was said before, is only told then
run_strictly()
{
	local ktap_name=$1 ktap_said ktap_rc

	shift
	ktap_said=$(
		exec 2>&1
		set -eE
		trap 'echo "line $LINENO: $BASH_COMMAND"' ERR
		"$@"
	)
	ktap_rc=$?
	[ $ktap_rc -eq 0 ] || sed 's/^/# /' <<< "$ktap_said"
	result "$ktap_name" $ktap_rc
}
