# SPDX-License-Identifier: GPL-2.0-only
"""What scripts/check runs: each step with what it needs, in which size of the check
it is and how long it may take. Documentation/testing.rst has the same as a table.

A budget is what a step takes on two cores while another one runs, and some more; the
check says which ones took longer. A group's is in minutes of the whole machine, of
a run that has to build the debug kernel.
"""
import os
import sys

import kernels
import worlds

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
LOGS = os.path.join(TOP, "build", "check")
COVERAGE = os.path.join(TOP, "build", "coverage")

CHECK, ALL = "check", "check-all"
BOTH = (CHECK, ALL)
# minutes of "make check": with nothing built, and with the debug kernel there
COLD, WARM = 50, 35
GROUPS = {"debug kernel": 12, "builds": 5, "driver": 22, "rest": 8}
# what a step with modules and selftests only does not look at
DRIVER_ONLY = ("Documentation", "README.md", "LICENSES", "bench", "criu-plugin")
# what vm/run takes in addition to a command's time when its first boot is silent
BOOT = 200


class Step:
    """One command and what it needs.

    needs: names of steps that have to have passed before; tap: the output is KTAP;
    klog: the guest's kernel log, to be scanned; timeout: seconds until it is ended;
    alone: nothing else may run meanwhile; sizes: of which size of the check it is;
    budget: seconds; group: of GROUPS; rerun: names of failed tests to the step
    that runs them once more, or None where that would be all of it; apart: names at
    the top of the tree that nothing of it looks at, for check --resume.
    """

    def __init__(self, name, command, needs=(), tap=False, klog=None, timeout=600, alone=False,
                 env=None, sizes=BOTH, budget=60, group="rest", rerun=None, apart=()):
        self.name, self.command, self.needs = name, command, list(needs)
        self.tap, self.klog, self.timeout, self.alone = tap, klog, timeout, alone
        self.env = env or {}
        self.sizes, self.budget, self.group = tuple(sizes), budget, group
        self.rerun = rerun or (lambda names: None)
        self.apart = tuple(apart)
        self.results = []
        self.seconds = 0.0
        self.began = self.child = None
        self.again = None           # the step that runs again what failed in this one
        self.kept = None            # when it passed, if that was in an earlier run
        # running, doubtful (has failed, to be run again), again, passed, failed
        self.state = "waiting"

    @property
    def log(self):
        return os.path.join(LOGS, self.name + ".log")

    def count(self, status):
        return sum(r.status == status for r in self.results)


def in_vm(name, series, command, needs, timeout, mem="2G", options=(), scan=True, **more):
    """A step that runs a command which prints KTAP in a guest.

    options: more of vm/run's; scan: its kernel log must be clean; more: of Step's.
    """
    klog = os.path.join(LOGS, name + ".klog")
    return Step(name, ["vm/run", "--kernel", series, "--mem", mem, "--timeout", str(timeout),
                       "--log", klog, *options, "--", *command],
                needs, tap=True, klog=klog if scan else None, timeout=timeout + BOOT, **more)


def with_log(name, command, needs, **more):
    """A step whose command boots a guest by itself, and is told where its log goes."""
    klog = os.path.join(LOGS, name + ".klog")
    return Step(name, [*command, "LOG=" + klog], needs, klog=klog, **more)


def in_debug_vm(name, command, needs, timeout, env=(), leaks=True, **more):
    """The same in the debug kernel, looking for leaks and counting what was run."""
    append = "kasan_multi_shot" + (" kmemleak=on" if leaks else "")
    options = ["--append", append, "--env", "GCOV_DIR=/tmp/gcov",
               "--get", "/tmp/gcov:" + os.path.join(COVERAGE, name)]
    for e in env:
        options += ["--env", e]
    return in_vm(name, kernels.DEBUG, command, ["modules-debug", *needs], timeout,
                 options=options, **more)


def run_guest(make, name, *args, **how):
    """Selftests as a step; those that fail can be run again by their program.

    make: in_vm or in_debug_vm for the name, the command and how.
    """
    def again(tests):
        programs = sorted({test.split(".")[0] for test in tests})
        return make(name + "-again", ["selftests/run_guest", *programs], alone=True, **how)
    return make(name, ["selftests/run_guest", *args], rerun=again, **how)


def selftests(series, name, *args, **how):
    def make(name, command, **how):
        return in_vm(name, series, command, [f"modules-{series}", "selftests"],
                     group="driver", apart=DRIVER_ONLY, **how)
    return run_guest(make, name, *args, **how)


