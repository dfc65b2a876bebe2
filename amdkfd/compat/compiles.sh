#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# compiles.sh KDIR [CONFIG...] - whether the modules can be built for the kernel
# whose build tree is KDIR: the CONFIGs are set, every source file is understood by
# the compiler, and what they call is exported.
#
# Exit status: 0 yes; 1 no, and one line says why; 2 nobody knows. For dkms.conf,
# and so without a word else, nothing read and nothing kept. It costs a small part
# of what the build does: there is no code made.
set -u
export LC_ALL=C
kdir=$1
shift
top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
[ -f "$kdir/Makefile" ] || exit 2
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
exec < /dev/null 2> /dev/null

no()
{
	echo "$*"
	exit 1
}

# first_error FILE: one line of what a compiler has said
first_error()
{
	sed -n "s,^$top/,,; /error: /{p; q}" "$1" | cut -c -200
}

has_configs()
{
	local conf=$kdir/include/config/auto.conf config

	[ -e "$conf" ] || conf=$kdir/.config
	[ -e "$conf" ] || return 0
	for config; do
		grep -q "^$config=[ym]" "$conf" || no "it has no $config"
	done
}

# What kbuild would compile, one line each: the source and the flags it alone has. From
# the list that there is, read with this kernel's configuration.
list_sources()
{
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -f - "src=$top" <<-'END'
		-include $(kdir)/include/config/auto.conf
		include $(src)/Kbuild
		list: ; @: $(foreach o,$(amdkfd-y) $(amdkfd-m) $(amdgpu_sim-y),\
			$(info $(strip $(o:.o=.c) $(CFLAGS_$(o)))))
		.DEFAULT_GOAL := list
	END
}

# compile FLAG... SOURCE: as kbuild would, up to where code is made
compile()
{
	# ours come before the kernel's: <linux/kfd_ioctl.h> is ours
	eval "${cc/ -/ $includes -}" '"$@"'
}

# check SOURCE [FLAG...]: 255 ends the xargs that runs this
check()
{
	local source=$1

	shift
	compile "$@" -fsyntax-only "$top/$source" 2> "$tmp/${source//\//_}.err" || exit 255
}

# Names of functions that are called in the text on stdin
called()
{
	grep -oE '(->|\.)?\b[A-Za-z_][A-Za-z0-9_]*\(' | grep -vE '^(->|\.)' | tr -d '(' | sort -u
}

# What our sources call, by its own name and on this kernel, what the kernel's headers
# declare without a body, and Module.symvers does not have. Nothing where one of these
# cannot be found out: the build tells.
not_exported()
{
	local file

	[ -s "$kdir/Module.symvers" ] || return
	(cd "$top" && cut -d ' ' -f 1 "$tmp/list" | xargs cat) > "$tmp/text" || return
	compile -fpreprocessed -dD -E -P - < "$tmp/text" | called > "$tmp/named"
	sed "s,^\([^ ]*\).*,#include \"$top/\1\"," "$tmp/list" > "$tmp/all.c"
	compile -w -DKFD_PACKAGE_VERSION= -E "$tmp/all.c" |
		awk -v top="$top/" '/^# [0-9]+ "/ { ours = index($3, "\"" top) == 1; next } ours' |
		called > "$tmp/reached"
	sed -n 's/^# *include *\(<.*>\).*/#if __has_include(\1)\n#include \1\n#endif/p' \
		"$tmp/text" > "$tmp/headers.c"
	compile -w -fsyntax-only -aux-info "$tmp/declared" "$tmp/headers.c" || return
	# "/* FILE:LINE:NC */ extern TYPE NAME (...": N is a prototype, C no definition
	grep -v "^/\* $top/" "$tmp/declared" |
		sed -n 's/^.*:NC \*\/ extern .*[ *]\([A-Za-z_][A-Za-z0-9_]*\) (.*$/\1/p' |
		sort -u > "$tmp/extern"
	sed -n 's/^.*:[NO]F \*\/ .*[ *]\([A-Za-z_][A-Za-z0-9_]*\) (.*$/\1/p' "$tmp/declared" |
		cat - <(cut -f 2 "$kdir/Module.symvers") | sort -u > "$tmp/there"
	comm -12 "$tmp/named" "$tmp/reached" | comm -12 - "$tmp/extern" |
		comm -23 - "$tmp/there"
}

has_configs "$@"
mkdir "$tmp/flags"
if ! "$top/amdkfd/compat/configure.sh" "$kdir" "$tmp/compat_config.h" "$tmp/flags" \
	> "$tmp/log" 2>&1; then
	why=$(grep -m 1 'error' "$tmp/log" || tail -n 1 "$tmp/log")
	no "no module at all: ${why#configure: }"
fi
export kdir
list_sources > "$tmp/list" && [ -s "$tmp/list" ] || exit 2
cc=$(cat "$tmp/flags/cc")
includes="-I$top/include -I$top/include/uapi -I$top/amdkfd -I$top -I$tmp"
# newer kbuilds compile in the module's directory, with absolute paths: any will do
cd "$(cat "$tmp/flags/cwd")" || cd "$tmp" || exit 2
export -f check compile
export cc includes tmp top
# the quick one first
missing=$(not_exported | head -n 1)
[ -z "$missing" ] || no "it does not export $missing"
# one line is one call, whose words xargs makes as a shell would
if ! xargs -P "$(nproc)" -L 1 bash -c 'check "$@"' check < "$tmp/list"; then
	for file in "$tmp"/*.err; do
		why=$(first_error "$file")
		[ -z "$why" ] || no "$why"
	done
	exit 2
fi
