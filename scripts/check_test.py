# SPDX-License-Identifier: GPL-2.0-only
"""Tests of scripts/check: "check --self-test". They run it with steps of their own that
print what a test would have printed, in a directory of their own.
"""
import contextlib
import io
import os
import shutil
import subprocess
import tempfile

import flaky
import kernels
import kept
import ktap
import steps as the_steps
from steps import ALL, CHECK, Step

HEALTHY_KLOG = "[1.0] vm: start 6.1\n[2.0] vm: end rc=0\n"
SPLAT = HEALTHY_KLOG + "[3.0] BUG: KASAN: use-after-free in x\n"
WAITED = "# p.c:7:t:Expected 0 (0) == kfd_wait(k) (-62)\n"


def tap(outcome, said="", verdict="Test failed at step #3", more=""):
    """What run_guest prints of a program "p" with the test "f.t"."""
    ok = outcome == "pass"
    result = "ok" if ok else "not ok"
    middle = "" if ok else f"  {said}  # t: {verdict}\n"
    return ("TAP version 13\n1..2\n# Subtest: p\n  TAP version 13\n  1..1\n"
            f"  #  RUN           f.t ...\n{middle}  #  FAIL  f.t\n  {result} 1 f.t\n"
            f"{more}{result} 1 p\nok 2 p.leaves_nothing\n")


class Fake:
    """Steps that print a text: the first time one, the second time another."""

    def __init__(self, check, directory):
        self.check, self.dir, self.again = check, directory, 0

    def command(self, text, klog, rc):
        def put(name, content):
            path = os.path.join(self.dir, name)
            with open(path, "w") as f:
                f.write(content)
            return path
        n = len(os.listdir(self.dir))
        out = put(f"out{n}", text)
        script = f"cat {out}; exit {rc}"
        path = None
        if klog is not None:
            path = os.path.join(self.dir, f"klog{n}")
            source = put(f"source{n}", klog)
            script = f"cp {source} {path}; " + script
        return ["sh", "-c", script], path

    def step(self, name, first, second=None, klog=HEALTHY_KLOG, klog_again=HEALTHY_KLOG, rc=1,
             rc_again=0, **more):
        def rerun(names):
            assert names in (["p.f.t"], ["f.t"]), names
            self.again += 1
            command, path = self.command(second, klog_again, rc_again)
            return Step(name + "-again", command, tap=True, klog=path, alone=True)
        command, path = self.command(first, klog, rc)
        return Step(name, command, tap=True, klog=path,
                    rerun=rerun if second is not None else None, **more)

    def run(self, *todo, results=None):
        """(failures, what was run again, output) of a whole run."""
        self.again = 0
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            if results:
                self.check.resume(todo, results)
            self.check.Scheduler(list(todo), [], results).run()
            self.check.enforce(todo)
            self.check.summary(todo)
        return sum(s.count("fail") for s in todo), self.again, out.getvalue()


