#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: install the package that dkms_build.sh made for this kernel, load
# its modules the way a user would, remove it again. Prints KTAP.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

kver=$(uname -r)
tree=$PWD/build/dkms/$kver
moddir=/lib/modules/$kver
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
dkms=(dkms --dkmstree "$tree/var" --sourcetree "$tree/usr/src" -m amdkfd-cr -v "$version")

# A module tree with DRM and what it needs alone: depmod reads every module, and
# that takes minutes here for all of a distribution's.
small_module_tree()
{
	local tmp=/tmp/modules f
	mkdir -p $tmp
	modprobe -S "$kver" --show-depends drm_shmem_helper | awk '$1 == "insmod" { print $2 }' \
		> /tmp/needed
	find "$moddir/kernel/drivers/gpu/drm" -maxdepth 1 -name 'drm*.ko*' >> /tmp/needed
	find "$moddir/kernel/net/unix" "$moddir/kernel/drivers/dma-buf" -name '*.ko*' \
		>> /tmp/needed 2>/dev/null
	while read -r f; do
		mkdir -p "$tmp/$(dirname "${f#"$moddir/"}")"
		cp "$f" "$tmp/${f#"$moddir/"}"
	done < /tmp/needed
	cp -a "$moddir"/modules.builtin* "$moddir/modules.order" "$tmp/"
	cp -a "$moddir/build" "$tmp/" 2>/dev/null
	mount --bind $tmp "$moddir"
	depmod "$kver"
}

status_is()
{
	"${dkms[@]}" status -k "$kver"
	"${dkms[@]}" status -k "$kver" | grep -q ": $1\$"
}

in_place()
{
	[ "$(modinfo -F filename amdkfd)" = "$(ls "$moddir"/updates/dkms/amdkfd.ko*)" ] &&
	[ "$(modinfo -F filename amdgpu_sim)" = "$(ls "$moddir"/updates/dkms/amdgpu_sim.ko*)" ]
}

# Nothing may load these modules unless someone asks for them by name.
not_at_boot()
{
	[ -z "$(modinfo -F alias amdkfd)$(modinfo -F alias amdgpu_sim)" ] &&
	! grep -rsE 'amdkfd|amdgpu_sim' /etc/modules /etc/modules-load.d /lib/modules-load.d \
		/usr/lib/modules-load.d /etc/initramfs-tools/modules "$moddir/modules.alias"
}

loaded()
{
	[ -d /sys/module/amdkfd ] && [ -d /sys/module/amdgpu_sim ] && [ -c /dev/kfd ]
}

unloaded()
{
	unload_modules && [ ! -e /sys/module/amdkfd ] && [ ! -e /dev/kfd ]
}

gone()
{
	! ls "$moddir"/updates/dkms/amd* 2>/dev/null &&
	! modprobe -n amdkfd 2>/dev/null &&
	[ -z "$("${dkms[@]}" status)" ]
}

echo "KTAP version 1"
echo "1..9"
small_module_tree 2>&1 | sed 's/^/# /'
run built status_is built
run install "${dkms[@]}" install -k "$kver"
run in_place in_place
run not_at_boot not_at_boot
run load modprobe amdgpu_sim
run loaded loaded
run unload unloaded
run remove "${dkms[@]}" remove -k "$kver"
run gone gone
exit $failed
