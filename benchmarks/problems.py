"""What methods are to solve: a table with hidden cells, new rows, and the truth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from benchmarks.datasets import Table
from vaeimpute import amputation

MAX_DRAWN_ROWS = 1_000


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a table, with the cells of them that are hidden.

    Attributes
    ----------
    rows : DataFrame of floats and categories
        The truth. Cells that are missing in it stay so, and are not scored: nobody
        knows them.
    hidden : array of shape (n_rows, n_columns), bool
    target : Series or None
        What a model is to predict from the rows; no method is given it.
    """

    rows: pd.DataFrame
    hidden: np.ndarray
    target: pd.Series | None = None

    @cached_property
    def incomplete(self) -> pd.DataFrame:
        """The rows as a method gets them; names do not tell which table it is."""
        names = [f"x{j}" for j in range(self.rows.shape[1])]
        return self.rows.mask(self.hidden).set_axis(names, axis=1)

    @cached_property
    def truth(self) -> np.ndarray:
        return self.coded(self.rows)

    @cached_property
    def nominal(self) -> np.ndarray:
        """Which columns are nominal, of shape (n_columns,)."""
        return (self.rows.dtypes == "category").to_numpy()

    def coded(self, cells: ArrayLike) -> np.ndarray:
        """Return numbers as they are and levels as codes of the true categories."""
        coded = np.full(self.rows.shape, np.nan)
        for j, column in enumerate(np.asarray(cells).T):
            if self.nominal[j]:
                codes = self.rows.dtypes.iloc[j].categories.get_indexer(column)
                coded[codes >= 0, j] = codes[codes >= 0]
            else:
                coded[:, j] = column
        return coded

    def completed(self, filled: pd.DataFrame) -> pd.DataFrame:
        """Return the true rows with hidden cells as they were filled."""
        codes = self.coded(filled)
        completed = self.rows.copy()
        for j in np.flatnonzero(self.hidden.any(axis=0)):
            cells, hidden = completed.iloc[:, j].copy(), self.hidden[:, j]
            answers = codes[hidden, j]
            if self.nominal[j]:
                answers = cells.cat.categories[answers.astype(int)]
            cells[hidden] = answers
            completed.isetitem(j, cells)
        return completed

    def taken(self, at: np.ndarray) -> Part:
        target = None if self.target is None else self.target.iloc[at]
        return Part(self.rows.iloc[at].reset_index(drop=True), self.hidden[at], target)


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to fit and to fill, and new rows to fill; there may be none of these."""

    fitted: Part
    new: Part | None = None

    @classmethod
    def of(
        cls, table: Table, mechanism: str, rate: float, mask: int, new_share: float
    ) -> Problem:
        """Hide cells of a table, then set a share of its rows apart as new."""
        rows = table.rows
        known = rows.notna().to_numpy()
        hidden = hidden_cells(rows, mechanism, rate, mask) & known
        whole = Part(rows, hidden, table.target)
        n_new = round(new_share * len(rows))
        if n_new == 0:
            return cls(whole)
        order = np.random.default_rng(mask).permutation(len(rows))
        return cls(
            whole.taken(np.sort(order[n_new:])), whole.taken(np.sort(order[:n_new]))
        )

    @property
    def parts(self) -> dict[str, Part]:
        """The parts by the prefix of their scores."""
        return {"": self.fitted} | ({} if self.new is None else {"new_": self.new})

    def size(self) -> dict[str, int]:
        return {"n_columns": self.fitted.rows.shape[1]} | {
            f"n_{prefix}{what}": int(count)
            for prefix, part in self.parts.items()
            for what, count in (("rows", len(part.rows)), ("hidden", part.hidden.sum()))
        }

    def fingerprint(self) -> str:
        """Tell tables and hidden cells apart; one table may come in two orders."""
        parts = self.parts.values()
        contents = [np.ascontiguousarray(part.truth).tobytes() for part in parts]
        contents += [part.hidden.tobytes() for part in parts]
        return hashlib.sha256(b"".join(contents)).hexdigest()[:12]


def drawn_rows(n_rows: int) -> np.ndarray:
    """Return the rows that draws are made of, and compared: enough, not all."""
    if n_rows <= MAX_DRAWN_ROWS:
        return np.arange(n_rows)
    rng = np.random.default_rng(0)
    return np.sort(rng.choice(n_rows, MAX_DRAWN_ROWS, replace=False))


def hidden_cells(
    rows: pd.DataFrame, mechanism: str, rate: float, mask: int
) -> np.ndarray:
    """Return which cells to hide; `mask` is the seed.

    "independent": each with the same probability. Other mechanisms are those of
    `vaeimpute.amputation`.
    """
    if mechanism == "independent":
        return np.random.default_rng(mask).random(rows.shape) < rate
    return amputation.hidden_cells(rows, mechanism, rate, random_state=mask)
