#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""From how often blocks of instructions ran, to instructions of each function for a page."""

import argparse
import bisect
import collections
import re

# The marks of selftests/bench/mark.h that are of an engine, in their order.
COLUMNS = [
    ("mainline", "to_device"),
    ("mainline", "to_system"),
    ("hmm_migrate", "to_device"),
    ("hmm_migrate", "to_system"),
]

# What v0 mangling leaves of a path, near enough to read: names with their lengths before them.
NAME = re.compile(r"(\d+)")


def demangled(symbol):
    """The last two names of a Rust symbol's path."""
    if not symbol.startswith("_R"):
        return symbol
    names, at = [], 2
    while match := NAME.search(symbol, at):
        length = int(match.group(1))
        start = match.end() + (symbol[match.end() : match.end() + 1] == "_")
        name = symbol[start : start + length]
        if length and len(name) == length and re.fullmatch(r"[A-Za-z_]\w*", name):
            names.append(name)
            at = start + length
        else:
            at = match.end()
    return "::".join(names[-3:]) or symbol


class Symbols:
    """Which function an address is in."""

    def __init__(self, lines):
        found = []
        for line in lines:
            words = line.split()
            if len(words) >= 3 and len(words[0]) == 16 and words[1] in "tTwW":
                found.append((int(words[0], 16), words[2]))
        found.sort()
        self.starts = [start for start, _ in found]
        self.names = [name for _, name in found]

    def find(self, address):
        """The function's name, and how far into it the address is."""
        at = bisect.bisect_right(self.starts, address) - 1
        if at < 0:
            return "?", 0
        return self.names[at], address - self.starts[at]


def pages_moved(lines):
    """For each column, how many pages its rounds have moved; a round goes before those that are told."""
    rounds = collections.Counter()
    pages = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["sample"]:
            column = (words[5], words[2])
            rounds[column] += 1
            pages[column] = int(words[4])
    return [pages.get(column, 0) * (rounds[column] + 1) for column in COLUMNS]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().replace("\r", "").splitlines()


def count(blocks, symbols, pages, by):
    """Instructions for a page, by what `by` makes of a function and an offset in it."""
    sums = collections.defaultdict(lambda: [0.0] * len(COLUMNS))
    for line in blocks:
        address, length, *runs = line.split()
        key = by(*symbols.find(int(address, 16)))
        if key is None:
            continue
        for column, moved in enumerate(pages):
            if moved:
                sums[key][column] += int(runs[1 + column]) * int(length) / moved
    return sums


def table(sums, pages, lines):
    """The functions that take most in our engine, and in mainline's."""
    shown = [column for column, moved in enumerate(pages) if moved]
    heads = ["{} {}".format(*COLUMNS[column]).replace("_", " ") for column in shown]
    print("".join(f"{head:>22}" for head in heads) + "  instructions for a page of each")
    total = [sum(sums[key][column] for key in sums) for column in shown]
    print("".join(f"{value:22.1f}" for value in total) + "  all")
    order = sorted(sums, key=lambda key: -max(sums[key]))
    for key in order[:lines]:
        values = [sums[key][column] for column in shown]
        print("".join(f"{value:22.1f}" for value in values) + f"  {key}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("blocks", help="what the plugin has counted")
    parser.add_argument("samples", help="what the benchmark has written, with the symbols")
    parser.add_argument("-n", "--lines", type=int, default=60, help="so many functions")
    parser.add_argument("-b", "--blocks-of", metavar="FUNCTION", help="the blocks of functions with this in the name")
    options = parser.parse_args()

    samples = read(options.samples)
    pages = pages_moved(samples)
    symbols = Symbols(samples)

    def by(name, offset):
        name = demangled(name)
        if options.blocks_of is None:
            return name
        return f"{name}+{offset:#x}" if options.blocks_of in name else None

    table(count(read(options.blocks), symbols, pages, by), pages, options.lines)


if __name__ == "__main__":
    main()
