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
echo "KTAP version 1"
echo "1..7"
run source make -s dkms-source DESTDIR="$tree"
run add add
run no_deprecated_keys no_deprecated_keys
run skipped_without_hmm excluded
run build "${dkms[@]}" build -k "$kver"
run built built
run have_version have_version
exit $failed
