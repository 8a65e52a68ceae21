import tracemalloc

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics

from vaeimpute.metrics import (
    accuracy,
    coverage,
    crps,
    energy_distance,
    interval_score,
    log_loss,
    mae,
    nrmse,
    skill,
)

NUMERIC = [nrmse, mae]
MEANS = [nrmse, mae, accuracy]
ALL = [*MEANS, skill]
OF_DRAWS = [crps, coverage, interval_score]


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


@pytest.mark.parametrize("error", MEANS)
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


@pytest.mark.parametrize("error", MEANS)
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


def test_skill_of_the_truth_is_one_and_of_the_mean_zero(truth, hidden):
    means = np.array([truth[~hidden[:, j], j].mean() for j in range(3)])
    filled = np.where([True, False, False], truth, means)

    assert skill(truth, filled, hidden) == pytest.approx([1.0, 0.0, 0.0])


def test_skill_is_r2_where_the_baseline_is_the_mean_of_the_hidden_cells(truth):
    everywhere = np.ones(truth.shape, dtype=bool)
    filled = truth + np.random.default_rng(2).normal(size=truth.shape)

    skills = skill(truth, filled, everywhere, baseline=truth.mean(axis=0))

    expected = sklearn.metrics.r2_score(truth, filled, multioutput="raw_values")
    np.testing.assert_allclose(skills, expected)


def test_skill_does_not_depend_on_units(truth, hidden):
    filled = truth + np.random.default_rng(2).normal(size=truth.shape)
    unit, zero = np.array([1000.0, 0.01, 1.8]), np.array([0.0, 273.15, 32.0])

    converted = skill(truth * unit + zero, filled * unit + zero, hidden)

    np.testing.assert_allclose(converted, skill(truth, filled, hidden))


def test_baseline_of_skill_is_the_mean_of_known_cells_that_are_not_hidden():
    truth = np.array([[1.0], [3.0], [np.nan], [7.0], [-4.0]])
    hidden = np.array([[False], [False], [False], [True], [True]])

    skills = skill(truth, truth + 1.0, hidden)

    assert skills == pytest.approx(1 - (1 + 1) / ((7 - 2) ** 2 + (-4 - 2) ** 2))


def test_skill_is_not_defined_without_hidden_cells_or_errors_of_the_mean(truth, hidden):
    hidden[:, 0] = False
    truth[:, 1] = 0.1
    assert truth[~hidden[:, 1], 1].mean() != 0.1  # by rounding

    skills = skill(truth, truth, hidden)

    np.testing.assert_array_equal(skills, [np.nan, np.nan, 1.0])


def test_skill_without_known_other_cells_needs_a_baseline(truth, hidden):
    hidden[:, 1] = True

    with pytest.raises(ValueError, match=r"^Column 1: got hidden cells only"):
        skill(truth, truth, hidden)
    assert skill(truth, truth, hidden, baseline=[0.0] * 3)[1] == 1.0


@pytest.mark.parametrize(
    ("baseline", "message"),
    [([1.0, 2.0], r"got shape \(2,\), expected \(3,\)"), ([np.nan] * 3, "got nan")],
)
def test_wrong_baseline_is_an_error(baseline, message, truth, hidden):
    with pytest.raises(ValueError, match=f"^baseline: {message}"):
        skill(truth, truth, hidden, baseline)


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers([2, 5], size=(30, 2))


def probabilities_like(codes, seed=0):
    random = np.random.default_rng(seed)
    return [random.dirichlet(np.ones(n), size=len(codes)) for n in [2, 5]]


def test_log_loss_of_certain_and_of_uniform_probabilities(codes):
    everywhere = np.ones(codes.shape, dtype=bool)
    certain = [np.eye(n)[codes[:, j]] for j, n in enumerate([2, 5])]
    uniform = [np.full((30, n), 1 / n) for n in [2, 5]]

    assert log_loss(codes, certain, everywhere) == 0.0
    expected = (np.log(2) + np.log(5)) / 2
    assert log_loss(codes, uniform, everywhere) == pytest.approx(expected)


