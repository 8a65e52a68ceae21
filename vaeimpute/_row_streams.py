"""Random numbers that belong to a row, wherever in a table it stands."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

import numpy as np


class RowStreams:
    """A stream of random numbers for each row of a table.

    Parameters
    ----------
    seeds : iterable of int
        One for each row.
    """

    def __init__(self, seeds):
        self._generators = [np.random.default_rng(seed) for seed in seeds]

    @classmethod
    def spawned(cls, generator: np.random.Generator, n_rows: int) -> RowStreams:
        """Return streams for rows that are alike, such as those yet to be drawn."""
        return cls(generator.integers(2**63, size=n_rows))

    def normal(self, *shape: int) -> np.ndarray:
        """Return the rows' next standard normal numbers, (n_rows, *shape)."""
        drawn = [generator.standard_normal(shape) for generator in self._generators]
        return np.array(drawn).reshape(len(drawn), *shape)

    def uniform(self, *shape: int) -> np.ndarray:
        """Return the rows' next numbers between 0 and 1, (n_rows, *shape)."""
        drawn = [generator.random(shape) for generator in self._generators]
        return np.array(drawn).reshape(len(drawn), *shape)

    def gumbel(self, *shape: int) -> np.ndarray:
        """Return the rows' next numbers of Gumbel's distribution, (n_rows, *shape)."""
        drawn = [generator.gumbel(size=shape) for generator in self._generators]
        return np.array(drawn).reshape(len(drawn), *shape)


def content_seeds(
    values: np.ndarray, seed: int, are_told_apart: bool = True
) -> list[int]:
    """Return a seed for each row that depends on its content, not on its place.

    Rows that are equal to the last bit are told apart by how many of them came before:
    with one seed, ten like rows would count as one in whatever is made of draws.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        NaN where missing.
    seed : int
        Not negative.
    are_told_apart : bool
        If False, equal rows have equal seeds.
    """
    key, seen = int(seed).to_bytes(8, "little"), Counter()
    # Zeros of either sign are equal, and so are all ways to write NaN.
    plain = np.where(np.isnan(values), np.nan, values) + 0.0
    seeds = []
    for row in np.ascontiguousarray(plain, dtype="<f8"):
        content = row.tobytes()
        before = seen[content] if are_told_apart else 0
        seen[content] += 1
        digest = blake2b(content, digest_size=16, key=key, salt=before.to_bytes(8))
        seeds.append(int.from_bytes(digest.digest(), "little"))
    return seeds
