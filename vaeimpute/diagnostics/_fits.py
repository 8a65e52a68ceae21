"""Pictures of what a fit learned: how training went, and where rows lie."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from vaeimpute._base import BaseVAE
from vaeimpute._containers import Table
from vaeimpute._hidden_cells import read_cells
from vaeimpute.diagnostics._drawing import (
    IMPUTED,
    INK,
    LEVELS,
    OBSERVED,
    as_numbers,
    axes_of,
    cells_of,
    dress,
    in_full,
    labels_of,
    legend,
    name_axes,
    name_numbers,
    panels_of,
    shown,
    undress,
)

#: Scores that differ by less are not drawn as if they differed much.
_LEAST_SPAN = 0.02
#: Running means are of one in so many epochs.
_POINTS_OF_MEANS = 40
#: Whole numbers with no more values than this are drawn as levels.
_MOST_LEVELS = len(LEVELS)


class LossCurveDisplay:
    """How training went: the loss of each epoch, and the score of each check.

    The score is the share of the held-out cells' variance and entropy that is
    explained, first by the linear core alone.

    Parameters
    ----------
    loss_curve : sequence of float
        Mean loss of each epoch, in nats per column.
    validation_scores : sequence of float, default=()
        At the start and at each check; empty without early stopping.

    Attributes
    ----------
    ax_ : Axes
        What was drawn on, divided into panels if there are scores.
    figure_ : Figure
    loss_line_ : Line2D
    mean_line_ : Line2D or None
        Running mean of the loss, with 80 epochs or more.
    validation_line_ : Line2D or None
    best_point_ : Line2D or None
        The best score.

    Notes
    -----
    The last epochs, after the last check, are trained on all cells at a falling
    learning rate. If no score is better than the first, the networks are dropped.

    Examples
    --------
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.diagnostics import LossCurveDisplay
    >>> bills = load_penguins()[["bill_length_mm", "bill_depth_mm"]].head(40)
    >>> imputer = VAEImputer(
    ...     n_components=1, hidden_layer_sizes=(2,), max_iter=3, random_state=0
    ... )
    >>> display = LossCurveDisplay.from_estimator(imputer.fit(bills))
    >>> len(display.loss_curve) == imputer.n_iter_
    True

    The losses alone:

    >>> LossCurveDisplay(imputer.loss_curve_).plot().validation_line_ is None
    True
    """

    def __init__(
        self, loss_curve: Sequence[float], validation_scores: Sequence[float] = ()
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, **kwargs: Any
    ) -> LossCurveDisplay:
        """Draw how an estimator was trained.

        Parameters
        ----------
        estimator : fitted VAEImputer or VAETransformer
        ax : Axes, default=None
        **kwargs : options of `plot`

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        ValueError
            If it is neither, or has no networks that were trained.
        """
        if not isinstance(estimator, BaseVAE):
            inner = " (its attribute `imputer_`)" * hasattr(estimator, "imputer_")
            raise ValueError(
                f"estimator: got {type(estimator).__name__}, expected a fitted "
                f"VAEImputer{inner} or VAETransformer"
            )
        check_is_fitted(estimator)
        if not estimator.loss_curve_:
            raise ValueError(
                f"estimator: got a {type(estimator).__name__} that was fitted without "
                "networks and so in no epochs, expected one with `hidden_layer_sizes`"
            )
        made = cls(estimator.loss_curve_, estimator.validation_scores_)
        return made.plot(ax, **kwargs)

    def plot(self, ax: Any = None, **kwargs: Any) -> LossCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a new figure.
        **kwargs : options of `Axes.plot`
            Of both lines.

        Returns
        -------
        LossCurveDisplay
            The display itself.
        """
        has_scores = len(self.validation_scores) > 0
        self.ax_ = axes_of(ax, (6, 5.2 if has_scores else 3.2))
        self.figure_, kwargs = self.ax_.figure, in_full(kwargs)
        upper, self.validation_line_, self.best_point_ = self.ax_, None, None
        if has_scores:
            boxes = [(0, 0.6, 1, 0.4), (0, 0, 1, 0.4)]
            upper, lower = panels_of(self.ax_, boxes)
            self._draw_scores(lower, kwargs)
        self._draw_loss(upper, kwargs)
        return self

    def _draw_loss(self, ax, kwargs):
        losses = np.asarray(self.loss_curve, dtype=float)
        look = {"color": OBSERVED, "linewidth": 1.8} | kwargs
        n_pooled = len(losses) // _POINTS_OF_MEANS
        raw = look if n_pooled < 2 else look | {"linewidth": 0.6, "alpha": 0.4}
        (self.loss_line_,) = ax.plot(1 + np.arange(len(losses)), losses, **raw)
        self.mean_line_ = None
        if n_pooled >= 2:
            means = np.convolve(losses, np.full(n_pooled, 1 / n_pooled), "valid")
            middles = 0.5 * (1 + n_pooled) + np.arange(len(means))
            (self.mean_line_,) = ax.plot(middles, means, **look)
            names = ["loss", f"mean of {n_pooled} epochs"]
            legend(ax, [self.loss_line_, self.mean_line_], names, loc="upper right")
        dress(ax)
        ax.xaxis.get_major_locator().set_params(integer=True)
        name_axes(ax, "epoch", "loss (nats per column)")

    def _draw_scores(self, ax, kwargs):
        scores = np.asarray(self.validation_scores)
        best = int(np.argmax(scores))
        core = ax.axhline(scores[0], color=INK, linewidth=1, linestyle="--")
        look = {"color": OBSERVED, "linewidth": 1.8, "marker": "."} | kwargs
        (self.validation_line_,) = ax.plot(np.arange(len(scores)), scores, **look)
        (self.best_point_,) = ax.plot(
            [best], [scores[best]], "o", color=IMPUTED, markersize=8
        )
        dress(ax)
        middle, span = np.mean([scores.min(), scores.max()]), np.ptp(scores)
        half = 0.55 * max(span, _LEAST_SPAN)
        ax.set_ylim(middle - half, middle + half)
        ax.xaxis.get_major_locator().set_params(integer=True)
        name_axes(ax, "check", "explained share")
        names = ["linear core", f"best: {scores[best]:.3f}"]
        legend(ax, [core, self.best_point_], names, loc="best")