def test_log_loss_of_one_column_is_that_of_scikit_learn(codes):
    hidden = np.random.default_rng(1).random(codes.shape) < 0.5
    hidden[:, 0] = False
    rows = hidden[:, 1]
    probabilities = probabilities_like(codes)[1]
    probabilities[np.flatnonzero(rows)[0]] = np.eye(5)[(codes[rows, 1][0] + 1) % 5]
    given = np.where(rows[:, None], probabilities, np.nan)

    loss = log_loss(codes, [None, given], hidden)

    expected = sklearn.metrics.log_loss(
        codes[rows, 1], probabilities[rows], labels=range(5)
    )
    assert loss == pytest.approx(expected)
    assert type(loss) is float


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[:1], r"got 1 arrays, expected 2"),
        (lambda p: [p[0], p[1][:-1]], r"got shape \(29, 5\) for column 1"),
        (lambda p: [p[0], p[1][:, 0]], r"got shape \(30,\) for column 1"),
        (lambda p: [p[0] * 0.9, p[1]], r"got numbers for column 0"),
        (lambda p: [p[0] * np.nan, p[1]], r"got numbers for column 0"),
        (lambda p: [p[0], p[1] * 3 - 0.4], r"got numbers for column 1"),
    ],
)
def test_wrong_probabilities_are_an_error(change, message, codes):
    hidden = np.ones(codes.shape, dtype=bool)

    with pytest.raises(ValueError, match=f"^probabilities: {message}"):
        log_loss(codes, change(probabilities_like(codes)), hidden)


@pytest.mark.parametrize("code", [5, -1, 0.5])
def test_code_without_a_probability_is_an_error(code, codes):
    truth = codes.astype(float)
    truth[3, 1] = code
    hidden = np.ones(codes.shape, dtype=bool)

    with pytest.raises(ValueError, match=rf"^truth: got {float(code)} in column 1"):
        log_loss(truth, probabilities_like(codes), hidden)


@pytest.fixture
def draws(truth):
    return truth + np.random.default_rng(3).normal(size=(50, 40, 3)) * [1.0, 10.0, 1e3]


def crps_of_pairs(truth, draws):
    pairs = np.abs(draws[:, None] - draws).sum(axis=(0, 1))
    n = len(draws)
    return np.abs(draws - truth).mean(axis=0) - pairs / (2 * n * (n - 1))


@pytest.mark.parametrize("n_draws", [2, 3, 50])
def test_crps_is_the_formula_with_all_pairs(n_draws, truth, draws, hidden):
    draws = np.round(draws[:n_draws])  # with ties
    scores = crps_of_pairs(truth, draws) / truth.std(axis=0)

    assert crps(truth, draws, hidden) == pytest.approx(scores[hidden].mean())


@pytest.mark.parametrize("x", [-2.0, 0.0, 0.7])
def test_crps_of_gaussian_draws_has_its_closed_form(x):
    draws = 3.0 + 2.0 * scipy.stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)

    score = crps([[3.0 + 2.0 * x]], draws[:, None, None], [[True]], scale=[2.0])

    # Gneiting & Raftery (2007), section 4.2, with the sign changed.
    normal = scipy.stats.norm
    expected = x * (2 * normal.cdf(x) - 1) + 2 * normal.pdf(x) - 1 / np.sqrt(np.pi)
    assert score == pytest.approx(expected, abs=2e-4)


def test_crps_of_few_draws_is_unbiased():
    random = np.random.default_rng(0)
    truth, draws = random.normal(size=(50_000, 1)), random.normal(size=(2, 50_000, 1))

    score = crps(truth, draws, np.ones(truth.shape, dtype=bool), scale=[1.0])

    assert score == pytest.approx(1 / np.sqrt(np.pi), abs=0.015)  # 4 standard errors


def test_crps_of_equal_draws_is_the_absolute_error(truth, hidden):
    filled = truth + 1.0

    score = crps(truth, np.stack([filled] * 4), hidden)

    assert score == pytest.approx(mae(truth, filled, hidden))


def left_out(n):
    """Return each number below n as the truth, and the others as its draws."""
    numbers = np.random.default_rng(0).normal(size=n)
    draws = np.stack([np.delete(numbers, k) for k in range(n)], axis=1)
    return numbers[:, None], draws[:, :, None], np.ones((n, 1), dtype=bool)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_coverage_of_right_draws_is_the_level(level):
    assert coverage(*left_out(40), level=level) == pytest.approx(level)


