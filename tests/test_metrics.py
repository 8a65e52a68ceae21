import numpy as np
import pytest

from vaeimpute.metrics import accuracy, mae, nrmse

NUMERIC = [nrmse, mae]
ALL = [nrmse, mae, accuracy]


@pytest.fixture
def truth():
    return np.random.default_rng(0).normal(size=(40, 3)) * [1.0, 10.0, 1000.0] + 5.0


@pytest.fixture
def hidden():
    return np.random.default_rng(1).random((40, 3)) < 0.3


def test_two_cells_by_hand():
    truth = np.array([[0.0, 10.0], [2.0, 30.0]])  # standard deviations 1 and 10
    filled = np.array([[3.0, 10.0], [2.0, 70.0]])  # 3 and 4 of them away
    hidden = np.array([[True, False], [False, True]])

    assert nrmse(truth, filled, hidden) == pytest.approx(np.sqrt((9 + 16) / 2))
    assert mae(truth, filled, hidden) == pytest.approx((3 + 4) / 2)


@pytest.mark.parametrize("error", NUMERIC)
def test_constant_error_is_in_standard_deviations(error, truth, hidden):
    filled = truth - 0.25 * truth.std(axis=0)

    assert error(truth, filled, hidden) == pytest.approx(0.25)


def test_mean_of_the_column_has_an_error_of_one(truth):
    everywhere = np.ones(truth.shape, dtype=bool)
    filled = np.broadcast_to(truth.mean(axis=0), truth.shape)

    assert nrmse(truth, filled, everywhere) == pytest.approx(1.0)


def test_absolute_error_is_at_most_the_squared_one(truth, hidden):
    filled = truth + np.random.default_rng(2).normal(size=truth.shape)

    assert 0 < mae(truth, filled, hidden) < nrmse(truth, filled, hidden)


@pytest.mark.parametrize("error", NUMERIC)
def test_units_do_not_matter(error, truth, hidden):
    filled = truth + np.random.default_rng(2).normal(size=truth.shape)
    unit, zero = np.array([1000.0, 0.01, 1.8]), np.array([0.0, 273.15, 32.0])

    converted = error(truth * unit + zero, filled * unit + zero, hidden)

    assert converted == pytest.approx(error(truth, filled, hidden))


def test_columns_weigh_by_their_hidden_cells():
    truth = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])
    hidden = np.array([[True, True], [True, False], [True, False], [False, False]])

    assert mae(truth, truth + np.array([0.0, 1.0]), hidden) == pytest.approx(1 / 4)


@pytest.mark.parametrize("error", NUMERIC)
def test_scale_replaces_the_standard_deviation(error, truth, hidden):
    assert error(truth, truth + 6.0, hidden, scale=[3.0] * 3) == pytest.approx(2.0)


@pytest.mark.parametrize("error", NUMERIC)
def test_columns_with_a_scale_of_zero_are_left_out(error, truth, hidden):
    filled = truth + np.array([6.0, 1e9, 6.0])

    assert error(truth, filled, hidden, scale=[3.0, 0.0, 3.0]) == pytest.approx(2.0)


@pytest.mark.parametrize("error", NUMERIC)
def test_constant_columns_are_left_out(error, truth, hidden):
    truth, hidden = truth[:39], hidden[:39]
    filled = truth + truth.std(axis=0)
    filled[:, 1] = 7.0
    truth[:, 1] = 0.1
    assert 0 < truth[:, 1].std() < 1e-15  # by rounding

    assert error(truth, filled, hidden) == pytest.approx(1.0)


@pytest.mark.parametrize("error", NUMERIC)
def test_unknown_truth_counts_neither_as_error_nor_as_spread(error, truth, hidden):
    filled = truth + 1.0
    kept = hidden.any(axis=1) | (np.arange(40) < 20)
    expected = error(truth[kept], filled[kept], hidden[kept])
    truth[~kept] = np.nan

    assert error(truth, filled, hidden) == pytest.approx(expected)


