"""Deep rivals for numbers, trained by the library hyperimpute; for tables `Encoded`."""

from __future__ import annotations

import math
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class MIWAE(TransformerMixin, BaseEstimator):
    """Importance-weighted autoencoder (Mattei & Frellsen, ICML 2019).

    The sizes are those that its authors' notebook has for tables of this kind, by
    default the library would train one latent variable and one hidden unit: ten latent
    variables, two layers of 128 hidden units, 20 importance samples, batches of 64 and
    as many steps of Adam as 2,000 epochs take on a table of 569 rows. Cells are filled
    by their mean under 1,000 importance samples, where the library has ten.

    Parameters
    ----------
    latent_size, n_hidden, n_importance, batch_size : int
    n_steps : int
        Batches to train on, rounded up to whole epochs.
    n_samples : int
        Importance samples to fill by.
    random_state : int
        Seeds the global generators, as the library does.
    """

    def __init__(
        self,
        latent_size=10,
        n_hidden=128,
        n_importance=20,
        batch_size=64,
        n_steps=16_000,
        n_samples=1_000,
        random_state=0,
    ):
        self.latent_size = latent_size
        self.n_hidden = n_hidden
        self.n_importance = n_importance
        self.batch_size = batch_size
        self.n_steps = n_steps
        self.n_samples = n_samples
        self.random_state = random_state

    def fit(self, X, y=None):
        from hyperimpute.plugins.imputers import Imputers

        X = np.asarray(X, dtype=float)
        n_batches = max(len(X) // self.batch_size, 1)
        self.model_ = Imputers().get(
            "miwae",
            # One more than it trains, by the library's count.
            n_epochs=math.ceil(self.n_steps / n_batches) + 1,
            batch_size=self.batch_size,
            latent_size=self.latent_size,
            n_hidden=self.n_hidden,
            K=self.n_importance,
            random_state=self.random_state,
        )
        with _one_thread():
            self.model_.fit(X)
        return self

    def transform(self, X):
        import torch

        filled = np.array(X, dtype=float)
        # About eight million numbers at a time.
        n_rows = max(8_000_000 // (self.n_samples * filled.shape[1]), 1)
        torch.manual_seed(self.random_state)
        with torch.no_grad(), _one_thread():
            for start in range(0, len(filled), n_rows):
                rows = filled[start : start + n_rows]
                values, missing = _tensor(rows), np.isnan(rows)
                # Its own `transform` does the same with ten samples.
                answers = self.model_._miwae_impute(
                    values.nan_to_num(), ~values.isnan(), self.n_samples
                )
                rows[missing] = answers.numpy()[missing]
        return filled


class GAIN(TransformerMixin, BaseEstimator):
    """Generative adversarial imputation (Yoon, Jordon & van der Schaar, ICML 2018).

    Trained as its authors' program does: 10,000 batches of 128 rows, `alpha` of 100 for
    the squared error and hints of 0.9. The library's plugin ignores what it is told of
    these, hence its inner class.

    Parameters
    ----------
    n_steps : int
        Batches to train on.
    batch_size : int
    hint_rate : float
    alpha : float
    random_state : int
        Seeds the global generators, as the library does.
    """

    def __init__(
        self, n_steps=10_000, batch_size=128, hint_rate=0.9, alpha=100, random_state=0
    ):
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.hint_rate = hint_rate
        self.alpha = alpha
        self.random_state = random_state

    def fit(self, X, y=None):
        from hyperimpute.plugins.imputers.plugin_gain import GainImputation
        from hyperimpute.utils.distributions import enable_reproducible_results

        enable_reproducible_results(self.random_state)
        self.model_ = GainImputation(
            batch_size=self.batch_size,
            n_epochs=self.n_steps,
            hint_rate=self.hint_rate,
            loss_alpha=self.alpha,
        )
        with _one_thread():
            self.model_.fit(_tensor(X))
        return self

    def transform(self, X):
        return self.model_.transform(_tensor(X)).numpy()


@contextmanager
def _one_thread():
    """Have Torch use one thread: for such small networks two take ten times as long."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tensor(X):
    import torch

    return torch.tensor(np.asarray(X, dtype=float), dtype=torch.float32)
