# SPDX-License-Identifier: GPL-2.0-only
"""Results of scripts/check that outlive it, for "check --resume".

All that there is takes hours, and a machine may not have them in one piece. A step that
has passed is not run again as long as nothing has changed that it could depend on: what
git has of the tree (with anything changed or not known to git nothing is kept, nor used)
but for the step's "apart", the kernels of the machine, the step's command. What is built is always built again, which
costs little; a step that passed only when it ran once more, alone, is run again.

One file for each step, beside its log. It is written when the step has ended, whole or
not at all.
"""
import hashlib
import json
import os
import subprocess
import time

import kernels
import ktap
import worlds

# these make what others need, and have it by themselves when nothing has changed
NEVER = ("builds", "debug kernel")


def tree_of(top):
    """What git has of each file and directory at the top of a clean work tree, or None."""
    def git(*args):
        return subprocess.run(["git", "-C", top, *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=True).stdout.strip()
    try:
        if git("status", "--porcelain", "--untracked-files=all"):
            return None
        lines = git("ls-tree", "HEAD").splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    return {name: what for what, name in (line.split("\t", 1) for line in lines)}


def machine(step):
    """The kernels that a step's guests may have, and the worlds that it is about."""
    found = [kernels.newest("headers", series) for series in kernels.SERIES]
    if kernels.DEBUG in step.name:
        found.append(kernels.debug_release())
    found += [worlds.root(name) for name in worlds.WORLDS if name in step.name]
    return [str(k) for k in found]


class Kept:
    """The results that are kept of one tree.

    tree: gives its contents when it is called, as tree_of().
    """

    def __init__(self, tree=lambda: None):
        self.now = tree
        self.tree = tree()

    def key(self, step):
        """What the result of a step depends on, as one word."""
        seen = {name: what for name, what in self.tree.items() if name not in step.apart}
        what = [seen, machine(step), step.command, sorted(step.env.items())]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    @staticmethod
    def path(step):
        return step.log.removesuffix(".log") + ".kept"

    def keep(self, step):
        """After a step has ended: its results, if it is one that need not run again."""
        try:
            os.unlink(self.path(step))
        except FileNotFoundError:
            pass
        flaky = any(getattr(r, "flaky", False) for r in step.results)
        if step.state != "passed" or flaky or step.group in NEVER:
            return
        if not self.tree or self.now() != self.tree:    # changed while it ran
            return
        record = {"key": self.key(step), "when": int(time.time()), "seconds": step.seconds,
                  "results": [[r.name, r.status, r.reason] for r in step.results]}
        temporary = self.path(step) + ".tmp"
        with open(temporary, "w") as f:
            json.dump(record, f)
        os.rename(temporary, self.path(step))

    def use(self, step):
        """Take the results of an earlier run; whether there were any that hold."""
        if not self.tree or step.group in NEVER:
            return False
        try:
            with open(self.path(step)) as f:
                record = json.load(f)
            if record["key"] != self.key(step):
                return False
            results = [ktap.Result(*r) for r in record["results"]]
            step.kept, step.seconds = record["when"], record["seconds"]
        except (OSError, ValueError, TypeError, KeyError):
            return False
        step.results, step.state = results, "passed"
        return True
