#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# dkms_states.sh - scripts/dkms again and again, from whatever state an earlier run
# or something else has left. With the dkms that is installed, in trees of its own,
# and with a package whose modules take no time to build. Prints KTAP.
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
# dkms looks for root; in a namespace of its own everybody is
[ "$(id -u)" -eq 0 ] || exec unshare -r "$0" "$@"
# shellcheck source=selftests/ktap_lib.sh
. selftests/ktap_lib.sh

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
kver=6.1.0-0-amd64
real_dkms=$(type -P dkms) || { echo "Bail out! dkms is not installed"; exit 1; }
lib=$tmp/lib/modules/$kver/updates/dkms
registry=$tmp/var/amdkfd-cr
src=$tmp/src/amdkfd-cr

# from_scratch TEST: with a package, and nothing of it anywhere else
from_scratch()
{
	rm -rf "${tmp:?}"/{pkg,var,src,lib,dest,broken_add}
	mkdir -p "$tmp/var" "$tmp/src" "${lib%/updates/dkms}"
	make_package
	"$1"
}

# The package, with everything that scripts/dkms takes and a build that is one object.
make_package()
{
	mkdir -p "$tmp"/pkg/{amdkfd,include,scripts,vm,LICENSES}
	cp scripts/dkms scripts/farm "$tmp/pkg/scripts/"
	cp vm/kernels.py "$tmp/pkg/vm/"
	touch "$tmp/pkg/Kbuild" "$tmp/pkg/include/i.h" "$tmp/pkg/LICENSES/l"
	echo "int version_1;" > "$tmp/pkg/amdkfd/module.c"
	printf '%s\n' 'modules:' $'\t$(CC) -c -o amdkfd.ko amdkfd/module.c' > "$tmp/pkg/Makefile"
	printf '%s\n' 'PACKAGE_NAME="amdkfd-cr"' 'PACKAGE_VERSION="1.0"' \
		'BUILT_MODULE_NAME[0]="amdkfd"' 'DEST_MODULE_LOCATION[0]="/updates/dkms"' \
		"MAKE[0]=\"'make' modules\"" > "$tmp/pkg/dkms.conf"
}

# What is found first as dkms: the real one, with a kernel that there is not
make_dkms()
{
	mkdir -p "$tmp/bin" "$tmp/headers/include"
	touch "$tmp/headers/.config" "$tmp/headers/Makefile"
	cat > "$tmp/bin/dkms" <<-END
		#!/bin/sh
		[ "\$1" != add ] || [ ! -e $tmp/broken_add ] || exit 5
		exec $real_dkms "\$@" --no-depmod --installtree $tmp/lib/modules \
			--kernelsourcedir $tmp/headers
	END
	chmod +x "$tmp/bin/dkms"
	PATH=$tmp/bin:$PATH
}

package()
{
	"$tmp/pkg/scripts/dkms" --dkmstree "$tmp/var" --sourcetree "$tmp/src" "$@"
}

dkms_itself()
{
	dkms "$@" -m amdkfd-cr -v 1.0 --dkmstree "$tmp/var" --sourcetree "$tmp/src"
}

fails()
{
	if "$@"; then
		return 1
	fi
}

newer()
{
	echo "int version_2;" > "$tmp/pkg/amdkfd/module.c"
}

# what is installed was made of version_$1, and so are the sources
installed_is()
{
	nm "$lib/amdkfd.ko" | grep "version_$1\$" &&
		grep "version_$1;" "$src-1.0/amdkfd/module.c" &&
		dkms_itself status -k "$kver" | grep ": installed"
}

# there are these sources and nothing beside them
sources_are()
{
	[ "$(ls -A "$tmp/src")" = "$(printf '%s\n' "$@")" ]
}

nothing_is_left()
{
	sources_are "" && [ ! -e "$registry" ] && [ ! -e "$lib" ]
}

# refused ACTION...: with exit code 1, one line that says what to do, nothing changed
refused()
{
	local before

	before=$(state)
	fails package "$@" > "$tmp/out" 2> "$tmp/err"
	[ ! -s "$tmp/out" ]
	[ "$(wc -l < "$tmp/err")" -eq 1 ]
	grep "raise PACKAGE_VERSION .* make dkms-remove" "$tmp/err"
	[ "$(state)" = "$before" ]
}

state()
{
	find "$tmp/src" "$tmp/var" "$tmp/lib" -type d -printf '%p\n' -o \
		-printf '%p %i %T@ %l\n' | sort
}

from_nothing()
{
	package install "$kver"
	installed_is 1
	sources_are amdkfd-cr-1.0
}

again()
{
	local before

	package install "$kver"
	before=$(state)
	package install "$kver"
	[ "$(state)" = "$before" ]
}

newer_than_installed()
{
	package install "$kver"
	newer
	refused install "$kver"
	refused source
	installed_is 1
}

newer_than_built()
{
	package source
	dkms_itself add
	dkms_itself build -k "$kver"
	newer
	refused install "$kver"
	refused source
}

installs_what_is_built()
{
	package source
	dkms_itself add
	dkms_itself build -k "$kver"
	package install "$kver"
	installed_is 1
}

newer_with_its_version()
{
	package install "$kver"
	newer
	sed -i 's/1\.0/1.1/' "$tmp/pkg/dkms.conf"
	package install "$kver"
	nm "$lib/amdkfd.ko" | grep version_2
	grep version_1 "$src-1.0/amdkfd/module.c"
	package remove
	sources_are amdkfd-cr-1.0
	dkms_itself status | grep ": built"
}

