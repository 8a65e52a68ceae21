"""Markdown: tables, numbers, and text between the markers of a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isnan
from typing import Any


def insert(page: str, name: str, content: str) -> str:
    """Return the page with the content between its two markers of that name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"page: expected one line {begin!r} and one {end!r}")
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{content.strip()}\n{end}{tail}"


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def table(header: Sequence[str], lines: Iterable[Iterable[str]], texts: int = 1) -> str:
    """Return a table: columns of texts, and then of figures, on the right."""
    rule = f"|{'---|' * texts}{'--:|' * (len(header) - texts)}"
    rows = [line(*cells) for cells in lines]
    return "\n".join([line(*header), rule, *rows])


def number(value: float, form: str = ".3f") -> str:
    return "–" if isnan(value) else format(value, form).replace("-", "−")


def three_digits(value: float) -> str:
    """Return a positive number with three digits at least, and no exponent."""
    return number(value, ",.0f" if value >= 100 else ".3g")


def failed_lines(rows: dict[Any, dict[str, Any]]) -> list[str]:
    return [
        f"- {name}: {first_line(row['error'])}"
        for name, row in rows.items()
        if row["error"]
    ]


def first_line(error: str) -> str:
    return next(iter(error.splitlines()), "")


def environments(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return in which environments how many cases were run."""
    environments = Counter(
        ", ".join(f"{name} {value}" for name, value in row["environment"].items())
        for row in rows
    )
    return [f"- {n} cases: {text}" for text, n in environments.most_common()]
