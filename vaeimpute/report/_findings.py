"""What a report tells of a table, as numbers and tables.

`find` hides observed cells for `compare_imputers` and keeps what `VAEImputer` says of
them, so that errors and intervals are those of the same fits. One more fit, of the
table as it is, fills what is missing and looks for odd cells.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse, stats
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state

from vaeimpute._columns import Column
from vaeimpute._containers import Table, as_table, convert, names_of
from vaeimpute._hidden_cells import hide_cells
from vaeimpute._imputer import VAEImputer
from vaeimpute._tables import TableSchema
from vaeimpute.comparison import Comparison, compare_imputers, default_imputers

#: Share of numbers that their intervals are to hold.
LEVEL = 0.9
#: With fewer hidden cells, a column's figures are chance.
FEWEST_HIDDEN = 20
#: Shares of the error of filling means that are avoided: well from the first on, partly
#: from the second on.
WELL, PARTLY = 0.5, 0.1
#: With more columns, of numbers and of indicators of levels, regressions take longer
#: than all else together: minutes for 150.
MAX_REGRESSED = 100
#: Share of the observed numbers at either end that is the edge.
_EDGE = 0.01
#: Probability that a table without an odd cell is said to have one, at most; and one
#: whose columns are missing independently, a pair that is not.
_FALSE_ALARM = 0.05
#: Odd cells that are listed, of any number that are counted.
_MAX_ODD = 100
#: From this correlation on, columns count as missing together.
_TOGETHER = 0.5
#: Columns are not paired where there are more with gaps than these.
_MAX_PAIRED = 1000
_MAX_BINS, _MAX_LEVELS = 24, 12


@dataclass(frozen=True, eq=False)
class Distribution:
    """How the observed and the imputed cells of a column are distributed.

    Parameters
    ----------
    observed, imputed : array of shape (n_bins,)
        Cells in each bin, or of each level.
    edges : tuple
        Ends of the bins, in the column's units, one more than bins; integers where each
        bin holds one of them; empty for levels.
    levels : tuple
        Levels, the most frequent first; empty for numbers. With more than 12, the last
        is how many "others" it stands for.
    observed_quartiles, imputed_quartiles : tuple
        First quartile, median and third quartile of numbers; empty for levels.
    """

    observed: np.ndarray
    imputed: np.ndarray
    edges: tuple[Any, ...] = ()
    levels: tuple[Any, ...] = ()
    observed_quartiles: tuple[Any, ...] = ()
    imputed_quartiles: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Findings:
    """What a report tells of a table.

    Parameters
    ----------
    n_rows, n_columns : int
        Size of the table.
    n_missing : int
        Missing cells.
    n_rows_seen : int
        Rows that were drawn for all that takes a fit; `n_rows` if all were.
    columns : DataFrame
        One row per column: its kind; missing cells, "n_missing" and "share_missing",
        of all rows; hidden cells, "n_hidden"; "error" of `VAEImputer` and
        "error_of_mean" in these as `compare_imputers` has them; "skill", the share of
        the mean's squared error or of its wrong levels that is avoided; how well it is
        "predictable" in a word; the share of hidden numbers in their intervals,
        "coverage", with the ends of its own 95 % interval; for levels the mean
        "probability" of those filled in, and their "accuracy", the share that is
        right; the simplest imputer that is "enough"; counts of "n_imputed",
        "n_extrapolated" and "n_odd" cells; a "note".
    patterns : DataFrame
        Sets of columns that are missing in the same rows, the most frequent first:
        "n_rows", "share" and the names, "columns".
    together : DataFrame
        Pairs of columns, "one" and "other", that are missing together more often than
        by chance: rows without both, "n_rows", how many chance would give, "expected",
        and the "correlation" of being missing.
    groups : tuple of tuple
        Columns linked by such correlations of 0.5 and more.
    comparison : Comparison
        Of the simple imputers and `VAEImputer`, in hidden cells.
    coverage, certainty : Share
        Over all columns: of hidden numbers in their intervals of 90 %, and of levels
        that are right, where `expected` is how sure the imputer said to be.
    distributions : dict of column to Distribution
        Of the columns with imputed cells.
    extrapolated : DataFrame
        Imputed cells to be careful with: "row", "column", what was "imputed" and why:
        "outside" the observed numbers, at their "edge", in a row with an "odd" cell or
        one that is "empty".
    odd : DataFrame
        Observed cells that are too unlikely to be chance: "row", "column", "observed",
        what was "expected" from the rest of the row, the ends of its 90 % interval, and
        the "score" of `cell_scores`; at most 100, the unlikeliest first.
    """

    n_rows: int
    n_columns: int
    n_missing: int
    n_rows_seen: int
    columns: pd.DataFrame
    patterns: pd.DataFrame
    together: pd.DataFrame
    groups: tuple[tuple[Hashable, ...], ...]
    comparison: Comparison
    coverage: Share
    certainty: Share
    distributions: dict[Hashable, Distribution]
    extrapolated: pd.DataFrame
    odd: pd.DataFrame


@dataclass(frozen=True)
class Share:
    """A share of cells, between what ends it may be by chance, and what was expected.

    `n` cells were counted; with none, all else is NaN.
    """

    n: int
    share: float = np.nan
    low: float = np.nan
    high: float = np.nan
    expected: float = np.nan

    @classmethod
    def counted(cls, n_hits: int, n: int, expected: float) -> Share:
        """Return a share with its interval of Wilson (1927), 95 %."""
        if n == 0:
            return cls(0)
        low, high = stats.binomtest(n_hits, n).proportion_ci(0.95, method="wilson")
        return cls(n, n_hits / n, float(low), float(high), expected)

    @property
    def is_as_expected(self) -> bool:
        """Whether chance may be all that sets the share off what was expected."""
        return self.low <= self.expected <= self.high


def find(
    X: Table,
    imputer: VAEImputer,
    *,
    fraction: float,
    n_repeats: int,
    max_rows: int,
    random_state: Any,
) -> Findings:
    """Return what there is to tell of a table; parameters are those of `report`."""
    generator = check_random_state(random_state)
    table = _IncompleteTable.of(X, imputer)
    seen = table.sample(max_rows, generator)
    seeds = generator.randint(2**31 - 1, size=2)
    imputer = clone(imputer).set_params(
        missing_values=np.nan,
        leave_missing=None,
        add_indicator=False,
        keep_empty_features=True,
    )
    if imputer.random_state is None:
        imputer.set_params(random_state=int(seeds[0]))
    trial = _Trial.of(seen, imputer, fraction, n_repeats, int(seeds[1]))
    filled = _FilledTable.of(seen, clone(imputer).fit(seen.frame))
    odd, extrapolated = filled.odd(), filled.extrapolated()
    counts = {
        "n_imputed": filled.imputed.sum(axis=0),
        "n_extrapolated": extrapolated.any(axis=0).sum(axis=0),
        "n_odd": odd.sum(axis=0),
    }
    return Findings(
        *table.missing.shape,
        n_missing=int(table.missing.sum()),
        n_rows_seen=len(seen.frame),
        columns=_columns(table, trial, counts),
        patterns=_patterns(table.missing, table.names),
        **_together(table.missing, table.names),
        comparison=trial.comparison,
        coverage=trial.coverage(),
        certainty=trial.certainty(),
        distributions=filled.distributions(),
        extrapolated=filled.listed(extrapolated),
        odd=filled.listed_odd(odd),
    )


@dataclass(frozen=True, eq=False)
class _IncompleteTable:
    """A frame of pandas, what its columns are, and its cells as numbers."""

    frame: pd.DataFrame
    schema: TableSchema
    values: np.ndarray  # (n_rows, n_columns)
    missing: np.ndarray  # (n_rows, n_columns), bool

    @classmethod
    def of(cls, X: Table, imputer: VAEImputer) -> _IncompleteTable:
        """Read a table; what the imputer takes for missing becomes NaN."""
        X = as_table(X)
        if 0 in X.shape:
            raise ValueError(f"X: got a table of shape {X.shape}, expected some cells")
        frame = convert(X, "pandas", names_of(X))
        schema = TableSchema.infer(
            frame,
            categorical_features=imputer.categorical_features,
            discrete_features=imputer.discrete_features,
            missing_values=imputer.missing_values,
            text_features="passthrough",
        )
        values, missing = schema.read(frame)
        if missing.all():
            raise ValueError("X: got no observed cell, expected some to learn from")
        if schema.sentinel is not None:
            frame = hide_cells(frame, missing, np.nan)
        schema = TableSchema(schema.columns, "pandas")
        return cls(frame, schema, values, missing)

    @property
    def names(self) -> list[Hashable]:
        """The columns' names."""
        return [column.name for column in self.schema.columns]

    @property
    def numeric(self) -> np.ndarray:
        """Which columns hold numbers, dates or durations."""
        return np.array([column.kind == "numeric" for column in self.schema.columns])

    @property
    def n_encoded(self) -> int:
        """Columns that imputers of numbers get: numbers and indicators of levels."""
        columns = self.schema.columns
        return sum(1 if x.kind == "numeric" else len(x.levels or ()) for x in columns)

    def sample(self, max_rows: int, generator: np.random.RandomState):
        """Return the table, or so many of its rows, in their order."""
        n_rows = len(self.frame)
        if n_rows <= max_rows:
            return self
        at = np.sort(generator.choice(n_rows, max_rows, replace=False))
        if self.missing[at].all():
            raise ValueError(f"max_rows: got {max_rows} rows without an observed cell")
        return _IncompleteTable(
            self.frame.iloc[at], self.schema, self.values[at], self.missing[at]
        )