# the user says which it is to be
older_with_its_version()
{
	sed -i 's/1\.0/1.1/' "$tmp/pkg/dkms.conf"
	package install "$kver"
	newer
	sed -i 's/1\.1/1.0/' "$tmp/pkg/dkms.conf"
	package install "$kver"
	installed_is 2
}

# what dkms knew is gone, what it installed is not
replaces_what_dkms_forgot()
{
	package install "$kver"
	rm -rf "$registry" "$src-1.0"
	newer
	package install "$kver"
	installed_is 2
}

same_as_added()
{
	package source
	dkms_itself add
	package install "$kver"
	installed_is 1
}

# somebody has added it, to build it later
newer_than_added()
{
	package source
	dkms_itself add
	newer
	refused source
	refused install "$kver"
	dkms_itself status | grep ": added"
}

after_a_failed_build()
{
	echo "#error broken" > "$tmp/pkg/amdkfd/module.c"
	fails package install "$kver"
	# and nothing else happens in the same state
	fails package install "$kver" 2> "$tmp/err"
	fails grep already "$tmp/err"
	tail -n 1 "$tmp/err" | grep "make dkms-install tries again"
	newer
	refused source
	package install "$kver" > "$tmp/out"
	grep "whose build failed: it is replaced" "$tmp/out"
	installed_is 2
	sources_are amdkfd-cr-1.0
}

# one kernel has it, for another the build fails
failed_for_one_kernel()
{
	package install "$kver"
	newer
	mkdir -p "$registry/1.0/build"
	touch "$registry/1.0/build/make.log"
	refused install "$kver"
	installed_is 1
}

before_any_build()
{
	rm "$tmp/headers/Makefile"
	mv "$tmp/headers/include" "$tmp/headers/gone"
	fails package install "$kver" 2> "$tmp/err"
	mv "$tmp/headers/gone" "$tmp/headers/include"
	tail -n 1 "$tmp/err" | grep "make dkms-install tries again"
	nothing_is_left
}

removes_a_failed_build()
{
	echo "#error broken" > "$tmp/pkg/amdkfd/module.c"
	fails package install "$kver"
	package remove
	nothing_is_left
}

after_a_failed_add()
{
	touch "$tmp/broken_add"
	fails package install "$kver"
	nothing_is_left
	rm "$tmp/broken_add"
	package install "$kver"
	installed_is 1
}

sources_without_more()
{
	package source
	newer
	package source
	grep version_2 "$src-1.0/amdkfd/module.c"
	package remove
	nothing_is_left
	package source
	package install "$kver"
	installed_is 2
}

removes()
{
	package install "$kver"
	package remove
	nothing_is_left
}

removes_nothing()
{
	package remove
	package install "$kver"
	package remove
	package remove | grep "there is no amdkfd-cr 1.0"
	nothing_is_left
}

# somebody has removed the sources alone
without_its_sources()
{
	package install "$kver"
	rm -rf "$src-1.0"
	refused install "$kver"
	package remove
	nothing_is_left
	package source
	dkms_itself add
	rm -rf "$src-1.0"
	refused install "$kver"
	package remove
	nothing_is_left
}

# a build that was killed has left a part of what it makes
half_built()
{
	package source
	dkms_itself add
	mkdir -p "$registry/1.0/$kver/x86_64/module"
	package remove
	nothing_is_left
}

below_destdir()
{
	package source "$tmp/dest"
	grep version_1 "$tmp/dest$src-1.0/amdkfd/module.c"
	newer
	package source "$tmp/dest"
	grep version_2 "$tmp/dest$src-1.0/amdkfd/module.c"
	sources_are ""
}

# refuses_arguments: one line and exit code 2 for what is not understood
refuses_arguments()
{
	local args rc

	for args in "" nonsense "remove all" "source a b" "--nonsense remove" --dkmstree; do
		rc=0
		# shellcheck disable=SC2086	# several arguments
		"$tmp/pkg/scripts/dkms" $args > "$tmp/out" 2>&1 || rc=$?
		[ "$rc" -eq 2 ]
		[ "$(wc -l < "$tmp/out")" -eq 1 ]
	done
	nothing_is_left
}

# what cannot be written or read is one line, and nothing is left
refuses_what_it_cannot_have()
{
	fails package --sourcetree /dev/null/src source 2> "$tmp/err"
	grep "^dkms: /dev/null/src: Not a directory$" "$tmp/err"
	rm -r "$tmp/pkg/LICENSES" "$tmp/pkg/include"
	fails package install "$kver" 2>> "$tmp/err"
	tail -n 1 "$tmp/err" | grep "^dkms: the sources were not copied: .*No such file"
	[ "$(wc -l < "$tmp/err")" -eq 2 ]
	nothing_is_left
}

make_dkms
tests=(from_nothing again newer_than_installed newer_than_built installs_what_is_built
	newer_with_its_version older_with_its_version replaces_what_dkms_forgot
	same_as_added newer_than_added after_a_failed_build
	failed_for_one_kernel before_any_build removes_a_failed_build after_a_failed_add
	sources_without_more removes removes_nothing
	without_its_sources half_built below_destdir refuses_arguments
	refuses_what_it_cannot_have)
echo "KTAP version 1"
echo "1..${#tests[@]}"
for test in "${tests[@]}"; do
	run_strictly "$test" from_scratch "$test"
done
exit $failed
