"""Draws how restoring works and how far its confidence can be trusted, as SVG.

python -m tests.benchmarks.restoring_pictures --record tests/benchmarks/records/restoring.json --out docs/images
"""

import argparse
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ingest.mojibake.decode import decode
from ingest.mojibake.kinds import SOFT_HYPHEN, encoding
from ingest.mojibake.language import default_model
from ingest.mojibake.lattice import Choice, Misreading, Slot, lattice
from tests.benchmarks.restoring import dropped

CLEAN = "模型不变，训练适配器"
COLUMN, ROW, MOST_READINGS = 74, 34, 5
FONTS = "font-family='Noto Sans CJK SC, WenQuanYi Zen Hei, PingFang SC, Microsoft YaHei, sans-serif'"
PLOT, MARGIN = 320, 60


def lattice_picture(clean: str = CLEAN, page: str = "cp1254") -> str:
    """Every character of a damaged text with its readings, the chosen ones framed, darker where they are likelier."""
    damaged = dropped(page)(clean)
    misreading = Misreading(encoding(page), encoding(page).holes | {SOFT_HYPHEN}, dropped=True)
    model = default_model()
    pieces = list(lattice(damaged, 0, len(damaged), misreading))
    columns: list[tuple[str, list[tuple[str, float]]]] = []
    for slot, piece in zip(pieces, decode(pieces, model), strict=True):
        if isinstance(piece, Choice) and isinstance(slot, Slot):
            commonest = sorted(slot.candidates, key=lambda candidate: -model.prior(candidate))
            others = [(candidate, 0.0) for candidate in commonest if candidate not in dict(piece.ranked)]
            columns.append((damaged[piece.start : piece.end], [*piece.ranked, *others][:MOST_READINGS]))
        else:
            at = piece.start
            for character in piece.text:
                size = len(dropped(page)(character))
                columns.append((damaged[at : at + size], [(character, 1.0)]))
                at += size
    parts = [_column(n, received, readings, page) for n, (received, readings) in enumerate(columns)]
    width, height = 90 + COLUMN * len(columns), ROW * (MOST_READINGS + 3)
    labels = "".join(
        f"<text x='8' y='{y}' font-size='13' fill='#666'>{label}</text>"
        for label, y in (("收到", 28), ("字节", 56), ("可能", 100))
    )
    return _svg(width, height, labels + "".join(parts))


def _column(n: int, received: str, readings: Sequence[tuple[str, float]], page: str) -> str:
    x = 90 + COLUMN * n
    bytes_ = [f"{ord(byte):02X}" for byte in encoding(page).view(received).bytes]
    if len(readings) > 1:
        bytes_.append("··")
    cells = []
    for row, (character, p) in enumerate(readings):
        y = 76 + ROW * row
        chosen = "stroke='#1a5fb4' stroke-width='2'" if row == 0 else "stroke='#ddd'"
        fill = f"fill='#1a5fb4' fill-opacity='{0.08 + 0.3 * p if len(readings) > 1 else 0:.2f}'"
        cells.append(
            f"<rect x='{x}' y='{y}' width='{COLUMN - 10}' height='{ROW - 6}' rx='4' {fill} {chosen}/>"
            f"<text x='{x + 8}' y='{y + 21}' font-size='18'>{escape(character)}</text>"
        )
        if len(readings) > 1:
            cells.append(f"<text x='{x + 31}' y='{y + 19}' font-size='11' fill='#555'>{p:.3f}</text>")
    return (
        f"<text x='{x}' y='28' font-size='16'>{escape(received)}</text>"
        f"<text x='{x}' y='56' font-size='11' fill='#666'>{' '.join(bytes_)}</text>" + "".join(cells)
    )


def reliability_picture(bins: dict[str, list[tuple[float, float, int]]]) -> str:
    """Share right against mean confidence, a line for each kind of text; dots grow with the characters they hold."""
    colours = ("#1a5fb4", "#c64600", "#26a269", "#813d9c", "#865e3c", "#555555")
    low = 0.4

    def at(value: float) -> float:
        return MARGIN + (max(value, low) - low) / (1 - low) * PLOT

    def up(value: float) -> float:
        return PLOT + 2 * MARGIN - at(value)

    parts = [f"<line x1='{at(low)}' y1='{up(low)}' x2='{at(1)}' y2='{up(1)}' stroke='#bbb' stroke-dasharray='4'/>"]
    for tick in (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        parts.append(f"<text x='{at(tick) - 8}' y='{up(low) + 18}' font-size='11'>{tick}</text>")
        parts.append(f"<text x='{at(low) - 28}' y='{up(tick) + 4}' font-size='11'>{tick}</text>")
    for n, (name, rows) in enumerate(bins.items()):
        colour = colours[n % len(colours)]
        shown = [row for row in rows if row[0] >= low]
        points = " ".join(f"{at(confidence):.1f},{up(right):.1f}" for confidence, right, _ in shown)
        parts.append(f"<polyline points='{points}' fill='none' stroke='{colour}'/>")
        for confidence, right, count in shown:
            size = min(9.0, 1.5 + count**0.25)
            parts.append(f"<circle cx='{at(confidence):.1f}' cy='{up(right):.1f}' r='{size:.1f}' fill='{colour}'/>")
        parts.append(
            f"<text x='{MARGIN + 14}' y='{MARGIN + 10 + 17 * n}' font-size='13' fill='{colour}'>{escape(name)}</text>"
        )
    parts.append(f"<text x='{MARGIN + PLOT / 2 - 40}' y='{up(low) + 40}' font-size='13'>confidence</text>")
    parts.append(
        f"<text x='16' y='{MARGIN + PLOT / 2}' font-size='13' "
        f"transform='rotate(-90 16 {MARGIN + PLOT / 2})'>share right</text>"
    )
    return _svg(PLOT + 2 * MARGIN, PLOT + 2 * MARGIN, "".join(parts))


def _svg(width: int, height: int, content: str) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}' "
        f"{FONTS}><rect width='100%' height='100%' fill='white'/>{content}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, help="what tests.benchmarks.restoring wrote")
    parser.add_argument("--kind", default="cp1254_dropped")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    scores = json.loads(options.record.read_text())["scores"]
    bins = {name.split()[0]: score["bins"] for name, score in scores.items() if name.endswith(f" {options.kind}")}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "lattice.svg").write_text(lattice_picture(), encoding="utf-8")
    (options.out / "reliability.svg").write_text(reliability_picture(bins), encoding="utf-8")


if __name__ == "__main__":
    main()