class _Witness(BaseEstimator):
    """An imputer that keeps each table that it fills, and how sure it is of it."""

    def __init__(self, imputer, said):
        self.imputer = imputer
        self.said = said

    def __sklearn_clone__(self):
        return _Witness(clone(self.imputer), self.said)

    def fit(self, X, y=None):
        self.imputer.fit(X)
        return self

    def transform(self, X):
        lower, upper = self.imputer.predict_interval(X, LEVEL)
        has_levels = hasattr(self.imputer, "predict_proba")
        levels = self.imputer.predict_proba(X) if has_levels else {}
        self.said.append((X, lower, upper, levels))
        return self.imputer.transform(X)


@dataclass(frozen=True, eq=False)
class _Trial:
    """How well hidden cells were filled, and how sure the imputer was of them.

    Arrays have one entry per hidden cell.
    """

    comparison: Comparison
    row: np.ndarray
    column: np.ndarray
    inside: np.ndarray  # whether a number is in its interval; NaN for levels
    right: np.ndarray  # whether the likeliest level is the true one; NaN for numbers
    probability: np.ndarray  # of that level; NaN for numbers

    @classmethod
    def of(cls, table, imputer, fraction, n_repeats, seed) -> _Trial:
        """Hide cells, fill them, and ask how likely what they hold was held to be."""
        said = []
        nominal = imputer.categorical_features
        imputers = default_imputers(categorical_features=nominal)
        if table.n_encoded > MAX_REGRESSED:
            del imputers["iterative"]
        imputers["vae"] = _Witness(imputer, said)
        comparison = compare_imputers(
            table.frame,
            imputers,
            fraction=fraction,
            n_repeats=n_repeats,
            categorical_features=nominal,
            random_state=seed,
        )
        cells = [_hidden_cells(table, *answers) for answers in said]
        row, column, *sure = np.hstack([np.zeros((5, 0)), *cells])
        return cls(comparison, row.astype(int), column.astype(int), *sure)

    def coverage(self, j: int | None = None) -> Share:
        """Return the share of numbers in their intervals, of a column or of all.

        A cell that several repeats hid tells less than as many cells: it counts once in
        how uncertain the share is.
        """
        at = ~np.isnan(self.inside) & ((self.column == j) | (j is None))
        n = len(set(zip(self.row[at], self.column[at], strict=True)))
        n_hits = round(n * self.inside[at].mean()) if n else 0
        return Share.counted(n_hits, n, LEVEL)

    def certainty(self, j: int | None = None) -> Share:
        """Return the share of right levels, and how probable they were said to be.

        Were the probabilities right, the share would be off their mean by chance with
        the variance ``Σ p (1 - p) / n²``; the ends are two such deviations away.
        """
        at = ~np.isnan(self.right) & ((self.column == j) | (j is None))
        if not at.any():
            return Share(0)
        p, share = self.probability[at], float(self.right[at].mean())
        n = len(set(zip(self.row[at], self.column[at], strict=True)))
        reach = 1.96 * np.sqrt(np.mean(p * (1 - p)) / n)
        ends = max(share - reach, 0.0), min(share + reach, 1.0)
        return Share(n, share, *map(float, ends), float(p.mean()))


