"""Inference and prediction from multiply imputed tables.

`pool` makes one estimate of those from several tables, by Rubin's rules. The estimators
fit one of scikit-learn's to each of several tables and pool what these predict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import (
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    _fit_context,
    clone,
)
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_random_state,
    column_or_1d,
    get_tags,
)
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from vaeimpute._imputer_based import ImputerBased
from vaeimpute._predictive import check_confidence_level


@dataclass(frozen=True)
class Pooled:
    """Estimates pooled over imputed tables.

    Made by `pool`. All arrays have shape (n_parameters,), in the parameters' order; of
    one parameter, they are numbers.

    Parameters
    ----------
    estimate : ndarray
        Means over the tables.
    standard_error : ndarray
        Roots of the total variances: what is within the tables, plus ``1 + 1 / m``
        times what is between them.
    dof : ndarray
        Degrees of freedom of Student's t.
    fraction_missing_information : ndarray
        Share of the information on the parameter that the missing cells took away,
        between 0 and 1.
    relative_increase : ndarray
        Of the variance, by the missing cells: 0 where the tables agree.
    covariance : ndarray of shape (n_parameters, n_parameters) or None
        Total covariance of the estimates, where those of the tables were given.
    n_tables : int
    names : Index or None, default=None
        Names of the parameters, where they were given.

    Examples
    --------
    >>> from vaeimpute.inference import pool
    >>> pooled = pool([1.9, 2.1, 2.0], [0.04, 0.04, 0.05], dof_complete=98)
    >>> round(float(pooled.fraction_missing_information), 2), pooled.n_tables
    (0.29, 3)
    """

    estimate: np.ndarray
    standard_error: np.ndarray
    dof: np.ndarray
    fraction_missing_information: np.ndarray
    relative_increase: np.ndarray
    covariance: np.ndarray | None
    n_tables: int
    names: pd.Index | None = None

    def interval(self, confidence_level: float = 0.95) -> tuple[Any, Any]:
        """Return lower and upper ends of confidence intervals.

        Parameters
        ----------
        confidence_level : float in (0, 1), default=0.95

        Returns
        -------
        lower, upper : ndarray of shape (n_parameters,)

        Raises
        ------
        ValueError
            If `confidence_level` is not between 0 and 1.

        Examples
        --------
        >>> from vaeimpute.inference import pool
        >>> pooled = pool([1.9, 2.1, 2.0], [0.04, 0.04, 0.05], dof_complete=98)
        >>> [round(float(end), 1) for end in pooled.interval()]
        [1.5, 2.5]
        """
        check_confidence_level(confidence_level)
        reach = stats.t.ppf(0.5 + 0.5 * confidence_level, self.dof)
        reach = reach * self.standard_error
        return self.estimate - reach, self.estimate + reach

    def p_value(self, null: ArrayLike = 0.0) -> Any:
        """Return two-sided p-values of parameters that equal those of `null`.

        Parameters
        ----------
        null : float or array-like of shape (n_parameters,), default=0.0

        Returns
        -------
        p_value : ndarray of shape (n_parameters,)
            By Student's t with the pooled degrees of freedom.

        Examples
        --------
        >>> from vaeimpute.inference import pool
        >>> pooled = pool([1.9, 2.1, 2.0], [0.04, 0.04, 0.05], dof_complete=98)
        >>> bool(pooled.p_value() < 0.001), bool(pooled.p_value(null=2.0) > 0.9)
        (True, True)
        """
        distance = np.abs(self.estimate - np.asarray(null)) / self.standard_error
        return 2.0 * stats.t.sf(distance, self.dof)

    def summary(self, confidence_level: float = 0.95) -> pd.DataFrame:
        """Return a table with a row for each parameter.

        Parameters
        ----------
        confidence_level : float in (0, 1), default=0.95

        Returns
        -------
        table : DataFrame of shape (n_parameters, 7)
            Estimates, their standard errors and degrees of freedom, p-values of being
            zero, ends of intervals, and the fraction of missing information.

        Raises
        ------
        ValueError
            If `confidence_level` is not between 0 and 1.

        Examples
        --------
        >>> from vaeimpute.inference import pool
        >>> pooled = pool([1.9, 2.1, 2.0], [0.04, 0.04, 0.05], dof_complete=98)
        >>> pooled.summary()[["estimate", "lower", "upper"]].round(1)
           estimate  lower  upper
        0       2.0    1.5    2.5
        """
        lower, upper = self.interval(confidence_level)
        columns = {
            "estimate": self.estimate,
            "standard_error": self.standard_error,
            "dof": self.dof,
            "p_value": self.p_value(),
            "lower": lower,
            "upper": upper,
            "fraction_missing_information": self.fraction_missing_information,
        }
        columns = {name: np.atleast_1d(x) for name, x in columns.items()}
        return pd.DataFrame(columns, index=self.names)


def pool(
    estimates: ArrayLike, variances: ArrayLike, *, dof_complete: float = np.inf
) -> Pooled:
    """Pool estimates from multiply imputed tables by Rubin's rules.

    Parameters
    ----------
    estimates : array-like of shape (n_tables,) or (n_tables, n_parameters)
        What was estimated from each table; a list of Series gives the parameters their
        names.
    variances : array-like of shape (n_tables,), (n_tables, n_parameters) or \
