"""Pictures of a table's cells: what fills those that are missing, which are odd."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from vaeimpute._containers import Table, container_of, convert
from vaeimpute._generation import check_count
from vaeimpute._hidden_cells import column_positions, read_cells
from vaeimpute._tables import TableSchema
from vaeimpute.diagnostics._drawing import (
    IMPUTED,
    OBSERVED,
    PALE,
    as_numbers,
    axes_of,
    cells_of,
    dress,
    labels_of,
    legend,
    name_axes,
    name_numbers,
    name_shares,
    name_ticks,
    shown,
    slant,
    undress,
)

#: Whole numbers of a smaller range than this get a bar each.
_MOST_WHOLE = 40
#: Levels that get bars of their own, at most.
_MOST_LEVELS = 15
#: Odds at which the colours of `CellSurpriseDisplay` are named; the last is darkest.
_ODDS = (1, 20, 100, 1_000, 10_000)
#: In place of infinite scores, of levels that were never seen, which get no colour.
_LARGEST_SCORE = 1e9
#: Cells are written into a heat map of so many columns at most.
_MOST_WRITTEN = 12


class DistributionDisplay:
    """Observed beside imputed cells of one column.

    Shares of all observed and of all imputed cells: histograms or distribution
    functions of numbers, dates and durations, bars of levels.

    Parameters
    ----------
    observed, imputed : array-like of shape (n_observed,) and (n_imputed,)
        Numbers, ``datetime64``, ``timedelta64``, or a `pandas.Categorical`, whose
        categories come in their order.
    name : str
        Name of the column.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    observed_artist_, imputed_artist_ : StepPatch, Line2D or BarContainer
        The histograms, the distribution functions, or the bars.

    Notes
    -----
    The two need not agree, even where every cell is filled as well as can be. Cells may
    be missing in rows that differ from others; and conditional means, with which
    `VAEImputer.transform` fills, scatter less than what they stand for. Draws scatter
    as they should, with `n_imputations`.

    Examples
    --------
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.amputation import ampute
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.diagnostics import DistributionDisplay
    >>> penguins = ampute(load_penguins(), random_state=0)
    >>> imputer = VAEImputer(n_components=2, hidden_layer_sizes=(), random_state=0)
    >>> display = DistributionDisplay.from_estimator(
    ...     imputer.fit(penguins), penguins, "body_mass_g"
    ... )
    >>> len(display.observed) + len(display.imputed) == len(penguins)
    True
    >>> display.plot(kind="ecdf").imputed_artist_
    <matplotlib.lines.Line2D object at ...>
    """

    def __init__(self, observed: Any, imputed: Any, name: str) -> None:
        self.observed = observed
        self.imputed = imputed
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Table,
        column: Hashable,
        *,
        n_imputations: int | None = None,
        random_state: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> DistributionDisplay:
        """Fill a table, and draw what was and what is now in one of its columns.

        Parameters
        ----------
        estimator : fitted imputer
            `VAEImputer`, or another one whose `transform` gives the columns back.
        X : DataFrame or array of shape (n_rows, n_columns)
            With the columns of `fit`.
        column : name or int
            Name or position of the column.
        n_imputations : int or None, default=None
            Tables to take imputed cells from, filled by draws as with
            `VAEImputer.impute_multiple`; None: the one that `transform` returns.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.
        ax : Axes, default=None
        **kwargs : options of `plot`

        Returns
        -------
        DistributionDisplay

        Raises
        ------
        ValueError
            If `column` is unknown or has no observed cell, or no cell of it was missing
            and is filled now.
        """
        read, schema, _, missing = read_cells(estimator, X)
        (j,) = schema.positions([column], "column")
        tables = _filled(estimator, X, n_imputations, random_state)
        cells = [_column_of(estimator, table, read.shape[1], j) for table in tables]
        values, known = _read_anew(cells, schema.columns[j])
        was_missing = np.tile(missing[:, j], len(tables))
        imputed = values[was_missing & ~np.isnan(values)]
        if not len(imputed):
            raise ValueError(
                f"column: got {column!r}, of which {type(estimator).__name__} fills no "
                "cell of X, expected a column with missing cells"
            )
        observed = values[: len(missing)][~missing[:, j]]
        if not len(observed):
            raise ValueError(
                f"column: got {column!r} without an observed cell, expected some "
                "beside the imputed ones"
            )
        name = shown(labels_of(schema)[j])
        made = cls(cells_of(observed, known), cells_of(imputed, known), name)
        return made.plot(ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str = "histogram",
        bins: int | str | ArrayLike = "auto",
    ) -> DistributionDisplay:
        """Draw both.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a new figure.
        kind : {"histogram", "ecdf"}, default="histogram"
            What to draw of numbers: shares of cells in bins, or the share of cells up
            to each number.
        bins : int, str or array-like, default="auto"
            As in `numpy.histogram_bin_edges`, of both together; the width of bins that
            a rule chooses is rounded where all numbers are whole.

        Returns
        -------
        DistributionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `kind` is not one of these.
        """
        if kind not in ("histogram", "ecdf"):
            raise ValueError(f"kind: got {kind!r}, expected 'histogram' or 'ecdf'")
        self.ax_ = axes_of(ax, (6, 4))
        self.figure_ = self.ax_.figure
        # Within the axes, which leave room: titles come above.
        at = {"loc": "upper right", "ncols": 2}
        if isinstance(self.observed, pd.Categorical):
            self._draw_bars()
        else:
            numbers, unit = as_numbers(self.observed)
            imputed, _ = as_numbers(self.imputed, unit)
            if kind == "ecdf":
                at = {"loc": "lower right"}
                self._draw_steps(numbers, imputed)
            else:
                self._draw_histograms(numbers, imputed, bins)
            name_numbers(self.ax_.xaxis, self.name, unit)
        parts = {"observed": len(self.observed), "imputed": len(self.imputed)}
        # Not cells: several tables hold several values of each.
        names = [f"{part} ({count:,} values)" for part, count in parts.items()]
        artists = [self.observed_artist_, self.imputed_artist_]
        legend(self.ax_, artists, names, **at)
        return self

    def _draw_histograms(self, observed, imputed, bins):
        edges = _edges(np.concatenate([observed, imputed]), bins)
        artists = []
        for numbers, color in ((observed, OBSERVED), (imputed, IMPUTED)):
            shares = np.histogram(numbers, edges)[0] / max(len(numbers), 1)
            self.ax_.stairs(shares, edges, fill=True, color=color, alpha=0.25)
            artists.append(self.ax_.stairs(shares, edges, color=color, linewidth=1.6))
        self.observed_artist_, self.imputed_artist_ = artists
        dress(self.ax_, "y")
        self.ax_.set_ylim(0, 1.1 * self.ax_.get_ylim()[1])
        if _are_whole(edges + 0.5):
            self.ax_.xaxis.get_major_locator().set_params(integer=True)
        name_shares(self.ax_.yaxis, "share of values")

    def _draw_steps(self, observed, imputed):
        artists = [
            self.ax_.ecdf(numbers, color=color, linewidth=1.8)
            for numbers, color in ((observed, OBSERVED), (imputed, IMPUTED))
        ]
        self.observed_artist_, self.imputed_artist_ = artists
        dress(self.ax_)
        name_shares(self.ax_.yaxis, "share of values up to it")

    def _draw_bars(self):
        names, shares = _level_shares(self.observed, self.imputed)
        at, artists = np.arange(len(names)), []
        for k, color in enumerate((OBSERVED, IMPUTED)):
            heights = at + 0.4 * (k - 0.5)
            artists.append(self.ax_.barh(heights, shares[k], height=0.36, color=color))
        self.observed_artist_, self.imputed_artist_ = artists
        dress(self.ax_, "x")
        name_ticks(self.ax_.yaxis, names)
        self.ax_.set_ylim(len(names) - 0.5, -0.5 - 0.12 * len(names))
        name_axes(self.ax_, y=self.name)
        name_shares(self.ax_.xaxis, "share of values")


def _filled(estimator, X, n_imputations, random_state):
    """Return the tables that an imputer makes of one."""
    if n_imputations is None:
        return [estimator.transform(X)]
    if not hasattr(estimator, "impute_multiple"):
        raise ValueError(
            f"n_imputations: got {n_imputations!r} with {type(estimator).__name__}, "
            "which has no `impute_multiple`, expected None"
        )
    return estimator.impute_multiple(X, n_imputations, random_state)


def _read_anew(cells, column):
    """Return the values of filled columns, and what these are.

    The table before may lack levels that are filled in.
    """
    frame = pd.DataFrame({column.name: pd.concat(cells, ignore_index=True)})
    schema = TableSchema.infer(
        frame,
        categorical_features=[0] if column.kind == "nominal" else None,
        text_features="passthrough",
    )
    return schema.read(frame)[0][:, 0], schema.columns[0]


def _column_of(estimator, table, n_columns, j):
    """Return a column of the output of an imputer; empty if that is dropped."""
    at = column_positions(estimator, n_columns, table.shape[1]).get(j)
    if at is None:
        return pd.Series(np.nan, index=range(len(table)))
    if container_of(table) == "numpy":
        return pd.Series(np.asarray(table)[:, at]).infer_objects()
    return convert(table, "pandas", table.columns).iloc[:, at].reset_index(drop=True)


def _edges(numbers, bins):
    """Return edges of bins; if all numbers are whole, each bin has room for as many."""
    edges = np.histogram_bin_edges(numbers, bins)
    if not isinstance(bins, str) or not _are_whole(numbers):
        return edges
    # Bins of 1.5 would hold one and two whole numbers in turn, and look like a comb.
    width = np.rint(edges[1] - edges[0]) if np.ptp(numbers) >= _MOST_WHOLE else 1.0
    width = max(width, 1.0)
    return np.arange(numbers.min() - 0.5, numbers.max() + 0.5 + width, width)


def _are_whole(numbers):
    return np.array_equal(numbers, np.rint(numbers))


def _level_shares(observed, imputed):
    """Return names of levels, and the shares of cells that have them, (2, n_levels)."""
    parts = [
        pd.Series(part).value_counts(normalize=True, sort=False)
        for part in (observed, imputed)
    ]
    by_level = pd.concat(parts, axis=1, sort=False).fillna(0.0)
    names, shares = list(by_level.index), by_level.to_numpy().T
    if len(names) <= _MOST_LEVELS:
        return names, shares
    order = np.argsort(-shares.sum(axis=0), kind="stable")
    kept, others = np.sort(order[: _MOST_LEVELS - 1]), order[_MOST_LEVELS - 1 :]
    rest = shares[:, others].sum(axis=1)
    names = [*(names[k] for k in kept), f"{len(others)} others"]
    return names, np.column_stack([shares[:, kept], rest])


class CellSurpriseDisplay:
    """The rows with the most surprising cells, as a heat map of `cell_scores`.

    A cell is the darker, the more rarely the rest of its row leads to a value as odd.

    Parameters
    ----------
    scores : DataFrame of shape (n_rows, n_columns)
        Of all rows, as from `VAEImputer.cell_scores`: NaN where missing.
    cells : DataFrame of shape (n_rows, n_columns) or None, default=None
        The table, whose cells are written into the map.

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    mesh_ : QuadMesh
        The scores that are drawn, from the most surprising row down.
    colorbar_ : Colorbar
    rows_ : ndarray of shape (n_drawn,), int
        Positions of the rows that are drawn.

    Examples
    --------
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.diagnostics import CellSurpriseDisplay
    >>> penguins = load_penguins()
    >>> imputer = VAEImputer(n_components=2, hidden_layer_sizes=(), random_state=0)
    >>> imputer = imputer.fit(penguins)
    >>> penguins.loc[7, "body_mass_g"] = 40_000  # grams, with a zero too many
    >>> display = CellSurpriseDisplay.from_estimator(imputer, penguins, max_rows=5)
    >>> int(display.rows_[0])
    7
    >>> len(display.plot(max_rows=3).rows_)
    3
    """

    def __init__(self, scores: pd.DataFrame, cells: pd.DataFrame | None = None) -> None:
        self.scores = scores
        self.cells = cells

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Table, *, ax: Any = None, **kwargs: Any
    ) -> CellSurpriseDisplay:
        """Score the cells of a table, and draw the most surprising rows.

        Parameters
        ----------
        estimator : fitted VAEImputer or VAETransformer
            Any with `cell_scores`.
        X : DataFrame or array of shape (n_rows, n_columns)
            With the columns of `fit`.
        ax : Axes, default=None
        **kwargs : options of `plot`

        Returns
        -------
        CellSurpriseDisplay

        Raises
        ------
        ValueError
            If `estimator` has no `cell_scores`.
        """
        if not hasattr(estimator, "cell_scores"):
            raise ValueError(
                f"estimator: got {type(estimator).__name__}, expected a fitted "
                "VAEImputer or VAETransformer, which have `cell_scores`"
            )
        scores = estimator.cell_scores(X)
        read, schema, _, _ = read_cells(estimator, X)
        cells = convert(read, "pandas", labels_of(schema))
        if not isinstance(scores, pd.DataFrame):
            scores = pd.DataFrame(scores, cells.index, cells.columns)
        return cls(scores, cells).plot(ax, **kwargs)

    def plot(
        self, ax: Any = None, *, max_rows: int = 15, cmap: Any = "YlOrBr"
    ) -> CellSurpriseDisplay:
        """Draw the heat map.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a new figure.
        max_rows : int, default=15
            Rows to draw, by their most surprising cell.
        cmap : str or Colormap, default="YlOrBr"

        Returns
        -------
        CellSurpriseDisplay
            The display itself.

        Raises
        ------
        ValueError
            If no cell has a score, or `max_rows` is not an integer >= 1.
        """
        check_count(max_rows, "max_rows", 1)
        scores = self.scores.to_numpy(dtype=float)
        worst = np.where(np.isnan(scores), -1.0, scores).max(axis=1, initial=-1.0)
        order = np.argsort(-worst, kind="stable")
        self.rows_ = order[worst[order] >= 0][:max_rows]
        if not len(self.rows_):
            raise ValueError("scores: got no score at all, expected observed cells")
        scores = scores[self.rows_]
        n_rows, n_columns = scores.shape
        width = np.clip(3.0 + 0.85 * n_columns, 5, 13)
        self.ax_ = axes_of(ax, (width, 1.8 + 0.28 * n_rows))
        self.figure_ = self.ax_.figure
        self.mesh_ = self.ax_.pcolormesh(
            np.ma.masked_invalid(np.minimum(scores, _LARGEST_SCORE)),
            cmap=cmap,
            vmin=0.0,
            vmax=np.log(_ODDS[-1]),
            edgecolors="white",
            linewidth=1.0,
        )
        self._name_cells(n_columns)
        if self.cells is not None and n_columns <= _MOST_WRITTEN:
            self._write_cells(scores)
        self._name_colours()
        return self

    def _name_cells(self, n_columns):
        self.ax_.set_facecolor(PALE)  # of missing cells
        self.ax_.invert_yaxis()
        undress(self.ax_)
        name_ticks(self.ax_.xaxis, self.scores.columns, start=0.5)
        slant(self.ax_)
        name_ticks(self.ax_.yaxis, self.scores.index[self.rows_], start=0.5)
        name_axes(self.ax_, y=shown(self.scores.index.name or "row"))

    def _write_cells(self, scores):
        colours = self.mesh_.cmap(self.mesh_.norm(scores))[..., :3]
        is_dark = colours @ [0.299, 0.587, 0.114] < 0.55
        for (i, j), score in np.ndenumerate(scores):
            text = _short(self.cells.iloc[self.rows_[i], j])
            color = "white" if is_dark[i, j] and not np.isnan(score) else "black"
            self.ax_.text(
                j + 0.5,
                i + 0.5,
                text,
                ha="center",
                va="center",
                fontsize="x-small",
                color=color,
                parse_math=False,
                clip_on=True,
            )

    def _name_colours(self):
        bar = self.figure_.colorbar(
            self.mesh_, ax=self.ax_, ticks=np.log(_ODDS), extend="max", pad=0.02
        )
        bar.ax.set_yticklabels(["as usual", *(f"1 in {x:,}" for x in _ODDS[1:])])
        undress(bar.ax)
        bar.set_label("cells as odd as this")
        self.colorbar_ = bar


def _short(cell):
    """Return a cell as text that fits into the map; of a missing one nothing."""
    if pd.isna(cell):
        return ""
    if isinstance(cell, (float, np.floating)):
        return f"{cell:.5g}"
    if isinstance(cell, pd.Timestamp):
        cell = cell.date()
    if isinstance(cell, pd.Timedelta):
        cell = str(cell).removeprefix("0 days ").removesuffix(" 00:00:00")
    text = shown(cell)
    return text if len(text) <= 10 else text[:9] + "…"
