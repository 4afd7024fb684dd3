# SPDX-License-Identifier: GPL-2.0
"""Applies a mutant of selftests/mutants to a copy of the checkout.

mutate.py NAME FOLDER: that mutant, to the copy in the folder
mutate.py --check: none; says which ones are not in step with the code
"""
import sys


def mutants(lines):
    """All mutants, as {name: [(file, before, after), ...]}."""
    found = {}
    name = file = None
    before, after = [], []

    def flush():
        if before:
            found[name].append((file, "\n".join(before), "\n".join(after)))
        before.clear()
        after.clear()

    for line in lines:
        if line.startswith("mutant "):
            flush()
            name = line.split()[1].rstrip(":")
            found[name] = []
        elif not name or not line or line.startswith("#"):
            continue
        elif line.startswith("- "):
            if after:
                flush()
            before.append(line[2:])
        elif line.startswith("+ "):
            after.append(line[2:])
        else:
            flush()
            file = line
    flush()
    return found


def mutate(edits, tree):
    """The files that the edits make others, as {path: text}; or what is wrong with an edit."""
    texts = {}
    for path, before, after in edits:
        if path not in texts:
            with open(f"{tree}/{path}", encoding="utf-8") as file:
                texts[path] = file.read()
        count = texts[path].count(before)
        if count != 1:
            raise ValueError(f"{path} has {count} times: {before}")
        texts[path] = texts[path].replace(before, after)
    if not texts:
        raise ValueError("no edit is listed")
    return texts


def check(found):
    """Says what does not apply; True if all does."""
    good = True
    for name, edits in found.items():
        try:
            mutate(edits, ".")
        except (OSError, ValueError) as wrong:
            print(f"{name}: {wrong}")
            good = False
    return good


def main():
    with open("selftests/mutants", encoding="utf-8") as file:
        found = mutants(file.read().splitlines())
    if sys.argv[1:] == ["--check"]:
        sys.exit(not check(found))
    name, tree = sys.argv[1:]
    try:
        texts = mutate(found.get(name, []), tree)
    except (OSError, ValueError) as wrong:
        sys.exit(f"{name}: {wrong}")
    for path, text in texts.items():
        with open(f"{tree}/{path}", "w", encoding="utf-8") as file:
            file.write(text)


main()