@pytest.mark.parametrize("error", ALL)
def test_only_hidden_cells_count(error, truth, hidden):
    filled = np.where(hidden, truth, np.nan)

    assert error(truth, filled, hidden) == (1.0 if error is accuracy else 0.0)


def test_accuracy_is_the_share_of_right_codes():
    truth = np.array([[0.0, 2.0, 1.0], [1.0, 2.0, 0.0]])
    filled = np.array([[0.0, 1.0, 0.0], [1.0, 2.0, 1.0]])
    hidden = np.array([[True, True, False], [True, True, True]])

    assert accuracy(truth, filled, hidden) == 3 / 5


def test_accuracy_counts_constant_columns():
    truth = np.zeros((2, 1))

    assert accuracy(truth, [[0.0], [1.0]], [[True], [True]]) == 0.5


@pytest.mark.parametrize("error", ALL)
def test_answer_is_a_python_float(error, truth, hidden):
    assert type(error(truth, truth, hidden)) is float


@pytest.mark.parametrize("error", ALL)
def test_arguments_are_not_changed(error, truth, hidden):
    filled = truth + 1.0
    before = [array.copy() for array in (truth, filled, hidden)]

    error(truth, filled, hidden)

    for array, copy in zip((truth, filled, hidden), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("error", ALL)
@pytest.mark.parametrize("name", ["filled", "hidden"])
def test_other_shape_is_an_error(error, name, truth, hidden):
    given = {"truth": truth, "filled": truth, "hidden": hidden}
    given[name] = given[name][:-1]

    with pytest.raises(ValueError, match=rf"^{name}: got shape \(39, 3\)"):
        error(**given)


@pytest.mark.parametrize("error", ALL)
def test_one_dimension_is_an_error(error):
    with pytest.raises(ValueError, match=r"^truth: got shape \(2,\)"):
        error([1.0, 2.0], [1.0, 2.0], [True, True])


@pytest.mark.parametrize("error", ALL)
def test_no_hidden_cell_is_an_error(error, truth):
    with pytest.raises(ValueError, match=r"^hidden: got no hidden cell"):
        error(truth, truth, np.zeros(truth.shape, dtype=bool))


@pytest.mark.parametrize("error", ALL)
def test_hidden_must_be_boolean(error, truth, hidden):
    with pytest.raises(ValueError, match=r"^hidden: got dtype int64"):
        error(truth, truth, hidden.astype(np.int64))


@pytest.mark.parametrize("error", ALL)
@pytest.mark.parametrize("name", ["truth", "filled"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_hidden_cell_that_is_not_finite_is_an_error(error, name, value, truth, hidden):
    given = {"truth": truth, "filled": truth + 1.0, "hidden": hidden}
    row, column = np.argwhere(hidden)[0]
    given[name][row, column] = value

    with pytest.raises(ValueError, match=rf"^{name}: got {value} in 1 of"):
        error(**given)


@pytest.mark.parametrize("error", NUMERIC)
def test_no_spread_at_all_is_an_error(error):
    with pytest.raises(ValueError, match=r"^hidden: .* without spread"):
        error(np.ones((3, 2)), np.ones((3, 2)), np.ones((3, 2), dtype=bool))


@pytest.mark.parametrize("error", NUMERIC)
@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ([1.0, 2.0], r"got shape \(2,\), expected \(3,\)"),
        ([1.0, -2.0, 1.0], r"got -2.0"),
        ([1.0, np.nan, 1.0], r"got nan"),
    ],
)
def test_wrong_scale_is_an_error(error, scale, message, truth, hidden):
    with pytest.raises(ValueError, match=f"^scale: {message}"):
        error(truth, truth, hidden, scale=scale)


@pytest.mark.parametrize("error", NUMERIC)
def test_scale_of_columns_without_hidden_cells_may_be_unknown(error, truth, hidden):
    hidden[:, 1] = False

    scaled = error(truth, truth + 6.0, hidden, scale=[3.0, np.nan, 3.0])

    assert scaled == pytest.approx(2.0)
