# SPDX-License-Identifier: GPL-2.0
"""Makes the commits that patches/series lists, in a repository that has the kernel's files of before.

series.py PROJECT REPOSITORY: each commit has the author and the date of the project's last one.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

# Where a file of the project is in a kernel tree, by how its path begins.
PLACES = (
    ("patches/first/", "mm/hmm_migrate/"),
    ("include/", "include/"),
    ("Documentation/", "Documentation/mm/hmm_migrate/"),
    ("tools/", "tools/mm/"),
    ("", "mm/hmm_migrate/"),
)
# Not for a kernel tree.
ABSENT = ("selftests/mutants", "selftests/programs")


class Commit:
    def __init__(self, content, message):
        self.patches = [word for word in content if word.endswith(".patch")]
        self.files = [word for word in content if not word.endswith(".patch")]
        self.message = message


def commits(text):
    found = []
    for line in text.splitlines():
        if line.startswith("=== "):
            found.append(Commit(line.split()[1:], []))
        elif found:
            found[-1].message.append(line)
    for commit in found:
        commit.message = "\n".join(commit.message).strip() + "\n"
    return found


def place_of(path):
    for begin, place in PLACES:
        if path.startswith(begin):
            return place + path[len(begin):]
    raise AssertionError(path)


def logical_lines(text):
    """Lines of a makefile, those that a backslash continues as one."""
    return re.findall(r"(?:[^\n]*\\\n)*[^\n]*\n", text)


def only_objects_there(text, folder):
    """A Kbuild file without objects, and folders, that have no source yet."""
    kept, composites = [], {}
    for line in logical_lines(text):
        match = re.match(r"([\w$()-]+)(\s*[:+]=\s*(?:\\\n\s*)?)(.*)\Z", line, re.S)
        words = match[3].replace("\\\n", " ").split() if match else []
        if not match or not all(re.search(r"(\.o|/)\Z", word) for word in words):
            kept.append(line)
            continue
        there = [word for word in words if has_source(folder, word, text)]
        if there == words:
            kept.append(line)
        elif there:
            kept.append(match[1] + match[2] + (" \\\n\t" if "\n" in match[3].strip() else " ").join(there) + "\n")
    # Where lines are left out there is one empty line, and none at the end.
    return re.sub(r"\n{3,}", "\n\n", "".join(kept)).rstrip("\n") + "\n"


def has_source(folder, word, text):
    if word.endswith("/"):
        return (folder / word / "Kbuild").exists()
    parts = re.search(r"^%s-y := ((?:.*\\\n)*.*)" % re.escape(word[:-2]), text, re.M)
    if parts:
        names = parts[1].replace("\\\n", " ").split()
        # The crate root stands for the module: it is there from the first commit on.
        return any(has_source(folder, name, "") for name in names)
    return any((folder / (word[:-2] + end)).exists() for end in (".c", ".rs"))


def only_modules_there(text, folder):
    """A list of Rust modules without those whose files are not there yet."""

    def is_there(match):
        path = match["path"] or match["name"] + ".rs"
        return match[0] if (folder / path).exists() else ""

    pattern = r'^(?:#\[(?:cfg\([^\n]*\)|path = "(?P<path>[^"]*)")\]\n)*(?:pub\(crate\) )?mod (?P<name>\w+);\n'
    return re.sub(pattern, is_there, text, flags=re.M)


class Tree:
    def __init__(self, project, repository):
        self.project, self.repository = project, repository
        self.lists = {}
        last = self.of_project("log", "-1", "--format=%an%n%ae%n%ad").splitlines()
        name, mail, date = last
        self.environment = dict(
            os.environ, GIT_AUTHOR_NAME=name, GIT_AUTHOR_EMAIL=mail, GIT_AUTHOR_DATE=date,
            GIT_COMMITTER_NAME=name, GIT_COMMITTER_EMAIL=mail, GIT_COMMITTER_DATE=date)

    def of_project(self, *words):
        return subprocess.run(["git", "-C", self.project, *words], check=True, capture_output=True, text=True).stdout

    def git(self, *words, **more):
        subprocess.run(["git", "-C", self.repository, *words], check=True, env=self.environment, **more)

    def files(self, path):
        listed = self.of_project("ls-files", "--cached", "--others", "--exclude-standard", "--", path).splitlines()
        if not listed:
            sys.exit("patches/series names %s, which is not there" % path)
        return [name for name in listed if not name.startswith(ABSENT)]

    def add(self, path):
        to = self.repository / place_of(path)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.project / path, to)
        text = to.read_text() if to.suffix != ".svg" else ""
        self.lists.pop(to, None)
        if to.name == "Kbuild":
            self.lists[to] = (only_objects_there, text)
        elif path in ("patches/first/hmm_migrate.rs", "rust/mod.rs"):
            self.lists[to] = (only_modules_there, text)

    def commit(self, commit):
        if not commit.files and not commit.message.strip():
            for patch in commit.patches:
                self.git("am", "--quiet", str(self.project / "patches" / patch))
            return
        for patch in commit.patches:
            self.git("apply", "--index", str(self.project / "patches" / patch))
        for word in commit.files:
            for path in self.files("patches/" + word if word.startswith("first/") else word):
                self.add(path)
        for to, (only, text) in self.lists.items():
            to.write_text(only(text, to.parent))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--signoff", "--file=-", input=commit.message, text=True)

    def check_whole(self):
        """What the last commit has is what the project has."""
        for path in self.files("."):
            begin = path.split("/")[0]
            if begin in ("patches", "scripts", "README.md", "Makefile") or begin.startswith("."):
                continue
            to = self.repository / place_of(path)
            if not to.exists() or to.read_bytes() != (self.project / path).read_bytes():
                sys.exit("patches/series: in the end %s is not as it is here" % path)


def main():
    tree = Tree(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
    listed = commits((tree.project / "patches/series").read_text())
    of_series = {patch for commit in listed for patch in commit.patches}
    for patch in sorted((tree.project / "patches").glob("*.patch")):
        if patch.name not in of_series:
            sys.exit("patches/series does not name " + patch.name)
    for commit in listed:
        tree.commit(commit)
    tree.check_whole()


if __name__ == "__main__":
    main()