class LatentMapDisplay:
    """Rows in the plane of two latent features.

    Parameters
    ----------
    coordinates : ndarray of shape (n_rows, 2)
    axis_names : tuple of two str
    color : array-like of shape (n_rows,) or None, default=None
        What colours the rows: numbers, ``datetime64``, ``timedelta64``, or levels as a
        `pandas.Categorical`. Missing ones are grey.
    color_name : str, default=""

    Attributes
    ----------
    ax_ : Axes
    figure_ : Figure
    points_ : list of PathCollection
        The rows: of each level in turn if levels colour them, and at the end those
        whose colour is missing.
    colorbar_ : Colorbar or None
    legend_ : Legend or None

    Examples
    --------
    >>> from vaeimpute import VAETransformer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.diagnostics import LatentMapDisplay
    >>> penguins = load_penguins()
    >>> reducer = VAETransformer(hidden_layer_sizes=(), random_state=0).fit(penguins)
    >>> display = LatentMapDisplay.from_estimator(reducer, penguins, column="species")
    >>> [text.get_text() for text in display.legend_.get_texts()]
    ['Adelie', 'Chinstrap', 'Gentoo']
    >>> len(display.plot(s=10).points_)
    3
    """

    def __init__(
        self,
        coordinates: np.ndarray,
        axis_names: tuple[str, str],
        color: Any = None,
        color_name: str = "",
    ) -> None:
        self.coordinates = coordinates
        self.axis_names = axis_names
        self.color = color
        self.color_name = color_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Table,
        y: ArrayLike | None = None,
        *,
        column: Hashable = None,
        components: tuple[int, int] = (0, 1),
        ax: Any = None,
        **kwargs: Any,
    ) -> LatentMapDisplay:
        """Draw the rows of a table where an estimator puts them.

        Parameters
        ----------
        estimator : fitted VAETransformer
            Or another one whose `transform` returns at least two numbers per row, such
            as a pipeline or :class:`~sklearn.decomposition.PCA`.
        X : DataFrame or array of shape (n_rows, n_columns)
            With the columns of `fit`.
        y : array-like of shape (n_rows,), default=None
            What colours the rows.
        column : name or int, default=None
            Name or position of the column of `X` that colours them instead.
        components : tuple of two int, default=(0, 1)
            Which of its columns to draw, across and up.
        ax : Axes, default=None
        **kwargs : options of `plot`

        Returns
        -------
        LatentMapDisplay

        Raises
        ------
        ValueError
            If `components` are not two columns of what `estimator` returns, or it is an
            imputer, `column` is unknown or free text, `y` is of another length, or both
            are given.

        Notes
        -----
        Whole numbers with up to eight different values count as levels.
        """
        if isinstance(estimator, BaseVAE) and not estimator._is_bottleneck:
            raise ValueError(
                f"estimator: got {type(estimator).__name__}, which returns the table "
                "filled, expected one that reduces dimensions, such as VAETransformer"
            )
        latents = np.asarray(estimator.transform(X))
        _check_components(components, latents.shape[1])
        names = tuple(_component_names(estimator, latents.shape[1], components))
        color, name = _color(estimator, X, y, column, len(latents))
        made = cls(latents[:, list(components)].astype(float), names, color, name)
        return made.plot(ax, **kwargs)

    def plot(
        self, ax: Any = None, *, cmap: Any = "viridis", **kwargs: Any
    ) -> LatentMapDisplay:
        """Draw the map.

        Parameters
        ----------
        ax : Axes, default=None
            None makes a new figure.
        cmap : str or Colormap, default="viridis"
            Colours of numbers.
        **kwargs : options of `Axes.scatter`

        Returns
        -------
        LatentMapDisplay
            The display itself.
        """
        self.ax_ = axes_of(ax, (6.4, 4.6))
        self.figure_ = self.ax_.figure
        self.points_, self.colorbar_, self.legend_ = [], None, None
        n_rows = len(self.coordinates)
        # Many points hide each other: the more there are, the smaller.
        size = float(np.clip(6000 / max(n_rows, 1), 4, 32))
        look = {"s": size, "alpha": 0.8, "linewidths": 0} | kwargs
        if self.color is None:
            self._draw(np.ones(n_rows, bool), {"color": OBSERVED} | look)
        elif isinstance(self.color, pd.Categorical):
            self._draw_levels(look)
        else:
            self._draw_numbers(cmap, look)
        dress(self.ax_)
        name_axes(self.ax_, *self.axis_names)
        return self

    def _draw(self, at, look):
        self.points_.append(self.ax_.scatter(*self.coordinates[at].T, **look))

    def _draw_missing(self, at, look):
        if at.any():
            look = {x: y for x, y in look.items() if x != "c"}
            hollow = {"facecolors": "none", "edgecolors": "#9a9a9a", "linewidths": 0.8}
            self._draw(at, look | hollow)

    def _draw_levels(self, look):
        codes, names = _few_levels(self.color)
        for code, (color, marker) in zip(range(len(names)), LEVELS, strict=False):
            self._draw(codes == code, {"color": color, "marker": marker} | look)
        self._draw_missing(codes < 0, look)
        if (codes < 0).any():
            names.append("missing")
        at = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
        self.legend_ = legend(self.ax_, self.points_, map(shown, names), **at)
        self.legend_.set_title(shown(self.color_name), {"size": "small"})
        self.legend_.get_title().set_parse_math(False)
        for handle in self.legend_.legend_handles:
            handle.set(sizes=[32], alpha=1.0)

    def _draw_numbers(self, cmap, look):
        numbers, unit = as_numbers(self.color)
        known = ~np.isnan(numbers)
        self._draw(known, {"c": numbers[known], "cmap": cmap} | look)
        self._draw_missing(~known, look)
        bar = self.figure_.colorbar(self.points_[0], ax=self.ax_, pad=0.02)
        bar.solids.set_alpha(1.0)
        undress(bar.ax)
        name_numbers(bar.ax.yaxis, self.color_name, unit)
        if not known.all():
            # Not at the "best" place, which takes seconds to find among many points.
            at = {"loc": "lower right", "bbox_to_anchor": (1, 1)}
            self.legend_ = legend(self.ax_, self.points_[1:], ["missing"], **at)
        self.colorbar_ = bar


