"""What the observed cells leave open: draws, intervals and probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from vaeimpute._conditional import FittedVAE
from vaeimpute._generation import check_count
from vaeimpute._predictive import (
    Calibration,
    check_confidence_level,
    fit_temperature,
)
from vaeimpute._row_streams import RowStreams, content_seeds

#: Rows whose probabilities of all levels are held in memory together.
_ROWS_AT_ONCE = 4096

#: Points at which a distribution is read to get its standard deviation, and how much
#: of a normal one lies within one of it.
_STD_NODES, _ONE_DEVIATION = 20, math.erf(math.sqrt(0.5))


def _may_have_levels(imputer):
    """Return whether a column has levels; before the fit it may have."""
    if not hasattr(imputer, "_schema"):
        return True
    return any(column.levels for column in imputer._schema.columns)


class UncertaintyMixin:
    """What may be in missing cells, besides the best guess of an imputer.

    Asks of its estimator `_schema`, `_encoding`, `_model`, `_calibration` and how it
    bounds and assembles what it fills in.
    """

    def impute_multiple(self, X, n_imputations=5, random_state=None, *, delta=None):
        """Fill the missing cells of a table several times, each time by a draw.

        Each table is one that there might be: its cells are drawn together from what
        the observed ones of their row leave open, and the model itself is drawn anew
        for each table, from models that as many other rows might have led to. What is
        computed from every table is pooled by `vaeimpute.inference.pool`.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.
        n_imputations : int, default=5
        random_state : int, RandomState instance or None, default=None
            An integer makes the draws repeatable.
        delta : dict of column to float, default=None
            By how much drawn numbers are moved, in standard deviations of the column's
            observed ones (of their logarithms or log-odds, where `likelihoods_` says
            so): what is missing because of its own value lies elsewhere than the
            observed cells tell. See `vaeimpute.inference.sensitivity`.

        Returns
        -------
        tables : list of n_imputations tables like that of `transform`
            Integers, counts and numbers that mostly repeat are drawn as such, within
            bounds.

        Raises
        ------
        ValueError
            If `n_imputations` is no positive integer, or `delta` names a column that is
            unknown or holds no numbers.

        Notes
        -----
        A row's draws follow from the seed and its own cells: not from where it stands,
        nor from the rows beside it, but for rows that are equal, which are told apart
        by how many came before. Draws scatter around what `transform` returns.

        References
        ----------
        Rubin (1987), *Multiple imputation for nonresponse in surveys*.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> from vaeimpute.inference import pool
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> tables = imputer.impute_multiple(penguins, 10, random_state=0)
        >>> mass = [table["body_mass_g"] for table in tables]
        >>> pooled = pool([x.mean() for x in mass], [x.var() / len(x) for x in mass])
        >>> bool(pooled.standard_error > 40)
        True
        """
        check_is_fitted(self)
        check_count(n_imputations, "n_imputations", 1)
        X = self._check_table(X)
        generator = check_random_state(random_state)
        seeds = generator.randint(np.iinfo(np.int32).max, size=n_imputations)
        shifts = self._shifts({} if delta is None else delta)
        draws = partial(self._draws, shifts=shifts)
        return [self._filled(X, partial(draws, seed=seed)) for seed in seeds]

    def _impute_by_content(self, X, seeds):
        """Fill a table once for each seed; rows that are equal are filled alike."""
        X, draws = self._check_table(X), partial(self._draws, are_told_apart=False)
        return [self._filled(X, partial(draws, seed=seed)) for seed in seeds]

    def predict_interval(self, X, confidence_level=0.95):
        """Return between which ends each missing number is likely to lie.

        What the model predicts of a number is widened or narrowed such that as many
        cells as asked for lie within their intervals among those that `fit` held out,
        over all columns (split conformal prediction); how columns differ is read from
        their own held-out cells, as far as these tell.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.
        confidence_level : float, default=0.95
            Share of the missing numbers that lie within their intervals, between 0
            and 1.

        Returns
        -------
        lower, upper : tables like that of `transform`, without indicators
            Observed numbers are both ends of their intervals. Columns of levels and
            text are missing throughout, as are cells of which nothing is known. Ends
            are within bounds, and whole numbers in integer dtypes, `discrete_features`
            and counts.

        Raises
        ------
        ValueError
            If `confidence_level` is not between 0 and 1.

        Notes
        -----
        The share holds on average over cells if missing cells are like observed ones
        that were hidden at random; where numbers repeat, more cells may lie within.
        Without `early_stopping`, and in tables too small to hold out cells, intervals
        are what the model says alone; few cells count beside it.

        References
        ----------
        Chernozhukov, Wüthrich & Zhu (2021), *Distributional conformal prediction*.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> lower, upper = imputer.predict_interval(penguins, confidence_level=0.9)
        >>> bool(lower.loc[3, "body_mass_g"] < upper.loc[3, "body_mass_g"])
        True
        """
        check_is_fitted(self)
        check_confidence_level(confidence_level)
        X = self._check_table(X)
        values, missing = self._schema.read(X)
        chosen = self._chosen(X, missing)
        reach = self._calibration.reach(confidence_level)
        ends = self._quantiles(values, chosen, np.array([-reach, reach]))
        # A copy with a negative slope has its source's ends the other way round.
        lower, upper = self._whole(ends.min(axis=0), ends.max(axis=0))
        return tuple(
            self._assemble(
                self._schema.without_levels(self._schema.write(X, end, chosen))
            )
            for end in (lower, upper)
        )

    def predict_std(self, X):
        """Return the standard deviation of each missing number, given its row.

        Scaled such that as many held-out cells lie within one of it as would if all
        were normal, 68 %, as in `predict_interval`: a robust scale, where outliers are.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        deviations : DataFrame or ndarray of shape (n_samples, n_features)
            In the column's units, of dates and durations in seconds; a frame of pandas
            where `X` is one. 0 where `X` is observed, NaN in columns of levels and
            text, and where nothing is known.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> bool(imputer.predict_std(penguins).loc[3, "body_mass_g"] > 100)  # grams
        True
        """
        check_is_fitted(self)
        X = self._check_table(X)
        values, missing = self._schema.read(X)
        nodes, weights = np.polynomial.hermite_e.hermegauss(_STD_NODES)
        unit = self._calibration.reach(_ONE_DEVIATION)
        points = self._quantiles(values, missing, np.multiply.outer(nodes, unit))
        weights = weights[:, None, None] / weights.sum()
        mean = np.sum(weights * points, axis=0)
        deviations = np.sqrt(np.sum(weights * (points - mean) ** 2, axis=0))
        deviations[~missing] = 0.0
        numeric = [column.kind == "numeric" for column in self._schema.columns]
        deviations[:, np.logical_not(numeric)] = np.nan
        if not isinstance(X, pd.DataFrame):
            return deviations
        return pd.DataFrame(deviations, index=X.index, columns=X.columns)

    @available_if(_may_have_levels)
    def predict_proba(self, X):
        """Return how likely each level is, in every column that has levels.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        probabilities : dict of column to DataFrame of shape (n_samples, n_levels)
            By name of the column (for arrays, its position): text, categories,
            booleans and `categorical_features` with an observed cell at `fit`.
            Rows have the index of `X`, columns are the levels, and rows sum to 1.
            Observed levels have probability 1, but for levels that `fit` has not
            seen: these count as missing.

        Notes
        -----
        Probabilities are flattened or sharpened, all by the same power, as the cells
        that `fit` held out tell (temperature scaling, Guo et al. 2017): those of 80 %
        are to be right four times out of five where missing cells are like observed
        ones.

        Examples
        --------
        >>> import pandas as pd
        >>> from vaeimpute import VAEImputer
        >>> table = pd.DataFrame({"size": ["S", "L", "L", None, "L", "S"]})
        >>> imputer = VAEImputer(random_state=0).fit(table)
        >>> imputer.predict_proba(table)["size"].loc[[0, 3]].round(2)
             L    S
        0  0.0  1.0
        3  0.6  0.4
        """
        check_is_fitted(self)
        X = self._check_table(X)
        values, _ = self._schema.read(X)
        index = X.index if hasattr(X, "index") else None
        parts = []
        for start in range(0, len(values), _ROWS_AT_ONCE):
            block = values[start : start + _ROWS_AT_ONCE]
            filling = self._model.fill(self._encoding.encode(block))
            filling = self._calibrated(filling)
            parts.append(self._encoding.level_probabilities(block, *filling))
        columns = self._schema.columns
        return {
            columns[j].name: pd.DataFrame(
                np.concatenate([part[j] for part in parts]),
                index=index,
                columns=pd.Index(columns[j].levels),
            )
            for j in sorted(parts[0])
        }

    def _calibrated(self, filling):
        """Return a filling with levels as likely as held-out cells tell."""
        cooled = filling.log_levels / self._calibration.temperature
        return filling._replace(log_levels=cooled)

    def _shifts(self, delta):
        """Return by how much to move the standardised scores of numeric columns."""
        if not isinstance(delta, Mapping):
            raise ValueError(f"delta: got {delta!r}, expected a dictionary of columns.")
        shifts = np.zeros(len(self._encoding.numeric))
        at = self._places_of_numbers(delta, "delta")
        for place, (name, shift) in zip(at, delta.items(), strict=True):
            if not isinstance(shift, Real) or not np.isfinite(shift):
                raise ValueError(
                    f"delta: got {shift!r} for {name!r}, expected a finite number."
                )
            shifts[place] = shift
        return shifts

    def _places_of_numbers(self, given, parameter):
        """Return the places of named columns among the encoded numeric ones."""
        encoding = self._encoding
        places = {
            int(encoding.numeric[k]): k for k in np.flatnonzero(encoding.are_numbers)
        }
        at = self._schema.positions(given, parameter)
        for j in at:
            if j not in places:
                raise ValueError(
                    f"{parameter}: {self._schema.columns[j].label} is modelled as "
                    f"{encoding.likelihood_names().get(j, 'nothing')!r}, expected "
                    "columns modelled as numbers."
                )
        return [places[j] for j in at]

    def _draws(self, values, chosen, seed, shifts=None, are_told_apart=True):
        """Return draws of all cells, under one draw of the model, and move them."""
        model = self._model.replicate(np.random.default_rng([seed, 1]))
        seeds = content_seeds(values, seed, are_told_apart)

        def draw(at):
            streams = RowStreams(seeds[i] for i in at)
            rows = self._encoding.encode(values[at])
            draws = model.draw_around_guesses(rows, streams)
            return self._encoding.decode_draws(values[at], *draws, shifts)

        return self._answers(values, chosen, draw)

    def _quantiles(self, values, chosen, normal_scores):
        """Return bounded quantiles of the missing numbers, NaN of all else.

        Parameters
        ----------
        normal_scores : ndarray of shape (n_quantiles, n_numeric)

        Returns
        -------
        quantiles : ndarray of shape (n_quantiles, n_rows, n_columns)
        """
        encoding = self._encoding
        quantiles = np.full((len(normal_scores), *values.shape), np.nan)
        for at in holed_rows(chosen):
            rows = encoding.encode(values[at])
            wanted = encoding.are_numbers & ~rows.observed[:, : len(encoding.numeric)]
            numbers = self._model.numbers_at(rows, wanted, normal_scores)
            for k, some in enumerate(numbers):
                quantiles[k, at] = encoding.decode_quantiles(values[at], some)
        return np.array([self._bounded(some) for some in quantiles])

    def _whole(self, lower, upper):
        """Let intervals of integers end at integers, without losing any of these."""
        columns, names = self._schema.columns, self._encoding.likelihood_names()
        integer = [
            (x.kind == "numeric" and x.is_integer) or names.get(j) == "count"
            for j, x in enumerate(columns)
        ]
        inner = np.ceil(lower), np.floor(upper)
        nearest = np.rint(0.5 * (lower + upper))  # where no integer lies between
        is_empty = inner[0] > inner[1]
        return tuple(
            np.where(integer, np.where(is_empty, nearest, end), given)
            for end, given in zip(inner, (lower, upper), strict=True)
        )


def calibrated(trained, model, encoding):
    """Return how what was predicted of held-out cells agrees with them."""
    n_numeric = len(encoding.numeric)
    columns, scores = [np.zeros(0, int)], [np.zeros(0)]
    said, codes = [], []
    for unseen in trained.unseen:
        before = FittedVAE.of(unseen.model, model.layout, model.priors)
        truth, shown = unseen.validation.truth, unseen.validation.shown
        held_out = truth.observed & ~shown.observed
        wanted = held_out[:, :n_numeric] & encoding.are_numbers
        found = before.normal_scores(shown, wanted, truth.values[:, :n_numeric])
        columns.append(wanted.nonzero()[1])
        scores.append(found[wanted])
        if len(encoding.nominal):
            log_levels = before.fill(shown).log_levels
            for k, block in enumerate(encoding.level_blocks(), n_numeric):
                at = held_out[:, k]
                said.append(log_levels[at, block])
                codes.append(truth.values[at, k].astype(int))
    return Calibration.of_cells(
        np.concatenate(columns),
        np.concatenate(scores),
        n_numeric,
        fit_temperature(said, codes),
    )


def holed_rows(chosen):
    """Yield the rows that have a cell to fill, some at once."""
    holed = np.flatnonzero(chosen.any(axis=1))
    for start in range(0, len(holed), _ROWS_AT_ONCE):
        yield holed[start : start + _ROWS_AT_ONCE]
