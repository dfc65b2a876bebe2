#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# configure.sh KDIR OUT [FLAGS] - find out what the kernel whose build tree is
# KDIR offers and write it as HAVE_* macros to the header OUT. The compiler
# command for that kernel is left in FLAGS/cc, the directory in which it has to
# run in FLAGS/cwd.
#
# Nothing is decided by version numbers: each probe is compiled with the flags
# that kbuild uses for a module of this kernel. The result is kept until this
# script or the kernel's Module.symvers changes.
#
# To add a probe, add two lines to the list at the end:
#
#	probe HAVE_NAME "linux/header.h linux/other.h" \
#		'code that goes into a function body and compiles where it is there'
#
# or, for an exported symbol that has no visible prototype of its own:
#
#	symbol HAVE_NAME exported_symbol
#
# and give the two cases one name in compat.h. A snippet that uses a type that
# does not exist, a wrong number of arguments or an unknown member fails, and
# so does one that assigns between incompatible types.
set -e -u -o pipefail

kdir=$1
out=$2
flags=${3:-}
self=$(readlink -f "$0")
symvers=$kdir/Module.symvers

[ -f "$symvers" ] || { echo "configure: $symvers is missing" >&2; exit 1; }
stamp="$(readlink -f "$kdir") $(stat -Lc '%s %Y' "$symvers") $(cksum < "$self")"
if [ -z "$flags" ] && [ -f "$out" ] && [ "$(sed -n '2s/^.. stamp: \(.*\) .*$/\1/p' "$out")" = "$stamp" ]; then
	exit 0
fi

mkdir -p "$(dirname "$out")"
tmp=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
tmp=$(readlink -f "$tmp")

names=()

probe()
{
	local name=$1 header
	{
		echo "#include <linux/module.h>"
		for header in $2; do
			echo "#include <$header>"
		done
		printf '\nvoid probe(void);\nvoid probe(void)\n{\n\t%s\n}\n' "$3"
	} > "$tmp/$name.c"
	names+=("$name")
}

symbol()
{
	names+=("$1")
	if awk -v s="$2" '$2 == s { found = 1 } END { exit !found }' "$symvers"; then
		touch "$tmp/$1.yes"
	fi
}

# The compiler command that kbuild uses for a module of this kernel.
learn_flags()
{
	mkdir "$tmp/flags"
	echo 'obj-m := flags.o' > "$tmp/flags/Kbuild"
	printf '#include <linux/module.h>\nMODULE_LICENSE("GPL");\n' > "$tmp/flags/flags.c"
	if ! MAKEFLAGS="" make -w -C "$kdir" M="$tmp/flags" flags.o > "$tmp/flags/log" 2>&1; then
		echo "configure: no module can be compiled for $kdir:" >&2
		cat "$tmp/flags/log" >&2
		exit 1
	fi
	sed -n '1{s/^[^=]*:= *//; s/ -c -o .*//; s/-Wp,-MMD,[^ ]* //; p}' \
		"$tmp/flags/.flags.o.cmd" > "$tmp/cc"
	# relative include paths in there are relative to this directory
	sed -n "s/^make.*: Entering directory '\(.*\)'$/\1/p" "$tmp/flags/log" |
		tail -n 1 > "$tmp/cwd"
}

# compile NAME: leave NAME.yes when the probe compiles, NAME.err either way
compile()
{
	cd "$(cat "$tmp/cwd")"
	if eval "$(cat "$tmp/cc") -Werror=incompatible-pointer-types \
		-Werror=int-conversion -Werror=implicit-function-declaration \
		-fsyntax-only '$tmp/$1.c'" > "$tmp/$1.err" 2>&1; then
		touch "$tmp/$1.yes"
	fi
}

