# SPDX-License-Identifier: GPL-2.0
"""What the benchmark has measured: from its lines, or from a saved bench.json, to figures."""

import json
import statistics

ENGINES = ("mainline", "hmm_migrate")

# What mainline's overhead is to be, in ours, at least.
BARS = {
    ("4k-exclusive-1t", "to_device"): 2.0,
    ("4k-exclusive-1t", "to_system"): 2.0,
    ("4k-exclusive-2t", "to_device"): 3.0,
    ("4k-forked-4", "to_device"): 1.2,
    ("4k-forked-4", "to_system"): 1.2,
    ("64k-mthp", "to_device"): 5.0,
    ("64k-mthp", "to_system"): 5.0,
    ("2m-thp", "to_device"): 1.2,
    ("2m-thp", "to_system"): 1.2,
    ("hole", "to_device"): 2.0,
    ("fault-1", "to_system"): 1.2,
    ("fault-64k", "to_system"): 5.0,
    ("evict", "to_system"): 2.0,
    ("4k-parallel-2", "to_device"): 2.0,
    ("4k-parallel-2", "to_system"): 2.0,
    ("4k-insn", "to_device"): 2.0,
    ("4k-insn", "to_system"): 2.0,
}


# In this order they are told, and others after them.
ORDER = [
    "4k-exclusive-1t",
    "4k-insn",
    "4k-exclusive-2t",
    "4k-forked-4",
    "64k-mthp",
    "2m-thp",
    "hole",
    "fault-1",
    "fault-64k",
    "fault-64k-both",
    "evict",
    "4k-parallel-1",
    "4k-parallel-2",
    "node-4k",
]


def place(case):
    """Where a case comes in a list."""
    number = ORDER.index(case.name) if case.name in ORDER else len(ORDER)
    return number, case.name, case.direction, case.bytes


def quartiles(values):
    """The lower quartile, the median and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


class Figure:
    """Samples of one engine, for each page."""

    def __init__(self, samples, pages):
        low, self.median, high = quartiles([sample / pages for sample in samples])
        self.iqr = high - low

    @property
    def spread(self):
        """The interquartile range as a part of the median."""
        return self.iqr / self.median if self.median > 0 else 0.0


class Case:
    """One case, direction and size, with the samples of both engines in their order."""

    def __init__(self, name, direction, size, pages, samples):
        self.name = name
        self.direction = direction
        self.bytes = size
        self.pages = pages
        self.samples = samples

    @property
    def key(self):
        return self.name, self.direction, self.bytes

    @property
    def pairs(self):
        return min(len(self.samples[engine]["total_ns"]) for engine in ENGINES)

    @property
    def bar(self):
        return BARS.get((self.name, self.direction))

    def total(self, engine):
        return Figure(self.samples[engine]["total_ns"], self.pages)

    def copy(self, engine):
        return Figure(self.samples[engine]["copy_ns"], self.pages)

    def overhead(self, engine):
        samples = self.samples[engine]
        both = zip(samples["total_ns"], samples["copy_ns"])
        return Figure([total - copy for total, copy in both], self.pages)

    @property
    def ratio(self):
        """Mainline's overhead in ours, median by median; None: there is none left."""
        ours = self.overhead("hmm_migrate").median
        return self.overhead("mainline").median / ours if ours > 0 else None

    def to_json(self):
        entry = {
            "case": self.name,
            "direction": self.direction,
            "bytes": self.bytes,
            "pages": self.pages,
        }
        entry.update((engine, self.samples[engine]) for engine in ENGINES)
        entry["overhead_ratio"] = None if self.ratio is None else round(self.ratio, 4)
        return entry


class Results:
    """All of one run."""

    def __init__(self):
        self.machine = {}
        self.cases = []
        self.flushes = {}  # by key and engine: how many, for how many pages
        self.stages = {}  # by key and engine: nanoseconds by stage
        self.left_out = []
        self.failed = False

    def case(self, name, direction, size):
        return next((case for case in self.cases if case.key == (name, direction, size)), None)

    def by_direction(self):
        """The cases of each name and direction, by size."""
        groups = {}
        for case in sorted(self.cases, key=place):
            groups.setdefault((case.name, case.direction), []).append(case)
        return groups

    def save(self, path):
        cases = [case.to_json() for case in self.cases]
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"machine": %s,\n "cases": [\n' % json.dumps(self.machine))
            file.write(",\n".join("  " + json.dumps(case) for case in cases))
            file.write("\n]}\n")


def read_lines(lines):
    """From the lines that the benchmark has written."""
    results = Results()
    found = {}
    ended = 0
    begun = 0
    for line in lines:
        kind, *words = line.split() or [""]
        if kind == "machine":
            results.machine.setdefault(words[0], " ".join(words[1:]))
            begun += words[0] == "unit"
        elif kind == "sample":
            name, direction, size, pages, engine, total, copy = words
            key = name, direction, int(size)
            if key not in found:
                samples = {one: {"total_ns": [], "copy_ns": []} for one in ENGINES}
                found[key] = Case(*key, int(pages), samples)
                results.cases.append(found[key])
            found[key].samples[engine]["total_ns"].append(int(total))
            found[key].samples[engine]["copy_ns"].append(int(copy))
        elif kind == "flushes":
            name, direction, size, engine, count, pages = words
            results.flushes[name, direction, int(size), engine] = int(count), int(pages)
        elif kind == "stage":
            name, direction, size, engine, stage, ns = words
            stages = results.stages.setdefault((name, direction, int(size), engine), {})
            stages[stage] = int(ns)
        elif kind == "leftout":
            results.left_out.append((words[0], int(words[1])))
        elif kind == "end":
            ended += 1
            results.failed |= words[0] != "good"
    results.failed |= ended != begun
    return results


def read_json(path):
    """From a saved bench.json."""
    with open(path, encoding="utf-8") as file:
        saved = json.load(file)
    results = Results()
    results.machine = saved["machine"]
    for entry in saved["cases"]:
        samples = {engine: entry[engine] for engine in ENGINES}
        results.cases.append(
            Case(entry["case"], entry["direction"], entry["bytes"], entry["pages"], samples)
        )
    return results


def size_name(size):
    return "%g MiB" % (size / 2**20) if size >= 2**20 else "%g KiB" % (size / 2**10)