def flaky_problems(check, directory):
    """Which failures are run again, and what becomes of them."""
    fake = Fake(check, directory)
    good, bad = tap("pass"), tap("fail", WAITED)
    problems = []

    def want(what, failed, again, *todo, says=""):
        got = fake.run(*todo)
        if got[:2] != (failed, again) or says not in got[2]:
            problems.append(f"{what}: {got[0]} failed, {got[1]} run again:\n{got[2]}")

    def of_f(text):
        return text.replace("Subtest: p", "Subtest: f").replace(" 1 p\n", " 1 f\n")

    want("a test that passes alone", 0, 1, fake.step("a", bad, good),
         says="flaky a: p.f.t")
    want("what needs a flaky step runs", 0, 1, fake.step("a", bad, good),
         fake.step("b", good, rc=0, needs=["a"]))
    want("two flaky tests", 0, 2, fake.step("a", bad, good), fake.step("b", bad, good))
    want("a third flaky test", 3, 3, *(fake.step(n, bad, good) for n in "abc"),
         says="FAIL c: p.f.t: passed alone, but 3 tests did")
    want("a test that fails again", 1, 1, fake.step("a", bad, bad, rc_again=1),
         says="FAIL a: p.f.t: failed again, alone")
    by_index = tap("fail", "# p.c:7:t:Expected 0 (0) == kfd_wait(&q[1]) (-62)\n")
    want("a call with an element of an array", 0, 1, fake.step("a", by_index, good))
    want("a fixture with its program's name", 0, 1, fake.step("a", of_f(bad), of_f(good)),
         says="flaky a: f.t")
    want("a step that cannot run one test", 1, 0, fake.step("a", bad))
    want("a splat in the first run", 2, 0, fake.step("a", bad, good, klog=SPLAT))
    want("a splat in the second run", 1, 1, fake.step("a", bad, good, klog_again=SPLAT),
         says="and alone: kernel-log")
    want("a leak in the second run", 1, 1, fake.step(
        "a", bad, good.replace("ok 2", "not ok 2"), rc_again=1),
         says="and alone: p.leaves_nothing")
    want("a leak", 2, 0, fake.step("a", bad.replace("ok 2", "not ok 2"), good))
    want("only a leak", 1, 0, fake.step("a", good.replace("ok 2", "not ok 2"), good))
    for what, text in [
            ("a time limit", tap("fail", WAITED, "Test terminated by timeout")),
            ("a crash", tap("fail", WAITED, "Test terminated unexpectedly by signal 11")),
            ("an abort", tap("fail", "", "Test terminated by assertion")),
            ("wrong contents", tap("fail", "# p.c:7:t:Expected 0 (0) == memcmp(a, b, n) (1)\n")),
            ("a wrong word", tap("fail", "# p.c:7:t:Expected 7 (7) == to[3] (8)\n")),
            ("nothing said", tap("fail")),
            ("a program's time limit", tap("pass").replace("ok 1 p\n", "not ok 1 p\n"))]:
        want(what, 1, 0, fake.step("a", text, good))
    for code in (124, 125):
        want(f"exit code {code}", 2, 0, fake.step("a", bad, good, rc=code))
    want("no end", 2, 0, fake.step("a", bad, good, rc="$(sleep 100)", timeout=1))
    want("a boot that failed", 0, 0, fake.step("a", "vm: the boot failed: x\n" + good, rc=0),
         says="boot a: the boot failed: x")
    want("a step that took longer", 0, 0, fake.step("a", good, rc=0, budget=0),
         says="over its budget: a, ")
    return problems


def kept_problems(check, directory):
    """What is not run again with --resume, and what is."""
    fake = Fake(check, directory)
    problems = []
    good = tap("pass")
    # one command that tells how often it ran: by its name alone it is the same step
    script = f"echo >>{directory}/runs; cat {directory}/out; exit $(cat {directory}/rc)"
    trees = {"now": {"a": "1", "b": "1"}}

    def ran(text, name="s", rc=0, command=script, **more):
        """(times that the step's command ran, its state, what was said)"""
        for what, content in (("out", text), ("rc", str(rc)), ("runs", "")):
            with open(os.path.join(directory, what), "w") as f:
                f.write(content)
        step = Step(name, ["sh", "-c", command], tap=True, **more)
        said = fake.run(step, results=kept.Kept(lambda: trees["now"]))[2]
        with open(os.path.join(directory, "runs")) as f:
            return len(f.read()), step.state, said

    def want(what, times, state, *args, says="", **more):
        got = ran(*args, **more)
        if got[:2] != (times, state) or says not in got[2]:
            problems.append(f"--resume, {what}: ran {got[0]} times, {got[1]}:\n{got[2]}")

    want("the first run", 1, "passed", good)
    want("the second run", 0, "passed", tap("fail"), says="kept: 1 of 1 steps")
    want("another command", 1, "passed", good, command=script + "; :")
    want("the first command again", 1, "passed", good)
    trees["now"] = {"a": "1", "b": "2"}
    want("another tree", 1, "failed", tap("fail"), rc=1)
    want("after a failure", 1, "passed", good)
    with open(os.path.join(check.LOGS, "s.kept"), "w") as f:
        f.write('{"key": ')
    want("a record that is cut off", 1, "passed", good)
    trees["now"] = None
    want("a tree with changes", 1, "passed", good, says="not committed")
    trees["now"] = {"a": "1", "b": "2"}
    want("after one with changes", 1, "passed", good)
    want("what looks at a part", 1, "passed", good, name="p", apart=["b"])
    trees["now"] = {"a": "1", "b": "3", "c": "1"}
    want("what has something new", 1, "passed", good, name="p", apart=["b"])
    trees["now"] = {"a": "1", "b": "4", "c": "1"}
    want("what looks at a part that is the same", 0, "passed", good, name="p", apart=["b"])
    want("what looks at all of it", 1, "passed", good)
    trees["now"] = {"a": "2", "b": "4", "c": "1"}
    want("what looks at a part that is not", 1, "passed", good, name="p", apart=["b"])
    want("what is built", 1, "passed", good, name="b", group="builds")
    want("what is built, again", 1, "passed", good, name="b", group="builds")
    # one that changes while the step runs
    found = iter([{"a": "3"}, {"a": "4"}])
    fake.run(Step("c", ["true"]), results=kept.Kept(lambda: next(found)))
    if os.path.exists(os.path.join(check.LOGS, "c.kept")):
        problems.append("kept what has passed on a tree that changed meanwhile")
    flaky_step = fake.step("f", tap("fail", WAITED), good)
    if fake.run(flaky_step, results=kept.Kept(lambda: {"a": "1"}))[:2] != (0, 1) or \
       os.path.exists(os.path.join(check.LOGS, "f.kept")):
        problems.append("kept what has passed only once more, alone")
    return problems + tree_problems(directory)


