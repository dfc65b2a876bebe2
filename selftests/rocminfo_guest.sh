#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: the distribution's unmodified rocminfo and rocm_agent_enumerator on
# simulated GPUs. Prints KTAP.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

gpus=2
out=/tmp/rocminfo.out

rocminfo_runs()
{
	with_amdgpu timeout 120 rocminfo > "$out" 2>&1
}

# value KEY COUNT PATTERN: the line "KEY: PATTERN" is there COUNT times
value()
{
	[ "$(grep -cE "^ *$1: +$3 *\$" "$out")" -eq "$2" ]
}

# enumerates PATTERN [OPTION]: rocm_agent_enumerator prints a line for each GPU
enumerates()
{
	local pattern=$1 said

	shift
	said=$(with_amdgpu timeout 120 rocm_agent_enumerator "$@") || return
	echo "$said"
	[ "$(grep -cxE "$pattern" <<< "$said")" -eq "$gpus" ]
}

# what the programs were shown is there for nobody else, and all that is loaded is
only_there()
{
	local shown

	[ ! -e /sys/module/amdgpu ] || return
	shown=$(with_amdgpu sh -c 'cat /sys/module/amdgpu_sim/parameters/num_gpus') || return
	[ "$shown" -eq "$gpus" ]
}

echo "KTAP version 1"
echo "1..11"
run load load_modules num_gpus=$gpus
run exit_code rocminfo_runs
sed 's/^/# /' "$out"
echo
run cpu_agent value "Device Type" 1 CPU
run gpu_agents value "Device Type" $gpus GPU
run isa value Name $gpus "amdgcn-amd-amdhsa--gfx900.*"
run compute_units value "Compute Unit" $gpus 4
run wavefront value "Wavefront Size" $gpus "64\(0x40\)"
run agent_enumerator enumerates gfx900
run agent_enumerator_name enumerates 'gfx900(:.*)?' -name
run stand_in_for_amdgpu only_there
run unload unload_modules
exit $failed