(n_tables, n_parameters, n_parameters)
        Squares of the estimates' standard errors, or their covariances.
    dof_complete : float, default=np.inf
        Degrees of freedom that the estimates would have without missing cells, such as
        rows minus coefficients of a regression.

    Returns
    -------
    pooled : Pooled

    Raises
    ------
    ValueError
        If there are less than two tables, shapes do not agree, a variance is negative,
        or anything is not finite.

    Notes
    -----
    With m tables, estimates q_i of variances u_i, mean q and b the variance of the q_i,
    the total variance is ``t = mean(u) + (1 + 1/m) b`` (Rubin 1987, eq. 3.1.5). With
    ``lambda = (1 + 1/m) b / t``, degrees of freedom are ``1 / (1/v_m + 1/v_obs)``,
    ``v_m = (m - 1) / lambda^2`` and ``v_obs = (v + 1) / (v + 3) v (1 - lambda)`` where
    v is `dof_complete` (Barnard & Rubin 1999, eq. 3 and 5). The missing information is
    ``(r + 2 / (dof + 3)) / (r + 1)``, ``r = (1 + 1/m) b / mean(u)`` (Rubin 1987, eq.
    3.1.10).

    References
    ----------
    Rubin (1987), *Multiple imputation for nonresponse in surveys*. Barnard & Rubin
    (1999), *Small-sample degrees of freedom with multiple imputation*.

    Examples
    --------
    >>> from vaeimpute.inference import pool
    >>> pooled = pool([1.9, 2.1, 2.0], [0.04, 0.04, 0.05], dof_complete=98)
    >>> round(float(pooled.estimate), 2), round(float(pooled.standard_error), 3)
    (2.0, 0.238)
    """
    names = _names_of(estimates)
    estimates, variances = _checked(estimates, variances)
    if not isinstance(dof_complete, Real) or not dof_complete > 0:
        raise ValueError(
            f"dof_complete: got {dof_complete!r}, expected a number above 0."
        )
    m = len(estimates)
    covariance = None
    if variances.ndim > estimates.ndim:
        deviations = estimates - estimates.mean(axis=0)
        between = deviations.T @ deviations / (m - 1)
        covariance = variances.mean(axis=0) + (1 + 1 / m) * between
        variances = np.diagonal(variances, axis1=1, axis2=2)
    within = variances.mean(axis=0)
    added = (1 + 1 / m) * estimates.var(axis=0, ddof=1)
    total = within + added
    share = _ratio(added, total)
    dof = _degrees_of_freedom(share, m, dof_complete)
    increase = _ratio(added, within)
    # (r + 2 / (dof + 3)) / (r + 1), which also holds where nothing varies within.
    missing = share + (1 - share) * 2 / (dof + 3)
    missing = np.where(share > 0, missing, 0.0)[()]
    return Pooled(
        estimates.mean(axis=0),
        np.sqrt(total),
        dof,
        missing,
        increase,
        covariance,
        m,
        names,
    )


def sensitivity(
    imputer: Any,
    X: Any,
    analyse: Callable[[Any], tuple[ArrayLike, ArrayLike]],
    deltas: Mapping[Any, ArrayLike],
    *,
    n_imputations: int = 5,
    dof_complete: float = np.inf,
    random_state: Any = None,
) -> pd.DataFrame:
    """Tell how estimates move if missing numbers lie elsewhere than is predicted.

    Whether cells are missing because of their own value cannot be told from a table.
    What can be told is how far off the missing ones would have to be for an estimate to
    change: the pattern-mixture analysis with shifts (Rubin 1977; van Buuren 2018,
    section 3.8).

    Parameters
    ----------
    imputer : VAEImputer
        Fitted.
    X : DataFrame or array of shape (n_samples, n_features)
    analyse : callable
        Takes a filled table and returns estimates and their variances, as `pool` takes
        those of one table.
    deltas : dict of column to array-like of shape (n_steps,)
        Shifts of the column's drawn cells, as of `VAEImputer.impute_multiple`; those
        of several columns go together step by step.
    n_imputations : int, default=5
    dof_complete : float, default=np.inf
        As in `pool`.
    random_state : int, RandomState instance or None, default=None
        All steps have the same draws, but for their shifts.

    Returns
    -------
    estimates : DataFrame of shape (n_steps * n_parameters, 7)
        As of `Pooled.summary`; the levels of the index are the shifts of each column,
        by its name, and the parameter.

    Raises
    ------
    ValueError
        If columns have no steps, or not as many, or two are equal; and as of
        `impute_multiple` and `pool`.

    References
    ----------
    Rubin (1977), *Formalizing subjective notions about the effect of nonrespondents in
    sample surveys*. van Buuren (2018), *Flexible imputation of missing data*.

    Examples
    --------
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.inference import sensitivity
    >>> penguins = load_penguins()
    >>> imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(penguins)
    >>> def mean_mass(table):
    ...     mass = table["body_mass_g"]
    ...     return mass.mean(), mass.var() / len(mass)
    >>> moved = sensitivity(
    ...     imputer,
    ...     penguins,
    ...     mean_mass,
    ...     {"body_mass_g": [-2.0, 0.0, 2.0]},
    ...     random_state=0,
    ... )
    >>> bool(moved["estimate"].is_monotonic_increasing)
    True
    """
    steps = {column: np.atleast_1d(np.asarray(x)) for column, x in deltas.items()}
    sizes = {column: x.shape for column, x in steps.items()}
    if len(set(sizes.values())) != 1 or min(sizes.values()) == (0,):
        raise ValueError(
            f"deltas: got shifts of shapes {sizes}, expected as many, one or more, for "
            "each column."
        )
    each_step = list(zip(*(x.tolist() for x in steps.values()), strict=True))
    if len(set(each_step)) < len(each_step):
        raise ValueError(f"deltas: got steps {each_step}, expected different ones.")
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    found = {}
    for shifts in each_step:
        tables = imputer.impute_multiple(
            X, n_imputations, seed, delta=dict(zip(steps, shifts, strict=True))
        )
        answers = zip(*map(analyse, tables), strict=True)
        found[shifts] = pool(*map(list, answers), dof_complete=dof_complete).summary()
    return pd.concat(found, names=[*map(str, steps), "parameter"])


class _MultipleImputation(MetaEstimatorMixin, ImputerBased):
    """Copies of an estimator, each fitted to a table of its own."""

    _parameter_constraints: ClassVar[dict] = {
        **ImputerBased._parameter_constraints,
        "estimator": [HasMethods(["fit", "predict"])],
        "n_imputations": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, estimator, imputer=None, *, n_imputations=5, random_state=None):
        self.estimator = estimator
        self.imputer = imputer
        self.n_imputations = n_imputations
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Draw tables and fit the estimator to each.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            As `VAEImputer` takes it.
        y : array-like of shape (n_samples,)
            No missing values.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `y` is missing, as a whole or in a cell, or of another length than `X`,
            and as `VAEImputer.fit` and that of the estimator.
        """
        if y is None:
            raise ValueError(
                "This estimator requires y to be passed, but the target y is None."
            )
        with self._all_or_nothing():
            X = self._check_table(X, reset=True)
            check_consistent_length(X, y)  # now, not after the imputer has been trained
            y = self._checked_target(y)
            generator = check_random_state(self.random_state)
            largest, size = np.iinfo(np.int32).max, self.n_imputations
            self._seeds = generator.randint(largest, size=size)
            self.imputer_ = self._new_imputer().fit(X)
            tables = self.imputer_.impute_multiple(X, size, generator)
            self.estimators_ = [clone(self.estimator).fit(x, y) for x in tables]
        return self

    def _answers(self, X, method):
        """Return what each copy says of a table of its own, (n_imputations, ...)."""
        check_is_fitted(self)
        tables = self.imputer_._impute_by_content(self._check_table(X), self._seeds)
        pairs = zip(self.estimators_, tables, strict=True)
        return np.array([getattr(copy, method)(table) for copy, table in pairs])


