"""Classification and regression: a label is a column whose cells may be missing.

`VAEClassifier` and `VAERegressor` append the labels to the table of features, fit one
`VAEImputer` to it, and predict by filling that column.
"""

from __future__ import annotations

import warnings
from numbers import Real
from typing import ClassVar

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from vaeimpute._containers import column_of, container_of
from vaeimpute._hidden_cells import hide_cells
from vaeimpute._imputer_based import ImputerBased
from vaeimpute._tables import TableSchema

#: Settings of how cells of a table are filled: none of X is, and a prediction is what
#: the model expects.
_OF_FILLED_CELLS = {
    "min_value": None,
    "max_value": None,
    "leave_missing": None,
    "add_indicator": False,
}


class _VAESupervised(ImputerBased):
    """What classifier and regressor share: the table of features and labels."""

    _parameter_constraints: ClassVar[dict] = {
        **ImputerBased._parameter_constraints,
        "unlabeled": [Real, str, None],
    }

    def __init__(self, imputer=None, *, unlabeled=None, random_state=None):
        self.imputer = imputer
        self.unlabeled = unlabeled
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Learn from rows of which some have a label.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            Whatever `VAEImputer` takes, missing cells included.
        y : array-like of shape (n_samples,)
            Labels by position, whatever the index of a Series; NaN, None, pd.NA and
            `unlabeled` where there is none.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If no row has a label, labels are of another kind than they should be or
            infinite, or their number differs from that of the rows; and whatever
            `VAEImputer.fit` raises.
        """
        with self._all_or_nothing():
            X = self._check_table(X, reset=True)
            labels, labelled = _read_labels(y, self.unlabeled)
            check_consistent_length(X, labelled)
            if not len(labels):
                raise ValueError(
                    f"y: got no label in {len(labelled)} rows, expected some."
                )
            target = self._learn_target(labels, labelled)
            imputer = self._new_imputer()
            self._schema = TableSchema.infer(
                X,
                categorical_features=imputer.categorical_features,
                discrete_features=imputer.discrete_features,
                missing_values=imputer.missing_values,
                text_features=imputer.text_features,
            )
            self._settle(imputer)
            self.imputer_ = imputer.fit(self._joint_table(X, target))
        return self

    def _settle(self, imputer):
        """Turn settings for X into those for a table of one column more."""
        for parameter in ("categorical_features", "discrete_features"):
            given = getattr(imputer, parameter)
            if given is not None and not isinstance(given, str):
                at = self._schema.positions(given, parameter)
                imputer.set_params(**{parameter: at})
        # A label may well be the number that says of a feature that it is missing.
        imputer.set_params(missing_values=np.nan, **_OF_FILLED_CELLS)

    def _joint_table(self, X, target=np.nan):
        """Return a frame of pandas: the columns of X, then the target."""
        if container_of(X) == "polars":
            table = pd.DataFrame({j: column_of(X, j) for j in range(X.shape[1])})
        else:
            table = pd.DataFrame(X, copy=False)
        if self._schema.sentinel is not None:
            table = hide_cells(table, self._schema.read(X)[1], np.nan)
        names = [column.name for column in self._schema.columns]
        table = table.set_axis(range(len(names)), axis=1)
        table[len(names)] = target
        names = pd.Index([*names, _name_beside(names)], tupleize_cols=False)
        return table.set_axis(names, axis=1)

    def _questions(self, X):
        """Return the rows of X as a table in which no row has a label."""
        check_is_fitted(self)
        return self._joint_table(self._check_table(X))


class VAEClassifier(ClassifierMixin, _VAESupervised):
    """Classify rows with a variational autoencoder, of which few need a label.

    The class is one more column of the table, and where it is not known its cell is
    missing: `VAEImputer` models all columns together and fills it. So rows without a
    label teach how features depend on one another, and features may be missing, too,
    at `fit` and at `predict`.

    Parameters
    ----------
    imputer : VAEImputer or None, default=None
        Settings of the model, as for X alone; it is not fitted itself. Those of how
        cells are filled (`min_value`, `max_value`, `leave_missing`, `add_indicator`,
        `keep_empty_features`) have no effect. None means ``VAEImputer()``.
    unlabeled : number, str or None, default=None
        A further label that means that there is none, such as scikit-learn's -1. NaN,
        None and pd.NA always do.
    random_state : int, RandomState instance or None, default=None
        Seed in place of that of `imputer`; None leaves it to that.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels seen at `fit`, sorted.
    imputer_ : VAEImputer
        Fitted to the columns of X and, as the last one, the labels.
    n_features_in_ : int
        Columns of X seen at `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all are strings.

    See Also
    --------
    VAERegressor : The same for numbers.
    sklearn.semi_supervised.SelfTrainingClassifier : Lets any classifier label rows.

    References
    ----------
    Kingma, Mohamed, Rezende & Welling (2014), *Semi-supervised learning with deep
    generative models*. Their model M2 has a classifier beside the generative model;
    here the label is a column of one joint model, and asking for it is imputing it.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute import VAEClassifier
    >>> size = np.linspace(0, 9, 40)
    >>> X = np.column_stack([size, size + np.sin(5 * size)])
    >>> y = np.where(size < 4.5, "small", "large").astype(object)
    >>> y[5:35] = None
    >>> classifier = VAEClassifier(random_state=0).fit(X, y)
    >>> classifier.predict([[1.0, np.nan], [8.0, 8.5]])
    array(['small', 'large'], dtype=object)
    >>> bool(classifier.predict_proba([[1.0, np.nan]])[0, 1] > 0.9)  # 'small'
    True
    """

    def predict_proba(self, X):
        """Return how likely each class is.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1.
        """
        table = self._questions(X)
        return self.imputer_.predict_proba(table)[table.columns[-1]].to_numpy()

    def predict(self, X):
        """Return the likeliest class of each row.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        codes = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[codes]

    def _learn_target(self, labels, labelled):
        """Learn the classes; return the labels of all rows as a category."""
        try:
            classes, found = np.unique(labels, return_inverse=True)
        except TypeError:
            kinds = sorted({type(label).__name__ for label in labels})
            raise TypeError(
                f"y: got labels of types {kinds}, expected one type."
            ) from None
        kind = type_of_target(classes, input_name="y")
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"y: Unknown label type: {kind}: got {labels[:1].tolist()[0]!r}, "
                "expected classes, as strings, whole numbers or booleans."
            )
        if len(classes) == 1:
            raise ValueError(
                f"y: got one class, {classes.tolist()[0]!r}, expected at least two."
            )
        self.classes_ = classes
        codes = np.full(len(labelled), -1)
        codes[labelled] = found
        return pd.Categorical.from_codes(codes, pd.Index(classes))


class VAERegressor(RegressorMixin, _VAESupervised):
    """Predict a number with a variational autoencoder, where few rows need to have it.

    The number is one more column of the table, and where it is not known its cell is
    missing: `VAEImputer` models all columns together and fills it. Features may be
    missing, at `fit` and at `predict`.

    Parameters
    ----------
    imputer : VAEImputer or None, default=None
        Settings of the model, as for X alone; it is not fitted itself. Those of how
        cells are filled (`min_value`, `max_value`, `leave_missing`, `add_indicator`,
        `keep_empty_features`) have no effect. None means ``VAEImputer()``.
    unlabeled : number, str or None, default=None
        A further number that means that there is none. NaN, None and pd.NA always do.
    random_state : int, RandomState instance or None, default=None
        Seed in place of that of `imputer`; None leaves it to that.

    Attributes
    ----------
    imputer_ : VAEImputer
        Fitted to the columns of X and, as the last one, the numbers to predict.
    n_features_in_ : int
        Columns of X seen at `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all are strings.

    See Also
    --------
    VAEClassifier : The same for classes.

    References
    ----------
    Kingma, Mohamed, Rezende & Welling (2014), *Semi-supervised learning with deep
    generative models*. Theirs are classes, beside a generative model (M2); here the
    number is a column of one joint model, and asking for it is imputing it.

    Examples
    --------
    >>> import numpy as np
    >>> from vaeimpute import VAERegressor
    >>> size = np.linspace(0, 9, 40)
    >>> X, y = size[:, None], 2 * size + np.sin(5 * size)
    >>> part = np.where(np.arange(40) % 2, y, np.nan)
    >>> regressor = VAERegressor(random_state=0).fit(X, part)
    >>> regressor.score(X, y) > 0.9
    True
    >>> regressor.predict([[4.0]]).shape
    (1,)
    """

    def predict(self, X):
        """Return the number to be expected in each row.

        Parameters
        ----------
        X : DataFrame or array of shape (n_samples, n_features)
            With the columns of `fit`, in their order.

        Returns
        -------
        means : ndarray of shape (n_samples,)
            Conditional means given all observed cells of the row.
        """
        table = self._questions(X)
        values = self.imputer_._read(table)
        asked = np.zeros(values.shape, dtype=bool)
        asked[:, -1] = True
        return self.imputer_._guesses(values, asked)[:, -1]

    def _learn_target(self, labels, labelled):
        """Return the labels of all rows as numbers, NaN where there is none."""
        expected = f"y: got labels of dtype {labels.dtype}, expected numbers"
        if labels.dtype.kind not in "biufO":
            raise ValueError(f"{expected}.")
        try:
            numbers = labels.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{expected}: {error}.") from None
        target = np.full(len(labelled), np.nan)
        target[labelled] = numbers
        return target


def _read_labels(y, unlabeled):
    """Return the labels there are, and which rows have one, both by position."""
    cells = _as_series(y)
    labelled = cells.notna().to_numpy(dtype=bool, copy=True)
    # Without what is missing, nullable and mixed dtypes become plain ones.
    labels = cells[labelled].infer_objects().to_numpy()
    is_label = pd.notna(labels)
    if unlabeled is not None:
        is_label &= labels != unlabeled
    labelled[labelled] = is_label
    labels = labels[is_label]
    if labels.dtype.kind == "f" and np.isinf(labels).any():
        raise ValueError("y: got infinity, expected finite labels, or NaN for none.")
    return labels, labelled


def _as_series(y):
    """Return labels of any container as a Series with an index of positions."""
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None."
        )
    if isinstance(y, pd.api.extensions.ExtensionArray):
        y = pd.Series(y)
    if hasattr(y, "to_frame"):  # a Series of pandas or polars
        return column_of(y.to_frame(), 0).reset_index(drop=True)
    # Lists become objects, or NumPy would turn the numbers beside a None into floats.
    cells = np.asarray(y) if hasattr(y, "__array__") else np.asarray(y, dtype=object)
    if cells.ndim == 2 and cells.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change "
            "the shape of y to (n_samples,), for example using ravel().",
            DataConversionWarning,
            stacklevel=5,
        )
        cells = cells.ravel()
    if cells.ndim != 1:
        raise ValueError(
            "y should be a 1d array: got an array of shape "
            f"{cells.shape}, expected one label per row."
        )
    return pd.Series(cells)


def _name_beside(names):
    """Return a name for the column of labels that no other column has."""
    is_text = isinstance(names[0], str)
    name, more = ("y", "_") if is_text else (len(names), 1)
    while name in names:
        name += more
    return name
