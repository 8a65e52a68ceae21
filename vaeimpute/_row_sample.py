"""Rows drawn from a table that goes by, and rows that no sample of it may lack."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api import types

#: Columns with more levels than this are left to what the sample holds of them.
_MAX_LEVELS = 1_000

_Side = Literal["least", "most"]

#: The place of a row in the table, and the row.
_Witness = tuple[int, pd.DataFrame]


class RowSample:
    """Rows drawn uniformly from those of a table, and witnesses of what it holds.

    Every row gets a random key, which depends on the seed and on its place in the table
    alone; those with the `size` smallest are the sample. Witnesses are the rows with
    the least and the largest number of a column, and the first one with each level.

    Parameters
    ----------
    size : int
        Rows to draw, without witnesses.
    seed : int or sequence of int
    place : int, default=0
        Of the first row in the table.
    keeps_witnesses : bool, default=True
    n_rows_of_table : int, optional
        With it, a part of the table keeps no rows that the whole would not: those whose
        keys are ten standard errors beyond the largest to be expected.
    """

    def __init__(
        self,
        size: int,
        seed: int | Sequence[int],
        place: int = 0,
        keeps_witnesses: bool = True,
        n_rows_of_table: int | None = None,
    ):
        self.size, self.n_rows = size, 0
        self._keeps_witnesses = keeps_witnesses
        # A key takes one number of the generator.
        self._generator = np.random.Generator(np.random.PCG64(seed).advance(place))
        self._first, self._largest_key = place, 1.0
        if n_rows_of_table:
            self._largest_key = (size + 10 * math.sqrt(size) + 10) / n_rows_of_table
        self._frames: list[pd.DataFrame] = []
        self._keys: list[np.ndarray] = []
        self._places: list[np.ndarray] = []
        self._extremes: dict[tuple[Hashable, _Side], _Witness] = {}
        self._levels: dict[Hashable, dict[Hashable, _Witness]] = {}

    def add(self, frame: pd.DataFrame) -> None:
        """Take the rows that come next, at least one."""
        frame = frame.reset_index(drop=True)
        places = self._first + self.n_rows + np.arange(len(frame))
        if self._keeps_witnesses:
            self._look_for_witnesses(frame, places)
        keys = self._generator.random(len(frame))
        may_stay = keys < self._largest_key
        self._frames.append(frame[may_stay])
        self._keys.append(keys[may_stay])
        self._places.append(places[may_stay])
        self.n_rows += len(frame)
        self._shrink()

    def extend(self, other: RowSample) -> None:
        """Take what another sample holds of the rows that come next."""
        self._frames += other._frames
        self._keys += other._keys
        self._places += other._places
        self.n_rows += other.n_rows
        for (name, side), witness in other._extremes.items():
            self._offer_extreme(name, side, witness)
        for name, witnesses in other._levels.items():
            for level, witness in witnesses.items():
                self._offer_level(name, level, witness)
        self._shrink()

    def drawn(self) -> pd.DataFrame:
        """Return the drawn rows, in their order."""
        self._keep_smallest()
        return self._frames[0]

    def with_witnesses(self) -> pd.DataFrame:
        """Return drawn rows and witnesses, each once, in their order."""
        drawn, places = self.drawn(), self._places[0]
        witnesses = [*self._extremes.values()]
        witnesses += [x for levels in self._levels.values() for x in levels.values()]
        more = dict(witnesses)
        for place in set(places.tolist()) & more.keys():
            del more[place]
        places = np.concatenate([places, np.array([*more], int)])
        rows = pd.concat([drawn, *more.values()], ignore_index=True)
        return rows.iloc[np.argsort(places, kind="stable")].reset_index(drop=True)

    def _shrink(self) -> None:
        if sum(map(len, self._keys)) > 2 * self.size:
            self._keep_smallest()

    def _keep_smallest(self) -> None:
        keys = np.concatenate(self._keys)
        places = np.concatenate(self._places)
        rows = pd.concat(self._frames, ignore_index=True)
        if len(keys) > self.size:
            kept = np.sort(np.argpartition(keys, self.size)[: self.size])
            keys, places, rows = keys[kept], places[kept], rows.iloc[kept]
        self._keys, self._places = [keys], [places]
        self._frames = [rows.reset_index(drop=True)]

    def _look_for_witnesses(self, frame: pd.DataFrame, places: np.ndarray) -> None:
        def witness(at):
            return int(places[at]), frame.iloc[[at]]

        for name, cells in frame.items():
            cells = cells.dropna()
            if not _has_order(cells):
                for at, level in cells[~cells.duplicated()].items():
                    self._offer_level(name, level, witness(at))
            elif len(cells):
                self._offer_extreme(name, "least", witness(cells.idxmin()))
                self._offer_extreme(name, "most", witness(cells.idxmax()))

    def _offer_extreme(self, name, side: _Side, witness: _Witness) -> None:
        known = self._extremes.get((name, side))
        if known is not None:
            value, least_or_most = witness[1][name].iloc[0], known[1][name].iloc[0]
            if side == "least" and not value < least_or_most:
                return
            if side == "most" and not value > least_or_most:
                return
        self._extremes[name, side] = witness

    def _offer_level(self, name, level, witness: _Witness) -> None:
        known = self._levels.setdefault(name, {})
        if level not in known and len(known) <= _MAX_LEVELS:
            known[level] = witness


def _has_order(cells: pd.Series) -> bool:
    is_number = types.is_numeric_dtype(cells.dtype)
    is_time = types.is_datetime64_any_dtype(cells.dtype)
    return (is_number or is_time) and not types.is_bool_dtype(cells.dtype)
