# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What demo/run and bench/run have in common. Sourced by a bash script that runs on the
# host in the top directory. What is said begins with $ME, set by whoever sources this.
# All that can be set is looked at before anything is built or booted (--check does that
# alone); what is not understood is refused with one line and exit code 2.

# series_of RELEASE: those that vm/releases has, in one line; false when it has none
series_of()
{
	grep "^$1 " vm/releases | tr -d '()' | cut -d ' ' -f 2- | grep .
}

# The series of this machine's kernels, as vm/kernels.py has them: that needs what has not
# been installed yet.
read -ra SERIES < <(
	# shellcheck source=/dev/null
	. /etc/os-release
	series_of "${VERSION_CODENAME:-}" || {
		newest=$(printf '%s\n' /boot/vmlinuz-[0-9]* | sort -V |
			sed -nE '$s,^/boot/vmlinuz-([0-9]+\.[0-9]+)\..*,\1,p')
		echo "${newest:-$(series_of "$(tail -n 1 vm/releases | cut -d ' ' -f 1)")}"
	})

refuse()
{
	echo "$ME: $*" >&2
	exit 2
}

# flag NAME: $NAME is 0 or 1; empty is 0
flag()
{
	[ -n "${!1}" ] || printf -v "$1" 0
	case ${!1} in
	0 | 1) ;;
	*) refuse "$1=${!1}: neither 0 nor 1" ;;
	esac
}

# one_of NAME WORD...: $NAME is one of them
one_of()
{
	local name=$1 word

	shift
	for word; do
		[ "${!name}" != "$word" ] || return 0
	done
	refuse "$name=${!name}: none of $*"
}

# choose_kernel: $WORLD is nothing or a world, and $KERNEL one of it or of this machine, or
# this machine's debug kernel; when it is nothing it becomes the first. A world that moves
# has one kernel, without a name.
choose_kernel()
{
	local all=("${SERIES[@]}" debug)

	if [ -n "$WORLD" ]; then
		one_of WORLD bookworm trixie sid
		read -ra all < <(series_of "$WORLD")
		[ -z "$KERNEL" ] || [ ${#all[@]} -gt 0 ] ||
			refuse "KERNEL=$KERNEL is not for WORLD=$WORLD, which has one kernel"
	fi
	: "${KERNEL:=${all[0]-}}"
	[ -z "$KERNEL" ] || one_of KERNEL "${all[@]}"
}

# number NAME MIN MAX: $NAME is a decimal number of the range
number()
{
	if [[ ! ${!1} =~ ^[1-9][0-9]{0,8}$ ]] || [ "${!1}" -lt "$2" ] || [ "${!1}" -gt "$3" ]; then
		refuse "$1=${!1}: not a number from $2 to $3"
	fi
}

# letters NAME LETTERS MAX: $NAME has no others, and not more than MAX
letters()
{
	local value=${!1}

	if [[ $value =~ [^$2] ]] || [ ${#value} -gt "$3" ]; then
		refuse "$1=$value: not letters of \"$2\", $3 at most"
	fi
}

# set_all USAGE ARGUMENTS -- NAME...: the variables that ARGUMENTS set, each a NAME=VALUE;
# $CHECK becomes 1 with --check
set_all()
{
	local usage=$1 arg args=() name

	shift
	CHECK=0
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	for arg in "${args[@]}"; do
		if [ "$arg" = --check ]; then
			# shellcheck disable=SC2034	# for whoever sources this
			CHECK=1
			continue
		fi
		for name; do
			[ "${arg%%=*}" = "$name" ] && [ "$arg" != "$name" ] && break
			name=
		done
		[ -n "$name" ] || refuse "\"$arg\" is not understood; usage: $usage"
		printf -v "$name" %s "${arg#*=}"
	done
}

# new_log NAME: $LOG becomes a file that no other run writes to, unless one was asked
# for; vm/run removes old ones from there
new_log()
{
	: "${LOG:=build/vm/$(date +%m%d-%H%M%S)-$1-$$.log}"
	# an older one would be taken for this run's if there comes none
	[ ! -f "$LOG" ] || rm -f "$LOG" || exit 2
}

# failed RC: say so, and where the log is if there is one
failed()
{
	local where=

	[ ! -s "$LOG" ] || where="; the guest's kernel log is in $LOG"
	echo "$ME: failed with $1$where" >&2
}