def steps(size):
    """Every step of both sizes, in the order in which they are started when nothing holds
    them up; size: whose parameters those have that are in both."""
    out = [Step("runner", ["scripts/check", "--self-test"], budget=15)]
    out += build_steps(size)
    # the longest of all: they must not be what is waited for in the end
    out += debug_steps(size)
    for series in kernels.SERIES:
        newest = series == kernels.SERIES[-1]
        out.append(selftests(series, f"selftests-{series}", timeout=1500, budget=420,
                             sizes=BOTH if newest else [ALL]))
        if not newest:
            # the rest of them runs in the debug kernel, which is of this series
            out.append(selftests(series, f"fast-{series}", "--fast", timeout=600, budget=90,
                                 sizes=[CHECK]))
    for series in kernels.SERIES:
        out += stock_steps(series, series == kernels.SERIES[-1])
    out.append(Step("elsewhere", ["criu-plugin/tests/elsewhere"],
                    [*(f"modules-{series}" for series in kernels.SERIES), "plugin", "demo-tools"],
                    tap=True, timeout=1600 + BOOT, budget=120))
    out += matrix_steps(size)
    out.append(Step("vm", ["vm/selftest"], tap=True, timeout=1200, budget=240))
    # of 350 files that is 70 s of one CPU, nearly all of it what perl does with the lines
    out.append(Step("checkpatch", ["scripts/lint", "checkpatch"], budget=70, group="builds"))
    out.append(Step("shellcheck", ["scripts/lint", "shell"], budget=20, group="builds"))
    return out + world_steps() + bare_steps() + bench_steps() + long_steps()


def bare_steps():
    """What a newcomer does first, on a machine that has nothing of it."""
    return [Step(f"bare-{release}", ["selftests/bare", release], timeout=2400, sizes=[ALL],
                 budget=600) for release in ("bookworm", "trixie")]


def in_world(what, world, series, command, timeout, budget):
    """A step that runs a command which prints KTAP in a guest of another release."""
    of = of_world(world, series)
    klog = os.path.join(LOGS, f"{what}-{of}.klog")
    kernel = ["--kernel", series] if series else []
    return Step(f"{what}-{of}", ["vm/run", "--world", world, *kernel, "--timeout", str(timeout),
                                 "--log", klog, "--", *command],
                [f"modules-{of}", f"programs-{world}"], tap=True, klog=klog,
                timeout=timeout + BOOT, sizes=[ALL], budget=budget, group="driver")


def demo_in_world(name, world, series, *options, **more):
    """A step with the demo in a guest of another release."""
    of = of_world(world, series)
    kernel = [f"KERNEL={series}"] if series else []
    return with_log(f"{name}-{of}", ["demo/run", f"WORLD={world}", *kernel, *options],
                    [f"modules-{of}", f"programs-{world}"], timeout=700, sizes=[ALL],
                    group="driver", **more)


def of_world(world, series):
    """The end of a step's name; a world that moves has one kernel, of some series."""
    return f"{world}-{series}" if series else world


def world_steps():
    """What runs in another release than this machine's, which is made and built in first."""
    out = []
    for world in ("trixie", "sid"):
        inside = ["vm/world", "--in", world]
        made = [f"world-{world}"]
        out += [Step(made[0], ["vm/world", world], timeout=2400, sizes=[ALL], budget=420),
                Step(f"programs-{world}", [*inside, "make", "-s", "programs"],
                     made, timeout=900, sizes=[ALL], budget=150, group="builds")]
        for series in worlds.WORLDS[world].series or [None]:
            out += kernel_of_world(world, series, inside, made)
    return out


def kernel_of_world(world, series, inside, made):
    """What runs on one of a release's kernels."""
    of = of_world(world, series)
    kver = [f"KVER={series}"] if series else []
    out = [
        Step(f"modules-{of}", [*inside, "make", "-s", "modules", *kver],
             made, timeout=900, env={"JOBS": "1"}, sizes=[ALL], budget=120, group="builds"),
        in_world("plugin", world, series, ["criu-plugin/tests/criu_guest.sh"], 600, 150),
        in_world("fast", world, series, ["selftests/run_guest", "--fast"], 600, 120),
        in_world("rocminfo", world, series, ["selftests/rocminfo_guest.sh"], 300, 60),
        demo_in_world("liveupdate", world, series, "DEMO=liveupdate", budget=60),
    ]
    # the demo's own program needs the library
    if set(worlds.HSAKMT) <= set(worlds.WORLDS[world].packages):
        here = f"demo-{kernels.SERIES[0]}"
        logs = [os.path.join(LOGS, name + ".log") for name in (here, f"demo-{of}")]
        out += [
            demo_in_world("demo", world, series, budget=60),
            Step(f"timeline-{of}", ["selftests/timeline", *logs], [here, f"demo-{of}"],
                 sizes=[ALL], budget=5, group="driver"),
        ]
    return out


