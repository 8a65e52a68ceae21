"""What all pictures share: axes, colours, and text that is shown as it stands."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from vaeimpute._columns import Column
from vaeimpute._tables import TableSchema

#: Blue and vermilion, which all eyes tell apart, and light and dark alike.
OBSERVED, IMPUTED = "#0072b2", "#d55e00"

#: Of what is there but of no interest, of lines behind the data, and of small text.
PALE, GRID, INK = "#dfe5ea", "#e6e6e6", "#4d4d4d"

#: Colours of levels, after Okabe & Ito (2008), *Color universal design*; with each a
#: marker, for those who see or print no colours.
LEVELS = [
    *(("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D")),
    *(("#56b4e9", "v"), ("#b8860b", "P"), ("#000000", "X"), ("#7f7f7f", "p")),
]

#: Letters of a name that are shown, at most.
_LONGEST_NAME = 28

#: Seconds of the units that durations are shown in, longest first.
_UNITS = {"days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0}


def axes_of(ax: Any, size: tuple[float, float]) -> Any:
    """Return the axes to draw on: those given, or those of a new figure.

    Parameters
    ----------
    ax : Axes or None
    size : tuple of float
        Width and height of a new figure in inches.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib, which is not installed: "
            "pip install 'vaeimpute[plot]'"
        ) from error
    if ax is None:
        _, ax = pyplot.subplots(figsize=size, layout="constrained")
    return ax


def in_full(options: dict[str, Any]) -> dict[str, Any]:
    """Return options of lines by their full names, not by short ones such as `lw`.

    Otherwise matplotlib refuses them beside the same ones of ours.
    """
    from matplotlib import cbook, lines

    return cbook.normalize_kwargs(options, lines.Line2D)


def panels_of(ax: Any, boxes: Iterable[tuple[float, float, float, float]]) -> list[Any]:
    """Divide axes into panels: left, bottom, width and height in shares of the axes."""
    ax.set_axis_off()
    return [ax.inset_axes(box) for box in boxes]


def dress(ax: Any, grid: str = "both") -> None:
    """Give axes light lines behind the data, and no frame above and to the right."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.tick_params(colors=INK, labelsize="small")
    ax.set_axisbelow(True)
    ax.grid(axis=grid, color=GRID, linewidth=0.8)


def undress(ax: Any) -> None:
    """Take frame and tick marks off axes; the labels of the ticks stay."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, colors=INK, labelsize="small")


def shown(name: Hashable) -> str:
    """Return a name as one line of text that is not too long."""
    text = " ".join(str(name).split())
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def name_axes(ax: Any, x: str | None = None, y: str | None = None) -> None:
    """Name the axes, dollar signs included: names of columns are no formulas."""
    if x is not None:
        ax.set_xlabel(x, parse_math=False)
    if y is not None:
        ax.set_ylabel(y, parse_math=False)


def name_ticks(axis: Any, names: Iterable[Hashable], start: float = 0.0) -> None:
    """Put a name at each whole number from `start` on, dollar signs included."""
    texts = [shown(name) for name in names]
    axis.set_ticks(start + np.arange(len(texts)), texts, parse_math=False)


def slant(ax: Any) -> None:
    """Turn the labels below axes by 40 degrees, so that they do not overlap."""
    for label in ax.get_xticklabels():
        label.set(rotation=40, ha="right", rotation_mode="anchor")


def legend(
    ax: Any, artists: Iterable[Any], names: Iterable[str], **options: Any
) -> Any:
    """Explain artists, dollar signs and leading underscores of names included."""
    artists, names = list(artists), list(names)
    options = {"frameon": False, "fontsize": "small"} | options
    # Names with a leading underscore mean "leave out" to some versions.
    made = ax.legend(artists, ["."] * len(artists), **options)
    for text, name in zip(made.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
    return made


def labels_of(schema: TableSchema) -> list[Hashable]:
    """Return the names of the columns; of arrays those of scikit-learn, x0, x1, ..."""
    names = [column.name for column in schema.columns]
    return names if schema.container != "numpy" else [f"x{j}" for j in names]


def cells_of(values: np.ndarray, column: Column) -> Any:
    """Return values of a column as numbers, NumPy's dates and durations, or levels.

    Parameters
    ----------
    values : ndarray of shape (n,)
        As from `TableSchema.read`; NaN is missing.
    """
    if column.levels is not None:
        codes = np.where(np.isnan(values), -1, values).astype(int)
        return pd.Categorical.from_codes(codes, list(column.levels))
    if column.unit is None:
        return values
    kind = "m8[us]" if column.measure == "durations" else "M8[us]"
    cells, known = np.full(len(values), "NaT", dtype=kind), ~np.isnan(values)
    cells[known] = np.rint(1e6 * values[known]).astype(np.int64).astype(kind)
    return cells


def as_numbers(cells: Any, unit: str | None = None) -> tuple[np.ndarray, str | None]:
    """Return what matplotlib draws for numbers, dates or durations, and the unit.

    Parameters
    ----------
    cells : array-like of shape (n,)
    unit : str or None, default=None
        Of durations, if it is known; None: the longest that most of them exceed.

    Returns
    -------
    numbers : ndarray of shape (n,), float64
        NaN where missing.
    unit : str or None
        "dates", the unit of durations, or None of plain numbers.
    """
    cells = np.asarray(cells)
    if cells.dtype.kind == "M":
        from matplotlib.dates import date2num

        return date2num(cells), "dates"
    if cells.dtype.kind != "m":
        return cells.astype(np.float64), None
    seconds = cells / np.timedelta64(1, "s")
    if unit is None:
        typical = np.nanmedian(np.abs(seconds)) if len(seconds) else 0.0
        unit = next((x for x, size in _UNITS.items() if typical >= size), "seconds")
    return seconds / _UNITS[unit], unit


def name_shares(axis: Any, name: str) -> None:
    """Name an axis of shares, and count it in percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(_as_percent))
    axis.set_label_text(name)


def _as_percent(share: float, position: Any) -> str:
    return f"{100 * share:.4g}%"


def name_numbers(axis: Any, name: str, unit: str | None) -> None:
    """Name an axis of what `as_numbers` returns, with the unit; dates are shown so."""
    if unit == "dates":
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=8)
        axis.set_major_locator(locator)
        axis.set_major_formatter(ConciseDateFormatter(locator))
    elif unit is not None:
        name = f"{name} ({unit})"
    axis.set_label_text(name, parse_math=False)
