"""Columns that repeat another one are found, and only these."""

import numpy as np
import pytest

from vaeimpute._copies import Copies


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def find(values):
    return Copies.find(values, np.arange(values.shape[1]))


def hide(values, rng, fraction=0.3):
    return np.where(rng.random(values.shape) < fraction, np.nan, values)


@pytest.mark.parametrize(
    ("slope", "intercept"),
    [(1.0, 0.0), (-1.0, 32.0), (1.8, 32.0), (250.0, 1e6), (1e-9, 7.0), (-3e7, -1e6)],
)
def test_multiple_is_found_and_filled_exactly(rng, slope, intercept):
    x = rng.normal(size=200)
    truth = np.column_stack([rng.normal(size=200), x, slope * x + intercept])
    values = hide(truth, rng)
    spread = truth.std(axis=0)

    copies = find(values)

    assert {*copies.column, *copies.source} == {1, 2}
    completed = copies.complete(values)
    copies.derive(completed)
    either = ~np.isnan(values[:, 1]) | ~np.isnan(values[:, 2])
    error = np.abs(completed - truth)[either][:, 1:] / spread[1:]
    # Rounding of a small multiple on a large intercept is in the data already.
    assert error.max() < 1e-6 + 1e-15 * abs(intercept / slope)


def test_copy_to_the_bit(rng):
    x = rng.normal(size=100) * 1e5
    copies = find(np.column_stack([x, x]))
    assert (copies.slope[0], copies.intercept[0]) == (1.0, 0.0)


def test_fuller_column_is_the_source(rng):
    x = rng.normal(size=100)
    values = np.column_stack([np.where(rng.random(100) < 0.5, np.nan, x), 2 * x])
    copies = find(values)
    assert (copies.source[0], copies.column[0]) == (1, 0)


def test_several_copies_share_one_source(rng):
    x = rng.normal(size=100)
    copies = find(np.column_stack([x, rng.normal(size=100), 2 * x, 3 * x + 1]))
    np.testing.assert_array_equal(copies.column, [2, 3])
    np.testing.assert_array_equal(copies.source, [0, 0])


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_close_relations_are_left_to_the_model(rng, noise):
    x = rng.normal(size=300)
    assert not len(find(np.column_stack([x, x + noise * rng.normal(size=300)])).column)


def test_rounded_units_are_copies_within_a_hundredth_of_a_deviation(rng):
    celsius = np.round(rng.normal(15, 10, size=300), 1)
    fahrenheit = np.round(1.8 * celsius + 32, 1)
    values = np.column_stack([celsius, fahrenheit])
    copies = find(values)
    derived = values.copy()
    copies.derive(derived)
    assert len(copies.column) == 1
    assert np.abs(derived - values).max() < 0.01 * values.std(axis=0).min()


@pytest.mark.parametrize(
    "values",
    [
        np.column_stack([np.arange(9.0), np.arange(9.0)]),  # few rows
        np.column_stack([np.eye(1, 300)[0], np.eye(1, 300)[0]]),  # agree in one row
        np.column_stack([np.arange(300) % 2.0, np.arange(300) % 2.0]),  # two values
        np.zeros((300, 2)),
        np.full((300, 2), np.nan),
        np.zeros((300, 0)),
    ],
    ids=["few rows", "one row", "two values", "constant", "empty", "no columns"],
)
def test_agreement_that_could_be_chance_is_no_copy(values):
    assert not len(find(values).column)


def test_one_row_off_the_line_is_no_copy(rng):
    x = rng.normal(size=300)
    values = np.column_stack([x, 2 * x])
    values[17, 1] += 1.0
    assert not len(find(values).column)


def test_columns_never_observed_together_are_no_copies(rng):
    x = rng.normal(size=300)
    first = np.arange(300) < 150
    values = np.column_stack([np.where(first, x, np.nan), np.where(first, np.nan, x)])
    assert not len(find(values).column)


def test_numbers_of_any_size(rng):
    x = rng.uniform(-1, 1, size=100)
    values = np.column_stack([1e150 * x, 1e-150 * x, x])
    assert len(find(values).column) == 2
    # Where the slope is no number, there is nothing to compute with.
    assert not len(find(np.column_stack([1.7e308 * x, 1e-300 * x])).column)


def test_search_on_a_sample_is_verified_on_every_row(rng):
    x = rng.normal(size=20_000)
    values = np.column_stack([x, x, x])
    values[1, 1] = 9.0  # not among the rows that are searched
    copies = find(values)
    np.testing.assert_array_equal(copies.column, [2])
