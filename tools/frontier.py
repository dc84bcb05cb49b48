"""Draws results/frontier-*.svg and writes the tables of results/frontier.md from results/frontier.csv.

    python3 tools/frontier.py

Error against bytes, both logarithmic: published points are hollow, ours are filled; of ours, those are named that no other beats.
"""

import csv
import math
import pathlib

RESULTS = pathlib.Path(__file__).resolve().parent.parent / "results"
NAMES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 56, 24, 28, 44
# Ticks within a power of ten, coarse to fine: the first list that gives enough of them is taken.
TICKS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9))
FEWEST_TICKS = 3
LINE = 13  # pixels between labels that would overlap


def span(values):
    """The logarithms between which all values lie, with a margin."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.06 * (high - low), 0.05)
    return low - margin, high + margin


def ticks(low, high):
    powers = range(math.floor(low), math.ceil(high) + 1)
    for steps in TICKS:
        found = [t for p in powers for t in (step * 10.0**p for step in steps) if low <= math.log10(t) <= high]
        if len(found) >= FEWEST_TICKS:
            break
    return found


def plain(number):
    return f"{number:,.0f}" if number >= 1000 else f"{number:g}"


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def labels(placed):
    """Texts beside their points as (x, y, anchor, colour, text), moved down where they would overlap another."""
    boxes, out = [], []
    for (px, py), text, colour in sorted(placed, key=lambda label: label[0][1]):
        width = 6 * len(text)
        is_left = px + 8 + width > WIDTH
        left = px - 8 - width if is_left else px + 8
        top = py
        while any(left < right and begin < left + width and abs(top - other) < LINE for begin, right, other in boxes):
            top += 1
        boxes.append((left, left + width, top))
        out.append((px - 8 if is_left else px + 8, top + 4, "end" if is_left else "start", colour, text))
    return out


def dominates(a, b):
    smaller, better = a["bytes"] <= b["bytes"], a["error"] <= b["error"]
    return smaller and better and (a["bytes"], a["error"]) != (b["bytes"], b["error"])


def plot(name, rows):
    x_low, x_high = span([r["bytes"] for r in rows])
    y_low, y_high = span([r["error"] for r in rows])

    def x(value):
        return LEFT + (math.log10(value) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - (math.log10(value) - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="17" font-size="13">{NAMES[name]}: test error (%) against bytes</text>',
    ]
    for t in ticks(x_low, x_high):
        out.append(f'<path d="M{x(t):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        out.append(f'<text x="{x(t):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{plain(t)}</text>')
    for t in ticks(y_low, y_high):
        out.append(f'<path d="M{LEFT} {y(t):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y(t) + 4:.1f}" text-anchor="end">{plain(t)}</text>')
    out.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">bytes of the file</text>')
    ours = sorted((r for r in rows if r["who"] == "ours"), key=lambda r: r["bytes"])
    best = [r for r in ours if not any(dominates(o, r) for o in ours)]
    if len(best) > 1:
        path = "L".join(f"{x(r['bytes']):.1f} {y(r['error']):.1f}" for r in best)
        out.append(f'<path d="M{path}" fill="none" stroke="#06c" stroke-dasharray="3 3"/>')
    names = []
    for row in rows:
        is_ours = row["who"] == "ours"
        at = x(row["bytes"]), y(row["error"])
        fill, stroke = ("#06c", "#06c") if is_ours else ("white", "#c30")
        out.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4" fill="{fill}" stroke="{stroke}" stroke-width="1.5">')
        out.append(f"<title>{escape(row['label'])}: {plain(row['bytes'])} B, {row['error']:.2f} %</title></circle>")
        if not is_ours or row in best:
            names.append((at, row["label"].split(",")[0], stroke))
    for left, top, anchor, colour, text in labels(names):
        out.append(f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>')
    for at, fill, colour, text in ((0, "#06c", "#06c", "kompakt, whole files"), (150, "white", "#c30", "published")):
        left = WIDTH - RIGHT - 230 + at
        out.append(f'<circle cx="{left}" cy="13" r="4" fill="{fill}" stroke="{colour}" stroke-width="1.5"/>')
        out.append(f'<text x="{left + 8}" y="17" fill="{colour}">{text}</text>')
    return "\n".join(out + ["</svg>", ""])


def table(rows):
    lines = ["| | network | bytes | test error | source, or command |", "|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda r: (r["who"] != "ours", r["bytes"])):
        note = f"`{row['note']}`" if row["note"].startswith(("cargo", "kompakt ")) else row["note"]
        note = note.replace(" (median)`", "` (median)").replace(" (seed 1)`", "` (seed 1)")
        who = "**ours**" if row["who"] == "ours" else "published"
        lines.append(f"| {who} | {row['label']} | {row['bytes']:,} | {row['error']:.2f} % | {note} |")
    return "\n".join(lines)


def main():
    with open(RESULTS / "frontier.csv", newline="", encoding="utf-8") as file:
        rows = [{**row, "bytes": int(row["bytes"]), "error": float(row["error"])} for row in csv.DictReader(file)]
    page = (RESULTS / "frontier.md").read_text(encoding="utf-8")
    for name in NAMES:
        mine = [row for row in rows if row["data"] == name]
        (RESULTS / f"frontier-{name}.svg").write_text(plot(name, mine), encoding="utf-8")
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = page.split(start)
        after = rest.split(end, 1)[1]
        page = f"{before}{start}\n{table(mine)}\n\n{end}{after}"
    (RESULTS / "frontier.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
