"""`VAEImputer.predict_proba`: how likely each level is."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

from vaeimpute import VAEImputer

SIZES = ["small", "middle", "large"]


@pytest.fixture(scope="module")
def table():
    """Colours follow shapes in four of five rows; sizes have an order."""
    rng = np.random.default_rng(0)
    shape = rng.integers(2, size=600)
    colour = np.where(rng.random(600) < 0.8, shape, 1 - shape)
    size = np.digitize(colour + rng.normal(size=600), [0.0, 1.0])
    table = pd.DataFrame(
        {
            "weight": size + rng.normal(size=600),
            "shape": np.array(["disc", "cube"])[shape],
            "colour": pd.Categorical.from_codes(colour, ["red", "blue"]),
            "size": pd.Categorical.from_codes(size, SIZES, ordered=True),
            "sold": rng.random(600) < 0.3,
        },
        index=[f"row {i}" for i in range(600)],
    )
    return table.mask(rng.random(table.shape) < 0.15)


@pytest.fixture(scope="module")
def fitted(table):
    likelihoods = {"size": "ordinal"}
    imputer = VAEImputer(max_iter=20, likelihoods=likelihoods, random_state=0)
    return imputer.fit(table)


def test_rows_sum_to_one_and_columns_are_the_levels(fitted, table):
    found = fitted.predict_proba(table)
    assert list(found) == ["shape", "colour", "size", "sold"]
    assert list(found["colour"]) == ["red", "blue"]
    assert list(found["size"]) == SIZES
    assert list(found["sold"]) == [False, True]
    for p in found.values():
        pd.testing.assert_index_equal(p.index, table.index)
        assert (p >= 0).all(axis=None)
        np.testing.assert_allclose(p.sum(axis=1), 1.0)


def test_observed_levels_are_sure_and_filled_ones_the_likeliest(fitted, table):
    filled = fitted.transform(table)
    for name, p in fitted.predict_proba(table).items():
        observed = table[name].notna()
        of_filled = [p.loc[row, level] for row, level in filled[name].items()]
        assert (np.array(of_filled)[observed] == 1.0).all()
        np.testing.assert_array_equal(of_filled, p.max(axis=1))
        assert (p[~observed].max(axis=1) < 1.0).all()


def test_probabilities_are_those_of_the_table(fitted):
    rows = pd.DataFrame(
        {
            "weight": np.nan,
            "shape": ["disc", "cube", None],
            "colour": pd.Categorical([None] * 3, ["red", "blue"]),
            "size": pd.Categorical([None] * 3, SIZES, ordered=True),
            "sold": pd.array([None] * 3, "boolean"),
        }
    )
    found = fitted.predict_proba(rows)
    np.testing.assert_allclose(found["colour"]["red"], [0.8, 0.2, 0.5], atol=0.08)
    np.testing.assert_allclose(found["sold"][True], 0.3, atol=0.06)
    # Of a disc, P(small) = .8 P(e < 0) + .2 P(e < -1) for a normal variable e.
    expected = [0.8 * 0.5 + 0.2 * 0.159, 0.2 * 0.5 + 0.8 * 0.159, 0.33]
    np.testing.assert_allclose(found["size"]["small"], expected, atol=0.08)


def test_a_level_that_the_fit_has_not_seen_counts_as_missing(fitted, table):
    rows = table.iloc[:1].assign(shape="pyramid")
    expected = fitted.predict_proba(rows.assign(shape=None))["shape"]
    pd.testing.assert_frame_equal(fitted.predict_proba(rows)["shape"], expected)
    assert expected.max(axis=None) < 1.0


def test_answers_do_not_depend_on_the_rows_beside(fitted, table):
    whole = fitted.predict_proba(table)
    part = fitted.predict_proba(table.iloc[300:310])
    for name, p in part.items():
        pd.testing.assert_frame_equal(p, whole[name].iloc[300:310])


def test_arrays_have_positions_and_polars_has_names(table):
    array = table[["weight", "shape"]].to_numpy()
    imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(array)
    assert list(imputer.predict_proba(array)) == [1]

    frame = pl.DataFrame({"shape": ["disc", None, "cube"] * 9})
    imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(frame)
    assert list(imputer.predict_proba(frame)["shape"]) == ["cube", "disc"]


def test_numbers_alone_have_no_levels(table):
    imputer = VAEImputer(hidden_layer_sizes=())
    with pytest.raises(NotFittedError):
        imputer.predict_proba(table[["weight"]])
    imputer.fit(table[["weight"]])
    assert not hasattr(imputer, "predict_proba")