def tree_problems(directory):
    """What is taken for a work tree: its contents, and only what is committed."""
    top = os.path.join(directory, "tree")

    def git(*args):
        subprocess.run(["git", "-C", top, "-c", "user.name=n", "-c", "user.email=e", *args],
                       check=True, stdout=subprocess.DEVNULL)

    def commit(content):
        with open(os.path.join(top, "file"), "w") as f:
            f.write(content)
        git("add", "file")
        git("commit", "-qm", "x", "--allow-empty")
        return kept.tree_of(top)
    os.makedirs(top)
    git("init", "-q")
    first, second = commit("1"), commit("2")
    with open(os.path.join(top, "new"), "w"):
        pass
    got = (first, second, kept.tree_of(top))
    os.unlink(os.path.join(top, "new"))
    if not first or first == second or got[2] is not None or commit("1") != first:
        return [f"trees are named {got}"]
    return []


def judge_problems(check):
    """What of a log is a failure, and what is shown of it."""
    problems = []
    step = Step("s", ["true"], tap=True)
    for text, code, skips, want in [
            ("1..1\nok 1 a\n", 0, [], "pass a"),
            ("1..1\nok 1 a\n", 3, [], "fail s (exit code 3)"),
            ("1..1\nnot ok 1 a\n", 124, [], "fail s (the guest's time limit)"),
            ("1..1\nok 1 a # SKIP no\n", 0, ["s:a"], "skip a (no)"),
            ("1..1\nok 1 a # SKIP no\n", 0, ["s:b", "t:*"], "fail a (skipped, and not"),
            ("", 0, [], "fail plan")]:
        with open(step.log, "w") as f:
            f.write(text)
        check.judge(step, code, skips)
        if not any(repr(r).startswith(want) for r in step.results):
            problems.append(f"{text!r} with exit code {code}: {step.results}")
    step.klog = step.log.replace(".log", ".klog")
    with open(step.log, "w") as f:
        f.write("TAP version 13\n1..2\nok 1 a\n#  RUN           b ...\n# why\nnot ok 2 b\n")
    with open(step.klog, "w") as f:
        f.write("\n" * 9 + "WARNING: at x.c:1\nCall Trace:\n")
    step.results = []
    check.judge(step, 1, [])
    said = [check.excerpt(step, r) for r in step.results if r.status == "fail"]
    if len(said) != 2 or said[0][1:] != ["# why", "not ok 2 b"] or said[1][-1] != "Call Trace:":
        problems.append(f"of failures is shown: {said}")
    with open(step.log, "w") as f:
        f.write(tap("fail", WAITED, more="  # of another\n" * 30))
    said = check.excerpt(step, ktap.Result("p.f.t", "fail"))
    if WAITED.strip() not in [line.strip() for line in said] or len(said) != 5:
        problems.append(f"of a program's test is shown: {said}")
    return problems


