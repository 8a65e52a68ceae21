"""`VAETransformer`: a table with holes in, a few numbers per row out."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array, check_is_fitted

from vaeimpute._base import BaseVAE
from vaeimpute._encoding import Rows
from vaeimpute._generation import along, check_count
from vaeimpute._progress import Progress

#: Rows that the axes of the components are found from, at most.
_AXIS_ROWS = 10_000

#: Less variance than this is none.
_NO_VARIANCE = 1e-12

#: A latent is in use if the variance of its posterior mean is above this.
_ACTIVE_VARIANCE = 0.01


class VAETransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseVAE):
    """Reduce the dimension of a table with missing cells and columns of any kind.

    A variational autoencoder whose latents are all that a row is decoded from. It
    starts as principal component analysis, fitted to the observed cells, and adds
    neural networks to encoder and decoder as far as they rebuild held-out rows
    better. A drop-in for :class:`~sklearn.decomposition.PCA`.

    Parameters
    ----------
    n_components : int, default=2
        Latent dimensions: columns of the output.
    hidden_layer_sizes : "auto" or array-like of int, default="auto"
        Units of each residual block, in encoder and decoder alike; the first is
        also the width of the stream between blocks. Empty: principal components
        alone. "auto" grows with the number of rows.
    activation : {"silu", "gelu", "relu", "tanh"}, default="silu"
        Activation of the blocks.
    max_iter : int or "auto", default="auto"
        Passes over the rows (epochs), at most. "auto" makes up to 3,000 steps with
        tables of less than 3,000 rows; with larger ones 2,000, of wider networks, and
        one more for each 200 rows; fewer with more than 16 components, and no more than
        ten times the rows.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" grows from 32 to 1,024 with the number of rows.
    learning_rate_init : float or "auto", default="auto"
        Largest step size of Adam. "auto" is 0.0015 with tables of less than 3,000
        rows, else 0.001.
    early_stopping : bool, default=True
        Hold out rows to choose the number of epochs, and to leave the networks out
        where they do not rebuild these better. If False, all epochs are trained.
    validation_fraction : float, default=0.1
        Share of the rows held out, at most 4,096 of them. They are trained on after
        the number of epochs has been chosen.
    n_iter_no_change : int, default=10
        Checks, each about 100 steps apart, without improvement before training
        stops.
    tol : float, default=1e-4
        Least improvement of the explained share of the held-out rows that counts.
    beta : float, default=1.0
        Weight of the Kullback-Leibler term (Higgins et al. 2017, eq. 4). Above 1 the
        latents tell less and lie closer to the prior.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that are nominal besides those whose dtype says so: names,
        positions, or one boolean per column.
    discrete_features : None or array-like, default=None
        Columns of a float dtype that `inverse_transform` makes whole: names,
        positions, or one boolean per column. Integer dtypes always are.
    text_features : {"error", "passthrough"}, default="error"
        What to do with columns of free text: raise, or ignore them.
    likelihoods : dict of column to str, default=None
        How columns are distributed, see :class:`VAEImputer`.
    missing_values : number, str, np.nan, None or pd.NA, default=np.nan
        A further value that marks a missing cell.
    device : str, list of str, or None, default=None
        Where `fit` computes, such as "cpu" or "gpu:0"; None leaves it to Keras. Of
        several devices each takes as many rows of a training step.
    mixed_precision : bool, default=False
        Whether `fit` multiplies the networks' matrices in bfloat16, and does all else
        in single precision: for GPUs that are faster at it.
    verbose : int, default=0
        Show how far `fit` is if positive: by a line in terminals, a bar in notebooks.
    random_state : int, RandomState instance or None, default=None
        Seed of starting weights, batches and held-out cells.

    Attributes
    ----------
    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance of all columns, standardised, that goes along with each
        component in a straight line, in falling order. Levels count as in
        correspondence analysis, each column with its number of levels less one.
    active_units_ : int
        Components whose posterior means vary by more than 0.01 (Burda et al. 2016,
        section 5.2). Fewer than `n_components` tell of a collapsed posterior.
    n_iter_ : int
        Epochs trained; 0 with principal components alone.
    loss_curve_ : list of float
        Mean loss of each epoch, in nats per column.
    validation_scores_ : list of float
        Share of the held-out rows' variance and entropy that their components
        explain, at the start and at each check; empty without early stopping.
    likelihoods_ : dict of column to str
        How each column is modelled.
    n_features_in_ : int
        Columns seen at `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all are strings.

    See Also
    --------
    VAEImputer : Fills the missing cells.
    sklearn.decomposition.PCA : The linear part, without missing cells.

    Notes
    -----
    Components are straight axes in the space of the latents, turned such that the
    posterior means of the rows of `fit` are uncorrelated and explain variance in
    falling order, each with its largest loading positive. Along each the prior has
    variance 1. `transform` is deterministic, and a row's answer does not depend on the
    rows beside it.

    References
    ----------
    Kingma & Welling (2014), *Auto-encoding variational Bayes*. Tipping & Bishop
    (1999), *Probabilistic principal component analysis*. Burda, Grosse &
    Salakhutdinov (2016), *Importance weighted autoencoders*.

    Examples
    --------
    >>> from vaeimpute import VAETransformer
    >>> from vaeimpute.datasets import load_penguins
    >>> reducer = VAETransformer(hidden_layer_sizes=(), random_state=0)
    >>> reducer.fit_transform(load_penguins()).shape
    (344, 2)
    >>> reducer.get_feature_names_out().tolist()
    ['vaetransformer0', 'vaetransformer1']
    """

    _is_bottleneck = True

    _parameter_constraints: ClassVar[dict] = {
        name: constraint
        for name, constraint in BaseVAE._parameter_constraints.items()
        if name != "n_networks"
    } | {"n_components": [Interval(Integral, 1, None, closed="left")]}

    def __init__(
        self,
        n_components=2,
        *,
        hidden_layer_sizes="auto",
        activation="silu",
        max_iter="auto",
        batch_size="auto",
        learning_rate_init="auto",
        early_stopping=True,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        beta=1.0,
        categorical_features="from_dtype",
        discrete_features=None,
        text_features="error",
        likelihoods=None,
        missing_values=np.nan,
        device=None,
        mixed_precision=False,
        verbose=0,
        random_state=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.beta = beta
        self.categorical_features = categorical_features
        self.discrete_features = discrete_features
        self.text_features = text_features
        self.likelihoods = likelihoods
        self.missing_values = missing_values
        self.device = device
        self.mixed_precision = mixed_precision
        self.verbose = verbose
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn from the observed cells of a table.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Of pandas, polars or NumPy: numbers, booleans, strings, categories,
            dates and durations.
        y : ignored

        Returns
        -------
        self : VAETransformer

        Raises
        ------
        ValueError
            If there are more components than columns (of levels: their number less
            one), and where `VAEImputer` does.
        TypeError
            On cells that are neither text nor numbers.

        Examples
        --------
        >>> from vaeimpute import VAETransformer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> reducer = VAETransformer(hidden_layer_sizes=(), random_state=0)
        >>> bool(reducer.fit(penguins).explained_variance_ratio_.sum() > 0.5)
        True
        """
        with self._all_or_nothing(), Progress(self, X, y) as progress:
            rows, _ = self._learn_columns(X)
            self._check_n_components()
            self._learn_weights(rows, progress)
        return self

    def transform(self, X, return_std=False):
        """Return the posterior means of the components.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order; cells may be missing.
        return_std : bool, default=False
            Whether to return the posterior's standard deviations as well: the less of
            a row is observed, the larger they are; 1 in the prior.

        Returns
        -------
        components : ndarray of shape (n_samples, n_components)
            Or a frame, see `set_output`.
        std : ndarray of shape (n_samples, n_components)
            Only if `return_std`.

        Examples
        --------
        >>> from vaeimpute import VAETransformer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> reducer = VAETransformer(hidden_layer_sizes=(), random_state=0)
        >>> means, std = reducer.fit(penguins).transform(penguins, return_std=True)
        >>> bool((std[3] > std[0]).all())  # of row 3 no measurement is known
        True
        """
        check_is_fitted(self)
        rows = self._encoding.encode(self._read(X))
        components = self._to_components(self._model.latents(rows))
        if not return_std:
            return components
        covariances = self._model.latent_covariances(rows)
        axes = self._axes
        variances = np.einsum("ik,nij,jk->nk", axes, covariances, axes)
        return components, np.sqrt(variances)

    def inverse_transform(self, X):
        """Return the rows that the model decodes from components.

        Parameters
        ----------
        X : array or DataFrame of shape (n_samples, n_components)

        Returns
        -------
        table : DataFrame or ndarray of shape (n_samples, n_features)
            With the columns and dtypes of the table of `fit`: conditional means and
            likeliest levels.

        Raises
        ------
        ValueError
            If `X` has not `n_components` columns of finite numbers.

        Examples
        --------
        >>> from vaeimpute import VAETransformer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> reducer = VAETransformer(hidden_layer_sizes=(), random_state=0)
        >>> components = reducer.fit_transform(penguins)
        >>> rebuilt = reducer.inverse_transform(components)
        >>> bool((rebuilt["species"] == penguins["species"]).mean() > 0.9)
        True
        """
        check_is_fitted(self)
        return self._decode(self._to_latents(X, "X"))

    def interpolate(self, a, b, n_steps=10, *, latent=False):
        """Return rows on the way from one row, or point, to another.

        Parameters
        ----------
        a, b : dict of column to value, Series, DataFrame or array
            One row each, in which cells may be missing; if `latent`, points of shape
            (n_components,) as from `transform`.
        n_steps : int, default=10
            Rows to return, both ends included.
        latent : bool, default=False

        Returns
        -------
        X : DataFrame or ndarray of shape (n_steps, n_features)
            What the points on the straight line between the two decode to.

        Raises
        ------
        ValueError
            If `a` or `b` is not one row of columns and levels seen at `fit`, or not a
            point of `n_components` numbers.

        Examples
        --------
        >>> from vaeimpute import VAETransformer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> reducer = VAETransformer(hidden_layer_sizes=(), random_state=0)
        >>> reducer = reducer.fit(penguins)
        >>> way = reducer.interpolate([-1, 0], [1, 0], n_steps=3, latent=True)
        >>> reducer.transform(way).shape
        (3, 2)
        """
        if not latent:
            return super().interpolate(a, b, n_steps)
        check_is_fitted(self)
        check_count(n_steps, "n_steps", 2)
        ends = self._to_latent(a, "a"), self._to_latent(b, "b")
        return self._decode(along(*ends, n_steps))

    @property
    def _n_features_out(self):
        return len(self._axes)

    def _check_n_components(self):
        columns, levels = self._encoding.numeric, self._encoding.levels
        n_values = len(columns) + sum(x.contrast.shape[1] for x in levels)
        if self.n_components > n_values:
            raise ValueError(
                f"n_components: got {self.n_components}, expected at most {n_values}: "
                f"X has n_features={self.n_features_in_}, of which the model holds "
                f"{len(columns)} numeric and {len(levels)} nominal ones, with "
                f"{n_values - len(columns)} levels beyond the first of each."
            )

    def _learned(self, trained, rows):
        """Add the axes of the components to what training gave."""
        learned = super()._learned(trained, rows)
        model, layout = learned["_model"], self._encoding.layout()
        n_rows = len(rows.values)
        at = np.linspace(0, n_rows - 1, min(n_rows, _AXIS_ROWS)).astype(int)
        latents = model.latents(Rows(*(array[at] for array in rows)))
        decoded = model.decode(latents)
        scores = np.exp(decoded.log_levels) @ layout.contrast
        values = np.concatenate([decoded.numbers, scores], axis=1)
        axes, explained = principal_axes(latents, values)
        numbers = rows.values[:, : decoded.numbers.shape[1]]
        # A constant column is zero in all rows, and has no variance to explain.
        n_varying = numbers.any(axis=0).sum() + layout.contrast.any(axis=0).sum()
        centre = latents.mean(axis=0)
        variance = np.var((latents - centre) @ axes, axis=0)
        return learned | {
            "_axes": axes,
            "_centre": centre,
            "explained_variance_ratio_": explained / max(n_varying, 1),
            "active_units_": int(np.sum(variance > _ACTIVE_VARIANCE)),
        }

    def _to_components(self, latents):
        return (latents - self._centre) @ self._axes

    def _to_latents(self, points, parameter):
        """Return checked points in the space of the components as latents."""
        points = check_array(points, dtype=np.float64, input_name=parameter)
        n_components = len(self._axes)
        if points.shape[1] != n_components:
            raise ValueError(
                f"{parameter}: got {points.shape[1]} numbers in a row, expected "
                f"{n_components}, one for each component."
            )
        return points @ np.linalg.inv(self._axes) + self._centre

    def _to_latent(self, point, parameter):
        """Return one checked point as latents, (1, n_latents)."""
        latents = self._to_latents(np.atleast_2d(point), parameter)
        if len(latents) != 1:
            raise ValueError(f"{parameter}: got {len(latents)} points, expected one.")
        return latents


def principal_axes(latents, values):
    """Return axes along which latents are uncorrelated and explain the most.

    Let ``u = C^-1/2 (z - m)`` be the whitened latents, C their covariance, and
    ``B = cov(values, u)``. The right singular vectors of B turn u such that its axes
    stay uncorrelated and explain the squared singular values.

    Parameters
    ----------
    latents : ndarray of shape (n_rows, n_latent)
    values : ndarray of shape (n_rows, n_values)
        What they decode to.

    Returns
    -------
    axes : ndarray of shape (n_latent, n_latent)
        One unit vector in each column, the largest loading of which is positive.
    explained : ndarray of shape (n_latent,)
        Sum of the variances of the values along each, in falling order.
    """
    latents, values = latents - latents.mean(axis=0), values - values.mean(axis=0)
    variances, directions = np.linalg.eigh(latents.T @ latents / len(latents))
    whitening = directions / np.sqrt(np.maximum(variances, _NO_VARIANCE))
    loadings = values.T @ (latents @ whitening) / len(latents)
    left, singular, right = np.linalg.svd(loadings, full_matrices=False)
    largest = np.argmax(np.abs(left), axis=0)
    sign = np.where(left[largest, np.arange(len(largest))] < 0, -1.0, 1.0)
    axes = whitening @ right.T * sign
    return axes / np.linalg.norm(axes, axis=0), singular**2
