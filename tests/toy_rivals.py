"""Methods that the benchmark runs in processes of their own, to see what it bears."""

import gc
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer

from benchmarks.methods import Method


class Zero:
    def fit(self, table):
        return self

    def transform(self, table):
        return table.fillna(0.0)


class Cheat(Zero):
    """Fill with numbers of the truth from wherever they can be seen."""

    def fit(self, table):
        self.given = set(table.to_numpy().ravel())
        return self

    def transform(self, table):
        for truth in self._tables():
            if truth.shape == table.shape and self._agrees(truth, table):
                return table.fillna(pd.DataFrame(truth, columns=table.columns))
        return super().transform(table)

    def _agrees(self, truth, table):
        known = table.notna().to_numpy()
        with np.errstate(invalid="ignore"):
            same = np.isclose(truth[known], table.to_numpy()[known])
        return same.mean() > 0.9 and np.isfinite(truth[~known]).all()

    def _tables(self):
        for path in self._files():
            yield pd.read_parquet(path).to_numpy(dtype=float)
        for thing in gc.get_objects():
            if isinstance(thing, pd.DataFrame | np.ndarray) and thing.ndim == 2:
                try:
                    yield np.asarray(thing, dtype=float)
                except (TypeError, ValueError):
                    pass

    def _files(self):
        """Yield all tables in the folders that it has been told of."""
        told = [*sys.argv, *os.environ.values(), os.getcwd()]
        folders = {Path(part) for text in told for part in text.split(os.pathsep)}
        for folder in folders:
            if folder.is_dir() and not (folder / "benchmarks").exists():
                yield from folder.glob("*.parquet")


class Crash(Zero):
    def fit(self, table):
        os.abort()


class Slow(Zero):
    def fit(self, table):
        time.sleep(600)


class Greedy(Zero):
    def fit(self, table):
        self.much = np.ones((8, 2**27))
        return self


MEAN = Method(SimpleImputer)
ZERO = Method(Zero)
CHEAT = Method(Cheat)
CRASH = Method(Crash)
SLOW = Method(Slow)
GREEDY = Method(Greedy)
LOST = Method(Zero, imports=("no_such_module",))