def step_problems(check):
    """The list of steps by itself."""
    problems = []
    every = the_steps.steps(CHECK)
    first, last = kernels.SERIES[0], kernels.SERIES[-1]
    if [s.name for s in check.choose(every, ["abi"])] != ["selftests", "abi"]:
        problems.append("what a chosen step needs is not run")
    for size in (CHECK, ALL):
        chosen = check.choose(the_steps.steps(size), [], size)
        missing = [f"{s.name} needs {n}" for s in chosen for n in s.needs
                   if n not in [c.name for c in chosen]]
        outside = [s.name for s in chosen if size not in s.sizes]
        if missing or outside:
            problems.append(f"{size}: {missing}, not of this size: {outside}")
    if lost := [s.name for s in every if ALL not in s.sizes and
                s.name not in ("bench", f"fast-{first}")]:
        problems.append(f"check-all does less than check: {lost}")
    if unknown := {n for s in every for n in s.apart if not os.path.exists(
            os.path.join(check.TOP, n))}:
        problems.append(f"apart from {unknown}, which is not there")
    for group, minutes in the_steps.GROUPS.items():
        total = sum(check.cost(s, s.budget) for s in check.choose(every, [])
                    if s.group == group)
        # not all of them take all of theirs
        if total > 60 * minutes * 1.25:
            problems.append(f"the steps of {group} may take {total / 60:.1f} of {minutes} min")
    again = next(s for s in every if s.name == f"selftests-{last}").rerun(["queue.a.b", "vm.c.d"])
    if again.command[-3:] != ["selftests/run_guest", "queue", "vm"] or not again.alone:
        problems.append(f"tests are run again with {again.command}")
    return problems


def check_in(directory, prefix, where):
    """Output of a copy of the runner whose build/ cannot be written."""
    script = (prefix + ["sh", "-c", where + '; exec "$0/scripts/check" shellcheck', directory])
    r = subprocess.run(script, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False)
    return r.returncode, r.stdout


def host_problems(check, directory):
    """A disk that is full and a directory that is not ours: one line, nothing left."""
    if os.geteuid() != 0:
        return []       # who cannot mount cannot be tested so
    problems = []
    for name in ("scripts", "vm", "selftests/expected-skips"):
        to = os.path.join(directory, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        copy = shutil.copytree if os.path.isdir(os.path.join(check.TOP, name)) else shutil.copy
        copy(os.path.join(check.TOP, name), to)
    os.makedirs(os.path.join(directory, "build"))
    os.chmod(directory, 0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    mount = 'mount -t tmpfs -o size=%s none "$0/build" || exit 99'
    # a step that fills the disk, or ends the runner: lint, which is to be found in the copy
    lint = os.path.join(directory, "scripts", "lint")
    with open(lint, "w") as f:
        f.write("#!/bin/sh\nhead -c 3000000 /dev/zero\n")
    for prefix, where, want in [
            (nobody, ":", "build/check: Permission denied"),
            (["unshare", "-m"], mount % "32k", "No space left on device"),
            (["unshare", "-m"], mount % "1M", "No space left on device")]:
        rc, said = check_in(directory, prefix, where)
        lines = [line for line in said.splitlines() if not line.startswith("..")]
        if rc != 1 or len(lines) != 1 or want not in lines[0]:
            problems.append(f"{want}: exit code {rc}, said {said!r}")
    with open(lint, "w") as f:
        f.write("#!/bin/sh\nkill -TERM $PPID\nexec sleep 100\n")
    rc, said = check_in(directory, [], ":")
    if rc != 128 + 15 or not said.endswith("check: ended by SIGTERM\n"):
        problems.append(f"ended by a signal: exit code {rc}, said {said!r}")
    return problems


def run(check):
    """All of them; the exit status."""
    problems = ktap.self_test()
    rc = check.scan_klog.self_test()
    with tempfile.TemporaryDirectory() as d:
        for name in ("logs", "fakes", "kept", "copy"):
            os.mkdir(os.path.join(d, name))
        the_steps.LOGS = check.LOGS = os.path.join(d, "logs")
        problems += judge_problems(check)
        problems += step_problems(check)
        problems += flaky_problems(check, os.path.join(d, "fakes"))
        problems += kept_problems(check, os.path.join(d, "kept"))
        os.chmod(d, 0o755)
        problems += host_problems(check, os.path.join(d, "copy"))
    for p in problems:
        print(p)
    print(f"check: {len(problems)} problems")
    return 1 if problems or rc else 0
