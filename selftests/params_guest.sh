#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest: every parameter of the two modules with every value that it cannot have.
# The module must refuse to load with EINVAL, say so in one line that has the name and
# the range, and leave nothing; with the last possible values it loads. A parameter that
# this does not know has failed. Prints KTAP.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
# shellcheck source=demo/guest_lib.sh
. demo/guest_lib.sh
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

modules=${MODULES:-build/$(uname -r)}

# Parameters that are a number from 1 to this one.
amdgpu_sim_numbers="num_gpus 8
vram_mb 1048576
hqd_slots 64
sdma_slots 64"
amdkfd_numbers=""
# Of what the parameter's own function makes: selftests/sysmem.c has what it takes.
amdkfd_limit=system_mem_limit_mb
amdkfd_others="$amdkfd_limit pasids_used system_mem_used teardown_waits"
# what only builds with DEBUG=1 or BREAK= have, and takes any value of its type
others="kunit broken"

# refused MODULE NAME VALUE LINE: it does not load, for $error, and the log has one line
refused()
{
	local module=$1 name=$2 value=$3 line=$4 out

	dmesg --clear
	out=$(insmod "$modules/$module.ko" "$name=$value" 2>&1) && unload "$module"
	dmesg > /tmp/said
	sed "s/^/# $name=$value: /" /tmp/said
	grep -q "$error" <<< "$out" && [ ! -e "/sys/module/$module" ] &&
		[ "$(wc -l < /tmp/said)" -eq 1 ] && grep -q -- "$line" /tmp/said &&
		[ "$(ls /dev/dri 2>/dev/null)" = "$nodes" ]
}

# number MODULE NAME MAX
number()
{
	local module=$1 name=$2 max=$3 value bad="" error="Invalid parameters"

	# what the module itself looks at
	for value in 0 $((max + 1)) 4294967295; do
		refused "$module" "$name" "$value" "$module: $name is $value, must be 1 to $max" ||
			bad+=" $value"
	done
	# what the kernel does, of one with an error of its own
	error+='\|Numerical result out of range'
	for value in -1 4294967296 x 1x ""; do
		refused "$module" "$name" "$value" "invalid for parameter \`$name'\|parameter .*$name" ||
			bad+=" '$value'"
	done
	[ -z "$bad" ] || echo "# not refused as it should be: $bad"
	[ -z "$bad" ]
	result "$module.$name.impossible" $?
	insmod "$modules/$module.ko" "$name=$max" &&
		[ "$(cat "/sys/module/$module/parameters/$name")" = "$max" ] && unload "$module"
	result "$module.$name.greatest" $?
}

# the limit of memory: more than the machine has, and what is no number; and what is only
# to be read
limit()
{
	local value bad="" total

	total=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
	for value in $((total * 2)) 18446744073709551615 18446744073709551616 -1 x ""; do
		dmesg --clear
		insmod "$modules/amdkfd.ko" "$amdkfd_limit=$value" 2> /dev/null && unload amdkfd &&
			bad+=" '$value'"
		dmesg | sed "s/^/# $amdkfd_limit=$value: /"
		dmesg | grep -q $amdkfd_limit || bad+=" '$value' says nothing"
	done
	insmod "$modules/amdkfd.ko" system_mem_used=1 2> /dev/null && unload amdkfd && bad+=" used"
	[ -z "$bad" ] || echo "# not refused as it should be: $bad"
	[ -z "$bad" ] && [ ! -e /sys/module/amdkfd ]
	result amdkfd.$amdkfd_limit.impossible $?
}

# all MODULE: with the numbers that it has
all()
{
	local module=$1 numbers=$2 name max

	while read -r name max; do
		[ -z "$name" ] || number "$module" "$name" "$max"
	done <<< "$numbers"
	modinfo -F parm "$modules/$module.ko" | cut -d: -f1 | sort > /tmp/has
	{ cut -d' ' -f1 <<< "$numbers"; tr ' ' '\n' <<< "$others $amdkfd_others"; } | sort > /tmp/known
	comm -23 /tmp/has /tmp/known | sed 's/^/# not tested: /' | tee /tmp/new
	[ ! -s /tmp/new ]
	result "$module.all_are_known" $?
}

for dep in $(modinfo -F depends "$modules"/am{dgpu_sim,dkfd}.ko | tr ',' ' '); do
	[ "$dep" = amdkfd ] || modprobe "$dep" || exit 1
done
nodes=$(ls /dev/dri 2>/dev/null)
echo "KTAP version 1"
echo "1..11"
limit
all amdkfd "$amdkfd_numbers"
insmod "$modules/amdkfd.ko" || exit 1
all amdgpu_sim "$amdgpu_sim_numbers"
unload amdkfd
exit $failed