def _check_components(components, n_components):
    chosen = np.asarray(components)
    is_pair = chosen.shape == (2,) and chosen.dtype.kind in "iu"
    if not is_pair or not all(0 <= k < n_components for k in chosen):
        raise ValueError(
            f"components: got {components!r}, expected two of the {n_components} "
            "columns that the estimator returns, counted from 0"
        )


def _component_names(estimator, n_components, components):
    """Yield the name of a component, and its share of the variance if that is known."""
    names = [f"component {k}" for k in range(n_components)]
    if hasattr(estimator, "get_feature_names_out"):
        names = estimator.get_feature_names_out()
    shares = getattr(estimator, "explained_variance_ratio_", None)
    for k in components:
        of = "" if shares is None else f" ({shares[k]:.0%} of the variance)"
        yield shown(names[k]) + of


def _color(estimator, X, y, column, n_rows):
    """Return what colours the rows, and its name."""
    if y is None and column is None:
        return None, ""
    if y is not None and column is not None:
        raise ValueError(f"y and column: got both, column {column!r}, expected one")
    if y is None:
        _, schema, values, _ = read_cells(estimator, X)
        (j,) = schema.positions([column], "column")
        name = labels_of(schema)[j]
    else:
        j, name = 0, getattr(y, "name", None)
        name = "y" if name is None else name
        if np.shape(y) != (n_rows,):
            raise ValueError(f"y: got shape {np.shape(y)}, expected ({n_rows},)")
        y = y.to_frame() if hasattr(y, "to_frame") else pd.DataFrame({"y": y})
        _, schema, values, _ = read_cells(None, y)
    known = schema.columns[j]
    if known.kind == "text":
        given = "y" if y is not None else f"column {column!r}"
        raise ValueError(f"{given}: got free text, expected numbers or levels")
    cells = cells_of(values[:, j], known)
    if known.is_integer and pd.Series(values[:, j]).nunique() <= _MOST_LEVELS:
        cells = pd.Categorical(pd.array(values[:, j]).astype("Int64"))
    return cells, shown(name)


def _few_levels(levels):
    """Return codes and names of the levels that are there, of the most frequent."""
    levels = levels.remove_unused_categories()
    codes, names = levels.codes.astype(int), list(levels.categories)
    if len(names) <= _MOST_LEVELS:
        return codes, names
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    kept = np.sort(np.argsort(-counts, kind="stable")[: _MOST_LEVELS - 1])
    new = np.full(len(names) + 1, _MOST_LEVELS - 1)
    new[kept], new[-1] = np.arange(len(kept)), -1  # code -1: missing
    others = f"{len(names) - len(kept)} others"
    return new[codes], [*(names[k] for k in kept), others]