def test_coverage_of_too_few_draws_is_that_of_the_extreme_ones():
    assert coverage(*left_out(11), level=0.99) == pytest.approx(9 / 11)


def test_coverage_counts_ends_and_constant_columns():
    truth = np.array([[1.0, 7.0], [np.nextafter(3.0, 4.0), 7.0]])
    draws = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])[:, None].repeat(2, axis=1)

    assert coverage(truth, draws, np.ones((2, 2), dtype=bool)) == 3 / 4


def gaussian_draws(mean=0.0, deviation=1.0):
    """Return draws and 999 truths of which each are the quantiles of a Gaussian."""
    truth = scipy.stats.norm.ppf(np.arange(1, 1000) / 1000)[:, None]
    draws = np.broadcast_to(truth[:, :, None], (999, 999, 1))
    return truth, mean + deviation * draws, np.ones((999, 1), dtype=bool)


def test_interval_score_by_hand():
    truth = np.array([[0.0], [5.0], [12.0]])
    draws = np.arange(1.0, 10.0)[:, None, None].repeat(3, axis=1)  # 80 %: 1 to 9
    everywhere = np.ones((3, 1), dtype=bool)

    score = interval_score(truth, draws, everywhere, level=0.8, scale=[2.0])

    assert score == pytest.approx((3 * 8 + 2 / 0.2 * (1 + 0 + 3)) / 3 / 2)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_interval_score_of_a_gaussian_has_its_closed_form(level):
    score = interval_score(*gaussian_draws(), level=level, scale=[1.0])

    # 2 z + 2 / alpha * 2 (phi(z) - z alpha / 2), with z the upper quantile
    density = scipy.stats.norm.pdf(scipy.stats.norm.ppf((1 + level) / 2))
    assert score == pytest.approx(4 * density / (1 - level), rel=0.01)


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize(
    "wrong", [{"mean": 0.2}, {"mean": -0.2}, {"deviation": 0.8}, {"deviation": 1.25}]
)
def test_interval_score_is_lowest_at_the_true_quantiles(level, wrong):
    best = interval_score(*gaussian_draws(), level=level)

    assert interval_score(*gaussian_draws(**wrong), level=level) > best * 1.005


@pytest.mark.parametrize("score", OF_DRAWS)
def test_units_do_not_matter_to_scores_of_draws(score, truth, draws, hidden):
    unit, zero = np.array([1000.0, 0.01, 1.8]), np.array([0.0, 273.15, 32.0])

    converted = score(truth * unit + zero, draws * unit + zero, hidden)

    assert converted == pytest.approx(score(truth, draws, hidden))


@pytest.mark.parametrize("score", OF_DRAWS)
def test_order_of_draws_and_other_cells_do_not_matter(score, truth, draws, hidden):
    expected = score(truth, draws, hidden)
    shuffled = np.random.default_rng(0).permuted(draws, axis=0)

    found = score(truth, np.where(hidden, shuffled, np.nan), hidden)

    assert found == pytest.approx(expected)
    assert type(found) is float


@pytest.mark.parametrize("score", [crps, interval_score])
def test_scores_of_draws_leave_out_columns_without_spread(score, truth, draws, hidden):
    expected = score(truth[:, [0, 2]], draws[:, :, [0, 2]], hidden[:, [0, 2]])
    truth[:, 1] = 7.0

    assert score(truth, draws, hidden) == pytest.approx(expected)


@pytest.mark.parametrize("score", OF_DRAWS)
@pytest.mark.parametrize(
    ("change", "shape"),
    [
        (lambda draws: draws[0], r"\(40, 3\)"),
        (lambda draws: draws[:, :-1], r"\(50, 39, 3\)"),
        (lambda draws: draws[:1], r"\(1, 40, 3\)"),
    ],
)
def test_draws_of_other_shape_are_an_error(score, change, shape, truth, draws, hidden):
    message = rf"^draws: got shape {shape}, expected \(n_draws, 40, 3\)"
    with pytest.raises(ValueError, match=message):
        score(truth, change(draws), hidden)


@pytest.mark.parametrize("score", OF_DRAWS)
def test_draw_that_is_not_finite_is_an_error(score, truth, draws, hidden):
    draws[7][hidden] = np.nan

    n_wrong, n_all = hidden.sum(), 50 * hidden.sum()
    with pytest.raises(ValueError, match=f"^draws: got nan in {n_wrong} of {n_all}"):
        score(truth, draws, hidden)


