# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts of a guest have in common: the demo's, the benchmarks', the tests'.
# Sourced by a bash script that runs as root in the guest, in the top directory.

KVER=$(uname -r)
SIM_DEBUGFS=/sys/kernel/debug/amdgpu_sim/0
# PLUGIN_DIR=DIR in the environment: another build of the plugin, for another criu
# shellcheck disable=SC2034  # for whoever sources this
PLUGIN_DIR=${PLUGIN_DIR:-$PWD/build/criu-plugin}

fail()
{
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# load_modules [SIM_PARAMETER...]: the driver and the simulator, with what they need
load_modules()
{
	local dir=build/$KVER mod dep

	for mod in amdkfd amdgpu_sim; do
		[ -f "$dir/$mod.ko" ] || fail "no $dir/$mod.ko: build the modules first"
		for dep in $(modinfo -F depends "$dir/$mod.ko" | tr , ' '); do
			[ "$dep" = amdkfd ] || modprobe "$dep" || fail "cannot load $dep"
		done
	done
	insmod "$dir/amdkfd.ko" || fail "cannot load amdkfd.ko"
	insmod "$dir/amdgpu_sim.ko" "$@" || fail "cannot load amdgpu_sim.ko"
	[ -c /dev/kfd ] || fail "no /dev/kfd"
}

# unload MODULE: what a dead process had, and work under way, may hold it for a moment
unload()
{
	local i

	for ((i = 0; i < 100; i++)); do
		rmmod "$1" 2> /dev/null && return 0
		sleep 0.1
	done
	rmmod "$1"
}

# CRIU=FILE in the environment: another criu than the distribution's. All that calls criu
# finds it by PATH. A newer one uses perf events, and an emulated CPU has to be spared that.
if [ -n "${CRIU:-}" ]; then
	[ -x "$CRIU" ] || fail "CRIU=$CRIU: no program"
	mkdir -p /tmp/criu-bin
	ln -sf "$(realpath "$CRIU")" /tmp/criu-bin/criu
	PATH=/tmp/criu-bin:$PATH
	vm/hold-perf < /dev/null > /dev/null 2>&1 &
	disown
fi

unload_modules()
{
	unload amdgpu_sim && unload amdkfd
}

# with_amdgpu COMMAND...: a command that looks for /sys/module/amdgpu, as ROCm's tools do
# since release 6, and takes nothing else for a driver. A module of that name would keep
# the kernel's own from loading, and whatever lies over /sys/module for everybody hides
# what is loaded later: so only the command has it, in a mount namespace of its own.
# What else it finds in /sys/module is the kernel's, as of now.
with_amdgpu()
{
	if [ -e /sys/module/amdgpu ]; then
		"$@"
		return
	fi
	unshare --mount sh -ec '
		back=$PWD
		mount -t tmpfs -o mode=755 none /sys/module
		cd /sys/module
		mkdir .sys amdgpu
		mount -t sysfs none .sys
		ln -s .sys/module/* .
		echo live > amdgpu/initstate
		cd "$back"
		exec "$@"' sh "$@"
}

# vram_used: VRAM that is allocated on the first simulated GPU
vram_used()
{
	cat "$SIM_DEBUGFS/vram_used"
}

# kernel_complaints: lines of the kernel log that no run may have; true when there is one
kernel_complaints()
{
	dmesg > /tmp/kernel.log
	! scripts/scan-klog /tmp/kernel.log
}