class MultipleImputationRegressor(RegressorMixin, _MultipleImputation):
    """Regressor fitted to several imputed tables, whose predictions are pooled.

    A `VAEImputer` draws the missing cells of a table several times, and a copy of the
    estimator is fitted to each of the tables. To predict, the new rows are drawn as
    often, each copy predicts from one of the drawn tables, and their mean is returned.
    Other than with one filled table, no cell counts as if it had been observed.

    Parameters
    ----------
    estimator : regressor of scikit-learn
        Often a pipeline that encodes levels.
    imputer : VAEImputer or None, default=None
        Unfitted; None is ``VAEImputer()``.
    n_imputations : int, default=5
        Tables, and copies of the estimator.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws, and of the imputer in place of its own.

    Attributes
    ----------
    imputer_ : VAEImputer
        Fitted to X alone: it does not see y.
    estimators_ : list of n_imputations fitted estimators
    n_features_in_ : int
        Columns seen at `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all are strings.

    See Also
    --------
    pool : Estimates and their variances, from tables of `impute_multiple`.

    Notes
    -----
    New rows are drawn by their own cells and the seed: equal rows have equal
    predictions, whatever stands beside them.

    References
    ----------
    Rubin (1987), *Multiple imputation for nonresponse in surveys*.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.inference import MultipleImputationRegressor
    >>> penguins = load_penguins().dropna(subset="body_mass_g")
    >>> X = penguins[["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]]
    >>> imputer = VAEImputer(hidden_layer_sizes=())
    >>> model = MultipleImputationRegressor(LinearRegression(), imputer, random_state=0)
    >>> model.fit(X, penguins["body_mass_g"]).score(X, penguins["body_mass_g"]) > 0.7
    True
    >>> model.predict(X.assign(bill_depth_mm=None)).shape
    (342,)
    """

    def __sklearn_tags__(self):
        """Return scikit-learn's tags: targets are those of the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags = get_tags(self.estimator).target_tags
        return tags

    def _checked_target(self, y):
        return check_array(y, ensure_2d=False, dtype=None, input_name="y")

    def predict(self, X):
        """Return the mean of the copies' predictions.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self._answers(X, "predict").mean(axis=0)