@pytest.mark.parametrize("score", [coverage, interval_score])
@pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
def test_level_outside_zero_to_one_is_an_error(score, level, truth, draws, hidden):
    with pytest.raises(ValueError, match=rf"^level: got {level}, expected"):
        score(truth, draws, hidden, level=level)


def test_energy_distance_of_equal_samples_is_zero():
    rows = np.random.default_rng(0).normal(size=(300, 4))

    assert energy_distance(rows, rows) == 0.0
    assert energy_distance(rows, rows[::-1]) == pytest.approx(0.0, abs=1e-12)


# The second has more pairs than are held in memory together.
@pytest.mark.parametrize("n_rows", [50, 2000])
def test_energy_distance_in_one_dimension_is_that_of_scipy_squared(n_rows):
    random = np.random.default_rng(0)
    X, Y = random.normal(size=n_rows), random.exponential(size=n_rows // 2 * 3)

    distance = energy_distance(X[:, None], Y[:, None])

    assert distance == pytest.approx(scipy.stats.energy_distance(X, Y) ** 2)
    assert type(distance) is float


def test_energy_distance_of_gaussians_has_its_closed_form():
    random = np.random.default_rng(0)
    X, Y = random.normal(size=(4000, 1)), random.normal(1.0, 2.0, size=(4000, 1))

    # X - Y is Gaussian with mean -1 and variance 5; its absolute value is folded.
    root = np.sqrt(5)
    between = root * scipy.stats.foldnorm.mean(1 / root)
    within = 2 / np.sqrt(np.pi) * (1 + 2)
    expected = 2 * between - within * (1 - 1 / 4000)  # pairs of a row with itself
    assert energy_distance(X, Y) == pytest.approx(expected, rel=0.1)
    assert energy_distance(X, Y) == pytest.approx(energy_distance(Y, X))


def test_energy_distance_is_euclidean():
    random = np.random.default_rng(0)
    X, Y = random.normal(size=(60, 3)), random.normal(1.0, size=(70, 3))
    rotation = scipy.stats.special_ortho_group(3, seed=0).rvs()

    moved = energy_distance(X @ rotation + 5.0, Y @ rotation + 5.0)

    assert moved == pytest.approx(energy_distance(X, Y))
    assert energy_distance(10 * X, 10 * Y) == pytest.approx(10 * energy_distance(X, Y))


def test_energy_distance_draws_rows_without_replacement():
    X = np.arange(100.0)[:, None]
    Y = X + 30.0

    distances = {
        seed: energy_distance(X, Y, max_rows=60, random_state=seed) for seed in range(3)
    }

    assert len(set(distances.values())) == 3
    assert distances[0] == energy_distance(X, Y, max_rows=60, random_state=0)
    assert energy_distance(X, Y, max_rows=100) == energy_distance(X, Y, max_rows=None)
    # E² = 2 int (F - G)², and one row in 99 moves F by 1 / 99.
    assert energy_distance(X, X, max_rows=99, random_state=0) < 2 * 100 / 99**2
    assert energy_distance(X, X, max_rows=1, random_state=0) in 2.0 * np.arange(100)


def test_energy_distance_needs_bounded_memory():
    rows = np.random.default_rng(0).normal(size=(4000, 2))

    tracemalloc.start()
    energy_distance(rows, rows[:, ::-1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 40e6  # all 16e6 distances take 128e6 bytes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X": np.zeros(3)}, r"^X: got shape \(3,\)"),
        ({"Y": np.zeros((0, 2))}, r"^Y: got shape \(0, 2\)"),
        ({"Y": np.zeros((4, 3))}, r"^Y: got 3 columns, expected 2"),
        ({"X": np.full((4, 2), np.nan)}, r"^X: got nan"),
        ({"max_rows": 0}, r"^max_rows: got 0"),
    ],
)
def test_wrong_argument_of_energy_distance_is_an_error(given, message):
    arguments = {"X": np.zeros((4, 2)), "Y": np.zeros((5, 2))}

    with pytest.raises(ValueError, match=message):
        energy_distance(**arguments | given)