run_probes()
{
	local name
	export -f compile
	export tmp
	learn_flags
	for name in "${names[@]}"; do
		[ ! -f "$tmp/$name.c" ] || echo "$name"
	done | xargs -P "$(nproc)" -I{} bash -c 'compile {}'
	[ -f "$tmp/true.yes" ] || { echo "configure: an empty probe fails:" >&2
		cat "$tmp/true.err" >&2; exit 1; }
	[ ! -f "$tmp/false.yes" ] || { echo "configure: a wrong probe passes" >&2; exit 1; }
}

write_header()
{
	local name
	echo "/* SPDX-License-Identifier: GPL-2.0-only */"
	echo "/* stamp: $stamp */"
	echo "/* Made by amdkfd/compat/configure.sh: what this kernel offers. */"
	for name in "${names[@]}"; do
		case $name in
		true|false)
			;;
		*)
			if [ -f "$tmp/$name.yes" ]; then
				echo "#define $name 1"
			else
				echo "/* $name: no */"
			fi
			;;
		esac
	done
}

# the probes' own test: one that has to pass, one that has to fail
probe true "" ';'
probe false "" 'return no_such_function(1);'

# ------------------------------------------------------------------ the list

probe HAVE_VM_FLAGS_SET "linux/mm.h" \
	'vm_flags_set((struct vm_area_struct *)NULL, VM_IO);'

probe HAVE_CLASS_CREATE_ONE_ARG "linux/device.h" \
	'struct class *c = class_create("x"); (void)c;'

probe HAVE_CLASS_DEVNODE_CONST "linux/device.h" \
	'char *(*f)(const struct device *, umode_t *) = ((struct class *)NULL)->devnode; (void)f;'

probe HAVE_FOP_UNSIGNED_OFFSET "linux/fs.h" \
	'static const struct file_operations f = { .fop_flags = FOP_UNSIGNED_OFFSET }; (void)f;'

# a kernel that wants a string there does not take this
probe HAVE_IMPORT_NS_IDENTIFIER "linux/module.h" \
	'} MODULE_IMPORT_NS(SOME_NAME); void probe2(void); void probe2(void) {'

probe HAVE_DRM_DRIVER_DATE "drm/drm_drv.h" \
	'static const struct drm_driver d = { .date = "x" }; (void)d;'

probe HAVE_MEMFD_PIN_FOLIOS "linux/mm.h" \
	'long (*f)(struct file *, loff_t, loff_t, struct folio **, unsigned int, pgoff_t *) =
		memfd_pin_folios; (void)f;'

# it converts from the page cache's unit, and went when there was but one
probe HAVE_HUGETLB_INDEX_IN_HUGE_PAGES "linux/pagemap.h" \
	'pgoff_t (*f)(struct page *) = hugetlb_basepage_index; (void)f;'

probe HAVE_KERNFS_PARENT_RCU "linux/kernfs.h" \
	'void *p = ((struct kernfs_node *)NULL)->__parent; (void)p;'

probe HAVE_VMA_IS_COW_MAPPING "linux/mm.h" \
	'(void)vma_is_cow_mapping((const struct vm_area_struct *)NULL);'

probe HAVE_PAGE_PGMAP "linux/mm.h linux/memremap.h" \
	'(void)page_pgmap((const struct page *)NULL);'

probe HAVE_ZONE_DEVICE_PAGE_INIT_PGMAP "linux/memremap.h" \
	'zone_device_page_init((struct page *)NULL, (struct dev_pagemap *)NULL, 0);'

probe HAVE_PAGEMAP_FOLIO_FREE "linux/memremap.h" \
	'static const struct dev_pagemap_ops o = { .folio_free = NULL }; (void)o;'

probe HAVE_DRM_FILE_SYNCOBJ_XA "drm/drm_file.h" \
	'void *p = &((struct drm_file *)NULL)->syncobj_xa; (void)p;'

run_probes
write_header > "$tmp/header"
mv "$tmp/header" "$out"
[ -z "$flags" ] || cp "$tmp/cc" "$tmp/cwd" "$flags"
echo "configure: $(grep -c '^#define' "$out") of $((${#names[@]} - 2)) features in $kdir"
