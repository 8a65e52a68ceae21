"""Small pictures of a report, as SVG inside a page.

Lengths are percentages wherever a picture has no text in it, so that it is as wide as
its place on the page. Colours come from the page: shapes take that of their text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

#: Share of the width, at either end, in which labels start or end at their place.
_END = 0.1
#: A picture of two histograms, in units of its own.
_WIDTH, _HALF, _MARGIN, _BASELINE = 320, 62, 18, 13


def bar(share: float, mark: float | None = None) -> str:
    """Return a bar of a length from 0 to 1, with a mark to compare it with.

    It says nothing that is not written beside it, so screen readers pass it over.
    """
    parts = [_rect(0, 1, "track"), _rect(0, share, "model")]
    if mark is not None:
        parts.append(_rect(_within(mark) - 0.006, 0.012, "mark", full=True))
    return _strip(parts)


def span(low: float, high: float, at: float, mark: float) -> str:
    """Return an interval with a point in it, all from 0 to 1, and a mark."""
    low, high, at = (_within(x) for x in (low, high, at))
    point = f'<circle class="model" cx="{at:.2%}" cy="50%" r="4" fill="currentColor"/>'
    parts = [
        _rect(0, 1, "track"),
        _rect(_within(mark) - 0.006, 0.012, "mark", full=True),
        _rect(low, high - low, "model soft"),
        point,
    ]
    return _strip(parts)


def squares(filled: Sequence[bool]) -> str:
    """Return a row of squares, of which some are filled."""
    width = 1 / max(len(filled), 1)
    parts = [
        _rect(k * width, 0.82 * width, "mark" if x else "track", full=True)
        for k, x in enumerate(filled)
    ]
    return _strip(parts)


def mirrored(
    above: Sequence[float],
    below: Sequence[float],
    ticks: Iterable[tuple[float, str]],
    title: str,
    description: str,
    names: tuple[str, str],
    id_: str,
) -> str:
    """Return two histograms with the same bins, one upwards and one downwards.

    Parameters
    ----------
    above, below : array of shape (n_bins,)
        Counts; each histogram is drawn to its own sum.
    ticks : iterable of tuple
        Labels, and where they stand, from 0 to 1.
    title, description : str
        For screen readers.
    names : tuple of str
        Of the two.
    id_ : str
        Different for each picture of a page.
    """
    shares = [[x / max(sum(counts), 1) for x in counts] for counts in (above, below)]
    top = max(max(x, default=0) for x in shares) or 1.0
    up, down = ([_HALF * x / top for x in counts] for counts in shares)
    # From above: a name, bars, labels, bars, a name.
    upper, lower = _MARGIN + _HALF, 2 * _MARGIN + _HALF
    parts = [
        *_bars(up, [upper - x for x in up], "observed"),
        *_bars(down, [lower] * len(down), "model"),
        *_labels(ticks, upper + _BASELINE),
        _text(0, _BASELINE, names[0], "start"),
        _text(0, lower + _HALF + _BASELINE, names[1], "start"),
    ]
    return (
        f'<svg class="histogram" role="img" '
        f'viewBox="0 0 {_WIDTH} {3 * _MARGIN + 2 * _HALF}" '
        f'aria-labelledby="{id_}-t {id_}-d"><title id="{id_}-t">{escape(title)}</title>'
        f'<desc id="{id_}-d">{escape(description)}</desc>{"".join(parts)}</svg>'
    )


def _bars(heights: Sequence[float], tops: Sequence[float], name: str) -> Iterable[str]:
    width = _WIDTH / max(len(heights), 1)
    for k, (height, y) in enumerate(zip(heights, tops, strict=True)):
        if height:
            yield (
                f'<rect class="{name}" x="{k * width + 0.5:.1f}" y="{y:.1f}" '
                f'width="{width - 1:.1f}" height="{height:.1f}" fill="currentColor"/>'
            )


def _labels(ticks: Iterable[tuple[float, str]], y: float) -> Iterable[str]:
    for at, label in ticks:
        anchor = "start" if at < _END else "end" if at > 1 - _END else "middle"
        yield _text(_WIDTH * at, y, label, anchor)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">'
        f"{escape(text)}</text>"
    )


def _within(x: float) -> float:
    return min(max(x, 0.0), 1.0)


def _rect(start: float, length: float, name: str, *, full: bool = False) -> str:
    start, y = _within(start), ("0", "100%") if full else ("25%", "50%")
    length = min(max(length, 0.0), 1 - start)
    return (
        f'<rect class="{name}" x="{start:.2%}" y="{y[0]}" width="{length:.2%}" '
        f'height="{y[1]}" fill="currentColor"/>'
    )


def _strip(parts: Iterable[str]) -> str:
    inner = "".join(parts)
    return f'<svg class="strip" aria-hidden="true" focusable="false">{inner}</svg>'
