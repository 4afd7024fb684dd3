# SPDX-License-Identifier: GPL-2.0
"""Draws what the benchmark has measured, as SVG.

Three parts: pages a second by size, copying and overhead side by side, and time by stage.
"""

import math
from xml.sax.saxutils import escape

from bench_data import ENGINES, size_name

WIDTH = 1200
MARGIN = 40
COLOURS = {"mainline": "#d55e00", "hmm_migrate": "#0072b2"}
COPY = "#b8bcc2"
INK = "#222222"
FAINT = "#dddddd"
DASHES = {"to_device": "", "to_node1": "", "to_system": "6 4", "to_node0": "6 4"}

# By what they do, mainline's steps and our stages have colours of one family.
STAGES = {
    "mainline": {
        "setup": "#6fa8dc",
        "copy": COPY,
        "pages": "#7fbf7b",
        "finalize": "#f1a340",
    },
    "hmm_migrate": {
        "split": "#08306b",
        "collect": "#2f76b5",
        "isolate": "#6fa8dc",
        "unmap": "#a9cdec",
        "copy": COPY,
        "migrate": "#7fbf7b",
        "finalize": "#c7e9c0",
        "settle": "#f1a340",
        "other": "#e5d4ef",
    },
}


class Canvas:
    """Elements of the picture, and how high it is so far."""

    def __init__(self):
        self.parts = []
        self.height = MARGIN

    def text(self, x, y, words, size=12, anchor="start", weight="normal", colour=INK):
        self.parts.append(
            '<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s" font-weight="%s" fill="%s">'
            "%s</text>" % (x, y, size, anchor, weight, colour, escape(words))
        )

    def upright(self, x, y, words):
        self.parts.append(
            '<text transform="translate(%.1f %.1f) rotate(-90)" font-size="11" text-anchor="middle"'
            ' fill="%s">%s</text>' % (x, y, INK, escape(words))
        )

    def line(self, x1, y1, x2, y2, colour=FAINT, width=1.0, dash=""):
        self.parts.append(
            '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"'
            ' stroke-dasharray="%s"/>' % (x1, y1, x2, y2, colour, width, dash or "none")
        )

    def box(self, x, y, width, height, fill, edge="none"):
        self.parts.append(
            '<rect x="%.1f" y="%.1f" width="%.2f" height="%.1f" fill="%s" stroke="%s"/>'
            % (x, y, max(width, 0), height, fill, edge)
        )

    def curve(self, points, colour, dash):
        path = " ".join("%.1f,%.1f" % point for point in points)
        self.parts.append(
            '<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>'
            % (path, colour, dash or "none")
        )
        for x, y in points:
            self.parts.append(
                '<circle cx="%.1f" cy="%.1f" r="3" fill="%s" stroke="%s" stroke-width="1.5"/>'
                % (x, y, "white" if dash else colour, colour)
            )

    def heading(self, words, below):
        self.height += 14
        self.text(MARGIN, self.height, words, 17, weight="bold")
        self.height += 20
        self.text(MARGIN, self.height, below, 12, colour="#555555")
        self.height += 18

    def legend(self, entries):
        """Each entry: a name, a colour, and a dash for a line or None for a box."""
        x, y = MARGIN, self.height
        for name, colour, dash in entries:
            if colour is None:
                self.text(x, y + 4, name, 12, weight="bold")
                x += 8.4 * len(name) + 14
                continue
            if dash is None:
                self.box(x, y - 7, 14, 14, colour)
                x += 20
            else:
                self.curve([(x, y), (x + 30, y)], colour, dash)
                x += 40
            self.text(x, y + 4, name, 12)
            x += 6.6 * len(name) + 22
        self.height += 22

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d"'
                ' font-family="DejaVu Sans, Helvetica, Arial, sans-serif">\n'
                % (WIDTH, self.height + MARGIN, WIDTH, self.height + MARGIN)
            )
            file.write('<rect width="100%" height="100%" fill="white"/>\n')
            file.write("\n".join(self.parts))
            file.write("\n</svg>\n")


def short_number(value):
    for factor, unit in ((1e6, " M"), (1e3, " k")):
        if value >= factor:
            return "%g%s" % (value / factor, unit)
    return "%g" % value


