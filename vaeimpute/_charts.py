"""Small pictures of a report, as SVG inside a page.

Lengths are percentages wherever a picture has no text in it, so that it is as wide as
its place on the page. Colours come from the page: shapes take that of their text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

#: A picture of two histograms, in units of its own.
_WIDTH, _HALF, _MARGIN = 320, 62, 18


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
    ticks: Sequence[str],
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
    ticks : sequence of str
        Labels, spread evenly from the left end to the right.
    title, description : str
        For screen readers.
    names : tuple of str
        Of the two.
    id_ : str
        Different for each picture of a page.
    """
    shares = [[x / max(sum(counts), 1) for x in counts] for counts in (above, below)]
    top = max(max(x, default=0) for x in shares) or 1.0
    width, parts = _WIDTH / len(above), []
    for shares_of_one, name, sign in zip(
        shares, ("observed", "model"), (-1, 1), strict=True
    ):
        for k, share in enumerate(shares_of_one):
            height = _HALF * share / top
            y = _HALF + _MARGIN / 2 + sign * _MARGIN / 2 - (height if sign < 0 else 0)
            if share:
                parts.append(
                    f'<rect class="{name}" x="{k * width + 0.5:.1f}" y="{y:.1f}" '
                    f'width="{width - 1:.1f}" height="{height:.1f}" '
                    'fill="currentColor"/>'
                )
    middle = _HALF + _MARGIN / 2 + 4
    parts += _labels(ticks, middle)
    bottom = 2 * _HALF + _MARGIN
    parts += [_text(0, 10, names[0], "start"), _text(0, bottom, names[1], "start")]
    return (
        f'<svg class="histogram" role="img" viewBox="0 0 {_WIDTH} {bottom + 4}" '
        f'aria-labelledby="{id_}-t {id_}-d"><title id="{id_}-t">{escape(title)}</title>'
        f'<desc id="{id_}-d">{escape(description)}</desc>{"".join(parts)}</svg>'
    )


def _labels(ticks: Sequence[str], y: float) -> Iterable[str]:
    last = max(len(ticks) - 1, 1)
    for k, tick in enumerate(ticks):
        anchor = "start" if k == 0 else "end" if k == last else "middle"
        yield _text(_WIDTH * k / last, y, tick, anchor)


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
