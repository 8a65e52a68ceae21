"""A picture of which cells of a table are missing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from sklearn.impute import MissingIndicator

from vaeimpute._containers import Table
from vaeimpute._generation import check_count
from vaeimpute._hidden_cells import read_cells
from vaeimpute.diagnostics._drawing import (
    IMPUTED,
    INK,
    PALE,
    axes_of,
    labels_of,
    legend,
    name_axes,
    name_ticks,
    panels_of,
    slant,
    undress,
)


class MissingnessDisplay:
    """Which cells of a table are missing together.

    One row per pattern, that is a set of columns missing in the same rows, the most
    frequent first; bars beside it count the rows of each pattern, bars above tell the
    share of each column that is missing. Make it with `from_data`.

    Parameters
    ----------
    missing : ndarray of shape (n_patterns, n_columns), bool
        Distinct patterns.
    counts : ndarray of shape (n_patterns,), int
        Rows of each pattern.
    names : sequence of length n_columns
        Names of the columns.

    Attributes
    ----------
    shares : ndarray of shape (n_columns,)
        Share of each column's cells that is missing.
    ax_ : Axes
        What was drawn on, divided into the three panels below.
    figure_ : Figure
    mesh_ : QuadMesh
        The patterns, 1 where missing.
    share_bars_, count_bars_ : BarContainer

    Examples
    --------
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.diagnostics import MissingnessDisplay
    >>> display = MissingnessDisplay.from_data(load_penguins())
    >>> display.counts  # rows that miss nothing, the sex, all measurements
    array([333,   9,   2])
    >>> len(display.plot(max_patterns=2).count_bars_)
    2
    """

    def __init__(
        self, missing: np.ndarray, counts: np.ndarray, names: Sequence[Hashable]
    ) -> None:
        self.missing = missing
        self.counts = counts
        self.names = names

    @classmethod
    def from_data(
        cls, X: Table, *, missing_values: Any = np.nan, ax: Any = None, **kwargs: Any
    ) -> MissingnessDisplay:
        """Draw the patterns of a table.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Of pandas, polars or NumPy.
        missing_values : number, str, np.nan, None or pd.NA, default=np.nan
            A further value that marks a missing cell, as of an imputer.
        ax : Axes, default=None
        **kwargs : options of `plot`

        Returns
        -------
        MissingnessDisplay

        Raises
        ------
        ValueError
            If the table has no rows or columns, or holds what no estimator here takes.
        """
        marked = MissingIndicator(missing_values=missing_values)
        _, schema, _, missing = read_cells(marked, X)
        if not missing.size:
            raise ValueError(f"X: got a table of shape {missing.shape}, expected cells")
        merged = _merged(missing, np.ones(len(missing), dtype=int))
        return cls(*merged, labels_of(schema)).plot(ax, **kwargs)

    @property
    def shares(self) -> np.ndarray:
        """Share of each column's cells that is missing."""
        return self.counts @ self.missing / self.counts.sum()

    def plot(
        self, ax: Any = None, *, max_patterns: int = 20, max_columns: int = 40
    ) -> MissingnessDisplay:
        """Draw the patterns.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a new figure.
        max_patterns : int, default=20
            Only the most frequent are drawn if there are more.
        max_columns : int, default=40
            Only those with most missing cells are drawn if there are more.

        Returns
        -------
        MissingnessDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `max_patterns` or `max_columns` is not an integer >= 1.
        """
        check_count(max_patterns, "max_patterns", 1)
        check_count(max_columns, "max_columns", 1)
        kept = np.sort(np.argsort(-self.shares, kind="stable")[:max_columns])
        missing, counts = _merged(self.missing[:, kept], self.counts)
        is_cut = len(counts) > max_patterns
        missing, counts = missing[:max_patterns], counts[:max_patterns]
        n_shown, n_columns = missing.shape
        size = (np.clip(3.2 + 0.5 * n_columns, 5, 13), 2.7 + 0.3 * n_shown)
        self.ax_ = axes_of(ax, size)
        self.figure_ = self.ax_.figure
        top = 1.0 - 0.9 / (1.6 + 0.3 * n_shown)  # about nine tenths of an inch
        boxes = [(0, 0, 0.72, top), (0, top + 0.03, 0.72, 0.97 - top)]
        boxes += [(0.74, 0, 0.18, top)]
        below, above, right = panels_of(self.ax_, boxes)
        self._draw_patterns(below, missing, [self.names[j] for j in kept])
        self._draw_shares(above, self.shares[kept])
        self._draw_counts(right, counts)
        self._draw_legend(top)
        patterns = f"{n_shown} most frequent patterns" if is_cut else "patterns"
        name_axes(below, y=patterns)
        if n_columns < len(self.names):
            name_axes(below, x=f"{n_columns} of {len(self.names)} columns")
        return self

    def _draw_legend(self, height):
        from matplotlib.patches import Rectangle

        artists = [Rectangle((0, 0), 1, 1, color=x) for x in (IMPUTED, PALE)]
        at = {"loc": "lower left", "bbox_to_anchor": (0.74, height)}
        legend(self.ax_, artists, ["missing", "observed"], **at)

    def _draw_patterns(self, ax, missing, names):
        from matplotlib.colors import ListedColormap

        self.mesh_ = ax.pcolormesh(
            missing.astype(float),
            cmap=ListedColormap([PALE, IMPUTED]),
            vmin=0,
            vmax=1,
            edgecolors="white",
            linewidth=1.5,
        )
        ax.invert_yaxis()
        undress(ax)
        name_ticks(ax.xaxis, names, start=0.5)
        slant(ax)
        ax.set_yticks([])

    def _draw_shares(self, ax, shares):
        at = 0.5 + np.arange(len(shares))
        self.share_bars_ = ax.bar(at, shares, width=0.8, color=IMPUTED)
        undress(ax)
        ax.set(xlim=(0, len(shares)), xticks=[], yticks=[])
        ax.set_ylim(0, 1.35 * max(shares.max(), 1e-3))
        if len(shares) <= 15:
            texts = [_percent(share) for share in shares]
            ax.bar_label(self.share_bars_, texts, fontsize="small", color=INK)
        name_axes(ax, y="missing")

    def _draw_counts(self, ax, counts):
        at = 0.5 + np.arange(len(counts))
        self.count_bars_ = ax.barh(at, counts, height=0.8, color=INK)
        undress(ax)
        ax.set(ylim=(len(counts), 0), yticks=[], xticks=[])
        texts = [f" {count:,}" for count in counts]
        ax.bar_label(self.count_bars_, texts, fontsize="small", color=INK)
        name_axes(ax, x=f"of {self.counts.sum():,} rows")


def _merged(missing, counts):
    """Return distinct patterns and their counts, the most frequent first."""
    packed = np.packbits(missing, axis=1)
    _, first, which = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    counts = np.bincount(which.ravel(), counts).astype(int)
    # Of equals, that with fewer missing cells.
    order = np.lexsort([missing[first].sum(axis=1), -counts])
    return missing[first[order]], counts[order]


def _percent(share):
    """Return a share in percent: of a few cells in many never "0.0%"."""
    return f"{share:.0%}" if share >= 0.0995 else f"{100 * share:.2g}%"
