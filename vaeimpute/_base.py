"""What every estimator shares: checking a table, fitting the model, scoring."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, metadata
from numbers import Integral, Real
from pathlib import Path
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, MissingValues, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from vaeimpute import __version__
from vaeimpute._anomalies import AnomalyMixin
from vaeimpute._atomic_files import replacing
from vaeimpute._conditional import FittedVAE
from vaeimpute._containers import container_of
from vaeimpute._encoding import Encoding
from vaeimpute._generation import GenerationMixin
from vaeimpute._persistence import encode
from vaeimpute._progress import CallbackSupportMixin
from vaeimpute._tables import TableSchema
from vaeimpute._training import Settings, train

#: Columns named in a message, at most.
_MAX_NAMED = 10

#: Where a pickle says what version made it.
_VERSION = "_vaeimpute_version"

_OUT_OF_MEMORY = (
    "The estimator is as it was before this fit. vaeimpute.streaming.fit_dataset fits "
    "a table from a sample of its rows, as many as its max_rows says."
)

_AUTO = StrOptions({"auto"})
_POSITIVE_INTEGER = Interval(Integral, 1, None, closed="left")


def _documentation():
    """Return the address of the documentation that the package was installed with."""
    try:
        urls = metadata("vaeimpute").get_all("Project-URL", [])
    except PackageNotFoundError:  # run from its sources
        return ""
    by_label = dict(url.split(", ", 1) for url in urls)
    return by_label.get("Documentation", "").rstrip("/")


class TableEstimator(BaseEstimator):
    """An estimator of tables: checks them, and is fitted wholly or not at all."""

    _doc_link_module = "vaeimpute"

    @property
    def _doc_link_template(self):
        page = "generated/{estimator_module}.{estimator_name}.html"
        return f"{_documentation()}/{page}"

    def _get_doc_link(self):
        """Return where this class is documented; nothing while that is no address.

        scikit-learn links to it from what a notebook shows of an estimator.
        """
        return super()._get_doc_link() if _documentation() else ""

    def __sklearn_tags__(self):
        """Return scikit-learn's tags: NaN is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @contextmanager
    def _all_or_nothing(self):
        """Leave the estimator as it was after any exception, Ctrl-C included."""
        before = vars(self).copy()
        try:
            yield
        except BaseException as error:
            vars(self).clear()
            vars(self).update(before)
            if isinstance(error, MemoryError):
                error.add_note(_OUT_OF_MEMORY)
            raise

    def save(self, path):
        """Store this estimator in a file of data, without code.

        `vaeimpute.load` reads it, under any Keras backend. The file is written whole or
        not at all; one that is there is replaced.

        Parameters
        ----------
        path : path
            Of the file, exactly; no ending is appended.

        Raises
        ------
        TypeError
            If a parameter is a function or another object that is no data; names it.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import vaeimpute
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "unfitted.vae")
        ...     vaeimpute.VAEImputer(max_iter=20).save(path)
        ...     vaeimpute.load(path).max_iter
        20
        """
        content = encode(self, {"vaeimpute": __version__})
        with replacing(Path(path).resolve()) as unfinished:
            unfinished.write_bytes(content)

    def __getstate__(self):
        """Return what is pickled, with the version."""
        return super().__getstate__() | {_VERSION: __version__}

    def __setstate__(self, state):
        """Restore what was pickled; warn if another version did it."""
        state = dict(state)
        version = state.pop(_VERSION, None)
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was pickled by vaeimpute {version} and is "
                f"loaded by {__version__}, where it may break or answer otherwise. "
                "Files that its method save makes stay readable.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)

    def _check_table(self, X, reset=False):
        """Return a frame, or a 2-D array of numbers, booleans or objects."""
        if container_of(X) != "numpy":
            return self._check_frame(X, reset)
        if np.asarray(X).dtype.kind in "US":
            X = np.asarray(X, dtype=object)  # numbers beside text stay numbers
        # The schema refuses infinity and other dtypes, and names the column.
        return validate_data(self, X, dtype=None, ensure_all_finite=False, reset=reset)

    def _check_frame(self, X, reset):
        n_rows, n_columns = X.shape
        if not n_columns or not n_rows:
            what, count = ("feature", n_columns) if not n_columns else ("sample", 0)
            raise ValueError(
                f"Found array with {count} {what}(s) (shape={X.shape}) while a "
                f"minimum of 1 is required by {type(self).__name__}."
            )
        return validate_data(self, X, skip_check_array=True, reset=reset)


