# SPDX-License-Identifier: GPL-2.0
"""What a cover letter says of speed: bench_letter.py JSON."""

import sys

import bench_data


def main():
    results = bench_data.read_json(sys.argv[1])
    machine = results.machine
    print("Overhead a page, all but allocating and copying, in ns, median (and interquartile")
    print("range in %%); both engines in turns in one boot, on %s, %s CPUs:" % (machine["cpu"], machine["cpus"]))
    print()
    print("    %-18s %-10s %9s %16s %16s %6s" % ("case", "direction", "size", "mainline", "hmm_migrate", "ratio"))
    for group in results.by_direction().values():
        case = group[-1]
        if case.ratio is None:
            continue
        figures = []
        for engine in bench_data.ENGINES:
            overhead = case.overhead(engine)
            figures.append("%8.0f (%3.0f %%)" % (overhead.median, 100 * overhead.spread))
        print("    %-18s %-10s %9s %16s %16s %6.2f"
              % (case.name, case.direction, bench_data.size_name(case.bytes), *figures, case.ratio))
    print()
    print("(4k-insn: instructions.) Measured on %s at %s, kernel %s." % (machine["date"], machine["commit"], machine["kernel"].split()[0]))


if __name__ == "__main__":
    main()
