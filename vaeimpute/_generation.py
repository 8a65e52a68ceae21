"""New rows from a fitted model: drawn, drawn on conditions, and between two rows."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from vaeimpute._row_streams import RowStreams


class GenerationMixin:
    """Rows that a fitted model makes.

    Asks of its estimator a `_schema`, an `_encoding` and a `_model`.
    """

    def sample(self, n_samples=1, given=None, random_state=None):
        """Draw new rows from the model.

        Parameters
        ----------
        n_samples : int, default=1
            Rows to draw; with `given`, for each of its rows.
        given : dict of column to value, DataFrame, Series or array, default=None
            What is known of the rows: their other cells are drawn given these. A
            dictionary or a Series is one row; a frame may lack columns, and cells may
            be missing. Columns of arrays are named by their position.
        random_state : int, RandomState instance or None, default=None
            An integer makes the draw repeatable.

        Returns
        -------
        X : DataFrame or ndarray of shape (n_rows, n_features)
            With the columns and dtypes of the table of `fit`; missing where a
            column had no observed cell, and in free text. The draws for one row of
            `given` follow each other.

        Raises
        ------
        ValueError
            If `n_samples` is no positive integer, or `given` has a column or a level
            that `fit` has not seen.

        Notes
        -----
        Without networks, conditional draws of a table of numbers are exact; else they
        are by sampling-importance-resampling (Mattei & Frellsen 2019, section 3.2).

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> rows = imputer.sample(3, given={"species": "Gentoo"}, random_state=0)
        >>> rows["species"].tolist()
        ['Gentoo', 'Gentoo', 'Gentoo']
        """
        check_is_fitted(self)
        check_count(n_samples, "n_samples", 1)
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        generator = np.random.default_rng(seed)
        if given is None:
            known = np.full((n_samples, self.n_features_in_), np.nan)
            drawn = self._model.sample(n_samples, generator)
        else:
            known = self._schema.read_part(given, "given")
            known = np.repeat(known, n_samples, axis=0)
            streams = RowStreams.spawned(generator, len(known))
            drawn = self._model.draw(self._encoding.encode(known), streams)
        return self._build(known, self._encoding.decode_draws(known, *drawn))

    def interpolate(self, a, b, n_steps=10):
        """Return rows on the way from one row to another.

        The latents go along the straight line between those of both rows, and each is
        decoded: where the model bends, so does the way.

        Parameters
        ----------
        a, b : dict of column to value, Series, DataFrame or array
            One row each; cells may be missing.
        n_steps : int, default=10
            Rows to return, both ends included.

        Returns
        -------
        X : DataFrame or ndarray of shape (n_steps, n_features)
            Like the table of `fit`: conditional means and likeliest levels. The ends
            are what the model makes of `a` and `b`, not these themselves.

        Raises
        ------
        ValueError
            If `a` or `b` is not one row of columns and levels seen at `fit`.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> light, heavy = {"body_mass_g": 3_000.0}, {"body_mass_g": 6_000.0}
        >>> way = imputer.interpolate(light, heavy, n_steps=4)
        >>> way["flipper_length_mm"].is_monotonic_increasing
        True
        """
        check_is_fitted(self)
        check_count(n_steps, "n_steps", 2)
        ends = np.concatenate([self._end(a, "a"), self._end(b, "b")])
        return self._decode(along(*ends, n_steps))

    def _end(self, row, parameter):
        """Return the latents of one row, (1, n_latents)."""
        values = self._schema.read_part(row, parameter)
        if len(values) != 1:
            raise ValueError(f"{parameter}: got {len(values)} rows, expected one.")
        return self._model.latents(self._encoding.encode(values))

    def _decode(self, latents):
        """Return the table that the model makes of latents."""
        unknown = np.full((len(latents), self.n_features_in_), np.nan)
        filling = self._model.decode(latents)
        return self._build(unknown, self._encoding.fill(unknown, *filling))

    def _build(self, known, values):
        """Return a table of known cells and others; nothing where nothing is known."""
        inside = list(self._encoding.likelihood_names())
        table = known.copy()
        table[:, inside] = np.where(
            np.isnan(known[:, inside]),
            self._bounded(values)[:, inside],
            known[:, inside],
        )
        return self._schema.build(table)

    def _bounded(self, values):
        """Return made values within bounds, if the estimator has any."""
        return values


def along(start, end, n_steps):
    """Return points on the straight line between two, (n_steps, n_latents)."""
    share = np.linspace(0.0, 1.0, n_steps)[:, None]
    return (1.0 - share) * start + share * end


def check_count(count, parameter, least):
    """Raise unless a parameter is an integer that is large enough."""
    if not isinstance(count, Integral) or isinstance(count, bool) or count < least:
        raise ValueError(
            f"{parameter}: got {count!r}, expected an integer of {least} or more."
        )
