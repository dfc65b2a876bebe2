# SPDX-License-Identifier: GPL-2.0-only
"""Read KTAP and TAP: what a selftest prints to what passed, failed and was skipped.

Nested tests are indented by spaces or by "# "; several documents may follow each
other. Only tests without subtests are counted, and a parent that failed although
none of its subtests did. What must be there and is not is a failure as well:
a plan, each planned result, the end of a document that bails out.
"""
import re

RESULT = re.compile(r"(not )?ok\b(?: (\d+))?(?: -)? ?(.*)$")
PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*SKIP\b\s*(.*))?")
VERSION = re.compile(r"K?TAP version \d+")
SKIP = re.compile(r"#\s*SKIP\b[: ]*(.*)$", re.IGNORECASE)
# kselftest_harness.h names a skipped test here alone
HARNESS_RUN = re.compile(r"# +RUN +(\S+)")


class Result:
    """One test: name, 'pass', 'fail' or 'skip', and the reason of a skip or failure."""

    def __init__(self, name, status, reason=""):
        self.name, self.status, self.reason = name, status, reason

    def __repr__(self):
        return f"{self.status} {self.name}" + (f" ({self.reason})" if self.reason else "")


class _Block:
    """The results of one level since its last version or plan line."""

    def __init__(self):
        self.plan = None
        self.seen = 0
        self.children = []      # results of the level below, not yet claimed by a parent


def _split(line):
    """(level, text) of a line: "# " and two spaces before a TAP line are one level each."""
    level, rest = 0, line
    while True:
        if rest.startswith("# "):
            step = rest[2:]
        elif rest.startswith("  "):
            step = rest[2:]
        else:
            break
        level, rest = level + 1, step
    if RESULT.match(rest) or PLAN.fullmatch(rest) or VERSION.fullmatch(rest):
        return level, rest
    return None, line


class Parser:
    """Feed lines, then call finish() for the list of results."""

    def __init__(self):
        self.levels = []        # one _Block per open level
        self.results = []       # finished results of level 0
        self.name = ""
        self.saw_plan = False

    def feed(self, line):
        line = line.rstrip("\r\n")
        if run := HARNESS_RUN.match(line):
            self.name = run.group(1)
        if line.startswith("Bail out!"):
            self._emit(0, Result("bail-out", "fail", line[9:].strip()))
        level, text = _split(line)
        if level is None:
            return
        if plan := PLAN.fullmatch(text):
            self._plan(level, plan)
        elif VERSION.fullmatch(text):
            self._open(level)
        else:
            self._result(level, RESULT.match(text))

    def finish(self):
        self._close(0)
        if not self.saw_plan:
            self.results.append(Result("plan", "fail", "no test plan was printed"))
        return self.results

    # A level's results go to the level above, which a parent's result line claims.
    def _emit(self, level, result):
        if level == 0:
            self.results.append(result)
        else:
            self._open_to(level - 1)
            self.levels[level - 1].children.append(result)

    def _open_to(self, level):
        while len(self.levels) <= level:
            self.levels.append(_Block())

    def _close(self, level):
        """End the documents at this level and below, deepest first."""
        while len(self.levels) > level:
            block = self.levels.pop()
            at = len(self.levels)
            for child in block.children:
                self._emit(at, child)
            if block.plan is not None and block.seen != block.plan:
                self._emit(at, Result("plan", "fail",
                                      f"{block.plan} tests planned, {block.seen} ran"))

    def _open(self, level):
        # a version line inside an open, still unfinished document of the level above is its child
        if len(self.levels) > level:
            block = self.levels[level]
            if block.plan is None and not block.seen and not block.children:
                return
            self._close(level)
        self._open_to(level)

    def _plan(self, level, plan):
        self.saw_plan = True
        if len(self.levels) > level and self.levels[level].plan is not None:
            self._close(level)
        self._open_to(level)
        self.levels[level].plan = int(plan.group(1))
        if plan.group(2) is not None:
            self._emit(level, Result(self.name or "all", "skip", plan.group(2)))

    def _result(self, level, match):
        if len(self.levels) > level + 1:
            self._close(level + 1)
        self._open_to(level)
        block = self.levels[level]
        block.seen += 1
        text = match.group(3)
        skip = SKIP.search(text)
        name = (text[:skip.start()] if skip else text).strip() or self.name or f"test {block.seen}"
        children, block.children = block.children, []
        for child in children:
            full = child.name if child.name.startswith(name + ".") else f"{name}.{child.name}"
            self._emit(level, Result(full, child.status, child.reason))
        if match.group(1):
            if not any(c.status == "fail" for c in children):
                self._emit(level, Result(name, "fail"))
        elif skip:
            self._emit(level, Result(name, "skip", skip.group(1).strip()))
        elif not children:
            self._emit(level, Result(name, "pass"))


def parse(text):
    """The list of results of a whole output."""
    parser = Parser()
    for line in text.splitlines():
        parser.feed(line)
    return parser.finish()


# (output, what has to come out of it) for self_test()
EXAMPLES = [
    ("TAP version 13\n1..2\n#  RUN           a.b ...\n#            OK  a.b\nok 1 a.b\n"
     "#  RUN           a.c ...\n#      SKIP      no such thing\nok 2 # SKIP no such thing\n",
     ["pass a.b", "skip a.c (no such thing)"]),
    ("KTAP version 1\n1..2\n  KTAP version 1\n  1..2\n  ok 1 x\n  not ok 2 y\nnot ok 1 one\n"
     "ok 2 two\n", ["pass one.x", "fail one.y", "pass two"]),
    ("TAP version 13\n1..2\n# TAP version 13\n# 1..1\n# ok 1 x\nok 1 one\nnot ok 2 two # exit=1\n",
     ["pass one.x", "fail two # exit=1"]),
    # the second document is cut off; the third says nothing of its own failure
    ("1..1\nok 1 a\nTAP version 13\n1..3\nok 1 b\nTAP version 13\n1..1\nnot ok 1 c\n",
     ["pass a", "pass b", "fail plan (3 tests planned, 1 ran)", "fail c"]),
    ("1..1\n  1..1\n  ok 1 one.x\nok 1 one\n", ["pass one.x"]),
    ("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 x\nok 1 one\n",
     ["pass one.x", "fail one.plan (2 tests planned, 1 ran)"]),
    ("TAP version 13\n1..0 # SKIP no GPU\n", ["skip all (no GPU)"]),
    ("hello\n", ["fail plan (no test plan was printed)"]),
    ("1..2\nok 1 a\nBail out! gone\n",
     ["pass a", "fail bail-out (gone)", "fail plan (2 tests planned, 1 ran)"]),
]


def self_test():
    """Problems found when the examples are read; an empty list is good."""
    return [f"{text!r}: {got}, not {want}" for text, want in EXAMPLES
            if (got := [repr(r) for r in parse(text)]) != want]
