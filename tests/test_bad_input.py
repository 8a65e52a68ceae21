"""Bad tables and parameters: errors that say where, and nothing that is lost."""

import multiprocessing
import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from vaeimpute import VAEImputer


def tiny(**parameters):
    defaults = {
        "n_components": 2,
        "hidden_layer_sizes": (8,),
        "max_iter": 2,
        "batch_size": 32,
        "random_state": 0,
    }
    return VAEImputer(**defaults | parameters)


@pytest.fixture
def people():
    """40 rows with an age, an income and a job, each missing at times."""
    rng = np.random.default_rng(0)
    age = rng.uniform(20, 60, size=40)
    job = rng.choice(["baker", "clerk"], size=40).astype(object)
    table = pd.DataFrame({"age": age, "income": 100 * age, "job": job})
    return table.where(rng.random(table.shape) > 0.15)


def with_cells(table, name, cells):
    """Return the table with other cells in a column, over and over."""
    column = np.empty(len(table), dtype=object)
    column[:] = [*cells] * (len(table) // len(cells))
    return table.assign(**{name: column})


# Cells.


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
@pytest.mark.parametrize("method", ["fit", "transform", "score"])
def test_infinity_is_named(people, infinity, method):
    imputer = tiny().fit(people)
    people.loc[7, "income"] = infinity
    with pytest.raises(ValueError, match="Column 'income': got infinity"):
        getattr(imputer, method)(people)
    X = people[["age", "income"]].to_numpy()
    with pytest.raises(ValueError, match="Column 1: got infinity"):
        tiny().fit(X)


@pytest.mark.parametrize("cell", [{}, [1.0], (1, 2), {3}, b"text", 1j, object()])
def test_cells_that_are_neither_text_nor_numbers(people, cell):
    table = with_cells(people, "job", ["baker", cell])
    message = "Column 'job': argument must be a string or a real number"
    with pytest.raises(TypeError, match=message):
        tiny().fit(table)
    imputer = tiny().fit(people)
    with pytest.raises(TypeError, match=message):
        imputer.transform(table)


@pytest.mark.parametrize(
    "cells",
    [
        pd.period_range("2020", periods=40),
        pd.arrays.SparseArray(np.zeros(40)),
        np.zeros(40, dtype=complex),
    ],
    ids=lambda cells: str(cells.dtype),
)
def test_dtypes_that_are_not_supported(people, cells):
    people["when"] = cells
    with pytest.raises(ValueError, match="Column 'when': got dtype"):
        tiny().fit(people)


def test_text_where_numbers_were(people):
    imputer = tiny().fit(people)
    with pytest.raises(ValueError, match=r"Column 'age': got 'old'.*expected num"):
        imputer.transform(with_cells(people, "age", ["old"]))
    with pytest.raises(ValueError, match=r"Column 'job': got 3\b.*expected levels"):
        imputer.transform(with_cells(people, "job", [3]))


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_huge_or_tiny_numbers_beside_ordinary_ones(people, scale):
    ages = people[["age"]].to_numpy()
    X = np.column_stack([ages, people["income"], (ages - 40) * scale])
    imputer = tiny().fit(X)
    filled = imputer.transform(X)[:, 2]
    assert np.all((np.nanmin(X[:, 2]) <= filled) & (filled <= np.nanmax(X[:, 2])))
    assert np.isfinite(imputer.score(X))


def test_numbers_at_the_edge_of_double_precision(people):
    numbers = people[["age", "income"]].to_numpy() - [40, 4000]
    for X in (np.sign(numbers) * 1.7e308, numbers * 1e-312):
        imputer = tiny().fit(X)
        assert np.isfinite(imputer.transform(X)).all()
        assert np.isfinite(imputer.score(X))


# Shapes.


def test_nothing_observed_in_the_whole_table(people):
    with pytest.raises(ValueError, match="Every cell of X is missing"):
        tiny().fit(people.where(np.zeros(people.shape, dtype=bool)))
    with pytest.raises(ValueError, match="Every cell of X is missing"):
        tiny(keep_empty_features=True).fit(np.full((5, 2), np.nan))
    with pytest.raises(ValueError, match="Every cell of X is missing"):
        tiny(missing_values=-1).fit(np.full((5, 2), -1))


def test_nothing_observed_to_score(people):
    imputer = tiny().fit(people)
    empty = people.iloc[:4].where(np.zeros((4, 3), dtype=bool))
    assert imputer.score_samples(empty).tolist() == [0.0] * 4
    with pytest.raises(ValueError, match="X: got no observed cell"):
        imputer.score(empty)


def test_column_without_an_observed_cell_is_named(people):
    people["pension"] = np.nan
    with pytest.warns(UserWarning, match="without any observed values: .'pension'"):
        imputer = tiny().fit(people)
    assert list(imputer.transform(people)) == ["age", "income", "job"]


def test_many_columns_without_an_observed_cell_are_counted(people):
    empty = pd.DataFrame(np.nan, people.index, [f"e{i}" for i in range(14)])
    with pytest.warns(UserWarning, match="'e9', 'and 4 more'"):
        tiny().fit(people.join(empty))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("value", [0.0, 7.3, -1e6, 1e-9])
def test_constant_column_is_filled_with_the_constant(people, value, early_stopping):
    people["constant"] = value
    people.loc[::3, "constant"] = np.nan
    filled = tiny(early_stopping=early_stopping).fit_transform(people)
    assert set(filled["constant"]) == {value}


def test_table_of_constant_columns(people):
    people["age"] = people["age"].where(people["age"].isna(), 3.0)
    people["job"] = people["job"].where(people["job"].isna(), "clerk")
    filled = tiny().fit_transform(people[["age", "job"]])
    assert set(filled["age"]) == {3.0}
    assert set(filled["job"]) == {"clerk"}


def test_one_row(people):
    row = people.dropna().iloc[[0]]
    imputer = tiny().fit(row)
    pd.testing.assert_frame_equal(imputer.transform(row), row)
    filled = imputer.transform(row.where(np.zeros((1, 3), dtype=bool)))
    np.testing.assert_allclose(filled["age"], row["age"])
    assert filled["job"].tolist() == row["job"].tolist()


@pytest.mark.parametrize("name", ["age", "job"])
def test_one_column(people, name):
    filled = tiny().fit_transform(people[[name]])
    assert not filled[name].isna().any()


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 40))
    X[rng.random(X.shape) < 0.2] = np.nan
    filled = tiny(n_components="auto").fit_transform(X)
    assert np.isfinite(filled).all()
    spread = np.abs(filled - np.nanmean(X, axis=0)) / np.nanstd(X, axis=0)
    assert spread[np.isnan(X)].max() < 5