def log_ticks(low, high):
    """1, 2, 5, 10, ... around a range, four times apart or more."""
    if high < 4 * low:
        low, high = (low * high) ** 0.5 / 2, (low * high) ** 0.5 * 2
    steps = [m * 10**e for e in range(-3, 12) for m in (1, 2, 5)]
    first = max(step for step in steps if step <= low)
    last = min(step for step in steps if step >= high)
    ticks = [step for step in steps if first <= step <= last]
    while len(ticks) > 6:
        ticks = ticks[::2] if ticks[::2][-1] == ticks[-1] else ticks[::2] + [ticks[-1]]
    return ticks


def rate_panel(canvas, x, y, width, height, name, groups):
    """Pages a second of one case by size, for both engines and directions."""
    curves = []
    for (_, direction), group in groups:
        for engine in ENGINES:
            points = []
            for case in group:
                total = case.total(engine).median
                if total > 0:
                    points.append((case.bytes, 1e9 / total))
            if points:
                curves.append((engine, direction, points))
    if not curves:
        return
    sizes = sorted({size for *_, points in curves for size, _ in points})
    rates = [rate for *_, points in curves for _, rate in points]
    ticks = log_ticks(min(rates), max(rates))
    left, right = math.log2(sizes[0]) - 0.4, math.log2(sizes[-1]) + 0.4
    bottom, top = math.log10(ticks[0]), math.log10(ticks[-1])

    def at(size, rate):
        return (
            x + (math.log2(size) - left) / (right - left) * width,
            y + height - (math.log10(rate) - bottom) / (top - bottom) * height,
        )

    canvas.text(x, y - 8, name, 13, weight="bold")
    for tick in ticks:
        _, tick_y = at(sizes[0], tick)
        canvas.line(x, tick_y, x + width, tick_y)
        canvas.text(x - 6, tick_y + 4, short_number(tick), 10, "end")
    # Names of sizes need room.
    last = -1000
    for size in sizes:
        tick_x, _ = at(size, ticks[0])
        canvas.line(tick_x, y + height, tick_x, y + height + 4, INK)
        if tick_x - last >= 46:
            canvas.text(tick_x, y + height + 16, size_name(size), 10, "middle")
            last = tick_x
    canvas.box(x, y, width, height, "none", "#888888")
    for engine, direction, points in curves:
        canvas.curve([at(*point) for point in points], COLOURS[engine], DASHES.get(direction, ""))


def draw_rates(canvas, results):
    per = "second" if results.machine.get("unit", "ns") == "ns" else "10⁹ instructions"
    canvas.heading(
        "Pages a %s, by size of the range" % per,
        "4 KiB pages, medians, copying included. Logarithmic; each panel has a scale of its own. "
        "4k-insn: pages for 10⁹ instructions.",
    )
    canvas.legend(
        [
            (engine + " " + words, COLOURS[engine], dash)
            for engine in ENGINES
            for words, dash in (("to the device (node 1)", ""), ("back", "6 4"))
        ]
    )
    by_name = {}
    for key, group in results.by_direction().items():
        by_name.setdefault(key[0], []).append((key, group))
    columns, height = 4, 150
    step = (WIDTH - 2 * MARGIN) / columns
    canvas.height += 22
    for number, (name, groups) in enumerate(by_name.items()):
        column = number % columns
        if number and not column:
            canvas.height += height + 62
        x = MARGIN + column * step + 44
        rate_panel(canvas, x, canvas.height, step - 66, height, name, groups)
        if not column:
            canvas.upright(MARGIN - 10, canvas.height + height / 2, "pages a " + per)
    canvas.height += height + 44
    canvas.text(WIDTH / 2, canvas.height, "size of the range", 12, "middle")
    canvas.height += 26


def scale_axis(canvas, x, width, top, largest, label):
    """Lines from top down to where the picture is now, with per cent below."""
    # A step for which five to ten lines do.
    step = next(step for step in (0.2, 0.25, 0.5, 1, 2, 5, 10, 100) if largest / step <= 8)
    for i in range(int(largest / step + 1.01)):
        if i * step > largest:
            break
        line_x = x + i * step / largest * width
        canvas.parts.insert(
            0,
            '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>'
            % (line_x, top, line_x, canvas.height, FAINT),
        )
        canvas.text(line_x, canvas.height + 14, "%g %%" % (100 * i * step), 10, "middle")
    canvas.height += 30
    canvas.text(x + width / 2, canvas.height, label, 12, "middle")
    canvas.height += 28


def amount(value, unit):
    if unit != "ns":
        return "%.0f instructions" % value
    return "%.2f µs" % (value / 1000) if value < 100000 else "%.0f µs" % (value / 1000)


