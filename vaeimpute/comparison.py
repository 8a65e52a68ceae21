"""Compare imputers on the user's own table, and advise the simplest that will do."""

from __future__ import annotations

import numbers
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from vaeimpute._columns import Column
from vaeimpute._containers import Table, as_table, container_of, convert
from vaeimpute._hidden_cells import (
    choose_cells,
    column_positions,
    hide_cells,
    read_columns,
)
from vaeimpute._imputer import VAEImputer
from vaeimpute._tables import TableSchema

#: Errors that differ by less count as equal: one hundredth of what filling the mean
#: errs, or one wrong level in a hundred.
_NEGLIGIBLE = 0.01
#: One cell can make a squared error as uncertain as it is large. An error of more than
#: so many times the best is therefore never as good, however uncertain it is.
_LARGEST_RATIO = 2.0
#: Probability that Student's t is below it: about two standard errors.
_CONFIDENCE = 0.975
#: A level is never filled as impossible.
_LEAST_PROBABILITY = 1e-3
#: Columns of the table of columns that are not imputers.
_RESERVED = ("kind", "n_hidden", "best", "enough", "note")


class Encoded(TransformerMixin, BaseEstimator):
    """Another imputer, on columns as numbers of similar size.

    Numeric columns, dates and durations are standardised by the mean and the standard
    deviation of their observed cells. Each observed level of a nominal column becomes
    a column of 0 and 1, its indicator; all indicators of a missing cell are missing,
    and the level whose indicator is filled with the largest number is taken. So
    imputers of numbers fill any table: with ``SimpleImputer()`` means and the most
    frequent levels.

    Parameters
    ----------
    imputer : estimator
        Imputer of arrays of floats with gaps, such as those of scikit-learn.
    drop_first : bool, default=False
        Whether the first level has no indicator: its number is one minus the others.
        Regressions need that. Of all indicators, each is one minus the others to the
        dot, so that chained regressions would return the means they start from.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that are nominal besides those whose dtype says so: names, positions,
        or one boolean per column.

    Attributes
    ----------
    imputer_ : estimator
        The fitted clone of `imputer`.

    Notes
    -----
    Free text, and columns without an observed cell at fit, are left as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.impute import KNNImputer
    >>> from vaeimpute.comparison import Encoded
    >>> X = pd.DataFrame(
    ...     {"size": [1.0, 2.0, None, 8.0], "kind": ["cat", "cat", "horse", None]}
    ... )
    >>> Encoded(KNNImputer(n_neighbors=1)).fit_transform(X)["kind"].tolist()
    ['cat', 'cat', 'horse', 'cat']
    """

    def __init__(self, imputer, *, drop_first=False, categorical_features="from_dtype"):
        self.imputer = imputer
        self.drop_first = drop_first
        self.categorical_features = categorical_features

    def fit(self, X: Table, y: Any = None) -> Encoded:
        """Learn the scales and levels of a table, and fit the imputer on it.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Table with gaps.
        y : ignored

        Returns
        -------
        Encoded
            The imputer itself.
        """
        self.schema_ = TableSchema.infer(
            X,
            categorical_features=self.categorical_features,
            text_features="passthrough",
        )
        values, _ = self.schema_.read(X)
        observed = [
            j for j in range(values.shape[1]) if not np.isnan(values[:, j]).all()
        ]
        kinds = [column.kind for column in self.schema_.columns]
        self.numeric_ = [j for j in observed if kinds[j] == "numeric"]
        self.levels_ = {
            j: np.unique(values[~np.isnan(values[:, j]), j])
            for j in observed
            if kinds[j] == "nominal"
        }
        self.centre_ = np.nanmean(values[:, self.numeric_], axis=0)
        scale = np.nanstd(values[:, self.numeric_], axis=0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        self.imputer_ = clone(self.imputer).fit(self._encode(values))
        return self

    def transform(self, X: Table) -> Table:
        """Fill the missing cells of a table.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Table with the columns of the fit.

        Returns
        -------
        DataFrame or array of shape (n_rows, n_columns)
            A copy of `X` with its missing cells filled.
        """
        values, missing = self.schema_.read(X)
        filled = self.imputer_.transform(self._encode(values))
        return self._decode(X, values, missing, np.asarray(filled))

    def predict_proba(self, X: Table) -> dict[Any, pd.DataFrame]:
        """Return the filled indicators of nominal columns, as probabilities.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Table with the columns of the fit.

        Returns
        -------
        dict of column to DataFrame of shape (n_rows, n_levels)
            Indicators that are filled with less than 0.001, as regressions do, count
            as so much; rows are scaled to sum to 1.
        """
        values, _ = self.schema_.read(X)
        filled = np.asarray(self.imputer_.transform(self._encode(values)))
        index = X.index if isinstance(X, pd.DataFrame) else None
        probabilities = {}
        for j, block in self._blocks(filled):
            column = self.schema_.columns[j]
            block = np.maximum(block, _LEAST_PROBABILITY)
            probabilities[column.name] = pd.DataFrame(
                block / block.sum(axis=1, keepdims=True),
                index=index,
                columns=[column.levels[int(code)] for code in self.levels_[j]],
            )
        return probabilities

    @available_if(lambda self: hasattr(self.imputer, "draw"))
    def draw(self, X: Table, n_draws: int, random_state: Any = None) -> list[Table]:
        """Draw fillings of a table, if the imputer has a method `draw`.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            Table with the columns of the fit.
        n_draws : int
            Number of tables.
        random_state : int, Generator or None, default=None
            Source of randomness.

        Returns
        -------
        list of DataFrames or arrays of shape (n_rows, n_columns)
            Copies of `X` with its missing cells filled.
        """
        values, missing = self.schema_.read(X)
        draws = self.imputer_.draw(self._encode(values), n_draws, random_state)
        return [self._decode(X, values.copy(), missing, draw) for draw in draws]

    def _decode(
        self, X: Table, values: np.ndarray, missing: np.ndarray, filled: np.ndarray
    ) -> Table:
        """Return the table with the filled numbers and the likeliest levels."""
        standard = filled[:, : len(self.numeric_)]
        values[:, self.numeric_] = standard * self.scale_ + self.centre_
        for j, block in self._blocks(filled):
            values[:, j] = self.levels_[j][block.argmax(axis=1)]
        return self.schema_.write(X, values, missing)

    def _blocks(self, filled: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each nominal column's position and the indicators of all its levels."""
        start = len(self.numeric_)
        for j, levels in self.levels_.items():
            stop = start + len(levels) - self.drop_first
            block, start = filled[:, start:stop], stop
            if self.drop_first:
                block = np.column_stack([1 - block.sum(axis=1), block])
            yield j, block

    def _encode(self, values: np.ndarray) -> np.ndarray:
        """Return the numbers of all rows: numeric columns, then indicators."""
        parts = [(values[:, self.numeric_] - self.centre_) / self.scale_]
        for j, levels in self.levels_.items():
            codes = values[:, [j]]
            indicators = (codes == levels[self.drop_first :]).astype(np.float64)
            parts.append(np.where(np.isnan(codes), np.nan, indicators))
        return np.hstack(parts)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare_imputers` found; ``print`` shows it as a report.

    Parameters
    ----------
    by_column : DataFrame
        One row per column of the table: its kind; the number of hidden cells; the
        error of each imputer (numeric columns: root mean squared error in standard
        deviations of the column; nominal columns: share of wrong levels); the imputer
        with the lowest error, "best"; the simplest that is as good, "enough"; and, in
        "note", why a column was not compared.
    overall : DataFrame
        One row per imputer: the root of the mean over all numeric columns of the
        squared "numbers" error; the mean over all nominal columns of the "levels"
        error; the mean time to fit and transform, "seconds"; and the message of an
        imputer that failed, "failure".
    advice : str
        What follows, in words.
    chosen : str or None
        The imputer that is advised; None if all failed.
    """

    by_column: pd.DataFrame
    overall: pd.DataFrame
    advice: str
    chosen: str | None

    def __str__(self) -> str:
        # What failed is in the advice.
        tables = [self.by_column, self.overall.drop(columns="failure")]
        legend = (
            "Errors in hidden cells: of numbers in standard deviations of the column,\n"
            "of levels the share of wrong ones. Enough: the simplest as good as the "
            "best."
        )
        return "\n\n".join([legend, *map(_as_text, tables), self.advice])


def default_imputers(
    *, categorical_features: Any = "from_dtype", random_state: Any = None
) -> dict[str, Any]:
    """Return the imputers that are compared if no others are given.

    Parameters
    ----------
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that are nominal besides those whose dtype says so: names, positions,
        or one boolean per column.
    random_state : int, RandomState or None, default=None
        Seed of `VAEImputer`, the only one with a random fit.

    Returns
    -------
    dict of str to estimator
        From simple to complex: "mean" (the column's mean or most frequent level), "knn"
        (5 neighbours), "iterative" (10 rounds of chained ridge regressions) and "vae".

    Examples
    --------
    >>> from vaeimpute.comparison import default_imputers
    >>> list(default_imputers())
    ['mean', 'knn', 'iterative', 'vae']
    """
    try:
        # Up to scikit-learn 1.9, IterativeImputer exists only after this import.
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    except ImportError:
        pass
    from sklearn.impute import IterativeImputer

    nominal = {"categorical_features": categorical_features}
    return {
        "mean": Encoded(SimpleImputer(), **nominal),
        "knn": Encoded(KNNImputer(), **nominal),
        "iterative": Encoded(IterativeImputer(), drop_first=True, **nominal),
        "vae": VAEImputer(
            text_features="passthrough", random_state=random_state, **nominal
        ),
    }


def compare_imputers(
    X: Table,
    imputers: Mapping[str, Any] | None = None,
    *,
    fraction: float = 0.1,
    n_repeats: int = 3,
    categorical_features: Any = "from_dtype",
    random_state: Any = None,
) -> Comparison:
    """Hide observed cells of a table and compare how imputers fill them.

    Each repeat hides other cells, completely at random among the observed ones of each
    column; all imputers get the same table without them. No complete table is needed:
    cells that were missing before stay missing and are not scored.

    Parameters
    ----------
    X : DataFrame or array of shape (n_rows, n_columns)
        The table, of pandas, polars or NumPy; it is not changed.
    imputers : dict of str to estimator, default=None
        Imputers with `fit` and `transform`, **from simple to complex**: where two are
        as good, the first is advised. They are cloned, and give the columns back in
        their own units. None: those of `default_imputers`.
    fraction : float in (0, 1), default=0.1
        Share of the observed cells of each column to hide, rounded to whole cells; at
        least one.
    n_repeats : int, default=3
        How often cells are hidden and the imputers fitted.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that are nominal besides those whose dtype says so: names, positions,
        or one boolean per column. Own `imputers` have to know them as well.
    random_state : int, RandomState or None, default=None
        Seed that chooses the cells, and that of the default imputers.

    Returns
    -------
    Comparison
        Errors by column and over all, and an advice in words.

    Raises
    ------
    ValueError
        If a parameter is not as described, or no column can be compared: each has less
        than two observed cells, a single value, or free text.

    Notes
    -----
    Let d be the loss of an imputer less that of the best, in one hidden cell; the loss
    is the squared error in variances of the column, or 1 for a wrong level. The imputer
    is as good as the best if the mean of d is at most two standard errors; the errors
    must also differ by no more than a factor of two, as a single cell can make a
    squared error very large and very uncertain. It is as good, too, if its error is
    less than 0.01 above the best: nobody changes an imputer for a hundredth of a
    standard deviation, or for one level in a hundred.

    Over several columns, all columns weigh the same. Cells of one row are not
    independent, and repeats may hide the same cell twice, so rows are the units of the
    standard error, within columns [1]_::

        SE² = G / (G - 1) Σ_rows (Σ_cells w_j (d - mean_j d))²,  w_j = 1 / (n_j p)

    of G rows with hidden cells, n_j of them in column j of p. With few rows, "two" is
    the quantile of Student's t with G - 1 degrees of freedom. The standard error is
    that of the fitted imputers: how much the fit itself varies is not in it.

    An imputer that raises, or leaves a hidden cell empty, is reported as failed; the
    others are compared. Over all, an imputer is as good if it is on the numeric and on
    the nominal columns. Columns of free text are not hidden.

    References
    ----------
    .. [1] Cameron, A. C. and Miller, D. L. (2015). A practitioner's guide to
       cluster-robust inference. Journal of Human Resources 50(2), 317-372, section II.

    Examples
    --------
    >>> from sklearn.impute import KNNImputer, SimpleImputer
    >>> from vaeimpute.comparison import Encoded, compare_imputers
    >>> from vaeimpute.datasets import load_penguins
    >>> X = load_penguins().drop(columns=["species", "island", "sex"])
    >>> imputers = {"mean": SimpleImputer(), "knn": Encoded(KNNImputer())}
    >>> found = compare_imputers(X, imputers, random_state=0)
    >>> found.by_column["enough"].tolist()
    ['knn', 'knn', 'knn', 'knn', 'mean']
    """
    _check_numbers(fraction, n_repeats)
    generator = check_random_state(random_state)
    seeds = generator.randint(2**31 - 1, size=n_repeats + 1).tolist()
    if imputers is None:
        imputers = default_imputers(
            categorical_features=categorical_features, random_state=seeds[-1]
        )
    _check_imputers(imputers)
    trial = _Trial.of(X, fraction, categorical_features)
    losses, seconds, failures = [], {name: [] for name in imputers}, {}
    for seed in seeds[:-1]:
        hidden = choose_cells(trial.scored, fraction, seed)
        losses.append(trial.cells(hidden))
        table = hide_cells(trial.X, hidden, np.nan)
        for name in [name for name in imputers if name not in failures]:
            start = time.perf_counter()
            try:
                losses[-1][name] = trial.losses(imputers[name], table, hidden)
            except Exception as error:
                message = " ".join(str(error).split())
                failures[name] = f"{type(error).__name__}: {message.rstrip('.')}"
            seconds[name].append(time.perf_counter() - start)
    compared = [name for name in imputers if name not in failures]
    verdicts = _Verdicts(pd.concat(losses)[compared], trial)
    overall = verdicts.overall().reindex(list(imputers))
    overall["seconds"] = [np.mean(seconds[name]) for name in imputers]
    overall["failure"] = [failures.get(name, np.nan) for name in imputers]
    by_column = verdicts.by_column(list(imputers))
    advice = verdicts.advice(by_column, failures)
    return Comparison(by_column, overall, advice, verdicts.chosen())


@dataclass(frozen=True)
class _Trial:
    """A table with known cells, in which some are to be hidden."""

    X: Table  # of pandas or NumPy
    columns: tuple[Column, ...]
    truth: np.ndarray  # (n_rows, n_columns)
    scored: np.ndarray  # (n_rows, n_columns), bool: cells that may be hidden
    notes: dict[int, str]  # why a column is not compared

    @classmethod
    def of(cls, X: Table, fraction: float, categorical_features: Any) -> _Trial:
        """Read a table and choose the columns to compare."""
        X = as_table(X)
        if container_of(X) == "polars":
            X = convert(X, "pandas", X.columns)
        schema = TableSchema.infer(
            X, categorical_features=categorical_features, text_features="passthrough"
        )
        truth, missing = schema.read(X)
        notes = {}
        for j, column in enumerate(schema.columns):
            known = truth[~missing[:, j], j]
            if column.kind == "text":
                notes[j] = "free text"
            elif len(known) < 2 or round(fraction * len(known)) == len(known):
                notes[j] = "too few observed cells"
            elif np.ptp(known) == 0:
                notes[j] = "a single value"
        if len(notes) == truth.shape[1]:
            raise ValueError(
                "X: got no column to compare, expected one with two different observed "
                "values that is not free text"
            )
        missing[:, list(notes)] = True
        return cls(X, schema.columns, truth, ~missing, notes)

    def cells(self, hidden: np.ndarray) -> pd.DataFrame:
        """Return a table without columns of the hidden cells, column by column."""
        cells = pd.MultiIndex.from_arrays(np.nonzero(hidden.T), names=["column", "row"])
        return pd.DataFrame(index=cells)

    def losses(self, imputer: Any, table: Table, hidden: np.ndarray) -> np.ndarray:
        """Return the losses of an imputer, in the order of `cells`."""
        filled = self._filled(imputer, table)
        empty = hidden & ~np.isfinite(filled)
        for j in np.flatnonzero(empty.any(axis=0)):
            n_empty, n_hidden = empty[:, j].sum(), hidden[:, j].sum()
            raise ValueError(
                f"{self.columns[j].label}: got {n_hidden} hidden cells with {n_empty} "
                "left empty, expected them filled"
            )
        return np.concatenate(
            [
                self._losses_of(j, filled[at, j], at)
                for j, at in enumerate(hidden.T)
                if at.any()
            ]
        )

    def _losses_of(self, j: int, filled: np.ndarray, at: np.ndarray) -> np.ndarray:
        truth = self.truth[at, j]
        if self.columns[j].kind == "nominal":
            return (filled != truth).astype(np.float64)
        return ((filled - truth) / np.nanstd(self.truth[:, j])) ** 2

    def _filled(self, imputer: Any, table: Table) -> np.ndarray:
        """Return the values of the table that an imputer fills; NaN if it drops one."""
        with warnings.catch_warnings():
            # Whether rounds converged is told by the error itself.
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Copies, as one that writes into its input would write into the others'.
            imputer = clone(imputer).fit(table.copy())
            out = imputer.transform(table.copy())
        position = column_positions(imputer, table.shape[1], out.shape[1])
        read = [j for j in position if j not in self.notes]
        filled = np.full(table.shape, np.nan)
        filled[:, read] = read_columns(
            out, [position[j] for j in read], [self.columns[j] for j in read]
        )
        return filled


@dataclass(frozen=True)
class _Verdicts:
    """What follows from the losses in the hidden cells."""

    #: One column per imputer, from simple to complex; indexed by column and row.
    losses: pd.DataFrame
    trial: _Trial

    def by_column(self, names: list[str]) -> pd.DataFrame:
        """Return the errors and the best of each column, for all `names`."""
        groups = dict(list(self.losses.groupby(level="column")))
        rows = []
        for j, column in enumerate(self.trial.columns):
            row = {
                "kind": column.kind,
                "note": self.trial.notes.get(j, np.nan),
                "n_hidden": 0,
            }
            if j in groups:
                row["n_hidden"] = len(groups[j])
                row |= self._verdict(groups[j], column.kind)
            rows.append(row)
        index = pd.Index([column.name for column in self.trial.columns], name="column")
        order = ["kind", "n_hidden", *names, "best", "enough", "note"]
        return pd.DataFrame(rows, index=index).reindex(columns=order)

    def _verdict(self, losses: pd.DataFrame, kind: str) -> dict[str, Any]:
        errors = _errors(losses, kind)
        if errors.empty:
            return {}
        best = errors.idxmin()
        enough = next(x for x in errors.index if _is_as_good(losses, x, best, kind))
        return {**errors, "best": best, "enough": enough}

    def overall(self) -> pd.DataFrame:
        """Return the errors over the numeric and over the nominal columns."""
        nothing = pd.Series(np.nan, index=self.losses.columns)
        parts = self._parts()
        errors = {kind: _errors(part, kind) for kind, part in parts.items()}
        return pd.DataFrame(
            {
                "numbers": errors.get("numeric", nothing),
                "levels": errors.get("nominal", nothing),
            }
        )

    def _parts(self) -> dict[str, pd.DataFrame]:
        """Return the losses of the columns of each kind that is there."""
        kinds = np.array([column.kind for column in self.trial.columns])
        of_cell = kinds[self.losses.index.get_level_values("column")]
        return {kind: self.losses[of_cell == kind] for kind in np.unique(of_cell)}

    def chosen(self) -> str | None:
        """Return the simplest imputer that is as good as the best on all columns."""
        parts = self._parts().items()
        for name in self.losses.columns:
            best = _mean_over_columns(self.losses).idxmin()
            if all(_is_as_good(part, name, best, kind) for kind, part in parts):
                return name
        return None

    def advice(self, by_column: pd.DataFrame, failures: Mapping[str, str]) -> str:
        """Say which imputer to use, where another is better, and which failed."""
        names = list(self.losses.columns)
        sentences = [f"{name} failed: {failures[name]}." for name in failures]
        chosen = self.chosen()
        if chosen is None:
            return " ".join(["No imputer filled this table.", *sentences])
        if len(names) == 1:
            return "\n".join([f"Only {chosen} filled this table.", *sentences])
        compared = by_column[by_column["n_hidden"] > 0]
        better = _exceptions(names[names.index(chosen) + 1 :], compared)
        return "\n".join([self._choice(chosen, compared), *better, *sentences])

    def _choice(self, chosen: str, compared: pd.DataFrame) -> str:
        names = list(self.losses.columns)
        best = _mean_over_columns(self.losses).idxmin()
        simpler = names[: names.index(chosen)]
        if not simpler and chosen == best:
            # The closest of the others, which are all more complex.
            other = _mean_over_columns(self.losses[names[1:]]).idxmin()
            return (
                f"Nothing is better than {chosen} on this table "
                f"({self._against(chosen, other)}): use it."
            )
        if chosen != best:
            return (
                f"{chosen} is as good as {best} on this table "
                f"({self._against(chosen, best)}): use it."
            )
        other = _mean_over_columns(self.losses[simpler]).idxmin()
        n_better = (compared["enough"] == chosen).sum()
        where = f"clearly so on {n_better} of {_columns(len(compared))}"
        if n_better == 0:
            where = "though only over all columns together"
        return (
            f"{chosen} is better than anything simpler, {where} "
            f"({self._against(chosen, other)}): use it."
        )

    def _against(self, name: str, other: str) -> str:
        """Return the errors of two imputers in words."""
        errors, words = self.overall(), []
        if "numeric" in self._parts():
            one, two = errors.loc[[name, other], "numbers"]
            words.append(f"error {one:.2f} SD against {two:.2f} of {other}")
        if "nominal" in self._parts():
            one, two = errors.loc[[name, other], "levels"]
            words.append(f"{one:.0%} of levels wrong against {two:.0%} of {other}")
        return ", ".join(words)


def _mean_over_columns(losses: pd.DataFrame) -> pd.Series:
    """Return the mean loss of each imputer, in which all columns weigh the same."""
    return losses.groupby(level="column").mean().mean()


def _errors(losses: pd.DataFrame, kind: str) -> pd.Series:
    """Return the error of each imputer, in columns of one kind."""
    means = _mean_over_columns(losses)
    return np.sqrt(means) if kind == "numeric" else means


def _is_as_good(losses: pd.DataFrame, name: str, best: str, kind: str) -> bool:
    """Say whether an imputer is as good as another, in columns of one kind.

    The rule, and the formula, are in the notes of `compare_imputers`.
    """
    errors = _errors(losses, kind)
    if errors[name] - errors[best] <= _NEGLIGIBLE:
        return True
    if kind == "numeric" and errors[name] > _LARGEST_RATIO * errors[best]:
        return False
    difference = losses[name] - losses[best]
    columns = difference.groupby(level="column")
    influence = (difference - columns.transform("mean")) / columns.transform("size")
    of_rows = influence.groupby(level="row").sum() / columns.ngroups
    n_rows = len(of_rows)
    if n_rows < 2:  # which tell nothing
        return True
    error = np.sqrt(n_rows / (n_rows - 1) * (of_rows**2).sum())
    return bool(columns.mean().mean() <= stats.t.ppf(_CONFIDENCE, n_rows - 1) * error)


def _exceptions(more_complex: Sequence[str], compared: pd.DataFrame) -> list[str]:
    """Say on which columns a more complex imputer than the advised one is better."""
    better = compared.loc[compared["enough"].isin(more_complex), "enough"]
    if better.empty:
        return []
    named = [f"{name!r} ({imputer})" for name, imputer in better.iloc[:5].items()]
    more = ", ..." if len(better) > len(named) else ""
    of = f"{len(better)} of {_columns(len(compared))}"
    return [f"A more complex imputer is better on {of}: {', '.join(named)}{more}."]


def _columns(n_columns: int) -> str:
    return "1 column" if n_columns == 1 else f"{n_columns} columns"


def _as_text(table: pd.DataFrame) -> str:
    """Return a table as text, without its empty columns."""
    used = table.dropna(axis=1, how="all").rename_axis(None)
    return used.to_string(float_format="{:.3f}".format, na_rep="")


def _check_numbers(fraction: Any, n_repeats: Any) -> None:
    if not isinstance(fraction, numbers.Real) or not 0 < fraction < 1:
        raise ValueError(f"fraction: got {fraction!r}, expected a number in (0, 1)")
    is_integer = isinstance(n_repeats, numbers.Integral)
    if not is_integer or isinstance(n_repeats, bool) or n_repeats < 1:
        raise ValueError(f"n_repeats: got {n_repeats!r}, expected an integer >= 1")


def _check_imputers(imputers: Any) -> None:
    if not isinstance(imputers, Mapping) or not imputers:
        raise ValueError(
            f"imputers: got {imputers!r}, expected a dictionary of names and imputers"
        )
    for name, imputer in imputers.items():
        if not isinstance(name, str) or name in _RESERVED:
            raise ValueError(
                f"imputers: got the name {name!r}, expected text other than "
                f"{', '.join(_RESERVED)}"
            )
        needed = ("fit", "transform", "get_params")
        if isinstance(imputer, type) or not all(hasattr(imputer, x) for x in needed):
            raise ValueError(
                f"imputers[{name!r}]: got {imputer!r}, expected an imputer with "
                f"{', '.join(needed)}"
            )
