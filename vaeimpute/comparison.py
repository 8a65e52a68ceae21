"""Compare imputers on the user's own table, and advise the simplest that will do."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.utils import check_random_state

from vaeimpute._columns import Column
from vaeimpute._containers import Table, as_table, container_of, convert
from vaeimpute._encoded import Encoded
from vaeimpute._generation import check_count
from vaeimpute._hidden_cells import (
    check_fraction,
    choose_cells,
    column_positions,
    hide_cells,
    read_columns,
)
from vaeimpute._imputer import VAEImputer
from vaeimpute._tables import TableSchema

__all__ = ["Comparison", "Encoded", "compare_imputers", "default_imputers"]

#: Errors that differ by less count as equal: one hundredth of what filling the mean
#: errs, or one wrong level in a hundred.
_NEGLIGIBLE = 0.01
#: One cell can make a squared error as uncertain as it is large. An error of more than
#: so many times the best is therefore never as good, however uncertain it is.
_LARGEST_RATIO = 2.0
#: Probability that Student's t is below it: about two standard errors.
_CONFIDENCE = 0.975
#: Columns of the table of columns that are not imputers.
_RESERVED = ("kind", "n_hidden", "best", "enough", "note")


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

    Examples
    --------
    >>> from sklearn.impute import KNNImputer, SimpleImputer
    >>> from vaeimpute.comparison import compare_imputers
    >>> from vaeimpute.datasets import load_penguins
    >>> X = load_penguins().select_dtypes("float64")
    >>> imputers = {"mean": SimpleImputer(), "knn": KNNImputer()}
    >>> found = compare_imputers(X, imputers, random_state=0)
    >>> found.overall["numbers"].round(1).to_dict()
    {'mean': 1.0, 'knn': 0.6}
    >>> found.advice.partition(",")[0]
    'knn is better than anything simpler'
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
    check_fraction(fraction)
    check_count(n_repeats, "n_repeats", 1)
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
        if self.losses.columns.empty:
            return None
        best, parts = _mean_over_columns(self.losses).idxmin(), self._parts().items()
        return next(
            name
            for name in self.losses.columns
            if all(_is_as_good(part, name, best, kind) for kind, part in parts)
        )

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
