#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Which distribution kernels are installed here.

    kernels.py image SERIES      newest bootable KVER of the series (6.1, 6.12)
    kernels.py headers SERIES    newest KVER of the series that has a header tree

Prints one KVER, or nothing with exit status 1. Only the plain amd64 flavour
counts: no -rt, no -cloud. Also imported by vm/run.
"""
import os
import re
import sys

SERIES = ("6.1", "6.12")


def _sort_key(kver):
    return [int(n) for n in re.findall(r"\d+", kver)]


def _pattern(series):
    return re.compile(re.escape(series) + r"(\.\d+)+(-\d+)?([+~][\w.~]+)?-amd64")


def installed(kind, series):
    """All KVERs of a series, newest first; kind is 'image' or 'headers'."""
    try:
        names = os.listdir("/lib/modules")
    except FileNotFoundError:
        names = []
    found = []
    for kver in names:
        if not _pattern(series).fullmatch(kver):
            continue
        need = {"image": f"/boot/vmlinuz-{kver}",
                "headers": f"/lib/modules/{kver}/build/Makefile"}[kind]
        if os.path.exists(need):
            found.append(kver)
    return sorted(found, key=_sort_key, reverse=True)


def newest(kind, series):
    """The newest KVER of a series, or None."""
    found = installed(kind, series)
    return found[0] if found else None


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("image", "headers"):
        sys.exit(__doc__)
    kver = newest(sys.argv[1], sys.argv[2])
    if not kver:
        return 1
    print(kver)
    return 0


if __name__ == "__main__":
    sys.exit(main())
