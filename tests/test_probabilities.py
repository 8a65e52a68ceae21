"""`VAEImputer.predict_proba`: how likely each level is."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import expit, log_softmax
from sklearn.exceptions import NotFittedError

from vaeimpute import VAEImputer
from vaeimpute._predictive import fit_temperature

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


def test_temperature_of_overconfident_probabilities_is_found():
    """Log-probabilities that were multiplied by 1.6 are divided by it again."""
    rng = np.random.default_rng(0)
    said = [log_softmax(2 * rng.normal(size=(4_000, n)), axis=1) for n in (2, 5)]
    codes = [np.argmax(p + rng.gumbel(size=p.shape), axis=1) for p in said]
    for factor in (0.6, 1.0, 1.6):
        found = fit_temperature([factor * p for p in said], codes)
        assert found == pytest.approx(factor, rel=0.05)


def test_few_cells_hardly_move_the_temperature():
    assert fit_temperature([], []) == 1.0
    said = [np.log([[0.9, 0.1]])]
    assert 0.85 < fit_temperature(said, [np.array([0])]) < 1.0
    assert 1.0 < fit_temperature(said, [np.array([1])]) < 1.2


def test_probabilities_are_as_often_right_as_they_say():
    """Of a level that follows from a number by a logistic regression."""
    rng = np.random.default_rng(0)
    number = rng.normal(size=3_000)
    level = np.where(rng.random(3_000) < expit(2 * number), "yes", "no")
    frame = pd.DataFrame({"number": number, "level": level})
    hidden = rng.random(3_000) < 0.3
    holed = frame.assign(level=frame["level"].mask(hidden))
    imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(holed)
    said = imputer.predict_proba(holed)["level"].loc[hidden, "yes"]
    right = (level == "yes")[hidden]
    for low in (0.0, 0.25, 0.5, 0.75):
        at = (low <= said) & (said < low + 0.25)
        assert right[at].mean() == pytest.approx(said[at].mean(), abs=0.07)