class MultipleImputationClassifier(ClassifierMixin, _MultipleImputation):
    """Classifier fitted to several imputed tables, whose predictions are pooled.

    A `VAEImputer` draws the missing cells of a table several times, and a copy of the
    estimator is fitted to each of the tables. To predict, the new rows are drawn as
    often, each copy predicts from one of the drawn tables, and their probabilities are
    averaged, or, where it has none, their votes counted. Other than with one filled
    table, no cell counts as if it had been observed.

    Parameters
    ----------
    estimator : classifier of scikit-learn
        Often a pipeline that encodes levels.
    imputer : VAEImputer or None, default=None
        Unfitted; None is ``VAEImputer()``.
    n_imputations : int, default=5
        Tables, and copies of the estimator.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws, and of the imputer in place of its own.

    Attributes
    ----------
    imputer_ : VAEImputer
        Fitted to X alone: it does not see y.
    estimators_ : list of n_imputations fitted estimators
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
        Columns seen at `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all are strings.

    See Also
    --------
    pool : Estimates and their variances, from tables of `impute_multiple`.

    Notes
    -----
    New rows are drawn by their own cells and the seed: equal rows have equal
    predictions, whatever stands beside them.

    References
    ----------
    Rubin (1987), *Multiple imputation for nonresponse in surveys*.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from vaeimpute import VAEImputer
    >>> from vaeimpute.datasets import load_penguins
    >>> from vaeimpute.inference import MultipleImputationClassifier
    >>> penguins = load_penguins()
    >>> X = penguins[["bill_length_mm", "bill_depth_mm"]]
    >>> imputer = VAEImputer(hidden_layer_sizes=())
    >>> model = MultipleImputationClassifier(
    ...     LogisticRegression(max_iter=1_000), imputer, random_state=0
    ... )
    >>> model.fit(X, penguins["species"]).score(X, penguins["species"]) > 0.9
    True
    >>> model.predict(X[:2]), model.predict_proba(X[:2]).shape
    (array(['Adelie', 'Adelie'], dtype=object), (2, 3))
    """

    def _checked_target(self, y):
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        return y

    @property
    def classes_(self):
        """Return the classes seen at `fit`."""
        return self.estimators_[0].classes_

    def predict(self, X):
        """Return the class with the largest mean probability, or the most votes.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        if hasattr(self, "predict_proba"):
            return self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        votes = self._answers(X, "predict")
        counts = np.sum(votes[:, :, None] == self.classes_, axis=0)
        return self.classes_[np.argmax(counts, axis=1)]

    @available_if(lambda self: hasattr(self.estimator, "predict_proba"))
    def predict_proba(self, X):
        """Return the mean of the copies' probabilities.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        return self._answers(X, "predict_proba").mean(axis=0)


