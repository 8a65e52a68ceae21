"""Held-out cells: what training is judged by.

Of each column some observed cells are kept from training. How well they are
predicted chooses the core's rank, the number of steps, and how much of each
column's answers comes from the networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vaeimpute._encoding import Encoding, Rows
from vaeimpute._likelihoods import pool_levels, pool_numbers, shrink

#: Rows whose cells are held out, at most.
_VALIDATION_ROWS = 4096

#: Errors beyond so many standard deviations count as so many when checks are scored.
_LARGEST_ERROR = 3.0

#: Shares of the networks in a column's answers that are tried; the core has the rest.
#: The first of equals is taken.
_NETWORK_SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)

#: Gains below so many standard errors are taken for luck: the best of many checks and
#: shares is looked at (docs/experiments.md, trial 56).
_LUCK = 1.0


@dataclass(frozen=True)
class Validation:
    """Held-out cells: the rows they lie in, as they are and without them.

    What a model says of these cells is kept as one number each: of a numeric cell
    its guess, of a nominal one the log-probability of its true level.
    """

    training: Rows  # the whole table without the held-out cells
    truth: Rows  # rows with held-out cells
    shown: Rows  # the same rows without them; as they are, if whole rows are held out
    encoding: Encoding

    @cached_property
    def _cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column and true value of each held-out cell."""
        held_out = self.truth.observed
        if self.shown is not self.truth:
            held_out = held_out & ~self.shown.observed
        row, column = np.nonzero(held_out)
        return row, column, self.truth.values[row, column].astype(float)

    @property
    def n_cells(self) -> int:
        """How many cells are held out."""
        return len(self._cells[0])

    @cached_property
    def _is_number(self) -> np.ndarray:
        return self._cells[1] < len(self.encoding.numeric)

    @cached_property
    def baseline(self) -> float:
        """Loss of the columns' means and shares."""
        _, column, truth = self._cells
        loss = self._is_number.astype(float)
        for k, levels in enumerate(self.encoding.levels, len(self.encoding.numeric)):
            at = column == k
            loss[at] = -np.log(levels.share[truth[at].astype(int)])
        return max(float(loss.sum()), 1e-12)

    def answers(self, numbers: np.ndarray, log_levels: np.ndarray) -> np.ndarray:
        """Pick what is said of the held-out cells, (n_cells,)."""
        row, column, truth = self._cells
        starts = [block.start for block in self.encoding.level_blocks()]
        starts = np.array([0] * len(self.encoding.numeric) + starts)
        answers = np.empty(len(row))
        at = self._is_number
        answers[at] = numbers[row[at], column[at]]
        at = ~at
        answers[at] = log_levels[row[at], (starts[column] + truth.astype(int))[at]]
        return answers

    def losses(self, answers: np.ndarray) -> np.ndarray:
        """Return the loss of each held-out cell: squared error, or log-loss."""
        # A few outliers must not choose for all the other cells.
        error = np.minimum(np.abs(answers - self._cells[2]), _LARGEST_ERROR)
        return np.where(self._is_number, error**2, -answers)

    def score(self, loss: float) -> float:
        """Return the explained share of the held-out cells, at most 1."""
        return float(1.0 - loss / self.baseline)

    def best_pool(self, core, networks) -> tuple[np.ndarray, float]:
        """Return the networks' best share in each column's answers, and the loss.

        No share, and the loss of the core, where what they gain may be luck.
        """
        loss_of_core = self.losses(core)
        losses = []
        for share in _NETWORK_SHARES:
            levels = pool_levels(core, networks, share)
            numbers = pool_numbers(core, networks, share)
            losses.append(self.losses(np.where(self._is_number, numbers, levels)))
        gains = loss_of_core - np.array(losses)
        if _is_luck(gains[np.argmax(gains.mean(axis=1))]):
            return np.zeros(self.truth.values.shape[1]), float(loss_of_core.sum())
        best = np.argmax([self._expected_gain(gain) for gain in gains], axis=0)
        of_cells = best[self._cells[1]]
        loss = np.array(losses)[of_cells, np.arange(len(of_cells))].sum()
        share = np.array(_NETWORK_SHARES)[best]
        # A column of few cells is over-fitted first, and has fewest to tell it by.
        return share * _coverage(self.training.observed), float(loss)

    def _expected_gain(self, gain: np.ndarray) -> np.ndarray:
        """Return the mean gain of each column's cells, with luck taken out.

        Few cells of a column are held out: its mean is drawn to that of all columns
        by as much as its sampling error explains of their spread.
        """
        column = self._cells[1]
        count = np.bincount(column, minlength=self.truth.values.shape[1])
        seen = np.maximum(count, 1)
        mean = np.bincount(column, gain, len(count)) / seen
        squares = np.bincount(column, (gain - mean[column]) ** 2, len(count))
        error = squares / (seen * np.maximum(seen - 1, 1))
        return shrink(mean, error, count > 1, gain.mean())


def hold_out(rows, encoding, fraction, generator) -> Validation | None:
    """Hold out a share of the observed cells, of at most a few thousand rows."""
    n_rows = len(rows.values)
    chosen = np.sort(generator.permutation(n_rows)[:_VALIDATION_ROWS])
    hidden = np.zeros(rows.observed.shape, bool)
    hidden[chosen] = generator.random((len(chosen), hidden.shape[1])) < fraction
    hidden &= rows.observed
    # What remains of each column must still show its spread.
    hidden[:, (rows.observed & ~hidden).sum(axis=0) < 3] = False
    chosen = chosen[hidden[chosen].any(axis=1)]
    if not len(chosen):
        return None
    training = Rows(rows.values, rows.observed & ~hidden)
    truth, shown = (
        Rows(r.values[chosen], r.observed[chosen]) for r in (rows, training)
    )
    return Validation(training, truth, shown, encoding)


def hold_out_rows(rows, encoding, fraction, generator) -> Validation | None:
    """Hold out a share of the rows, which are to be rebuilt from themselves."""
    n_rows = len(rows.values)
    count = min(round(fraction * n_rows), _VALIDATION_ROWS)
    chosen = np.sort(generator.permutation(n_rows)[:count])
    observed = rows.observed.copy()
    observed[chosen] = False
    # What remains of each column must still show its spread.
    scarce = observed.sum(axis=0) < 3
    observed[:, scarce] = rows.observed[:, scarce]
    truth = Rows(rows.values[chosen], rows.observed[chosen] & ~scarce)
    if not np.any(truth.observed):
        return None
    return Validation(Rows(rows.values, observed), truth, truth, encoding)


def _is_luck(gain: np.ndarray) -> bool:
    """Return whether the mean of cells' gains is within its sampling error."""
    return gain.mean() <= _LUCK * gain.std() / np.sqrt(len(gain))


def _coverage(observed: np.ndarray) -> np.ndarray:
    """Return how well each column is observed, beside the best of them.

    One from half as many cells as the fullest column's, falling to zero below.
    """
    count = observed.sum(axis=0)
    if not np.any(count):
        return np.ones(len(count))
    return np.minimum(1.0, 2.0 * count / count.max())
