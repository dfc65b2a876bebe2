#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Which kernels there are to boot and to build for.

    kernels.py image [SERIES]    newest bootable KVER of the series (the first of vm/releases)
    kernels.py headers [SERIES]  newest KVER of the series that has a header tree
    kernels.py every             that, of each series that there is
    kernels.py series            the series that are tested; the debug kernel is of the first
    kernels.py build KVER        directory that modules for it are built with
    kernels.py resolve NAME...   the KVERs that modules can be built for: each NAME is
                                 one, or a series

Prints one line, or nothing with exit status 1; resolve says what is wrong. Of the distribution's kernels
only the plain amd64 flavour counts: no -rt, no -cloud. The series "debug" is
the kernel that vm/debug-kernel has built. Also imported by vm/run.
"""
import os
import re
import sys

DEBUG = "debug"
CACHE = os.environ.get("AMDKFD_CR_CACHE") or os.path.expanduser("~/.cache/amdkfd-cr")
DEBUG_KERNEL = os.path.join(CACHE, "debug-kernel", "current")


def _sort_key(kver):
    return [int(n) for n in re.findall(r"\d+", kver)]


def all_series(root=""):
    """The series of all kernels that can be booted, oldest first; root: of another file
    system than this machine's."""
    try:
        names = os.listdir(root + "/boot")
    except FileNotFoundError:
        return []
    found = {match[1] for name in names
             if (match := re.fullmatch(r"vmlinuz-(\d+\.\d+)\..*", name))}
    return sorted(found, key=_sort_key)


def _read_releases():
    """vm/releases as {name: words}, in its order."""
    with open(os.path.join(os.path.dirname(os.path.realpath(__file__)), "releases")) as f:
        lines = [line.split("#")[0].split() for line in f]
    return {words[0]: words[1:] for words in lines if words}


def _release():
    """The name of this machine's Debian, or an empty one."""
    try:
        with open("/etc/os-release") as f:
            return next((line.split("=")[1].strip() for line in f
                         if line.startswith("VERSION_CODENAME=")), "")
    except OSError:
        return ""


def _series(releases):
    """The series of this machine's kernels that are tested."""
    words = releases.get(_release())
    if words is None:
        # one that is not in there has the newest of its own, or is yet to get one
        words = all_series()[-1:] or list(releases.values())[-1]
    return tuple(w.strip("()") for w in words
                 if "(" not in w or w.strip("()") in all_series())


_releases = _read_releases()
# all of them, with what a machine need not have
RELEASES = {name: tuple(w.strip("()") for w in words) for name, words in _releases.items()}
SERIES = _series(_releases)


def _pattern(series):
    return re.compile(re.escape(series) + r"(\.\d+)+(-\d+)?([+~][\w.~]+)?-amd64")


def installed(kind, series, root=""):
    """All KVERs of a series, newest first; kind is 'image' or 'headers'.

    root: of another file system than this machine's. Its header trees are links to
    within it, so that nothing is said here of those.
    """
    try:
        names = os.listdir(root + "/lib/modules")
    except FileNotFoundError:
        names = []
    found = []
    for kver in names:
        if not _pattern(series).fullmatch(kver):
            continue
        need = {"image": f"{root}/boot/vmlinuz-{kver}",
                "headers": f"{root}/lib/modules/{kver}/build/Makefile"}[kind]
        if os.path.exists(need):
            found.append(kver)
    return sorted(found, key=_sort_key, reverse=True)


def debug_release():
    """KVER of the debug kernel, or None when it has not been built."""
    try:
        with open(os.path.join(DEBUG_KERNEL, "release")) as f:
            return f.read().strip()
    except FileNotFoundError:
        return None


def build_dir(kver):
    """The directory that modules for a kernel are built with."""
    if kver == debug_release():
        return os.path.join(os.path.realpath(DEBUG_KERNEL), "build")
    return f"/lib/modules/{kver}/build"


def newest(kind, series, root=""):
    """The newest KVER of a series, or None; root: as above."""
    if series == DEBUG and not root:
        return debug_release()
    found = installed(kind, series, root)
    return found[0] if found else None


def resolve(names):
    """The KVERs for names of series or KVERs; exits where there are no headers of one."""
    found = []
    for name in names:
        kver = newest("headers", name)
        if not kver and re.fullmatch(r"\w[\w.+~-]*", name):
            kver = name
        if not kver or not os.path.exists(os.path.join(build_dir(kver), "Makefile")):
            there = [k for s in (*SERIES, DEBUG) if (k := newest("headers", s))]
            sys.exit(f"no kernel headers for \"{name}\"; a series (6.1) or a version, such as "
                     + (", ".join(there) or "those that scripts/setup installs"))
        found.append(kver)
    if not found:
        sys.exit("no kernel is named, or no kernel headers are installed (scripts/setup)")
    return found


def main():
    if sys.argv[1:] == ["every"]:
        print(" ".join(k for s in SERIES if (k := newest("headers", s))))
        return 0
    if sys.argv[1:] == ["series"]:
        print(" ".join(SERIES))
        return 0
    if sys.argv[1:2] == ["resolve"]:
        print(" ".join(resolve(sys.argv[2:])))
        return 0
    if sys.argv[1:] in (["image"], ["headers"]):
        sys.argv.append(SERIES[0])
    if len(sys.argv) != 3 or sys.argv[1] not in ("image", "headers", "build"):
        sys.exit(__doc__)
    if sys.argv[1] == "build":
        print(build_dir(sys.argv[2]))
        return 0
    kver = newest(sys.argv[1], sys.argv[2])
    if not kver:
        return 1
    print(kver)
    return 0


if __name__ == "__main__":
    sys.exit(main())