def _checked(estimates, variances) -> tuple[np.ndarray, np.ndarray]:
    estimates, variances = np.asarray(estimates, float), np.asarray(variances, float)
    if estimates.ndim not in (1, 2):
        raise ValueError(
            f"estimates: got an array of shape {estimates.shape}, expected (n_tables,) "
            "or (n_tables, n_parameters)."
        )
    if len(estimates) < 2:
        raise ValueError(
            f"estimates: got those of {len(estimates)} table, expected two tables or "
            "more: one says nothing about what the missing cells leave open."
        )
    expected = [estimates.shape]
    if estimates.ndim == 2:
        expected.append((*estimates.shape, estimates.shape[1]))
    if variances.shape not in expected:
        raise ValueError(
            f"variances: got an array of shape {variances.shape}, expected "
            f"{' or '.join(map(str, expected))}."
        )
    for name, array in (("estimates", estimates), ("variances", variances)):
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{name}: got NaN or infinity, expected finite numbers.")
    squares = variances
    if variances.ndim > estimates.ndim:
        squares = np.diagonal(variances, axis1=1, axis2=2)
    if np.any(squares < 0):
        raise ValueError(
            f"variances: got {squares.min():g}, expected squares of standard errors."
        )
    return estimates, variances


def _degrees_of_freedom(share, m, dof_complete):
    """Return Barnard & Rubin's degrees of freedom; `share` is their lambda."""
    with np.errstate(divide="ignore"):
        of_tables = (m - 1) / np.square(share)
        if np.isinf(dof_complete):
            return of_tables[()]
        of_cells = (dof_complete + 1) / (dof_complete + 3) * dof_complete * (1 - share)
        return (1 / (1 / of_tables + 1 / of_cells))[()]


def _ratio(part, whole):
    """Return part / whole, zero where both are, infinite where the whole is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.divide(part, whole)
    return np.where(np.asarray(part) > 0, ratio, 0.0)[()]


def _names_of(estimates) -> pd.Index | None:
    if isinstance(estimates, pd.DataFrame):
        return estimates.columns
    is_list = isinstance(estimates, list | tuple) and len(estimates) > 0
    if is_list and isinstance(estimates[0], pd.Series):
        return estimates[0].index
    return None
