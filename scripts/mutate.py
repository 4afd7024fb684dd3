# SPDX-License-Identifier: GPL-2.0
"""Applies one mutant of selftests/mutants to a copy of the checkout."""
import sys


def edits(name, lines):
    """The edits of a mutant, as (file, before, after)."""
    here, file, before, after = False, None, [], []

    def flush():
        if before:
            yield file, "\n".join(before), "\n".join(after)
        before.clear()
        after.clear()

    for line in lines:
        if line.startswith("mutant "):
            yield from flush()
            here = line.split()[1].rstrip(":") == name
        elif not here or not line or line.startswith("#"):
            continue
        elif line.startswith("- "):
            if after:
                yield from flush()
            before.append(line[2:])
        elif line.startswith("+ "):
            after.append(line[2:])
        else:
            yield from flush()
            file = line
    yield from flush()


def main():
    name, tree = sys.argv[1:]
    with open("selftests/mutants", encoding="utf-8") as file:
        found = list(edits(name, file.read().splitlines()))
    if not found:
        sys.exit(f"{name}: no edit is listed")
    for path, before, after in found:
        with open(f"{tree}/{path}", encoding="utf-8") as file:
            text = file.read()
        if text.count(before) != 1:
            sys.exit(f"{name}: {path} has {text.count(before)} times: {before}")
        with open(f"{tree}/{path}", "w", encoding="utf-8") as file:
            file.write(text.replace(before, after))


main()
