#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2034,SC2154	# dkms sets and reads what is not named kfd_*
#
# verdict.sh - sourced by dkms.conf, in the shell of dkms: where the modules cannot be
# built for the kernel that dkms is about, says so in one line and has dkms skip it.

# While dkms 3.0 looks for what to install by itself, kernelver is not the kernel that
# this is for, but dkms's own, below that local one, is.
kfd_kver=$(unset kernelver; echo "${kernelver[0]:-}")
kfd_kver=${kfd_kver:-${kernelver:-}}
kfd_kdir=${kernel_source_dir:-}
if [ -z "${ksourcedir_fromcli:-}" ]; then
	kfd_kdir=$(_get_kernel_dir "$kfd_kver" 2> /dev/null) ||
		kfd_kdir=/lib/modules/$kfd_kver/build
fi
kfd_entry=${dkms_tree:-/var/lib/dkms}/$PACKAGE_NAME/$PACKAGE_VERSION
kfd_why=
# nothing to find out without headers, nor where it is built already
if [ -n "$kfd_kver" ] && [ -e "$kfd_kdir/Makefile" ] && [ ! -d "$kfd_entry/$kfd_kver" ]; then
	# one dkms sources this several times, and is told the same: kept for as long
	# as its process is there
	kfd_for="$$ $(cut -d ' ' -f 22 "/proc/$$/stat" 2> /dev/null) $kfd_kver $kfd_kdir"
	if [ "$(head -n 1 "$kfd_entry/.verdict" 2> /dev/null)" = "$kfd_for" ]; then
		kfd_why=$(tail -n +2 "$kfd_entry/.verdict")
	else
		# shellcheck disable=SC2086	# several words
		kfd_why=$("${BASH_SOURCE[0]%/*}/compiles.sh" "$kfd_kdir" \
			$BUILD_EXCLUSIVE_CONFIG < /dev/null 2> /dev/null)
		# 1 is no; whatever else went wrong is for the build to tell
		[ $? -eq 1 ] || kfd_why=
		[ -z "$kfd_why" ] ||
			echo "$PACKAGE_NAME $PACKAGE_VERSION is skipped for $kfd_kver: $kfd_why" >&2
		[ ! -w "$kfd_entry" ] ||
			printf '%s\n' "$kfd_for" "$kfd_why" > "$kfd_entry/.verdict"
	fi
fi
if [ -n "$kfd_why" ]; then
	BUILD_EXCLUSIVE_KERNEL='^$'
	# dkms 3.0 would take what it skips for what failed
	[ "$action" = build ] || [ "$action" = install ] || AUTOINSTALL=
fi