def _hidden_cells(table, X, lower, upper, levels) -> np.ndarray:
    """Return row, column, inside, right and probability of each hidden cell."""
    rows, columns = np.nonzero(table.schema.read(X)[1] & ~table.missing)
    truth = table.values[rows, columns]
    low, high = (table.schema.read(x)[0][rows, columns] for x in (lower, upper))
    is_known = ~np.isnan(low) & ~np.isnan(high)
    inside = np.where(is_known, (low <= truth) & (truth <= high), np.nan)
    right, probability = np.full((2, len(rows)), np.nan)
    for j, name in enumerate(table.names):
        if name in levels:
            at = columns == j
            said = levels[name].to_numpy()[rows[at]]
            right[at] = said.argmax(axis=1) == truth[at]
            probability[at] = said.max(axis=1)
    return np.stack([rows, columns, inside, right, probability])


@dataclass(frozen=True, eq=False)
class _FilledTable:
    """A table, a model that was fitted to it, and what it filled in."""

    table: _IncompleteTable
    model: VAEImputer
    frame: pd.DataFrame  # filled
    values: np.ndarray  # (n_rows, n_columns), filled
    imputed: np.ndarray  # (n_rows, n_columns), bool
    scores: np.ndarray  # (n_rows, n_columns), of observed cells

    @classmethod
    def of(cls, table: _IncompleteTable, model: VAEImputer) -> _FilledTable:
        frame = model.transform(table.frame)
        values, missing = table.schema.read(frame)
        imputed = table.missing & ~missing & ~table.missing.all(axis=0)
        scores = np.array(model.cell_scores(table.frame), dtype=float)
        return cls(table, model, frame, values, imputed, scores)

    def odd(self) -> np.ndarray:
        """Return which observed cells are too unlikely for any of so many."""
        n_scored = np.sum(~np.isnan(self.scores))
        return np.nan_to_num(self.scores, nan=0.0) > np.log(n_scored / _FALSE_ALARM)

    def extrapolated(self) -> np.ndarray:
        """Return why to be careful with imputed cells, (4, n_rows, n_columns)."""
        known = np.where(self.table.missing, np.nan, self.table.values)
        known[:, np.isnan(known).all(axis=0)] = 0.0  # which hold nothing imputed
        ends = [0, _EDGE, 1 - _EDGE, 1]
        least, low, high, most = np.nanquantile(known, ends, axis=0)
        numbers = self.imputed & self.table.numeric
        outside = numbers & ((self.values < least) | (self.values > most))
        edge = numbers & ~outside & ((self.values < low) | (self.values > high))
        has_odd = self.odd().any(axis=1, keepdims=True)
        is_empty = self.table.missing.all(axis=1, keepdims=True)
        in_odd, in_empty = self.imputed & has_odd, self.imputed & is_empty
        return np.stack([outside, edge, in_odd, in_empty])

    def listed(self, extrapolated: np.ndarray) -> pd.DataFrame:
        """Return one row per cell to be careful with, those outside first."""
        reasons = np.array(["outside", "edge", "odd", "empty"])
        at = np.argwhere(extrapolated.any(axis=0))
        why = extrapolated.argmax(axis=0)[tuple(at.T)]
        order = np.argsort(why, kind="stable")
        rows, columns = at[order].T
        cells = zip(rows, columns, strict=True)
        return pd.DataFrame(
            {
                "row": self._labels(rows),
                "column": [self.table.names[j] for j in columns],
                "imputed": _objects(self.frame.iat[i, j] for i, j in cells),
                "why": reasons[why[order]].tolist(),
            }
        )

    def listed_odd(self, odd: np.ndarray) -> pd.DataFrame:
        """Return what odd cells hold, and what the rest of their rows lets expect."""
        at = np.argwhere(odd)
        order = np.argsort(-self.scores[tuple(at.T)], kind="stable")[:_MAX_ODD]
        rows, columns = at[order].T
        listed = pd.DataFrame(
            {
                "row": self._labels(rows),
                "column": [self.table.names[j] for j in columns],
                "score": self.scores[rows, columns],
            }
        )
        some = self.table.frame.iloc[rows]
        answers = dict.fromkeys(["observed", "expected", "lower", "upper"], some)
        if len(rows):  # which are asked for one cell each, given their others
            hidden = np.zeros(some.shape, bool)
            hidden[np.arange(len(rows)), columns] = True
            without = hide_cells(some, hidden, np.nan)
            lower, upper = self.model.predict_interval(without, LEVEL)
            expected = self.model.transform(without)
            answers |= {"expected": expected, "lower": lower, "upper": upper}
        cells = {
            name: _objects(x.iat[i, j] for i, j in enumerate(columns))
            for name, x in answers.items()
        }
        return listed.assign(**cells)

    def distributions(self) -> dict[Hashable, Distribution]:
        """Return how observed and imputed cells lie, by column with the latter."""
        found = {}
        for j in np.flatnonzero(self.imputed.any(axis=0)):
            column = self.table.schema.columns[j]
            observed = self.table.values[~self.table.missing[:, j], j]
            imputed = self.values[self.imputed[:, j], j]
            distribution = _numbers if column.kind == "numeric" else _levels
            found[column.name] = distribution(column, observed, imputed)
        return found

    def _labels(self, rows: Sequence[int]) -> list[Any]:
        return self.table.frame.index[np.asarray(rows, dtype=int)].tolist()