def build_steps(size):
    """What runs on the host: all that is built, and tests that need no machine."""
    out = [Step("debug-kernel", ["sh", "-c", "vm/debug-kernel --self-test && exec vm/debug-kernel"],
                timeout=2400, budget=720, group="debug kernel")]
    for series in kernels.SERIES:
        kver = kernels.newest("headers", series) or f"no-{series}-headers"
        out.append(Step(f"modules-{series}", ["scripts/lint", "modules", kver], timeout=900,
                        env={"JOBS": "1"}, budget=100, group="builds"))
    tests = ["make", "-s", "-C", "selftests"]
    runs = 2000000 if size == CHECK else 10000000
    out += [
        Step("plugin", ["make", "-s", "plugin"], group="builds", budget=30),
        Step("selftests", [*tests, "tests"], group="builds", budget=90),
        Step("abi", [*tests, "abi"], ["selftests"], tap=True, budget=10),
        Step("image", [*tests, "image"], tap=True, budget=30),
        Step("fuzz-image", [*tests, "fuzz-image", f"RUNS={runs}"], tap=True, timeout=1800,
             budget=90 if size == CHECK else 300),
        Step("plugin-tests", ["make", "-s", "-C", "criu-plugin", "test"], ["plugin"], tap=True,
             budget=20),
        Step("demo-tools", ["make", "-s", "demo-tools"], group="builds", budget=30),
        Step("bench-tools", ["make", "-s", "bench-tools"], group="builds", budget=30),
        Step("arguments", ["selftests/arguments.sh"], tap=True, budget=15),
        Step("dkms-states", ["selftests/dkms_states.sh"], tap=True, budget=40),
    ]
    return out


def stock_steps(series, newest):
    """The other tests of one of the distribution's kernels.

    What is the same on both is in the small check on one of them.
    """
    modules = f"modules-{series}"
    first = BOTH if series == kernels.SERIES[0] else [ALL]
    last = BOTH if newest else [ALL]
    kver = kernels.newest("headers", series) or f"no-{series}-headers"
    return [
        in_vm(f"rocminfo-{series}", series, ["selftests/rocminfo_guest.sh"], [modules],
              timeout=180, budget=40, group="driver", sizes=last),
        in_vm(f"in-tree-{series}", series, ["selftests/in_tree_guest.sh"], [modules],
              timeout=240, budget=45, group="driver"),
        in_vm(f"params-{series}", series, ["selftests/params_guest.sh"], [modules],
              timeout=300, budget=90, group="driver", sizes=last),
        with_log(f"demo-{series}", ["demo/run", f"KERNEL={series}"],
                 [modules, "plugin", "demo-tools"], timeout=700, budget=60,
                 group="driver", sizes=first),
        with_log(f"liveupdate-{series}", ["demo/run", "DEMO=liveupdate", f"KERNEL={series}"],
                 [modules, "demo-tools"], timeout=400, budget=60, group="driver",
                 sizes=last),
        in_vm(f"parts-{series}", series, ["criu-plugin/tests/parts_guest.sh"],
              [modules, "plugin", "demo-tools"], timeout=400, budget=120, group="driver",
              sizes=last),
        in_vm(f"room-{series}", series, ["criu-plugin/tests/room_guest.sh"],
              [modules, "plugin", "demo-tools"], timeout=400, budget=120, group="driver",
              sizes=[ALL]),
        in_vm(f"plugin-{series}", series, ["criu-plugin/tests/criu_guest.sh"],
              [modules, "plugin"], timeout=600, budget=150, group="driver", sizes=last),
        in_vm(f"foreign-{series}", series, ["criu-plugin/tests/foreign_guest.sh"],
              [modules, "plugin"], timeout=600, budget=120, group="driver", sizes=last),
        Step(f"dkms-build-{series}", ["selftests/dkms_build.sh", kver], [modules], tap=True,
             budget=120, sizes=first),
        in_vm(f"dkms-{series}", series, ["selftests/dkms_guest.sh"], [f"dkms-build-{series}"],
              timeout=400, budget=45, sizes=first),
    ]


# of the kinds of state, those that the small check walks through
SOME_STATES = ("plain two_gpus lost_part svm_guard mapping_hole gem_handle mapping_of_freed "
               "many_queues orphan closed_gem stray").split()


def matrix_steps(size):
    """Every kind of state dumped on one kernel, and what was dumped restored on the other."""
    out = []
    for here, there in zip(kernels.SERIES, reversed(kernels.SERIES)):
        sizes = BOTH if here == kernels.SERIES[0] else [ALL]
        kinds = SOME_STATES if size == CHECK else []
        images = os.path.join(TOP, "build", "matrix", here)
        out += [
            in_vm(f"matrix-{here}", here,
                  ["criu-plugin/tests/matrix_guest.sh", "here", *kinds],
                  [f"modules-{here}", "plugin"], timeout=1500, sizes=sizes, group="driver",
                  budget=150 if size == CHECK else 600,
                  options=["--get", "/tmp/matrix/images:" + images]),
            in_vm(f"matrix-{here}-{there}", there,
                  ["criu-plugin/tests/matrix_guest.sh", "elsewhere", images, *kinds],
                  [f"matrix-{here}", f"modules-{there}"], timeout=600, sizes=sizes,
                  budget=60 if size == CHECK else 180, group="driver"),
        ]
    return out


