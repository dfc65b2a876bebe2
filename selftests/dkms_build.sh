#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# dkms_build.sh KVER - add and build the package with dkms, in a dkms tree of its
# own (build/dkms/KVER), which dkms_guest.sh installs from in a guest that runs
# that kernel. A guest without KVM compiles some twenty times slower: that is
# why the compiler runs here. Prints KTAP.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

kver=$1
tree=$PWD/build/dkms/$kver
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
dkms=(dkms --dkmstree "$tree/var" --sourcetree "$tree/usr/src" -m amdkfd-cr -v "$version")
# a signing key of its own: the machine's stays as it is
export mok_signing_key=$tree/mok.key mok_certificate=$tree/mok.pub

# dkms leaves a kernel alone that lacks what the driver is built on: no failure
excluded()
{
	mkdir -p "$tree/headers"
	sed '/^CONFIG_HMM_MIRROR=/d' "/boot/config-$kver" > "$tree/headers/.config"
	"${dkms[@]}" build -k "$kver" --kernelsourcedir "$tree/headers"
	[ $? -eq 77 ]
}

# The headers of KVER as those of a kernel that nobody has seen: a copy of links below
# $tree/lib/modules, in which hmm_range_fault() has another name.
make_headers()
{
	local build common new=$tree/lib/modules/$kver/build

	build=$(readlink -f "/lib/modules/$kver/build")
	common=$(sed -n 's,^include \(/.*\)/Makefile$,\1,p' "$build/Makefile")
	mkdir -p "${new%/*}"
	cp -as "$build" "$new"
	cp -as "$common" "$tree/common"
	rm "$new/Makefile" "$tree/common/include/linux/hmm.h"
	echo "include $tree/common/Makefile" > "$new/Makefile"
	sed 's/\<hmm_range_fault\>/hmm_range_walk/' "$common/include/linux/hmm.h" \
		> "$tree/common/include/linux/hmm.h"
}

# skipped_by_hook NAME ROOT WHY: the kernel's hook below /etc/kernel succeeds, and says in
# one line that the kernel is skipped; with the dkms that is below ROOT
skipped_by_hook()
{
	local rc=0

	# shellcheck disable=SC2016	# for the other shell
	unshare -rm bash -c '
		mount --bind "$1/lib/modules" /lib/modules &&
		mount --bind "$1/var" /var/lib/dkms &&
		mount --bind "$2/usr/sbin/dkms" /usr/sbin/dkms &&
		mount --bind "$2/usr/lib/dkms/dkms_autoinstaller" \
			/usr/lib/dkms/dkms_autoinstaller &&
		exec run-parts --arg="$4" "/etc/kernel/$3.d" --regex="^dkms$"
		' hook "$tree" "$2" "$1" "$kver" > "$tree/hook.log" 2>&1 || rc=$?
	cat "$tree/hook.log"
	[ "$rc" -eq 0 ] && [ "$(grep -c "is skipped for $kver: $3" "$tree/hook.log")" -eq 1 ] &&
		! grep -i "error!" "$tree/hook.log" &&
		! ls -d "$tree/var/amdkfd-cr/$version/$kver" 2> /dev/null
}

# what has changed is told by the compiler
skipped_when_it_does_not_compile()
{
	skipped_by_hook postinst "$1" '.*hmm_range_fault'
}

skipped_when_a_symbol_is_gone()
{
	rm -f "$tree/lib/modules/$kver/build/Module.symvers" "$tree/common/include/linux/hmm.h"
	sed -n 's,^include \(/.*\)/Makefile$,\1,p' "/lib/modules/$kver/build/Makefile" |
		xargs -I{} ln -s {}/include/linux/hmm.h "$tree/common/include/linux/hmm.h"
	grep -vw hmm_range_fault "/lib/modules/$kver/build/Module.symvers" \
		> "$tree/lib/modules/$kver/build/Module.symvers"
	skipped_by_hook header_postinst / 'it does not export hmm_range_fault'
}

skipped_when_a_config_is_not_set()
{
	local file

	for file in .config include/config/auto.conf; do
		rm -f "$tree/lib/modules/$kver/build/$file"
		sed '/^CONFIG_HMM_MIRROR=/d' "/lib/modules/$kver/build/$file" \
			> "$tree/lib/modules/$kver/build/$file"
	done
	skipped_by_hook postinst "$1" 'it has no CONFIG_HMM_MIRROR'
}

built()
{
	local mod
	for mod in amdkfd amdgpu_sim; do
		ls -l "$tree/var/amdkfd-cr/$version/$kver/x86_64/module/$mod".ko* || return 1
	done
}

# what is built says of which package it is: dkms and whoever reads a bug report ask
have_version()
{
	local file

	for file in "$tree/var/amdkfd-cr/$version/$kver"/x86_64/module/*.ko*; do
		echo "$file: $(modinfo -F version "$file")"
		[ "$(modinfo -F version "$file")" = "$version" ] || return 1
	done
}

# what dkms says of a dkms.conf that has keys it no longer knows
no_deprecated_keys()
{
	! grep -niE 'deprecat|warning' "$tree/add.log"
}

add()
{
	"${dkms[@]}" add > "$tree/add.log" 2>&1
	local rc=$?
	cat "$tree/add.log"
	return "$rc"
}

rm -rf "$tree"
mkdir -p "$tree/var" "$tree/usr/src"
# Debian 12's dkms, and Debian 13's where its world has been made
roots=("")
newer=${AMDKFD_CR_CACHE:-$HOME/.cache/amdkfd-cr}/worlds/trixie/current/root
[ ! -x "$newer/usr/sbin/dkms" ] || roots+=("$newer")
echo "KTAP version 1"
echo "1..$((9 + 2 * ${#roots[@]}))"
run source make -s dkms-source DESTDIR="$tree"
run add add
run no_deprecated_keys no_deprecated_keys
run skipped_without_hmm excluded
run headers make_headers
for root in "${roots[@]}"; do
	run "skipped_when_it_does_not_compile${root:+_newer_dkms}" \
		skipped_when_it_does_not_compile "$root/"
done
run skipped_when_a_symbol_is_gone skipped_when_a_symbol_is_gone
for root in "${roots[@]}"; do
	run "skipped_when_a_config_is_not_set${root:+_newer_dkms}" \
		skipped_when_a_config_is_not_set "$root/"
done
run build "${dkms[@]}" build -k "$kver"
run built built
run have_version have_version
exit $failed