class BaseVAE(AnomalyMixin, GenerationMixin, CallbackSupportMixin, TableEstimator):
    """A variational autoencoder of a table with missing cells.

    Holds no network: a fitted estimator is a schema, an encoding and weights as
    NumPy arrays. Subclasses store the parameters named below.
    """

    #: Whether latents are all that a row is decoded from.
    _is_bottleneck: ClassVar[bool] = False

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [_AUTO, _POSITIVE_INTEGER],
        "hidden_layer_sizes": [_AUTO, "array-like"],
        "n_networks": [_AUTO, _POSITIVE_INTEGER],
        "activation": [StrOptions({"silu", "gelu", "relu", "tanh"})],
        "max_iter": [_AUTO, _POSITIVE_INTEGER],
        "batch_size": [_AUTO, _POSITIVE_INTEGER],
        "learning_rate_init": [_AUTO, Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [_POSITIVE_INTEGER],
        "tol": [Interval(Real, 0, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "discrete_features": ["array-like", None],
        "likelihoods": [dict, None],
        "text_features": [StrOptions({"error", "passthrough"})],
        "missing_values": [MissingValues()],
        "device": [str, "array-like", None],
        "mixed_precision": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __sklearn_is_fitted__(self):
        """Return whether a model has been fitted."""
        return hasattr(self, "_model")

    def score(self, X, y=None):
        """Return the mean log-likelihood per observed cell, in nats.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        score : float
            Higher is better. Tables in other units are not comparable.

        Raises
        ------
        ValueError
            If no cell is observed in the columns that the model holds.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> swapped = penguins.assign(year=penguins["year"] + 10)
        >>> imputer.score(penguins) > imputer.score(swapped)
        True
        """
        check_is_fitted(self)
        values = self._read(X)
        known = list(self._encoding.likelihood_names())
        n_observed = np.sum(~np.isnan(values[:, known]))
        if not n_observed:
            raise ValueError(
                "X: got no observed cell in the columns that the model knows, "
                "expected some to score."
            )
        return float(self._log_density(values).sum() / n_observed)

    def _learn_columns(self, X):
        """Learn schema and encoding; return encoded rows and missing cells."""
        X = self._check_table(X, reset=True)
        self._schema = TableSchema.infer(
            X,
            categorical_features=self.categorical_features,
            discrete_features=self.discrete_features,
            missing_values=self.missing_values,
            text_features=self.text_features,
        )
        values, missing = self._schema.read(X)
        if np.all(missing):
            raise ValueError(
                f"Every cell of X is missing: got {len(values)} rows and "
                f"{values.shape[1]} columns without an observed cell, expected some."
            )
        columns = self._schema.columns
        given = self.likelihoods or {}
        positions = self._schema.positions(given, "likelihoods")
        by_position = dict(zip(positions, given.values(), strict=True))
        self._encoding = Encoding.fit(values, columns, by_position)
        names = self._encoding.likelihood_names()
        self.likelihoods_ = {columns[j].name: name for j, name in names.items()}
        return self._encoding.encode(values), missing

    def _settings(self):
        """Return how to train, as the parameters say."""
        names = {field.name for field in fields(Settings)} & self.get_params().keys()
        given = {name: getattr(self, name) for name in names}
        given["hidden_layer_sizes"] = self._hidden_layer_sizes()
        given["is_bottleneck"] = self._is_bottleneck
        given["device"] = self._device_names()
        return Settings(**given)

    def _learn_weights(self, rows, progress):
        """Train the model on encoded rows, with a seed drawn from `random_state`."""
        generator = check_random_state(self.random_state)
        self._seed = seed = int(generator.randint(np.iinfo(np.int32).max))

        def on_check(check):
            return progress.check(check, lambda: self._learned(check.trained(), rows))

        trained = train(rows, self._encoding, self._settings(), seed, on_check)
        vars(self).update(self._learned(trained, rows))
        self._training_state = None

    def _learned(self, trained, rows):
        """Return what training gave on encoded rows as the estimator's attributes."""
        model = FittedVAE.of(trained, self._encoding.layout())
        return {
            "_model": model.with_priors(rows).with_patterns(rows.observed),
            "n_iter_": len(trained.loss_curve),
            "loss_curve_": trained.loss_curve,
            "validation_scores_": trained.validation_scores,
        }

    def _hidden_layer_sizes(self):
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str):
            return sizes
        if not all(isinstance(size, Integral) and size > 0 for size in sizes):
            raise ValueError(
                f"hidden_layer_sizes: got {sizes!r}, expected positive integers."
            )
        return tuple(int(size) for size in sizes)

    def _device_names(self):
        if self.device is None or isinstance(self.device, str):
            return self.device
        names = tuple(self.device)
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError(
                f"device: got {self.device!r}, expected names such as 'gpu:0'."
            )
        return names

    def _read(self, X):
        """Return the values of a table that has the columns of `fit`."""
        return self._schema.read(self._check_table(X))[0]

    def _name_columns(self, at):
        """Return the names of some columns for a message."""
        names = [str(self._schema.columns[j].name) for j in np.flatnonzero(at)]
        more = len(names) - _MAX_NAMED
        return names if more <= 0 else [*names[:_MAX_NAMED], f"and {more} more"]