@pytest.mark.parametrize("as_array", [False, True])
def test_no_rows_and_no_columns(people, as_array):
    numbers = people[["age", "income"]]
    table = numbers.to_numpy() if as_array else numbers
    for imputer, method in ((tiny(), "fit"), (tiny().fit(table), "transform")):
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
            getattr(imputer, method)(table[:0])
    none = table[:, :0] if as_array else table[[]]
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        tiny().fit(none)


@pytest.mark.parametrize("n_dimensions", [0, 1, 3])
def test_tables_have_two_dimensions(n_dimensions):
    X = np.zeros((3,) * n_dimensions)
    with pytest.raises(ValueError, match=r"2D array|dim 3"):
        tiny().fit(X)


def test_series_is_no_table(people):
    with pytest.raises(ValueError, match="Series"):
        tiny().fit(people["age"])


def test_rows_of_different_length():
    with pytest.raises(ValueError, match="inhomogeneous"):
        tiny().fit([[1.0, 2.0], [3.0]])


def test_sparse_and_complex_arrays(people):
    X = people[["age"]].fillna(0).to_numpy()
    for convert in (sparse.csr_matrix, sparse.csc_array):
        with pytest.raises(TypeError, match=r"[Ss]parse"):
            tiny().fit(convert(X))
    with pytest.raises(ValueError, match="Complex data not supported"):
        tiny().fit(X.astype(complex))


# Columns.


def test_repeated_names(people):
    people.columns = ["age", "income", "age"]
    with pytest.raises(ValueError, match="'age'"):
        tiny().fit(people)


def test_names_of_mixed_types(people):
    people.columns = ["age", 1, "job"]
    with pytest.raises(TypeError, match=r"string names.*\['int', 'str'\]"):
        tiny().fit(people)


