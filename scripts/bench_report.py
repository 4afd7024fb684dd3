# SPDX-License-Identifier: GPL-2.0
"""Makes the table, bench.json and the plot of what the benchmark has measured.

bench_report.py SAMPLES JSON SVG [KEY=VALUE...]; KEY=VALUE is added to what is known of the machine.
"""

import sys

import bench_data
import bench_plot
from bench_data import ENGINES, size_name


def percent(figure):
    return "%4.0f" % (100 * figure.spread)


def met(case):
    if case.bar is None:
        return ""
    good = case.ratio is None or case.ratio >= case.bar
    return "%4.1f %s" % (case.bar, "met" if good else "not met")


def print_table(results):
    print()
    print("%58s   %s" % ("mainline", "        hmm_migrate"))
    print(
        "%-16s %-9s %8s %5s %8s %8s %4s  %8s %8s %4s %7s  %s"
        % ("case", "direction", "size", "pairs", *("copy", "overhead", "±%") * 2, "ratio", "bar")
    )
    for group in results.by_direction().values():
        for case in group:
            figures = []
            for engine in ENGINES:
                overhead = case.overhead(engine)
                copy = case.copy(engine).median
                figures.append("%8.0f %8.0f %s" % (copy, overhead.median, percent(overhead)))
            ratio = "-" if case.ratio is None else "%.2f" % case.ratio
            print(
                "%-16s %-9s %8s %5d %s  %s %7s  %s"
                % (case.name, case.direction, size_name(case.bytes), case.pairs, *figures, ratio,
                   met(case))
            )
    print()
    unit = results.machine.get("unit", "ns")
    print("Medians, in %s a page (4k-insn: instructions). ± is the interquartile range of" % unit)
    print("the overhead, that is all but allocating and copying. The ratio is mainline's overhead")
    print("in ours.")


def print_bars(results):
    print()
    heads = "case", "direction", "bar", "at the largest size", "lowest"
    print("%-16s %-9s %5s  %-22s %-22s" % heads)
    for (name, direction), group in results.by_direction().items():
        bar = group[0].bar
        with_ratio = [case for case in group if case.ratio is not None]
        if bar is None or not with_ratio:
            continue
        lowest = min(with_ratio, key=lambda case: case.ratio)
        columns = [
            "%6.2f at %s" % (case.ratio, size_name(case.bytes))
            for case in (with_ratio[-1], lowest)
        ]
        count = sum(case.ratio >= bar for case in with_ratio)
        verdict = "met at %d of %d sizes" % (count, len(with_ratio))
        if count in (0, len(with_ratio)):
            verdict = "met" if count else "not met"
        print("%-16s %-9s %5.1f  %-22s %-22s %s" % (name, direction, bar, *columns, verdict))


def print_flushes(results):
    rows = []
    for group in results.by_direction().values():
        case = group[-1]
        if case.name != "4k-exclusive-2t":
            continue
        rates = []
        for engine in ENGINES:
            count, pages = results.flushes.get((*case.key, engine), (-1, 1))
            if count >= 0:
                rates.append("%s %.2f" % (engine, 256 * count / pages))
        rows.append("%-9s %8s  %s" % (case.direction, size_name(case.bytes), ", ".join(rates)))
    if rows:
        print()
        print("Flushes of another processor's TLB for 256 pages, 4k-exclusive-2t:")
        print("\n".join("    " + row for row in rows))


def print_scaling(results):
    rows = []
    for case in results.cases:
        if case.name != "4k-parallel-2":
            continue
        alone = results.case("4k-parallel-1", case.direction, case.bytes // 2)
        if not alone:
            continue
        # The time is that of one thread; two move twice the pages in it.
        gains = [
            2 * alone.total(engine).median * alone.pages / (case.total(engine).median * case.pages)
            for engine in ENGINES
        ]
        rows.append((case.bytes, case.direction, *gains))
    if rows:
        print()
        print("Pages a second of two threads, in those of one thread (mainline, hmm_migrate):")
        for size, direction, mainline, ours in sorted(rows, key=lambda row: (row[1], row[0])):
            print("    %-9s %8s  %5.2f %5.2f" % (direction, size_name(size), mainline, ours))


def main():
    samples, saved, plot = sys.argv[1:4]
    with open(samples, encoding="utf-8", errors="replace") as file:
        results = bench_data.read_lines(file)
    results.machine.update(word.split("=", 1) for word in sys.argv[4:])
    if not results.cases:
        sys.exit("no samples in %s" % samples)
    results.save(saved)
    bench_plot.save(results, plot)
    print_table(results)
    print_bars(results)
    print_flushes(results)
    print_scaling(results)
    print()
    for name, size in results.left_out:
        print("left out for want of time: %s, %s" % (name, size_name(size)))
    print("samples: %s   plot: %s" % (saved, plot))
    if results.failed:
        sys.exit("a case has failed, see above")


main()