def _objects(cells) -> pd.Series:
    return pd.Series(list(cells), dtype=object)


def _numbers(column: Column, observed, imputed) -> Distribution:
    """Return a histogram with bins of equal width for both."""
    both = np.concatenate([observed, imputed])
    wanted = np.histogram_bin_edges(observed, "auto")
    n_bins = min(max(len(wanted) - 1, 8), _MAX_BINS)
    low, high = both.min(), both.max()
    if column.is_integer and high - low < _MAX_BINS:
        edges = np.arange(int(low), int(high) + 2)  # a bin for each
    else:
        edges = np.histogram_bin_edges(both, n_bins)
    quartiles = (np.quantile(x, [0.25, 0.5, 0.75]) for x in (observed, imputed))
    shown = [_in_units(column, x) for x in (edges, *quartiles)]
    counts = (np.histogram(x, edges)[0] for x in (observed, imputed))
    return Distribution(*counts, shown[0], (), *shown[1:])


def _in_units(column: Column, values: np.ndarray) -> tuple[Any, ...]:
    """Return numbers as they are, and seconds as moments."""
    if column.unit is None:
        return tuple(values.tolist())
    return tuple(pd.Series(column.decode(values, column.pandas_dtype)))


def _levels(column: Column, observed, imputed) -> Distribution:
    """Return how often each level is there; rare ones are counted together."""
    n_levels = len(column.levels)
    counts = np.stack(
        [np.bincount(x.astype(int), minlength=n_levels) for x in (observed, imputed)]
    )
    order = np.argsort(-counts[0], kind="stable")
    n_shown = n_levels if n_levels <= _MAX_LEVELS else _MAX_LEVELS - 1
    shown, others = np.split(order, [n_shown])
    levels = tuple(column.levels[code] for code in shown)
    parts = [counts[:, shown]]
    if len(others):
        parts.append(counts[:, others].sum(axis=1, keepdims=True))
        levels += (f"{len(others)} others",)
    return Distribution(*np.hstack(parts), levels=levels)


