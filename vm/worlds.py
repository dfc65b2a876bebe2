# SPDX-License-Identifier: GPL-2.0-only
"""The worlds that a guest can live in: a release of Debian each, with its kernels, its
compiler, its criu and its ROCm. vm/world makes them, vm/run --world boots them.

A world is a directory with a root file system, made of Debian's packages alone and of
nothing of this machine but where its packages come from. It is kept beside the debug
kernel and named after all that it is made from; "current" leads to the newest one.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import kernels  # noqa: E402


class World:
    """A release.

    series: of the kernels that it has, oldest first; none for whichever it has.
    sources: (archive, suite), where an archive is what apt calls its label.
    packages: what is installed in addition to base.
    newer: (series, suite) of a kernel that another suite has under the same name.
    moves: the release is never finished, and what it says of itself may be too old.
    """

    def __init__(self, series, sources, packages=(), newer=None, moves=False, base=None):
        self.series, self.sources = tuple(series), tuple(sources)
        self.packages = tuple(sorted({*(PACKAGES if base is None else base), *packages}))
        self.newer, self.moves = newer, moves

    def made_from(self):
        """All of it, for the name of what is made."""
        return [self.series, self.sources, self.packages, self.newer, self.moves]


PACKAGES = (
    # what modules and programs are built with
    "gcc", "libc6-dev", "make", "libelf-dev", "kmod", "dkms", "git", "perl", "python3",
    "libxxhash-dev", "protobuf-c-compiler", "libprotobuf-c-dev", "pkg-config",
    "libdrm-dev", "linux-headers-amd64", "linux-source",
    # what runs
    "linux-image-amd64", "criu", "rocminfo", "libdrm-amdgpu1", "pciutils",
    "strace", "iproute2", "procps", "util-linux", "busybox-static", "openssl", "xz-utils",
    "zstd",
)
# the library and its header where they are packages of their own: since ROCr 6.4 the
# runtime has them in it
HSAKMT = ("libhsakmt1", "libhsakmt-dev")
MAIN, SECURITY = "Debian", "Debian-Security"
WORLDS = {
    "bookworm": World(kernels.RELEASES["bookworm"],
                      ((MAIN, "bookworm"), (MAIN, "bookworm-updates"),
                       (SECURITY, "bookworm-security")),
                      ("linux-image-6.12-amd64", "linux-headers-6.12-amd64", *HSAKMT)),
    "trixie": World(kernels.RELEASES["trixie"],
                    ((MAIN, "trixie"), (MAIN, "trixie-updates"), (MAIN, "trixie-backports"),
                     (SECURITY, "trixie-security")),
                    ("libcriu-dev", "protobuf-compiler", *HSAKMT), newer=("7.3", "trixie-backports")),
    "sid": World((), ((MAIN, "sid"),), ("libcriu-dev", "protobuf-compiler"), moves=True),
}
# the same with nothing in them: what a machine is before anybody follows the README
WORLDS.update({f"bare-{name}": World((), WORLDS[name].sources, base=["ca-certificates"])
               for name in ("bookworm", "trixie")})
CACHE = os.path.join(kernels.CACHE, "worlds")


def current(name):
    """The link to a world's root, which is there when it has been made."""
    return os.path.join(CACHE, name, "current")


def root(name):
    """The root directory of a world, or None when it has not been made."""
    path = os.path.join(current(name), "root")
    return os.path.realpath(path) if os.path.isdir(path) else None


def build_dir(top, name):
    """Where what is built in a world lies, in a work tree."""
    return os.path.join(top, "build", "world", name)