def test_other_columns_than_at_fit(people):
    imputer = tiny().fit(people)
    with pytest.raises(ValueError, match="must be in the same order"):
        imputer.transform(people[["income", "age", "job"]])
    with pytest.raises(ValueError, match=r"(?s)unseen at fit.*wage.*missing.*income"):
        imputer.transform(people.rename(columns={"income": "wage"}))
    with pytest.raises(ValueError, match=r"(?s)missing.*job"):
        imputer.score(people[["age", "income"]])
    imputer = tiny().fit(people[["age", "income"]].to_numpy())
    with pytest.raises(ValueError, match=r"3 features.*expecting 2"):
        imputer.transform(np.zeros((2, 3)))


# Parameters.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 0),
        ("n_components", 1.5),
        ("n_components", "all"),
        ("hidden_layer_sizes", 8),
        ("hidden_layer_sizes", "wide"),
        ("hidden_layer_sizes", (8, 0)),
        ("hidden_layer_sizes", (8.0,)),
        ("hidden_layer_sizes", [[8]]),
        ("n_networks", 0),
        ("n_networks", 1.5),
        ("activation", "softmax"),
        ("activation", None),
        ("max_iter", 0),
        ("max_iter", -1),
        ("batch_size", 0),
        ("batch_size", 0.5),
        ("learning_rate_init", 0),
        ("learning_rate_init", np.nan),
        ("early_stopping", "yes"),
        ("validation_fraction", 0.0),
        ("validation_fraction", 1.0),
        ("n_iter_no_change", 0),
        ("tol", -1e-3),
        ("beta", -1),
        ("categorical_features", "job"),
        ("categorical_features", ["salary"]),
        ("categorical_features", [3]),
        ("categorical_features", [True, False]),
        ("missing_values", [-1]),
        ("missing_values", True),
        ("min_value", "low"),
        ("min_value", {"job": 0}),
        ("min_value", {"salary": 0}),
        ("min_value", {"age": "low"}),
        ("discrete_features", "age"),
        ("discrete_features", ["salary"]),
        ("discrete_features", ["job"]),
        ("text_features", "drop"),
        ("likelihoods", "normal"),
        ("likelihoods", {"salary": "normal"}),
        ("likelihoods", {"age": "gauss"}),
        ("likelihoods", {"job": "normal"}),
        ("min_value", [0, 0]),
        ("max_value", [1, 1, 1, 1]),
        ("max_value", [[1, 1, 1]]),
        ("max_value", ["a", "b", "c"]),
        ("add_indicator", 2),
        ("keep_empty_features", None),
        ("device", 0),
        ("device", "abacus"),
        ("device", "gpu:99"),
        ("mixed_precision", "bfloat16"),
        ("verbose", -1),
        ("random_state", "today"),
        ("random_state", np.random.default_rng(0)),
    ],
)
def test_parameter_out_of_range_is_named(people, name, value):
    imputer = tiny(**{name: value})
    with pytest.raises(ValueError, match=rf"(?s){name}.*[Gg]ot"):
        imputer.fit(people)
    with pytest.raises(NotFittedError):
        imputer.transform(people)


def test_bounds_that_cross_are_named(people):
    message = r"Column 'age': got min_value 5 and max_value 1\b"
    with pytest.raises(ValueError, match=message):
        tiny(min_value=5, max_value=1).fit(people)
    message = "Column 'income': got min_value 3 and max_value 2"
    with pytest.raises(ValueError, match=message):
        tiny(min_value=[0, 3, 0], max_value=[9, 2, 9]).fit(people)
    people["income"] = people["income"].round().astype("Int64")
    message = "Column 'income': got min_value 0.2 and max_value 0.8.*an integer"
    with pytest.raises(ValueError, match=message):
        tiny(min_value=0.2, max_value=0.8).fit(people)


@pytest.mark.parametrize("n_samples", [0, -1, 2.0, "many"])
def test_number_of_drawn_rows(people, n_samples):
    imputer = tiny().fit(people)
    with pytest.raises(
        ValueError, match=f"n_samples: got {re.escape(repr(n_samples))}"
    ):
        imputer.sample(n_samples)


