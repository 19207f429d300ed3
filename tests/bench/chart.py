# SPDX-License-Identifier: Apache-2.0
"""A bar chart of the results as SVG, drawn by hand: a panel per case and row, a bar per tool."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .results import CHANGE, FIRST, NO_OP, Case, Results

_ROWS = (FIRST, NO_OP, CHANGE)
_LABELS, _BARS, _VALUES, _GAP = 220, 260, 70, 20  # widths of the parts of a panel, in pixels
_BAR, _HEAD, _MARGIN = 20, 34, 16
_OURS, _OTHERS = "#1f6f5c", "#9aa5b1"


def svg(results: Results, cases: Sequence[Case]) -> str:
    """Return the chart of these cases: a row of panels per case. The scale is linear, and its own in each panel."""
    height = _HEAD + _BAR * len(results.titles) + _MARGIN
    width = _MARGIN * 2 + _LABELS + len(_ROWS) * (_BARS + _VALUES + _GAP)
    total = _MARGIN * 2 + height * len(cases)
    size = f'width="{width}" height="{total}" viewBox="0 0 {width} {total}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for number, case in enumerate(cases):
        parts += _case(results, case, _MARGIN + number * height)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _case(results: Results, case: Case, top: int) -> list[str]:
    parts = [_text(_MARGIN, top + 12, case.title, weight="bold")]
    for line, title in enumerate(results.titles.values()):
        parts.append(_text(_MARGIN + _LABELS - 8, _baseline(top, line), title, anchor="end"))
    for column, row in enumerate(_ROWS):
        left = _MARGIN + _LABELS + column * (_BARS + _VALUES + _GAP)
        parts.append(_text(left, top + 28, f"{row}, seconds"))
        found = {name: results.best(case, name, row) for name in results.titles}
        longest = max((sample.wall for sample in found.values() if sample and not sample.error), default=0.0)
        for line, (name, sample) in enumerate(found.items()):
            if sample is None or sample.error:
                parts.append(_text(left, _baseline(top, line), "failed" if sample else "-"))
                continue
            width = max(1.0, _BARS * sample.wall / longest) if longest else 1.0
            color = _OURS if results.against.get(name) == name else _OTHERS
            y = top + _HEAD + line * _BAR
            parts.append(f'<rect x="{left}" y="{y}" width="{width:.1f}" height="{_BAR - 5}" fill="{color}"/>')
            parts.append(_text(left + width + 5, _baseline(top, line), f"{sample.wall:.2f}"))
    return parts


def _baseline(top: int, line: int) -> int:
    return top + _HEAD + line * _BAR + 12


def _text(x: float, y: float, content: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(content)}</text>'
