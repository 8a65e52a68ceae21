"""Pictures of errors: whether intervals hold what they promise, which imputer errs."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.utils import check_random_state

from vaeimpute._containers import Table
from vaeimpute._hidden_cells import (
    check_fraction,
    choose_cells,
    column_positions,
    hide_cells,
    read_cells,
    read_columns,
)
from vaeimpute._predictive import check_confidence_level
from vaeimpute.diagnostics._drawing import (
    GRID,
    IMPUTED,
    INK,
    LEVELS,
    OBSERVED,
    PALE,
    axes_of,
    dress,
    in_full,
    labels_of,
    legend,
    name_axes,
    name_shares,
    name_ticks,
    panels_of,
    shown,
)

#: Confidence levels at which coverage is looked at.
_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
#: Ends of intervals are computed, so that they are known up to this share.
_ROUNDING = 1e-9
#: Columns that are named below each other, beside the picture.
_NAMES_IN_BLOCK = 18
#: Share of samples that lie in the band of chance.
_BAND = 0.95

#: Columns of the overall errors of a comparison, the kind of column that each is of,
#: and what it measures.
_ERRORS = {
    "numbers": ("numeric", "error of numbers (standard deviations)"),
    "levels": ("nominal", "share of wrong levels"),
}


class CoverageDisplay:
    """How many hidden numbers lie within their intervals, and how many should.

    Parameters
    ----------
    confidence_levels : ndarray of shape (n_levels,)
        Shares that should lie within, rising.
    n_within : ndarray of shape (n_levels, n_columns), int
        Hidden cells of each column that do.
    n_cells : ndarray of shape (n_columns,), int
        Hidden cells of each column.
    names : sequence of length n_columns
        Names of the columns.

    Attributes
    ----------
    coverage : ndarray of shape (n_levels,)
        Share of all cells that lie within.
    ax_ : Axes
    figure_ : Figure
    line_ : Line2D
        Of all columns together.
    column_lines_ : list of Line2D
        Of each column, if drawn.
    band_ : PolyCollection
        Where, at each level, the line lies in 95 of 100 samples of as many independent
        cells if intervals are exact. Cells of one row depend on each other, so that
        more than 5 may lie outside.

    See Also
    --------
    vaeimpute.VAEImputer.predict_interval : The intervals.
    sklearn.calibration.CalibrationDisplay : Calibration of a classifier.

    Examples
    --------
    >>> from sklearn.model_selection import train_test_split
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.diagnostics import CoverageDisplay
    >>> train, test = train_test_split(load_penguins(), random_state=0)
    >>> imputer = VAEImputer(n_components=2, hidden_layer_sizes=(), random_state=0)
    >>> display = CoverageDisplay.from_estimator(imputer.fit(train), test)
    >>> display.coverage.shape
    (10,)
    >>> len(display.plot(by_column=True).column_lines_)
    5
    """

    def __init__(
        self,
        confidence_levels: np.ndarray,
        n_within: np.ndarray,
        n_cells: np.ndarray,
        names: Sequence[Hashable],
    ) -> None:
        self.confidence_levels = confidence_levels
        self.n_within = n_within
        self.n_cells = n_cells
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Table,
        *,
        confidence_levels: ArrayLike | None = None,
        fraction: float = 0.2,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> CoverageDisplay:
        """Hide observed cells, and see whether intervals hold them.

        Parameters
        ----------
        estimator : fitted VAEImputer
            Any imputer with `predict_interval`.
        X : DataFrame or array of shape (n_rows, n_columns)
            Rows that `fit` has **not** seen, or intervals look better than they are.
        confidence_levels : array-like of shape (n_levels,), default=None
            Each between 0 and 1; None: 0.1, 0.2, ..., 0.9 and 0.95.
        fraction : float in (0, 1), default=0.2
            Share of the observed cells of each column to hide.
        random_state : int, RandomState instance or None, default=None
            Seed that chooses the cells.
        ax : Axes, default=None
        **kwargs : options of `plot`

        Returns
        -------
        CoverageDisplay

        Raises
        ------
        ValueError
            If a parameter is not as described, or no number could be hidden.
        """
        if not hasattr(estimator, "predict_interval"):
            raise ValueError(
                f"estimator: got {type(estimator).__name__}, expected a fitted imputer "
                "with `predict_interval`, such as VAEImputer"
            )
        levels = _checked_levels(
            _LEVELS if confidence_levels is None else confidence_levels
        )
        check_fraction(fraction)
        X, schema, truth, missing = read_cells(estimator, X)
        seed = check_random_state(random_state).randint(2**31 - 1)
        hidden = choose_cells(~missing, fraction, seed)
        marker = getattr(estimator, "missing_values", np.nan)
        table = hide_cells(X, hidden, marker)
        at, lower, upper = _intervals(estimator, table, schema, levels)
        hidden = hidden[:, at].T & ~np.isnan(lower[0])
        if not hidden.any():
            raise ValueError(
                "X: got no observed number that could be hidden and has an interval, "
                "expected some"
            )
        names = np.array([str(labels_of(schema)[j]) for j in at], dtype=object)
        return cls.from_predictions(
            truth[:, at].T[hidden],
            lower[:, hidden],
            upper[:, hidden],
            levels,
            columns=names[hidden.nonzero()[0]],
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        truth: ArrayLike,
        lower: ArrayLike,
        upper: ArrayLike,
        confidence_levels: ArrayLike,
        *,
        columns: ArrayLike | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> CoverageDisplay:
        """Draw how many numbers lie within intervals.

        Parameters
        ----------
        truth : array-like of shape (n_cells,)
        lower, upper : array-like of shape (n_levels, n_cells)
            Ends of the interval of each cell at each confidence level.
        confidence_levels : array-like of shape (n_levels,)
        columns : array-like of shape (n_cells,), default=None
            The column that each cell is of.
        ax : Axes, default=None
        **kwargs : options of `plot`

        Returns
        -------
        CoverageDisplay

        Raises
        ------
        ValueError
            If shapes do not agree or a level is not between 0 and 1.

        Examples
        --------
        >>> from vaeimpute.diagnostics import CoverageDisplay
        >>> display = CoverageDisplay.from_predictions(
        ...     truth=[1.0, 2.0, 3.0, 4.0],
        ...     lower=[[0.5, 0.5, 0.5, 0.5]],
        ...     upper=[[3.5, 3.5, 3.5, 3.5]],
        ...     confidence_levels=[0.8],
        ... )
        >>> display.coverage
        array([0.75])
        """
        levels, truth = _checked_levels(confidence_levels), np.asarray(truth, float)
        lower, upper = np.asarray(lower, float), np.asarray(upper, float)
        expected = (len(levels), len(truth))
        for name, ends in (("lower", lower), ("upper", upper)):
            if ends.shape != expected:
                raise ValueError(
                    f"{name}: got shape {ends.shape}, expected {expected}: levels and "
                    "cells"
                )
        if columns is None:
            columns = np.full(len(truth), "all")
        codes, names = pd.factorize(np.asarray(columns, dtype=object))
        slack = _ROUNDING * np.abs(truth)
        within = (lower - slack <= truth) & (truth <= upper + slack)
        n_within = [np.bincount(codes, row, len(names)).astype(int) for row in within]
        n_cells = np.bincount(codes, minlength=len(names))
        return cls(levels, np.array(n_within), n_cells, list(names)).plot(ax, **kwargs)

    @property
    def coverage(self) -> np.ndarray:
        """Share of all cells that lie within their intervals, at each level."""
        return self.n_within.sum(axis=1) / self.n_cells.sum()

    def plot(
        self, ax: Any = None, *, by_column: bool = False, **kwargs: Any
    ) -> CoverageDisplay:
        """Draw the coverage.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a new figure.
        by_column : bool, default=False
            Whether to draw a thin line for each column as well.
        **kwargs : options of `Axes.plot`
            Of the line of all columns.

        Returns
        -------
        CoverageDisplay
            The display itself.
        """
        n_blocks = -(-len(self.names) // _NAMES_IN_BLOCK) if by_column else 0
        self.ax_ = ax = axes_of(ax, (5.0 + 2.6 * n_blocks, 4.6))
        self.figure_ = ax.figure
        count, nominal = int(self.n_cells.sum()), np.linspace(0, 1, 101)
        ends = np.array(stats.binom.interval(_BAND, count, nominal[1:-1])) / count
        ends = np.column_stack([(0, 0), ends, (1, 1)])
        self.band_ = ax.fill_between(nominal, *ends, color=GRID, linewidth=0)
        (ideal,) = ax.plot([0, 1], [0, 1], "--", color=INK, linewidth=1)
        look = {"color": OBSERVED, "marker": "o", "markersize": 5, "linewidth": 1.8}
        look |= {"zorder": 3} | in_full(kwargs)
        (self.line_,) = ax.plot(self.confidence_levels, self.coverage, **look)
        self.column_lines_ = self._draw_columns() if by_column else []
        dress(ax)
        ax.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1)
        name_shares(ax.xaxis, "share that should lie within")
        name_shares(ax.yaxis, "share that lies within")
        names = [f"all columns ({count:,} hidden cells)", "exact", "chance, 95%"]
        artists = [self.line_, ideal, self.band_]
        if not by_column:
            legend(ax, artists, names, loc="upper left")
            return self
        artists += self.column_lines_
        counts = zip(self.names, self.n_cells, strict=True)
        names += [f"{shown(name)} ({n:,})" for name, n in counts]
        at = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "ncols": n_blocks}
        legend(ax, artists, names, **at)
        return self

    def _draw_columns(self):
        lines = []
        looks = list(itertools.product(("-", "--", ":", "-."), LEVELS[1:]))
        for j in range(len(self.names)):
            style, (color, marker) = looks[j % len(looks)]
            look = {"color": color, "marker": marker, "linestyle": style}
            look |= {"markersize": 4, "linewidth": 0.9}
            shares = self.n_within[:, j] / max(self.n_cells[j], 1)
            lines += self.ax_.plot(self.confidence_levels, shares, alpha=0.8, **look)
        return lines


def _intervals(estimator, table, schema, levels):
    """Return positions of columns of numbers, and the intervals of their cells.

    Ends have the shape (n_levels, n_columns, n_rows), so that cells come column by
    column.
    """
    pairs = [estimator.predict_interval(table, level) for level in levels]
    where = column_positions(estimator, table.shape[1], pairs[0][0].shape[1])
    at = [j for j in where if schema.columns[j].kind == "numeric"]
    places, columns = [where[j] for j in at], [schema.columns[j] for j in at]
    ends = [[read_columns(end, places, columns).T for end in pair] for pair in pairs]
    return at, *np.swapaxes(ends, 0, 1)


def _checked_levels(confidence_levels):
    levels = np.atleast_1d(confidence_levels)
    for level in levels.tolist():
        check_confidence_level(level)
    return np.sort(levels.astype(float))


class ComparisonDisplay:
    """Errors of several imputers: over all columns, and of each column.

    A diamond is the error over all columns, a dot that of one column, and a bar spans
    the middle half of the columns. The lowest of all errors is orange.

    Parameters
    ----------
    by_column, overall : DataFrame
        As in `vaeimpute.comparison.Comparison`.

    Attributes
    ----------
    ax_ : Axes
        What was drawn on, divided into panels if there are numbers and levels.
    figure_ : Figure
    points_ : dict of str to PathCollection
        Errors over all columns of "numbers" and of "levels".
    column_points_ : dict of str to PathCollection
        Errors of single columns.

    Examples
    --------
    >>> from sklearn.impute import KNNImputer, SimpleImputer
    >>> from vaeimpute import compare_imputers
    >>> from vaeimpute.comparison import Encoded
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.diagnostics import ComparisonDisplay
    >>> imputers = {"mean": Encoded(SimpleImputer()), "knn": Encoded(KNNImputer())}
    >>> found = compare_imputers(load_penguins(), imputers, random_state=0)
    >>> display = ComparisonDisplay.from_comparison(found)
    >>> sorted(display.points_)
    ['levels', 'numbers']

    On axes of one's own:

    >>> from matplotlib import pyplot
    >>> figure, (left, right) = pyplot.subplots(1, 2, figsize=(16, 3))
    >>> display.plot(left).figure_ is figure
    True
    """

    def __init__(self, by_column: pd.DataFrame, overall: pd.DataFrame) -> None:
        self.by_column = by_column
        self.overall = overall

    @classmethod
    def from_comparison(cls, comparison: Any, *, ax: Any = None) -> ComparisonDisplay:
        """Draw what `compare_imputers` found.

        Parameters
        ----------
        comparison : Comparison
        ax : Axes, default=None

        Returns
        -------
        ComparisonDisplay

        Raises
        ------
        ValueError
            If it is not what `compare_imputers` returns, or all imputers failed.
        """
        if not hasattr(comparison, "by_column") or not hasattr(comparison, "overall"):
            raise ValueError(
                f"comparison: got {type(comparison).__name__}, expected what "
                "`vaeimpute.compare_imputers` returns"
            )
        return cls(comparison.by_column, comparison.overall).plot(ax)

    def plot(self, ax: Any = None) -> ComparisonDisplay:
        """Draw the errors.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a new figure.

        Returns
        -------
        ComparisonDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no error to draw.
        """
        kinds = [kind for kind in _ERRORS if self.overall[kind].notna().any()]
        if not kinds:
            raise ValueError("overall: got no error at all, expected an imputer's")
        n_imputers = len(self.overall)
        size = (5.5 if len(kinds) == 1 else 8.5, 1.6 + 0.55 * n_imputers)
        self.ax_ = axes_of(ax, size)
        self.figure_ = self.ax_.figure
        panels = [self.ax_]
        if len(kinds) == 2:
            boxes = [(0, 0, 0.47, 1), (0.53, 0, 0.47, 1)]
            panels = panels_of(self.ax_, boxes)
        self.points_, self.column_points_ = {}, {}
        for kind, panel in zip(kinds, panels, strict=True):
            artists = self._draw_errors(panel, kind)
        names = [
            f"{shown(name)} (failed)" if missing else name
            for name, missing in self.overall[kinds].isna().all(axis=1).items()
        ]
        name_ticks(panels[0].yaxis, names)
        for panel in panels[1:]:
            panel.set_yticklabels([])
        texts = ["all columns", "one column", "middle half of the columns"]
        at = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3}
        legend(panels[0], artists, texts, **at)
        return self

    def _draw_errors(self, ax, kind):
        of_kind, label = _ERRORS[kind]
        overall = self.overall[kind].to_numpy(dtype=float)
        errors = self.by_column[self.by_column["kind"] == of_kind]
        errors = errors[list(self.overall.index)].to_numpy(dtype=float)
        errors = errors[~np.isnan(errors).all(axis=1)]
        at = np.arange(len(overall))
        known = ~np.isnan(overall)
        quarters = np.quantile(errors[:, known], [0.25, 0.75], axis=0)
        bars = ax.hlines(at[known], *quarters, color=PALE, linewidth=10, zorder=1)
        x, y = errors.ravel(), np.tile(at, len(errors))
        self.column_points_[kind] = ax.scatter(
            x, y, s=20, color=INK, alpha=0.55, linewidths=0, zorder=2
        )
        colours = np.where(overall == np.nanmin(overall), IMPUTED, OBSERVED)
        self.points_[kind] = ax.scatter(
            overall, at, s=70, c=colours, marker="D", edgecolors="white", zorder=3
        )
        for height, error in zip(at[known], overall[known], strict=True):
            text = f"{error:.2f}" if kind == "numbers" else f"{error:.0%}"
            ax.annotate(
                text,
                (error, height),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
                fontsize="small",
            )
        dress(ax, "x")
        ax.set(ylim=(len(at) - 0.4, -0.7), yticks=at)
        ax.set_xlim(0, 1.08 * np.nanmax([*x, *overall, 1e-9]))
        ax.tick_params(axis="y", length=0)
        if kind == "levels":
            name_shares(ax.xaxis, label)
        name_axes(ax, label)
        return self.points_[kind], self.column_points_[kind], bars