def _columns(table: _IncompleteTable, trial: _Trial, counts) -> pd.DataFrame:
    """Return what there is to say of each column."""
    compared = trial.comparison.by_column
    covered = [trial.coverage(j) for j in range(len(compared))]
    certain = [trial.certainty(j) for j in range(len(compared))]
    power = np.where(table.numeric, 2, 1)
    # Where means fill a column without error there is nothing to avoid.
    ratio = compared["vae"] / compared["mean"].replace(0, np.nan)
    skill = 1 - ratio**power
    found = pd.DataFrame(
        {
            "kind": [_kind(column) for column in table.schema.columns],
            "n_missing": table.missing.sum(axis=0),
            "share_missing": table.missing.mean(axis=0),
            "n_hidden": compared["n_hidden"],
            "error": compared["vae"],
            "error_of_mean": compared["mean"],
            "skill": skill,
            "predictable": _predictable(skill, compared["n_hidden"]),
            "coverage": [x.share for x in covered],
            "coverage_low": [x.low for x in covered],
            "coverage_high": [x.high for x in covered],
            "probability": [x.expected for x in certain],
            "accuracy": [x.share for x in certain],
            "enough": compared["enough"],
        },
        index=compared.index,
    )
    return found.assign(**counts, note=compared["note"])


def _kind(column: Column) -> str:
    if column.kind == "numeric":
        return "dates" if column.measure == "zoned dates" else column.measure
    return {"nominal": "levels", "text": "free text"}[column.kind]


