"""Saved estimators: one file of data, without code, that any backend reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sklearn.impute import MissingIndicator

from vaeimpute import _columns, _copies, _encoding, _engine, _latent_prior, _scales
from vaeimpute._conditional import FittedVAE
from vaeimpute._imputer import VAEImputer
from vaeimpute._outliers import VAEOutlierDetector
from vaeimpute._persistence import decode
from vaeimpute._predictive import Calibration
from vaeimpute._self_masking import SelfMaskedVAE, SelfMasking
from vaeimpute._supervised import VAEClassifier, VAERegressor
from vaeimpute._tables import TableSchema
from vaeimpute._transformer import VAETransformer
from vaeimpute._vae import Architecture

#: What a file may hold. A name in files stays what it is, whatever the class is called.
_CLASSES: dict[str, type] = {
    made.__name__: made
    for made in (
        *(VAEImputer, VAETransformer, VAEClassifier, VAERegressor),
        *(VAEOutlierDetector, MissingIndicator),
        *(TableSchema, _columns.Column, _copies.Copies),
        *(_encoding.Encoding, _encoding.Layout, _encoding.Levels, _encoding.Numbers),
        *(_scales.Normal, _scales.LogNormal, _scales.Count, _scales.LogitNormal),
        *(_scales.Ordinal, Architecture, FittedVAE, SelfMaskedVAE, SelfMasking),
        *(_latent_prior.LatentPrior, Calibration, _engine.TrainingState),
    )
}


def load(path: str | os.PathLike) -> Any:
    """Return an estimator that `save` has stored.

    Files hold numbers and text, no code: to load one from a stranger is safe, which it
    is not with a pickle. They load under any Keras backend, and without one.

    Parameters
    ----------
    path : path

    Returns
    -------
    estimator
        As it was saved, fitted or not.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, no saved estimator, or of another format; names the path.

    Examples
    --------
    >>> import tempfile, os
    >>> import vaeimpute
    >>> from vaeimpute.datasets import load_penguins
    >>> imputer = vaeimpute.VAEImputer(hidden_layer_sizes=(), random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "penguins.vae")
    ...     imputer.fit(load_penguins()).save(path)
    ...     loaded = vaeimpute.load(path)
    >>> filled = loaded.transform(load_penguins())
    >>> filled.equals(imputer.transform(load_penguins()))
    True
    """
    content = Path(path).read_bytes()
    try:
        return decode(content, _CLASSES)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)} cannot be loaded: {error}") from error
