# SPDX-License-Identifier: GPL-2.0
"""Says which cases have become slower since a bench.json was saved; the exit status is 1 then.

bench_compare.py OLD NEW

Times of two runs are not alike, for the machine is not. What is compared is our overhead in
mainline's, which was measured in the same minute. Instructions are counted, and compared as
they are.
"""

import sys

import bench_data
from bench_data import ENGINES, size_name


def relative(case, counted):
    """Our overhead, and by which part of it a single sample may be off."""
    ours = case.overhead("hmm_migrate")
    if counted:
        return ours.median, max(ours.spread, 0.02)
    spread = max(case.overhead(engine).spread for engine in ENGINES)
    return ours.median / max(case.overhead("mainline").median, 1e-9), spread


def main():
    old, new = (bench_data.read_json(path) for path in sys.argv[1:3])
    counted_all = new.machine.get("unit") == "instructions"
    slower = compared = 0
    print(
        "%-16s %-9s %8s %10s %10s %9s %8s"
        % ("case", "direction", "size", "old", "new", "change", "spread")
    )
    for case in new.cases:
        before = old.case(*case.key)
        if not before:
            continue
        compared += 1
        counted = counted_all or case.name == "4k-insn"
        (was, was_off), (now, now_off) = relative(before, counted), relative(case, counted)
        if was <= 0:
            continue
        change, spread = now / was - 1, max(was_off, now_off)
        is_slower = change > spread
        slower += is_slower
        print(
            "%-16s %-9s %8s %10.4g %10.4g %+8.1f%% %7.1f%% %s"
            % (case.name, case.direction, size_name(case.bytes), was, now, 100 * change,
               100 * spread, "SLOWER" if is_slower else "faster" if -change > spread else "")
        )
    if not compared:
        sys.exit("the two files have no case in common")
    print()
    print("old, new: our overhead in mainline's (4k-insn, bench-insn: instructions a page)")
    print("%d of %d cases became slower by more than the spread" % (slower, compared))
    sys.exit(1 if slower else 0)


main()
