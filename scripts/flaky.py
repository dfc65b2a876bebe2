# SPDX-License-Identifier: GPL-2.0-only
"""Which failures may be of a test that is flaky, and be run once more.

Only those where a test of the harness has come to its end and says what it expected
and what it saw. A splat, a leak, a crash, a time limit, a machine that died and contents
that were wrong are what the tests are there to find, however rarely they happen.
"""
import re

MOST = 2        # flaky tests with which a run passes
VERDICT = re.compile(r"Test failed at step #|Test terminated by assertion")
# seen beside it, it is no mere assertion
HARD = re.compile(r"Test terminated (unexpectedly|by timeout)|Test ended in some other way|"
                  r"Test exited normally instead|no end within|"
                  r"[*]{3} .* [*]{3}: terminated|(malloc|free|realloc).*(corrupt|invalid)|"
                  r"double free|AddressSanitizer|runtime error:|kmemleak")
EXPECTED = re.compile(r":\s?Expected ")
# what an assertion about memory's contents has in it
CONTENTS = re.compile(r"memcmp|str\w*cmp|pattern|differ|EILSEQ|\(-84\)|contents|checksum|wrong|"
                      r"corrupt|word|\bcpu\b|\bmem\b|\bdata\b|\bsum\b|\] \(|[ (]\*\w",
                      re.IGNORECASE)


RUN = re.compile(r"[# ]+RUN +(\S+) \.\.\.")
NOT_OK = re.compile(r"[# ]*not ok \d+ (?:- )?(\S+)")


def is_named(name, test):
    """Whether a result is of a test: with the program before it, unless that begins it."""
    return name == test or name.endswith("." + test)


def section(lines, name):
    """What a log has of one test, from its RUN line to its result.

    name: with the program before it, which the log does not have on each line.
    """
    begin = None
    for i, line in enumerate(lines):
        if (run := RUN.match(line)) and is_named(name, run[1]):
            begin = i
        elif begin is not None and (end := NOT_OK.match(line)) and is_named(name, end[1]):
            return lines[begin:i + 1]
    return []


def may_be(lines, result):
    """Whether a failed result can be one of a flaky test, by what the step printed."""
    said = section(lines, result.name)
    text = "\n".join(said)
    if not said or HARD.search(text) or not VERDICT.search(text):
        return False
    expected = [line for line in said if EXPECTED.search(line)]
    return bool(expected) and not any(CONTENTS.search(line) for line in expected)


def doubtful(lines, results):
    """Names of the failed tests that are to be run once more: all that failed, or none.

    With anything else that failed the run has failed anyway, as with too many.
    """
    fails = [r for r in results if r.status == "fail"]
    if not fails or len(fails) > MOST or not all(may_be(lines, r) for r in fails):
        return []
    return [r.name for r in fails]


def settle(results, again, lines):
    """Change failed results by those of the second run; lines: what that one printed.

    One that passes now is flaky, if nothing happened that no flaky test does.
    """
    bad = [r for r in again if r.status == "fail" and not may_be(lines, r)]
    passed = {r.name for r in again if r.status == "pass"}
    for r in results:
        if r.status != "fail":
            continue
        if bad:
            r.reason = f"and alone: {bad[0].name} {bad[0].reason}".rstrip()
        elif r.name in passed:
            r.status, r.flaky = "pass", True
        else:
            r.reason = "failed again, alone"
