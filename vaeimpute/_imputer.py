"""`VAEImputer`: a table with holes in, the same table filled out."""

from __future__ import annotations

import warnings
from functools import partial
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import TransformerMixin, _fit_context
from sklearn.impute import MissingIndicator
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from vaeimpute._base import BaseVAE
from vaeimpute._online import learn_on
from vaeimpute._progress import Progress
from vaeimpute._self_masking import fit_self_masking
from vaeimpute._uncertainty import UncertaintyMixin, calibrated, holed_rows

#: Which numbers go missing: large ones, small ones, or it is to be learned.
_SIGNS = {"high": 1.0, "low": -1.0, None: 0.0}


class VAEImputer(UncertaintyMixin, TransformerMixin, BaseVAE):
    """Impute missing cells with a variational autoencoder.

    The model learns from the observed cells of an incomplete table and fills
    each missing cell with its conditional mean (numbers, dates, durations) or
    likeliest level (strings, categories, booleans) given all observed cells of
    its row. It starts as factor analysis, the *linear core*, and adds neural
    networks, column by column as far as they predict held-out cells better, so that
    plain defaults suit small and large tables: most need no parameter but
    `random_state`.

    `fit` learns, `transform` fills, also rows that `fit` has not seen. Of the other
    methods `impute_multiple` draws several tables that might be true,
    `predict_interval`, `predict_std` and `predict_proba` say how sure each filled cell
    is, `sample` and `interpolate` make new rows, `score_samples` and `cell_scores` find
    odd rows and cells, and `save` keeps the model in a file.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Latent dimensions. "auto" tries ranks of the linear core, up to 64, and
        keeps the one that predicts held-out cells best, or a larger one up to 16
        that is not shown to be worse.
    hidden_layer_sizes : "auto" or array-like of int, default="auto"
        Units of each residual block, in encoder and decoder alike; the first is
        also the width of the stream between blocks. Empty, ``()``: the linear core
        alone, which takes seconds instead of half a minute. "auto" grows with the
        number of rows.
    n_networks : int or "auto", default="auto"
        Encoders and decoders that are trained side by side around the one linear
        core; answers are those of an equal mixture. Each costs as much time as the
        first. "auto" is two with tables of less than 3,000 rows, else one.
    activation : {"silu", "gelu", "relu", "tanh"}, default="silu"
        Activation of the blocks.
    max_iter : int or "auto", default="auto"
        Passes over the rows (epochs), at most. "auto" makes up to 3,000 steps with
        tables of less than 3,000 rows; with larger ones 2,000, of wider networks, and
        one more for each 200 rows; fewer with more than 16 latents, and no more than
        ten times the rows.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto" grows from 32 to 1,024 with the number of rows.
    learning_rate_init : float or "auto", default="auto"
        Largest step size of Adam. "auto" is 0.0015 with tables of less than 3,000
        rows, else 0.001.
    early_stopping : bool, default=True
        Hold out cells to choose the rank and the number of epochs, and to fall
        back to the linear core where networks do not pay. If False, all epochs
        are trained at the largest rank.
    validation_fraction : float, default=0.05
        Share of the observed cells held out, of at most 4,096 rows. They are
        trained on after the number of epochs has been chosen.
    n_iter_no_change : int, default=10
        Checks, each about 100 steps apart, without improvement before training
        stops.
    tol : float, default=1e-4
        Least improvement of the explained share of the held-out cells that
        counts.
    beta : float, default=1.0
        Weight of the Kullback-Leibler term; 1 makes the loss a bound on the
        log-likelihood.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Columns that are nominal besides those whose dtype says so: names,
        positions, or one boolean per column.
    discrete_features : None or array-like, default=None
        Columns of a float dtype whose filled cells are to be whole numbers: names,
        positions, or one boolean per column. Those of integer dtypes always are.
    text_features : {"error", "passthrough"}, default="error"
        What to do with columns of free text, of which at least 20 cells are observed:
        all differ, or nearly all, and they are long or of more than 1,000 kinds. Raise,
        or leave them untouched, gaps included.
    likelihoods : dict of column to str, default=None
        How columns are distributed, by name (or position): "normal",
        "lognormal" (from zero up), "logitnormal" (shares of 1 or 100) or "count"
        for numbers; "categorical" or "ordinal" for levels. Other columns get
        what their dtype and values suggest, see `likelihoods_`.
    missing_values : number, str, np.nan, None or pd.NA, default=np.nan
        A further value that marks a missing cell. NaN, None, pd.NA and NaT
        always do.
    min_value, max_value : float, dict or array-like, default=None
        Bounds of filled numbers: one for all columns, one per column, or by name,
        ``{"age": 0}``. None and NaN are no bound. A bound of dates is whatever
        pandas reads as a date.
    leave_missing : None, callable or boolean table, default=None
        Missing cells to leave as they are: a table that is true there, of the
        shape of the X that is transformed or a frame of some of its columns; or
        a function that makes one of X.
    self_masking : None, array-like or dict of column to str, default=None
        Columns of numbers whose cells are missing because of what stands in them,
        by name or position; a dictionary says whether "high" or "low" numbers go
        missing, or None where that is to be learned. They get a probit model of
        what is missing, which is fitted together with the linear core; networks are
        not trained. Data cannot tell whether cells are missing for this reason.
    add_indicator : bool, default=False
        Append a column ``missingindicator_<name>`` for each column with missing
        cells at `fit`.
    keep_empty_features : bool, default=False
        Keep columns without any observed cell, filled with 0 or the first level
        of their category, instead of dropping them with a warning. Text has no
        level to choose from and stays missing.
    device : str, list of str, or None, default=None
        Where `fit` computes, such as "cpu" or "gpu:0"; None leaves it to Keras. Of
        several devices each takes as many rows of a training step.
        Answers are computed by NumPy.
    mixed_precision : bool, default=False
        Whether `fit` multiplies the networks' matrices in bfloat16, and does all else
        in single precision: for GPUs that are faster at it.
    sample_posterior : bool, default=False
        Let `transform` return a draw, one table as of `impute_multiple`, instead of
        means and likeliest levels. One fit draws the same table each time.
    verbose : int, default=0
        Show how far `fit` is if positive: by a line in terminals, a bar in notebooks.
    random_state : int, RandomState instance or None, default=None
        Seed of starting weights, batches and held-out cells. Pass an integer
        for the same model, and the same draw, at every fit.

    Attributes
    ----------
    n_iter_ : int
        Epochs trained.
    loss_curve_ : list of float
        Mean loss of each epoch, in nats per column.
    validation_scores_ : list of float
        Share of the held-out cells' variance and entropy that is explained, at
        the start (the linear core alone) and at each check (core and networks,
        pooled column by column); empty without early stopping.
    likelihoods_ : dict of column to str
        How each column is modelled: a name as in `likelihoods`, "bernoulli" for
        two levels, or "copy" where it is computed from another column that it
        equals up to scale and shift.
    self_masking_ : dict of column to float
        Of the columns of `self_masking` with missing cells: by how many normal
        quantiles being missing gets likelier for each standard deviation of the
        column's scores.
    indicator_ : MissingIndicator or None
        Fitted if `add_indicator`.
    n_features_in_ : int
        Columns seen at `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all are strings.

    See Also
    --------
    vaeimpute.compare_imputers : Says if something simpler fills a table as well.
    vaeimpute.VAETransformer : Reduces a table to a few numbers for each row.
    sklearn.impute.IterativeImputer : Chained regressions, one per column.
    vaeimpute.model_selection.hidden_cell_score : Scorer to choose parameters by.

    Notes
    -----
    Columns that equal another one up to scale and shift in every row are left
    out of the model and computed from it. `transform` is deterministic, and a
    row's answer does not depend on the rows beside it. A level never seen at
    `fit` counts as missing for the model and stays in the table.

    References
    ----------
    Kingma & Welling (2014), *Auto-encoding variational Bayes*. Ivanov, Figurnov
    & Vetrov (2019), *Variational autoencoder with arbitrary conditioning*.
    Strauss & Oliva (2022), *Posterior matching for arbitrary conditioning*. Ipsen,
    Mattei & Frellsen (2021), *not-MIWAE*, for self-masking.

    Examples
    --------
    >>> import pandas as pd
    >>> from vaeimpute import VAEImputer
    >>> table = pd.DataFrame(
    ...     {
    ...         "height": [1.52, 1.60, 1.71, None, 1.83, 1.95],
    ...         "size": ["S", "S", None, "M", "L", "L"],
    ...     }
    ... )
    >>> imputer = VAEImputer(random_state=0)
    >>> filled = imputer.fit_transform(table)
    >>> int(filled.isna().sum().sum())
    0
    >>> imputer.transform(pd.DataFrame({"height": [1.98], "size": [None]}))
       height size
    0    1.98    L
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseVAE._parameter_constraints,
        "min_value": [Real, dict, "array-like", None],
        "max_value": [Real, dict, "array-like", None],
        "leave_missing": [callable, "array-like", None],
        "self_masking": [dict, "array-like", None],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
        "sample_posterior": ["boolean"],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        hidden_layer_sizes="auto",
        n_networks="auto",
        activation="silu",
        max_iter="auto",
        batch_size="auto",
        learning_rate_init="auto",
        early_stopping=True,
        validation_fraction=0.05,
        n_iter_no_change=10,
        tol=1e-4,
        beta=1.0,
        categorical_features="from_dtype",
        discrete_features=None,
        text_features="error",
        likelihoods=None,
        missing_values=np.nan,
        min_value=None,
        max_value=None,
        leave_missing=None,
        self_masking=None,
        add_indicator=False,
        keep_empty_features=False,
        device=None,
        mixed_precision=False,
        sample_posterior=False,
        verbose=0,
        random_state=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_networks = n_networks
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
        self.min_value = min_value
        self.max_value = max_value
        self.leave_missing = leave_missing
        self.self_masking = self_masking
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.device = device
        self.mixed_precision = mixed_precision
        self.sample_posterior = sample_posterior
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self):
        """Return scikit-learn's tags: single precision stays single."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32", "float16"]
        return tags

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
        self : VAEImputer

        Raises
        ------
        ValueError
            On infinite values, a table without any observed cell, bounds that
            cross, free text, or columns of a kind that is not supported.
        TypeError
            On cells that are neither text nor numbers.

        Examples
        --------
        >>> import pandas as pd
        >>> from vaeimpute import VAEImputer
        >>> table = pd.DataFrame({"width": [1.0, 2.0, None], "size": ["S", "L", "L"]})
        >>> VAEImputer(random_state=0).fit(table).likelihoods_
        {'width': 'normal', 'size': 'bernoulli'}
        """
        with self._all_or_nothing(), Progress(self, X, y) as progress:
            rows, missing = self._learn_columns(X)
            self._bounds()  # both raise before the training, not after it
            self._signs()
            empty = missing.all(axis=0)
            self._kept = np.flatnonzero(~empty | self.keep_empty_features)
            self.indicator_ = self._fit_indicator(missing)
            self._learn_weights(rows, progress)
            if empty.any() and not self.keep_empty_features:
                warnings.warn(
                    "Skipping features without any observed values: "
                    f"{self._name_columns(empty)}. With keep_empty_features=True "
                    "they are kept and filled with 0.",
                    UserWarning,
                    stacklevel=3,
                )
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Learn from further rows, without those before them.

        The first call is `fit`. Later ones let the linear core and the networks learn
        on, the less the more rows there were before. What the first rows have settled
        stays: columns and levels, scales, sizes, the networks' share in each column,
        and how the uncertainty of cells is calibrated. So begin with as many rows as
        there are, and let them be drawn at random.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of the first call. Levels that it had not are taken for
            missing cells.
        y : ignored

        Returns
        -------
        self : VAEImputer

        Raises
        ------
        ValueError
            Where `fit` or `transform` does, and with `self_masking`.

        See Also
        --------
        vaeimpute.streaming.fit_dataset : For files larger than memory.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins().sample(frac=1, random_state=0)
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0)
        >>> imputer = imputer.partial_fit(penguins[:200]).partial_fit(penguins[200:])
        >>> int(imputer.transform(penguins).isna().sum().sum())
        0
        """
        if not hasattr(self, "_model"):
            return self.fit(X)
        if self._signs():
            raise ValueError(
                f"self_masking: got {self.self_masking!r}, expected None with "
                "partial_fit: what is missing is learned from all rows at once."
            )
        rows = self._encoding.encode(self._read(X))
        model, state, losses = learn_on(
            *(self._model, rows, self._encoding, self._settings()),
            *(self._training_state, [self._seed, self._model.n_rows]),
        )
        vars(self).update(
            _model=model,
            _training_state=state,
            loss_curve_=[*self.loss_curve_, *losses],
            n_iter_=self.n_iter_ + len(losses),
        )
        return self

    def transform(self, X):
        """Fill the missing cells of a table.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        filled : DataFrame or ndarray of shape (n_samples, n_features_out)
            A table like `X`: same container, index, dtypes and observed cells.
            Arrays of integers come back as float64.

        Raises
        ------
        ValueError
            If `X` has other columns than the table of `fit`, or infinite values.

        Examples
        --------
        >>> from vaeimpute import VAEImputer
        >>> from vaeimpute.datasets import load_penguins
        >>> penguins = load_penguins()
        >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
        >>> row = penguins.loc[[3]]  # nothing but its species, island and year
        >>> round(float(imputer.transform(row)["flipper_length_mm"].item()), -1)
        190.0
        """
        check_is_fitted(self)
        answer = self._guesses
        if self.sample_posterior:
            answer = partial(self._draws, seed=self._seed)
        return self._filled(self._check_table(X), answer)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output's columns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the names seen at `fit`.

        Returns
        -------
        names : ndarray of str

        Examples
        --------
        >>> import pandas as pd
        >>> from vaeimpute import VAEImputer
        >>> table = pd.DataFrame({"a": [1.0, 2.0, None], "b": [1.0, 3.0, 2.0]})
        >>> imputer = VAEImputer(hidden_layer_sizes=(), add_indicator=True).fit(table)
        >>> imputer.get_feature_names_out().tolist()
        ['a', 'b', 'missingindicator_a']
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        indicators = []
        if self.indicator_ is not None:
            indicators = self.indicator_.get_feature_names_out(names)
        return np.concatenate([names[self._kept], indicators]).astype(object)

    def _filled(self, X, answer):
        """Return a checked table with answers in its missing cells."""
        values, missing = self._schema.read(X)
        chosen = self._chosen(X, missing)
        filled = self._schema.write(X, answer(values, chosen), chosen)
        indicators = None
        if self.indicator_ is not None:
            indicators = self.indicator_.transform(_as_nan(missing))
        return self._assemble(filled, indicators)

    def _chosen(self, X, missing):
        """Return which cells are to be filled."""
        if self.leave_missing is None:
            return missing
        return missing & ~self._schema.flags(self.leave_missing, X, "leave_missing")

    def _guesses(self, values, chosen):
        """Return conditional means and likeliest levels."""

        def guess(at):
            rows = self._encoding.encode(values[at])
            filling = self._model.fill(rows, self._encoding.fills_by_variance)
            return self._encoding.fill(values[at], *filling)

        return self._answers(values, chosen, guess)

    def _answers(self, values, chosen, answer):
        """Return bounded answers in every row that has a cell to fill."""
        answers = np.zeros(values.shape)
        for at in holed_rows(chosen):
            answers[at] = answer(at)
        answers, columns = self._bounded(answers), self._schema.columns
        # Nothing can be said of free text, nor of a column of no known level.
        answers[:, [x.kind == "text" or x.levels == () for x in columns]] = np.nan
        return answers

    def _bounded(self, values):
        numeric = [column.kind == "numeric" for column in self._schema.columns]
        low, high = self._bounds()
        return np.where(numeric, np.clip(values, low, high), values)

    def _bounds(self):
        """Return lower and upper bounds of each column, integers of integers."""
        schema = self._schema
        low = schema.bounds(self.min_value, "min_value", -np.inf)
        high = schema.bounds(self.max_value, "max_value", np.inf)
        columns = self._schema.columns
        integer = [x.kind == "numeric" and x.is_integer for x in columns]
        tight_low = np.where(integer, np.ceil(low), low)
        tight_high = np.where(integer, np.floor(high), high)
        for j in np.flatnonzero(tight_low > tight_high):
            raise ValueError(
                f"{columns[j].label}: got min_value {low[j]:g} and max_value "
                f"{high[j]:g}, expected bounds with "
                f"{'an integer' if integer[j] else 'a number'} between them."
            )
        return tight_low, tight_high

    def _learned(self, trained, rows):
        """Return the model, and how well it predicts what it has not trained on."""
        learned = super()._learned(trained, rows)
        model = learned["_model"]
        calibration = calibrated(trained, model, self._encoding)
        signs = self._signs()
        # Where nothing is missing there is nothing to learn.
        at = [k for k in signs if not rows.observed[:, k].all()]
        slopes = []
        if at:
            generator = np.random.default_rng([self._seed, 2])
            chosen = np.array([signs[k] for k in at])
            model = fit_self_masking(model, rows, np.array(at), chosen, generator)
            slopes = model.masking.slope.tolist()
        columns = self._schema.columns
        names = [columns[self._encoding.numeric[k]].name for k in at]
        return learned | {
            "_model": model,
            "_calibration": calibration,
            "self_masking_": dict(zip(names, slopes, strict=True)),
        }

    def _signs(self):
        """Return the sign of self-masking by place among the numeric columns."""
        given = {} if self.self_masking is None else self.self_masking
        places = self._places_of_numbers(given, "self_masking")
        kinds = given.values() if isinstance(given, dict) else [None] * len(places)
        for kind in kinds:
            if kind not in _SIGNS:
                raise ValueError(
                    f"self_masking: got {kind!r}, expected one of {list(_SIGNS)}."
                )
        return {k: _SIGNS[kind] for k, kind in zip(places, kinds, strict=True)}

    def _hidden_layer_sizes(self):
        # Networks would explain away what tells of the missing cells.
        return () if self._signs() else super()._hidden_layer_sizes()

    def _fit_indicator(self, missing):
        if not self.add_indicator:
            return None
        return MissingIndicator(error_on_new=False).fit(_as_nan(missing))

    def _assemble(self, filled, indicators=None):
        """Drop empty columns, append indicators and change the container if asked."""
        names = self.get_feature_names_out()
        if indicators is None:
            names = names[: len(self._kept)]
        # A frame keeps the dtypes of its columns if it is made here.
        container = _get_output_config("transform", self)["dense"]
        return self._schema.assemble(
            filled,
            self._kept,
            names,
            indicators=indicators,
            container=None if container == "default" else container,
        )


def _as_nan(missing):
    return np.where(missing, np.nan, 0.0)