def bar_rows(canvas, rows, label):
    """Rows: a name, and for each engine its parts (name, value, colour), and words beside it.

    Each row's scale is such that mainline's bar is 100 %.
    """
    x, width = MARGIN + 230, WIDTH - 2 * MARGIN - 230 - 190
    top = canvas.height
    largest = 1.0
    for _, bars in rows:
        whole = sum(value for _, value, _ in bars[0][1]) or 1
        largest = max(largest, sum(value for _, value, _ in bars[1][1]) / whole)
    for name, bars in rows:
        whole = sum(value for _, value, _ in bars[0][1]) or 1
        canvas.text(MARGIN, canvas.height + 20, name, 12)
        for engine, parts, words in bars:
            at = x
            for part, value, colour in parts:
                part_width = value / whole / largest * width
                canvas.box(at, canvas.height, part_width, 14, colour)
                if part_width > 6.4 * len(part) + 6:
                    dark = colour in ("#08306b", "#2f76b5", *COLOURS.values())
                    canvas.text(at + part_width / 2, canvas.height + 11, part, 10, "middle",
                                colour="white" if dark else INK)
                at += part_width
            canvas.text(at + 8, canvas.height + 11, words, 11, colour=COLOURS[engine])
            canvas.height += 16
        canvas.height += 10
    scale_axis(canvas, x, width, top, largest, label)


def draw_overhead(canvas, results):
    canvas.heading(
        "Copying and overhead",
        "At the largest size of each case; above mainline, below hmm_migrate. "
        "Beside the bars: time a 4 KiB page, all in all.",
    )
    canvas.legend(
        [("allocating and copying", COPY, None)]
        + [(engine + ": overhead", COLOURS[engine], None) for engine in ENGINES]
    )
    rows = []
    for (name, direction), group in results.by_direction().items():
        case = group[-1]
        unit = "instructions" if name == "4k-insn" else results.machine.get("unit", "ns")
        bars = []
        for engine in ENGINES:
            copy, overhead = case.copy(engine).median, max(case.overhead(engine).median, 0)
            parts = [("copy", copy, COPY), ("overhead", overhead, COLOURS[engine])]
            words = amount(case.total(engine).median, unit)
            if engine == "hmm_migrate" and case.ratio is not None:
                words += ", overhead ratio %.2f" % case.ratio
            bars.append((engine, parts, words))
        rows.append(("%s %s, %s" % (name, direction, size_name(case.bytes)), bars))
    bar_rows(canvas, rows, "time, mainline's being 100 %")


def draw_stages(canvas, results):
    cases = {}
    for *key, engine in results.stages:
        cases.setdefault(tuple(key), set()).add(engine)
    cases = [key for key, engines in cases.items() if len(engines) == len(ENGINES)]
    if not cases:
        return
    canvas.heading(
        "Where the time goes, by stage",
        "In rounds of their own, with our counters on; above mainline, below hmm_migrate. "
        "Beside the bars: time a 4 KiB page.",
    )
    for engine in ENGINES:
        canvas.legend(
            [(engine + ":", None, None)]
            + [(stage, colour, None) for stage, colour in STAGES[engine].items()]
        )
    rows = []
    for name, direction, size in cases:
        bars = []
        for engine in ENGINES:
            times = results.stages[name, direction, size, engine]
            pages = size / 4096
            parts = [
                (stage, max(times.get(stage, 0), 0) / pages, colour)
                for stage, colour in STAGES[engine].items()
            ]
            words = amount(sum(value for _, value, _ in parts), results.machine.get("unit", "ns"))
            bars.append((engine, parts, words))
        rows.append(("%s %s, %s" % (name, direction, size_name(size)), bars))
    bar_rows(canvas, rows, "time, mainline's being 100 %")


def save(results, path):
    canvas = Canvas()
    title = "hmm_migrate and mainline's migrate_vma, side by side"
    canvas.text(MARGIN, canvas.height, title, 22, weight="bold")
    canvas.height += 22
    machine = results.machine
    words = [machine.get(key) for key in ("kernel", "cpu", "accelerator", "date")]
    below = ", ".join(word for word in words if word)[:170]
    canvas.text(MARGIN, canvas.height, below, 12, colour="#555555")
    canvas.height += 24
    draw_rates(canvas, results)
    draw_overhead(canvas, results)
    draw_stages(canvas, results)
    canvas.save(path)