def debug_steps(size):
    """What runs in the debug kernel; its release is not known before it has been built."""
    lint = 'exec scripts/lint modules "$(vm/kernels.py headers debug)"'
    halves = 2
    fuzz = 2000 if size == CHECK else 20000

    def make(name, command, **how):
        return in_debug_vm(name, command, ["selftests"], env=[f"FUZZ_RUNS={fuzz}"],
                           group="driver", apart=DRIVER_ONLY, **how)
    # one guest of it would be what is waited for in the end
    counted = [run_guest(make, f"selftests-{n}-debug", "--part", f"{n}/{halves}", timeout=3000,
                         budget=780 if size == CHECK else 1000)
               for n in range(1, halves + 1)]
    # looking for leaks would take minutes, for what KUnit frees by itself
    counted.append(in_debug_vm("kunit-debug", ["selftests/kunit_guest.sh"], [], timeout=500,
                               leaks=False, budget=70, group="driver", apart=DRIVER_ONLY))
    return [
        Step("modules-debug", ["sh", "-c", lint], ["debug-kernel"], timeout=900, budget=120,
             group="builds"),
        *counted,
        with_log("demo-debug", ["demo/run", "KERNEL=debug"],
                 ["modules-debug", "plugin", "demo-tools"], timeout=1000, budget=180,
                 group="driver"),
        *broken_steps(),
        with_log("liveupdate-debug",
                 ["demo/run", "DEMO=liveupdate", "KERNEL=debug", "PLAN=nlnlet"],
                 ["modules-debug", "demo-tools"], timeout=1000, sizes=[ALL], budget=240,
                 group="driver"),
        Step("plant-debug", ["selftests/plant"], ["modules-debug"], tap=True,
             timeout=630 + BOOT, sizes=[ALL], budget=300, apart=DRIVER_ONLY),
        Step("coverage-debug", ["scripts/coverage"], [s.name for s in counted], tap=True,
             sizes=[ALL], budget=60),
    ]


def broken_steps():
    """Modules with every known bug, and that each regression test finds its own."""
    make = 'exec make -s modules BREAK=all OUT=build/broken KVER="$(vm/kernels.py headers debug)"'
    return [
        Step("broken-modules-debug", ["sh", "-c", make], ["debug-kernel"], timeout=900,
             env={"JOBS": "1"}, sizes=[ALL], budget=180, group="builds"),
        # its kernel log is full of what the bugs do
        in_vm("broken-debug", kernels.DEBUG, ["selftests/broken_guest.sh"],
              ["broken-modules-debug", "selftests"], timeout=900, sizes=[ALL], budget=420,
              options=["--append", "kasan_multi_shot"], scan=False, group="driver",
              apart=DRIVER_ONLY),
    ]


def bench_steps():
    """The figures: small sizes with half the limit, or as they are."""
    needs = ["plugin", "selftests", "demo-tools", "bench-tools"]
    out = [with_log("bench", ["bench/run", "QUICK=1"],
                    [f"modules-{kernels.SERIES[0]}", *needs], timeout=1300 + BOOT, alone=True,
                    sizes=[CHECK], budget=200)]
    for series in kernels.SERIES:
        out.append(with_log(f"bench-{series}", ["bench/run", f"KERNEL={series}"],
                            [f"modules-{series}", *needs], timeout=1300 + BOOT, alone=True,
                            sizes=[ALL], budget=900))
    return out


def long_steps():
    """What is done for as long as it takes."""
    rounds = os.environ.get("ROUNDS") or "200"
    if not rounds.isdecimal() or not 0 < int(rounds) < 100000:
        sys.exit(f"check: ROUNDS={rounds} is no number of rounds")
    rounds = max(int(rounds), len(kernels.SERIES))
    out = []
    for i, series in enumerate(kernels.SERIES):
        mine = (rounds + i) // len(kernels.SERIES)      # all of them together
        limit = 600 + 180 * mine
        out.append(in_vm(f"soak-{series}", series, ["selftests/soak_guest.sh", str(mine)],
                         [f"modules-{series}", "selftests"], timeout=limit,
                         sizes=[ALL], budget=120 + 75 * mine, group="driver",
                         apart=DRIVER_ONLY))
    out.append(Step("fuzz-restore", ["selftests/fuzz/rounds"], ["modules-debug", "selftests"],
                    timeout=4 * 3600, env={"ROUNDS": "3", "RUNS": "20000"}, sizes=[ALL],
                    budget=2 * 3600, apart=DRIVER_ONLY))
    return out