def _predictable(skill: pd.Series, n_hidden: pd.Series) -> np.ndarray:
    """Say in a word how much better than by means each column can be filled."""
    tests = [n_hidden < FEWEST_HIDDEN, skill >= WELL, skill >= PARTLY]
    return np.select(tests, ["untested", "well", "partly"], "hardly")


def _patterns(missing: np.ndarray, names: Sequence[Hashable]) -> pd.DataFrame:
    """Return the sets of columns that rows lack, the most frequent first."""
    bits = np.packbits(missing, axis=1)
    _, first, n_rows = np.unique(bits, axis=0, return_index=True, return_counts=True)
    order = np.lexsort([first, -n_rows])
    return pd.DataFrame(
        {
            "n_rows": n_rows[order],
            "share": n_rows[order] / len(missing),
            "columns": [
                tuple(names[j] for j in np.flatnonzero(missing[i]))
                for i in first[order]
            ],
        }
    )


def _together(missing: np.ndarray, names: Sequence[Hashable]) -> dict[str, Any]:
    """Return the pairs and the groups of columns that are missing together.

    Pairs are those in so many rows that, were all columns missing independently, any
    pair would be found in one table of twenty: Fisher's exact test, with the correction
    of Bonferroni.
    """
    n_rows = len(missing)
    some = np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0))
    some = some[np.argsort(-missing[:, some].sum(axis=0), kind="stable")]
    some = np.sort(some[:_MAX_PAIRED])
    is_missing = missing[:, some].astype(np.float32)
    both = (is_missing.T @ is_missing).astype(float)
    n = both.diagonal()
    expected = np.outer(n, n) / n_rows
    spread = np.sqrt(n * (1 - n / n_rows))
    correlation = (both - expected) / np.outer(spread, spread)
    pairs = np.argwhere(np.triu(both > expected, 1))
    one, other = pairs.T
    p = stats.hypergeom.sf(both[one, other] - 1, n_rows, n[one], n[other])
    n_pairs = len(some) * (len(some) - 1) / 2
    pairs = pairs[p * n_pairs < _FALSE_ALARM]
    pairs = pairs[np.argsort(-correlation[tuple(pairs.T)], kind="stable")]
    one, other = pairs.T
    table = pd.DataFrame(
        {
            "one": [names[j] for j in some[one]],
            "other": [names[j] for j in some[other]],
            "n_rows": both[one, other].astype(int),
            "expected": expected[one, other],
            "correlation": correlation[one, other],
        }
    )
    at = pairs[correlation[tuple(pairs.T)] >= _TOGETHER]
    close = sparse.csr_array((np.ones(len(at)), at.T), shape=both.shape)
    n_groups, label = sparse.csgraph.connected_components(close, directed=False)
    groups = [some[label == k] for k in range(n_groups)]
    groups = tuple(tuple(names[j] for j in x) for x in groups if len(x) > 1)
    return {"together": table, "groups": groups}