def test_bad_parameter_is_found_before_the_training(people, monkeypatch):
    monkeypatch.setattr("vaeimpute._base.train", lambda *_: pytest.fail("trained"))
    for bad in ({"min_value": [1, 2]}, {"hidden_layer_sizes": (0,)}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            tiny(**bad).fit(people)


# Training that fails, or is cut short.


def assert_as_before(imputer, before, table, filled):
    assert vars(imputer) == before
    pd.testing.assert_frame_equal(imputer.transform(table), filled)


def stop(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "moment", ["vaeimpute._base.train", "vaeimpute._imputer.MissingIndicator"]
)
def test_interrupt_leaves_no_half_fitted_estimator(people, monkeypatch, moment):
    monkeypatch.setattr(moment, lambda *_, **__: stop())
    imputer = tiny(add_indicator=True)
    with pytest.raises(KeyboardInterrupt):
        imputer.fit(people)
    assert vars(imputer) == imputer.get_params()
    with pytest.raises(NotFittedError):
        imputer.transform(people)


def test_interrupt_of_a_second_fit_leaves_the_first_model(people, monkeypatch):
    imputer = tiny(add_indicator=True).fit(people)
    before, filled = vars(imputer).copy(), imputer.transform(people)
    monkeypatch.setattr("vaeimpute._base.train", stop)
    with pytest.raises(KeyboardInterrupt):
        imputer.fit(people[["income", "job"]])
    assert_as_before(imputer, before, people, filled)


def test_bad_table_leaves_the_first_model(people):
    imputer = tiny().fit(people)
    before, filled = vars(imputer).copy(), imputer.transform(people)
    with pytest.raises(ValueError, match="infinity"):
        imputer.fit(np.array([[1.0, np.inf]]))
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        imputer.fit(sparse.eye_array(3))
    assert_as_before(imputer, before, people, filled)


@pytest.mark.filterwarnings("error")
def test_warning_turned_into_an_error_leaves_no_half_fitted_estimator(people):
    people["pension"] = np.nan
    imputer = tiny()
    with pytest.raises(UserWarning, match="pension"):
        imputer.fit(people)
    assert vars(imputer) == imputer.get_params()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_loss_that_is_not_a_number_keeps_the_last_good_weights(people, early_stopping):
    people.loc[3, "income"] = 1e9  # the column to be named
    imputer = tiny(learning_rate_init=1e30, max_iter=30, early_stopping=early_stopping)
    with pytest.warns(ConvergenceWarning, match=r"Column 'income'.*learning_rate_init"):
        imputer.fit(people)
    for weight in imputer._model.weights.values():
        assert np.isfinite(weight).all()
    assert not imputer.transform(people).isna().any(axis=None)
    assert np.isfinite(imputer.score(people))


@pytest.mark.parametrize("extreme", [1e12, 1e39, -1e300])
def test_extreme_number_in_a_new_row_breaks_no_other_cell(people, extreme):
    imputer = tiny(early_stopping=False).fit(people)
    row = pd.DataFrame({"age": [extreme], "income": [np.nan], "job": [None]})
    filled = imputer.transform(row.astype(people.dtypes))
    assert filled["age"].iloc[0] == extreme
    assert np.isfinite(filled["income"].iloc[0])
    assert filled["job"].iloc[0] in ("baker", "clerk")
    assert imputer.score(filled) < imputer.score(people)


def in_fork(function, *arguments):
    """Return what a function returns, or the text of its error, in a forked child."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe()

    def child():
        try:
            there.send(function(*arguments))
        except RuntimeError as error:
            there.send(str(error))

    process = fork.Process(target=child)
    process.start()
    answered = here.poll(60)
    if not answered:
        process.kill()
    process.join()
    assert answered, "the child hangs"
    return here.recv()


forks = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork here"
)
# Python 3.12 and JAX warn of what this test is about.
forks_quietly = pytest.mark.filterwarnings("ignore:.*fork:")


@forks
@forks_quietly
def test_fit_in_a_forked_process_is_refused(people):
    imputer = tiny().fit(people)
    error = in_fork(imputer.fit, people)
    assert re.search("forked.*spawn", error)


@forks
@forks_quietly
def test_fitted_imputer_works_in_a_forked_process(people):
    imputer = tiny().fit(people)
    filled = in_fork(imputer.transform, people)
    pd.testing.assert_frame_equal(filled, imputer.transform(people))
    assert in_fork(imputer.score, people) == imputer.score(people)
