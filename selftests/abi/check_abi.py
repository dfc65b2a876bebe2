#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Prove that our kfd_ioctl.h is the in-tree driver's ABI, name by name.

Both headers, ours and the one of the system (linux-libc-dev), are read by the
compiler's preprocessor and parsed to the last token, so that no name can be
overlooked; for each, a translation unit is generated which prints the value of
every constant and the size and offset of every struct and field. The two
listings are then compared. Output is KTAP.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

TOKEN = re.compile(r"""[A-Za-z_]\w*|0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*|'(?:\\.|[^'])'|<<|>>|\S""")


class Header:
    """The names that one header defines, and what the compiler says of them."""

    def __init__(self, path, cc, cflags, workdir, tag):
        self.path = os.path.realpath(path)
        self.cc = cc
        self.cflags = cflags
        self.base = os.path.join(workdir, tag)
        self.macros = {}        # name -> (parameters or None, body)
        self.structs = {}       # name -> [(path, type text)]
        self.enums = {}         # name -> [constants]
        self.facts = {}         # "kind name" -> value as text
        self.parse(self.own_text())
        self.measure()

    def own_text(self):
        """Preprocessed text that stems from this file alone, macros apart."""
        out = subprocess.run([self.cc, "-E", "-dD", "-x", "c", *self.cflags, self.path],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
        mine, text = False, []
        for line in out.splitlines():
            mark = re.match(r'# \d+ "([^"]*)"', line)
            if mark:
                mine = os.path.realpath(mark.group(1)) == self.path
                continue
            if not mine:
                continue
            macro = re.match(r"#define\s+(\w+)(\([^)]*\))?\s*(.*)", line)
            if macro:
                self.macros[macro.group(1)] = (macro.group(2), macro.group(3).strip())
            elif line.startswith("#undef"):
                raise SystemExit(f"{self.path}: #undef is not understood: {line}")
            else:
                text.append(line)
        return "\n".join(text)

    def parse(self, text):
        self.tokens = TOKEN.findall(text)
        self.at = 0
        while self.at < len(self.tokens):
            kind, name = self.take(), self.take()
            self.expect("{")
            if kind == "struct":
                self.structs[name] = list(self.fields(""))
            elif kind == "enum":
                self.enums[name] = list(self.constants())
            else:
                raise SystemExit(f"{self.path}: cannot parse '{kind} {name}'")
            self.expect(";")

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, what):
        got = self.take()
        if got != what:
            near = " ".join(self.tokens[max(0, self.at - 8):self.at + 4])
            raise SystemExit(f"{self.path}: expected '{what}', found '{got}' near: {near}")

    def constants(self):
        while self.tokens[self.at] != "}":
            yield self.take()
            while self.tokens[self.at] not in ",}":
                self.take()
            if self.tokens[self.at] == ",":
                self.take()
        self.take()

    def fields(self, prefix):
        """Fields up to the closing brace; those of unnamed members are inlined, and of
        what has no type of its own but a name they follow it."""
        while self.tokens[self.at] != "}":
            words = []
            while self.tokens[self.at] not in ";[{":
                words.append(self.take())
            if self.tokens[self.at] == "{":
                self.take()
                inner = list(self.fields(""))
                if self.tokens[self.at] != ";":
                    words = [*words, self.take()]
                    yield prefix + words[-1], " ".join(words[:-1])
                    inner = [(words[-1] + "." + field, ctype) for field, ctype in inner]
                    self.expect(";")
                    self.at -= 1
                    words = []
                yield from [(prefix + field, ctype) for field, ctype in inner]
            array = []
            while self.tokens[self.at] != ";":
                array.append(self.take())
            self.take()
            if len(words) > 1:
                yield prefix + words[-1], " ".join(words[:-1]) + "".join(array)
        self.take()

    def measure(self):
        src = [f'#include "{self.path}"', "#include <stddef.h>", "#include <stdio.h>",
               "#define STR2(...) #__VA_ARGS__", "#define STR(...) STR2(__VA_ARGS__)",
               "int main(void) {"]
        for name, (params, body) in self.macros.items():
            if params:
                # A function-like macro: compare what it says, and use it.
                self.facts[f"macro {name}"] = "".join(TOKEN.findall(params + body))
            elif body:
                src.append(f'printf("define {name}=%lld size %zu\\n", '
                           f"(long long)({name}), sizeof({name}));")
            else:
                self.facts[f"flag {name}"] = "defined"
        for name, constants in self.enums.items():
            src.append(f'printf("enum {name}=size %zu\\n", sizeof(enum {name}));')
            for const in constants:
                src.append(f'printf("enum-constant {name}.{const}=%lld\\n", (long long){const});')
        for name, fields in self.structs.items():
            src.append(f'printf("struct {name}=size %zu align %zu\\n", '
                       f"sizeof(struct {name}), _Alignof(struct {name}));")
            for field, ctype in fields:
                size = "(size_t)0" if ctype.endswith("[]") else \
                    f"sizeof(((struct {name} *)0)->{field})"
                src.append(f'printf("field {name}.{field}=offset %zu size %zu type {ctype}\\n", '
                           f"offsetof(struct {name}, {field}), {size});")
        src += ["return 0;", "}"]
        with open(self.base + ".c", "w", encoding="ascii") as out:
            out.write("\n".join(src) + "\n")
        subprocess.run([self.cc, "-Wall", "-Werror", *self.cflags, "-o", self.base,
                        self.base + ".c"], check=True)
        listing = subprocess.run([self.base], check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in listing.splitlines():
            key, value = line.split("=", 1)
            self.facts[key] = value

    def padding(self):
        """Structs whose fields do not fill them without a hole."""
        for name, fields in self.structs.items():
            reach = 0
            for field, _ in sorted(fields, key=lambda f: self.extent(name, f[0])):
                start, size = self.extent(name, field)
                if start > reach:
                    yield name, field
                reach = max(reach, start + size)
            if reach != int(self.facts[f"struct {name}"].split()[1]):
                yield name, "end"

    def extent(self, name, field):
        words = self.facts[f"field {name}.{field}"].split()
        return int(words[1]), int(words[3])


def drm_stand_in(workdir):
    """The system's kfd_ioctl.h includes <drm/drm.h>, which Debian leaves out of
    linux-libc-dev. All it takes from there are the integer types, so a file
    that brings those stands in, behind a real one if there is one."""
    os.makedirs(os.path.join(workdir, "standin", "drm"))
    with open(os.path.join(workdir, "standin", "drm", "drm.h"), "w", encoding="ascii") as out:
        out.write("#include <linux/types.h>\n")
    return ["-idirafter", os.path.join(workdir, "standin")]


def system_header(cc, cflags):
    """Where the compiler finds <linux/kfd_ioctl.h> with nobody's -I."""
    out = subprocess.run([cc, "-E", "-x", "c", *cflags, "-"],
                         input="#include <linux/kfd_ioctl.h>\n",
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    for path in re.findall(r'^# \d+ "([^"]*linux/kfd_ioctl.h)"', out, re.M):
        return path
    raise SystemExit("the system has no <linux/kfd_ioctl.h>: install linux-libc-dev")


def minor(header):
    return int(header.macros["KFD_IOCTL_MINOR_VERSION"][1])


class Ktap:
    def __init__(self):
        self.lines, self.counts = [], {"ok": 0, "not ok": 0, "skip": 0}

    def result(self, name, verdict, detail=""):
        self.counts[verdict] += 1
        number = sum(self.counts.values())
        word = "not ok" if verdict == "not ok" else "ok"
        tail = f" # SKIP {detail}" if verdict == "skip" else ""
        if verdict == "not ok":
            self.lines.append(f"# {detail}")
        self.lines.append(f"{word} {number} {name}{tail}")

    def finish(self):
        total = sum(self.counts.values())
        print("TAP version 13")
        print(f"1..{total}")
        print("\n".join(self.lines))
        print(f"# Totals: pass:{self.counts['ok']} fail:{self.counts['not ok']} xfail:0 xpass:0 "
              f"skip:{self.counts['skip']} error:0")
        return 1 if self.counts["not ok"] or not total else 0


def has_grown(key, mine, other):
    """Is it what a newer header may have instead: a higher version, more calls, a struct that
    is longer, and a request that has it, which is another number then?"""
    words, more = mine.split(), other.split()
    if key in ("define KFD_IOCTL_MINOR_VERSION", "define AMDKFD_COMMAND_END"):
        return int(more[0]) > int(words[0])
    if key.startswith("struct "):
        return int(more[1]) > int(words[1]) and more[2:] == words[2:]
    if not key.startswith("define AMDKFD_IOC_"):
        return False
    # the size of the argument is in bits 16 to 29 of a request
    size = 0x3fff << 16
    return int(more[0]) & ~size == int(words[0]) & ~size and \
        int(more[0]) & size > int(words[0]) & size


def compare(ours, theirs, ktap):
    newer = minor(theirs) > minor(ours)
    unknown = 0
    for key in sorted(set(ours.facts) | set(theirs.facts)):
        name = "abi." + key.replace(" ", ".")
        mine, other = ours.facts.get(key), theirs.facts.get(key)
        if mine == other:
            ktap.result(name, "ok")
        elif newer and mine is None:
            unknown += 1
        elif other is None:
            ktap.result(name, "skip", "only in our header")
        elif newer and has_grown(key, mine, other):
            ktap.result(name, "ok")
        else:
            ktap.result(name, "not ok", f"{key}: ours '{mine}', the system's '{other}'")
    if unknown:
        print(f"# the system's header is 1.{minor(theirs)}: {unknown} names are not in ours")


def check_padding(ours, theirs, ktap):
    """Holes that mainline's ABI has are its own; there must be no other."""
    known = set(theirs.padding())
    for name in sorted(ours.structs):
        holes = [f for n, f in ours.padding() if n == name and (n, f) not in known]
        if holes:
            ktap.result(f"padding.{name}", "not ok", f"hole before {holes}")
        else:
            ktap.result(f"padding.{name}", "ok")


def main():
    opts = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    opts.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    opts.add_argument("--ours", required=True, help="our kfd_ioctl.h")
    opts.add_argument("--system", help="header to compare with (default: the compiler's)")
    opts.add_argument("--include", help="directory of our headers' own includes")
    args = opts.parse_args()
    ktap = Ktap()
    with tempfile.TemporaryDirectory() as work:
        cflags = ["-I", args.include] if args.include else []
        ours = Header(args.ours, args.cc, cflags, work, "ours")
        system = drm_stand_in(work)
        theirs = Header(args.system or system_header(args.cc, system), args.cc, system, work,
                        "system")
        compare(ours, theirs, ktap)
        check_padding(ours, theirs, ktap)
    return ktap.finish()


if __name__ == "__main__":
    sys.exit(main())
