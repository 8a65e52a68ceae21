"""Inference from multiply imputed tables: Rubin's rules."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True)
class Pooled:
    """Estimates pooled over imputed tables.

    All arrays have shape (n_parameters,), in the parameters' order; of one parameter,
    they are numbers.

    Attributes
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
    names : Index or None
        Names of the parameters, where they were given.
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
        """
        is_number = isinstance(confidence_level, Real)
        if not is_number or not 0 < confidence_level < 1:
            raise ValueError(
                f"confidence_level: got {confidence_level!r}, expected a number in "
                "(0, 1)."
            )
        reach = stats.t.ppf(0.5 + 0.5 * confidence_level, self.dof)
        reach = reach * self.standard_error
        return self.estimate - reach, self.estimate + reach

    def p_value(self, null: ArrayLike = 0.0) -> Any:
        """Return two-sided p-values of parameters that equal those of `null`."""
        distance = np.abs(self.estimate - np.asarray(null)) / self.standard_error
        return 2.0 * stats.t.sf(distance, self.dof)

    def summary(self, confidence_level: float = 0.95) -> pd.DataFrame:
        """Return a table with a row for each parameter."""
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
    dof_complete : float, default=inf
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
