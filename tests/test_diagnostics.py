"""Pictures hold the numbers that are computed otherwise, and draw any table."""

import copy
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer, SimpleImputer

from vaeimpute import VAEImputer, VAETransformer, compare_imputers, diagnostics
from vaeimpute.amputation import ampute
from vaeimpute.comparison import Encoded
from vaeimpute.datasets import load_penguins
from vaeimpute.diagnostics import (
    CellSurpriseDisplay,
    ComparisonDisplay,
    CoverageDisplay,
    DistributionDisplay,
    LatentMapDisplay,
    LossCurveDisplay,
    MissingnessDisplay,
)

PAGE = Path(__file__).parents[1] / "docs" / "pictures.md"
LINEAR = {"n_components": 2, "hidden_layer_sizes": (), "random_state": 0}


@pytest.fixture(autouse=True)
def _nothing_global():
    """Draw without a window, and see that settings stay."""
    pyplot.switch_backend("agg")
    before = dict(pyplot.rcParams)
    yield
    assert dict(pyplot.rcParams) == before


@pytest.fixture(scope="module")
def penguins():
    return ampute(load_penguins(), random_state=0)


@pytest.fixture(scope="module")
def imputer(penguins):
    return VAEImputer(**LINEAR).fit(penguins)


@pytest.fixture(scope="module")
def reducer(penguins):
    return VAETransformer(hidden_layer_sizes=(), random_state=0).fit(penguins)


@pytest.fixture(scope="module")
def compared():
    imputers = {"mean": Encoded(SimpleImputer()), "knn": Encoded(KNNImputer())}
    return compare_imputers(load_penguins(), imputers, random_state=0)


def drawn(display):
    """Draw all but the layout, with warnings as errors, and return the display."""
    display.figure_.set_layout_engine("none")
    display.figure_.draw_without_rendering()
    return display


def texts_in(figure):
    """Return all text that is drawn."""
    found = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return {artist.get_text() for artist in found}


class TestMissingness:
    def test_patterns_are_those_of_pandas(self, penguins):
        display = drawn(MissingnessDisplay.from_data(penguins))
        expected = penguins.isna().value_counts()
        assert display.counts.sum() == len(penguins)
        assert len(display.counts) == len(expected)
        for pattern, count in zip(display.missing, display.counts, strict=True):
            assert expected[tuple(pattern)] == count
        assert np.all(np.diff(display.counts) <= 0)

    def test_bars_are_shares_and_counts(self, penguins):
        display = MissingnessDisplay.from_data(penguins, max_patterns=7)
        heights = [bar.get_height() for bar in display.share_bars_]
        np.testing.assert_allclose(heights, penguins.isna().mean())
        widths = [bar.get_width() for bar in display.count_bars_]
        assert widths == display.counts[:7].tolist()
        cells = display.mesh_.get_array().reshape(7, -1)
        np.testing.assert_array_equal(cells, display.missing[:7])
        assert "7 most frequent patterns" in texts_in(display.figure_)

    def test_of_many_columns_the_emptiest_are_drawn(self):
        X = np.zeros((12, 60))
        X[:4, 7], X[2:9, 50] = np.nan, np.nan
        display = drawn(MissingnessDisplay.from_data(X, max_columns=2))
        heights = [bar.get_height() for bar in display.share_bars_]
        np.testing.assert_allclose(heights, [4 / 12, 7 / 12])
        assert {"x7", "x50", "2 of 60 columns"} <= texts_in(display.figure_)
        assert [bar.get_width() for bar in display.count_bars_] == [5, 3, 2, 2]

    def test_containers_and_sentinels(self, penguins):
        expected = MissingnessDisplay.from_data(penguins)
        found = MissingnessDisplay.from_data(pl.from_pandas(penguins))
        np.testing.assert_array_equal(found.missing, expected.missing)
        np.testing.assert_array_equal(found.counts, expected.counts)
        assert list(found.names) == list(penguins.columns)
        marked = pd.DataFrame({"a": [1.0, -9.0], "b": [2.0, 3.0]})
        display = MissingnessDisplay.from_data(marked, missing_values=-9)
        np.testing.assert_array_equal(display.shares, [0.5, 0.0])

    def test_few_missing_cells_are_not_none(self):
        X = np.zeros((10_000, 3))
        X[:4, 1], X[:1_800, 2] = np.nan, np.nan
        display = MissingnessDisplay.from_data(X)
        assert {"0%", "0.04%", "18%"} <= texts_in(display.figure_)

    def test_a_list_and_a_complete_table(self):
        display = drawn(MissingnessDisplay.from_data([[1, "a"], [2, "b"]]))
        assert display.counts.tolist() == [2]
        assert not display.missing.any()

    @pytest.mark.parametrize("option", ["max_patterns", "max_columns"])
    def test_limits_are_checked(self, penguins, option):
        with pytest.raises(ValueError, match=f"{option}: got 0, expected an integer"):
            MissingnessDisplay.from_data(penguins, **{option: 0})

    def test_a_table_without_rows_is_refused(self):
        with pytest.raises(ValueError, match=r"X: got a table of shape \(0, 1\)"):
            MissingnessDisplay.from_data(pd.DataFrame({"a": pd.Series(dtype=float)}))


class TestLossCurve:
    def test_lines_hold_the_curves(self, imputer):
        trained = copy.copy(imputer)
        trained.loss_curve_ = [3.0, 2.0, 1.5]
        trained.validation_scores_ = [0.4, 0.6, 0.5]
        display = drawn(LossCurveDisplay.from_estimator(trained, linestyle=":"))
        assert display.loss_line_.get_xydata().tolist() == [[1, 3], [2, 2], [3, 1.5]]
        scores = display.validation_line_.get_xydata()
        assert scores.tolist() == [[0, 0.4], [1, 0.6], [2, 0.5]]
        assert display.best_point_.get_xydata().tolist() == [[1, 0.6]]
        assert display.loss_line_.get_linestyle() == ":"

    def test_many_epochs_get_a_running_mean(self):
        losses = np.random.default_rng(0).normal(size=130)
        display = drawn(LossCurveDisplay(losses, [0.5, 0.5]).plot())
        epochs, means = display.mean_line_.get_data()
        np.testing.assert_array_equal(display.loss_line_.get_ydata(), losses)
        assert (epochs[0], epochs[-1]) == (2, 129)
        np.testing.assert_allclose(means[10], losses[10:13].mean())

    def test_equal_scores_look_equal(self):
        display = LossCurveDisplay([1.0], [0.5, 0.5 + 1e-8]).plot()
        low, high = display.validation_line_.axes.get_ylim()
        assert low < 0.495
        assert high > 0.505

    def test_without_scores_there_is_one_panel(self):
        display = drawn(LossCurveDisplay([2.0, 1.0]).plot())
        assert display.validation_line_ is None
        assert display.loss_line_.axes is display.ax_

    def test_what_was_not_trained_is_refused(self, imputer):
        with pytest.raises(ValueError, match="VAEImputer that was fitted without net"):
            LossCurveDisplay.from_estimator(imputer)
        with pytest.raises(ValueError, match="estimator: got PCA, expected a fitted"):
            LossCurveDisplay.from_estimator(PCA())
        with pytest.raises(ValueError, match="not fitted"):
            LossCurveDisplay.from_estimator(VAEImputer())


class TestDistribution:
    def test_heights_are_shares(self, imputer, penguins):
        column, edges = "body_mass_g", np.linspace(2500, 6500, 9)
        display = drawn(
            DistributionDisplay.from_estimator(imputer, penguins, column, bins=edges)
        )
        missing = penguins[column].isna()
        cells = {
            "observed": penguins.loc[~missing, column],
            "imputed": imputer.transform(penguins).loc[missing, column],
        }
        for part, expected in cells.items():
            values, at, _ = getattr(display, f"{part}_artist_").get_data()
            np.testing.assert_allclose(
                values, np.histogram(expected, edges)[0] / len(expected)
            )
            np.testing.assert_array_equal(at, edges)

    def test_bars_are_shares_of_levels(self, imputer, penguins):
        display = drawn(
            DistributionDisplay.from_estimator(imputer, penguins, "species")
        )
        missing = penguins["species"].isna()
        filled = imputer.transform(penguins)["species"]
        for artist, cells in (
            (display.observed_artist_, filled[~missing]),
            (display.imputed_artist_, filled[missing]),
        ):
            expected = cells.value_counts(normalize=True, sort=False)
            np.testing.assert_allclose([x.get_width() for x in artist], expected)
        names = [x.get_text() for x in display.ax_.get_yticklabels()]
        assert names == ["Adelie", "Chinstrap", "Gentoo"]

    def test_draws_of_several_tables(self, imputer, penguins):
        display = DistributionDisplay.from_estimator(
            imputer, penguins, "body_mass_g", n_imputations=3, random_state=0
        )
        tables = imputer.impute_multiple(penguins, 3, random_state=0)
        missing = penguins["body_mass_g"].isna()
        expected = [table.loc[missing, "body_mass_g"] for table in tables]
        np.testing.assert_array_equal(display.imputed, np.concatenate(expected))
        assert len(display.observed) == (~missing).sum()

    def test_ecdf_ends_at_one(self):
        display = DistributionDisplay([1.0, 2.0, 4.0], [3.0], "a").plot(kind="ecdf")
        np.testing.assert_allclose(
            drawn(display).observed_artist_.get_xydata()[1:],
            [[1, 1 / 3], [2, 2 / 3], [4, 1]],
        )

    def test_whole_numbers_get_a_bar_each(self):
        display = drawn(DistributionDisplay([1, 1, 3], [2, 3], "a").plot())
        values, edges, _ = display.observed_artist_.get_data()
        np.testing.assert_allclose(values, [2 / 3, 0, 1 / 3])
        assert edges.tolist() == [0.5, 1.5, 2.5, 3.5]

    def test_bins_hold_equally_many_whole_numbers(self):
        ages = np.repeat(np.arange(18, 90), 100)
        display = DistributionDisplay(ages, ages, "age").plot()
        values, edges, _ = display.observed_artist_.get_data()
        (width,) = np.unique(np.diff(edges))
        assert width == round(width) >= 1
        np.testing.assert_allclose(values[:-1], width / 72)
        assert values.sum() == pytest.approx(1.0)

    def test_levels_beyond_the_most_frequent_are_pooled(self):
        names = [f"n{k:02}" for k in range(30)]
        observed = pd.Categorical(names + names[:14], categories=names)
        imputed = pd.Categorical(names[:2], categories=names)
        display = drawn(DistributionDisplay(observed, imputed, "a").plot())
        widths = [x.get_width() for x in display.observed_artist_]
        np.testing.assert_allclose(widths, [2 / 44] * 14 + [16 / 44])
        assert "16 others" in texts_in(display.figure_)

    @pytest.mark.parametrize("kind", ["histogram", "ecdf"])
    def test_a_title_has_room(self, kind):
        display = DistributionDisplay([1.0, 2.0, 4.0], [3.0], "a").plot(kind=kind)
        title = display.ax_.set_title("a long title " * 5)
        display.figure_.draw_without_rendering()
        legend = display.ax_.get_legend().get_window_extent()
        assert title.get_window_extent().y0 > legend.y1

    def test_levels_are_matched_by_name(self):
        observed = pd.Categorical(["a", "a", "b", "b"], categories=["b", "a"])
        imputed = pd.Categorical(["b", "c", "c", "c"], categories=["a", "b", "c"])
        display = drawn(DistributionDisplay(observed, imputed, "k").plot())
        names = [x.get_text() for x in display.ax_.get_yticklabels()]
        assert names == ["b", "a", "c"]
        for artist, expected in (
            (display.observed_artist_, [0.5, 0.5, 0]),
            (display.imputed_artist_, [0.25, 0, 0.75]),
        ):
            assert [x.get_width() for x in artist] == expected

    @pytest.mark.parametrize("kind", ["histogram", "ecdf"])
    def test_dates_and_durations(self, kind):
        days = pd.date_range("2024-01-01", periods=40).to_series(index=range(40))
        X = pd.DataFrame({"day": days, "length": (days - days[0]) / 10})
        X = X.drop(index=range(0, 40, 5)).reindex(range(40))
        X["number"] = np.arange(40.0)
        fitted = VAEImputer(**LINEAR).fit(X)
        dates = drawn(DistributionDisplay.from_estimator(fitted, X, "day", kind=kind))
        assert dates.observed.dtype.kind == "M"
        assert dates.observed[0] == np.datetime64("2024-01-02")
        durations = DistributionDisplay.from_estimator(fitted, X, "length", kind=kind)
        assert drawn(durations).ax_.get_xlabel() == "length (days)"

    def test_other_containers_and_imputers(self, penguins):
        numbers = penguins[["bill_length_mm", "body_mass_g"]]
        tables = [numbers, pl.from_pandas(numbers), numbers.to_numpy()]
        observed = numbers["body_mass_g"].dropna()
        for X in tables:
            imputer = SimpleImputer().fit(X)
            display = DistributionDisplay.from_estimator(imputer, X, 1)
            np.testing.assert_array_equal(display.observed, observed)
            np.testing.assert_allclose(display.imputed, observed.mean())

    def test_what_is_wrong_is_named(self, imputer, penguins):
        make = DistributionDisplay.from_estimator
        with pytest.raises(ValueError, match="column: got 'mass', expected the name"):
            make(imputer, penguins, "mass")
        whole = load_penguins()
        with pytest.raises(ValueError, match="column: got 'year', of which VAEImputer"):
            make(imputer, whole, "year")
        empty = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": np.nan})
        kept = VAEImputer(keep_empty_features=True, **LINEAR).fit(empty)
        with pytest.raises(ValueError, match="column: got 'b' without an observed"):
            make(kept, empty, "b")
        with pytest.raises(ValueError, match="kind: got 'bars', expected 'histogram'"):
            make(imputer, penguins, "year", kind="bars")
        numbers = penguins[["body_mass_g"]]
        simple = SimpleImputer().fit(numbers)
        with pytest.raises(ValueError, match="n_imputations: got 2 with SimpleImputer"):
            make(simple, numbers, "body_mass_g", n_imputations=2)


class Normal(BaseEstimator):
    """Gives each missing number the interval of N(0, 1), widened by a factor."""

    missing_values = np.nan

    def __init__(self, factor=1.0):
        self.factor = factor

    def predict_interval(self, X, confidence_level):
        reach = self.factor * stats.norm.ppf(0.5 + 0.5 * confidence_level)
        return tuple(X.mask(X.isna(), end) for end in (-reach, reach))


class TestCoverage:
    @pytest.mark.parametrize("factor", [1.0, 0.5])
    def test_intervals_of_a_gaussian(self, factor):
        X = pd.DataFrame(np.random.default_rng(0).normal(size=(4000, 3)))
        X.columns = ["a", "b", "c"]
        levels = [0.5, 0.8, 0.95]
        display = drawn(
            CoverageDisplay.from_estimator(
                Normal(factor), X, confidence_levels=levels, random_state=0
            )
        )
        reach = factor * stats.norm.ppf(0.5 + 0.5 * np.array(levels))
        expected = 2 * stats.norm.cdf(reach) - 1
        assert display.n_cells.tolist() == [800, 800, 800]
        # Four standard errors of 2,400 cells.
        np.testing.assert_allclose(display.coverage, expected, atol=0.041)
        np.testing.assert_allclose(display.line_.get_xdata(), levels)
        np.testing.assert_allclose(display.line_.get_ydata(), display.coverage)

    def test_the_band_is_binomial(self):
        truth = np.zeros(50)
        display = CoverageDisplay.from_predictions(truth, [truth], [truth], [0.5])
        (path,) = display.band_.get_paths()
        heights = path.vertices[np.isclose(path.vertices[:, 0], 0.5), 1]
        expected = np.array(stats.binom.interval(0.95, 50, 0.5)) / 50
        np.testing.assert_allclose([heights.min(), heights.max()], expected)

    def test_columns_are_counted_apart(self):
        display = CoverageDisplay.from_predictions(
            [1.0, 2.0, 3.0, 4.0],
            [[0, 3, 0, 0], [0, 0, 0, 0]],
            [[2, 4, 1, 4], [2, 4, 4, 4]],
            [0.5, 0.9],
            columns=["a", "a", "b", "b"],
            by_column=True,
        )
        assert drawn(display).names == ["a", "b"]
        assert display.n_within.tolist() == [[1, 1], [2, 2]]
        assert display.coverage.tolist() == [0.5, 1.0]
        assert [x.get_ydata().tolist() for x in display.column_lines_] == [[0.5, 1]] * 2

    def test_many_columns_look_different_and_leave_room(self):
        names = [f"column {k}" for k in range(28)]
        n_within = np.tile(np.arange(28), (2, 1))
        display = CoverageDisplay([0.5, 0.9], n_within, np.full(28, 28), names)
        drawn_lines = drawn(display.plot(by_column=True)).column_lines_
        looks = {
            (x.get_color(), x.get_marker(), x.get_linestyle())
            for x in [display.line_, *drawn_lines]
        }
        assert len(looks) == 29
        figure = display.plot(by_column=True).figure_
        figure.draw_without_rendering()
        assert display.ax_.get_window_extent().height > 0.7 * figure.bbox.height

    def test_hidden_cells_of_an_imputer(self, imputer):
        X = load_penguins()
        given = {"confidence_levels": [0.9], "random_state": 3, "fraction": 0.1}
        found = CoverageDisplay.from_estimator(imputer, X, **given)
        numbers = X.select_dtypes("number")
        assert found.names == list(numbers.columns)
        assert found.n_cells.tolist() == (0.1 * numbers.count()).round().tolist()
        assert 0.7 < found.coverage[0] <= 1
        given["random_state"] = np.random.RandomState(3)
        alike = CoverageDisplay.from_estimator(imputer, pl.from_pandas(X), **given)
        np.testing.assert_array_equal(found.n_within, alike.n_within)

    def test_what_is_wrong_is_named(self, imputer, penguins):
        make = CoverageDisplay.from_estimator
        with pytest.raises(ValueError, match="got SimpleImputer, expected a fitted"):
            make(SimpleImputer(), penguins)
        with pytest.raises(ValueError, match="fraction: got 1, expected"):
            make(imputer, penguins, fraction=1)
        with pytest.raises(ValueError, match=r"confidence_level: got 1\.5, expected"):
            make(imputer, penguins, confidence_levels=[0.5, 1.5])
        levels = penguins[["species", "sex"]]
        fitted = VAEImputer(**LINEAR).fit(levels)
        with pytest.raises(ValueError, match="X: got no observed number"):
            make(fitted, levels)
        with pytest.raises(ValueError, match=r"upper: got shape \(2,\), expected"):
            CoverageDisplay.from_predictions([1, 2], [[0, 0]], [3, 3], [0.5])


class TestLatentMap:
    def test_points_are_what_transform_returns(self, reducer, penguins):
        display = drawn(LatentMapDisplay.from_estimator(reducer, penguins))
        (points,) = display.points_
        np.testing.assert_allclose(points.get_offsets(), reducer.transform(penguins))
        assert display.ax_.get_xlabel().startswith("vaetransformer0 (")

    def test_levels_are_drawn_apart(self, reducer, penguins):
        display = LatentMapDisplay.from_estimator(reducer, penguins, column="species")
        latents, species = reducer.transform(penguins), penguins["species"]
        levels = [*species.cat.categories, "missing"]
        found = [text.get_text() for text in drawn(display).legend_.get_texts()]
        assert found == levels
        parts = [species == level for level in levels[:-1]] + [species.isna()]
        for points, at in zip(display.points_, parts, strict=True):
            np.testing.assert_allclose(points.get_offsets(), latents[at])

    def test_numbers_get_a_colour_bar(self, reducer, penguins):
        mass = penguins["body_mass_g"]
        by_name = LatentMapDisplay.from_estimator(reducer, penguins, column=5)
        by_y = LatentMapDisplay.from_estimator(reducer, penguins, mass)
        for display in (by_name, by_y):
            known, missing = drawn(display).points_
            np.testing.assert_array_equal(known.get_array(), mass.dropna())
            assert len(missing.get_offsets()) == mass.isna().sum()
            assert display.colorbar_.ax.get_ylabel() == "body_mass_g"

    def test_few_whole_numbers_are_levels(self, reducer, penguins):
        for n_levels in (3, 8, 9):
            y = pd.Series(np.arange(len(penguins)) % n_levels, dtype="Int64")
            y[0] = pd.NA
            display = LatentMapDisplay.from_estimator(reducer, penguins, y)
            names = [x.get_text() for x in display.legend_.get_texts()]
            if n_levels <= 8:
                assert names == [*map(str, range(n_levels)), "missing"]
            else:
                assert display.colorbar_
                assert names == ["missing"]

    def test_many_levels_are_pooled(self, reducer, penguins):
        y = [f"level {k % 10}" for k in range(len(penguins))]
        y[3], y[5] = None, None
        display = drawn(LatentMapDisplay.from_estimator(reducer, penguins, y))
        names = [x.get_text() for x in display.legend_.get_texts()]
        assert names[-2:] == ["3 others", "missing"]
        counts = [len(x.get_offsets()) for x in display.points_]
        rows = pd.Series(y).value_counts()
        assert counts[:7] == rows[names[:7]].tolist()
        assert counts[7:] == [rows.drop(names[:7]).sum(), 2]
        assert rows[names[:7]].min() >= rows.drop(names[:7]).max()

    def test_dates_and_other_transformers(self):
        X = np.random.default_rng(0).normal(size=(30, 4))
        y = pd.Series(pd.date_range("2024-01-01", periods=30), name="day")
        pca = PCA(3).fit(X)
        display = LatentMapDisplay.from_estimator(pca, X, y, components=(2, 0))
        expected = pca.transform(X)[:, [2, 0]]
        np.testing.assert_allclose(drawn(display).points_[0].get_offsets(), expected)
        assert display.ax_.get_xlabel().startswith("pca2")

    def test_polars(self, reducer, penguins):
        X = pl.from_pandas(penguins)
        display = LatentMapDisplay.from_estimator(reducer, X, column="sex")
        names = [x.get_text() for x in display.legend_.get_texts()]
        assert sorted(names) == ["female", "male", "missing"]
        alike = LatentMapDisplay.from_estimator(reducer, X, X["sex"])
        assert [x.get_text() for x in alike.legend_.get_texts()] == names

    def test_what_is_wrong_is_named(self, imputer, reducer, penguins):
        make = LatentMapDisplay.from_estimator
        with pytest.raises(ValueError, match="got VAEImputer, which returns the table"):
            make(imputer, penguins)
        with pytest.raises(ValueError, match=r"components: got \(0, 2\), expected two"):
            make(reducer, penguins, components=(0, 2))
        for components in (1, (0.5, 1), "01"):
            with pytest.raises(ValueError, match=r"components: got .*, expected two"):
                make(reducer, penguins, components=components)
        with pytest.raises(ValueError, match=r"y: got shape \(2,\), expected \(344,\)"):
            make(reducer, penguins, [1, 2])
        with pytest.raises(ValueError, match="got both, column 'sex'"):
            make(reducer, penguins, penguins["sex"], column="sex")
        with pytest.raises(ValueError, match="column: got 'mass', expected the name"):
            make(reducer, penguins, column="mass")
        with pytest.raises(ValueError, match="y: got free text, expected"):
            make(reducer, penguins, [f"a long remark, number {k}" for k in range(344)])


class TestCellSurprise:
    def test_rows_are_the_most_surprising(self, imputer):
        X = load_penguins()
        X.loc[7, "body_mass_g"] = 40_000
        display = drawn(CellSurpriseDisplay.from_estimator(imputer, X, max_rows=6))
        scores = imputer.cell_scores(X)
        expected = scores.max(axis=1).nlargest(6).index
        assert display.rows_.tolist() == expected.tolist()
        cells = display.mesh_.get_array().reshape(6, -1)
        found = np.ma.filled(cells, np.nan)
        np.testing.assert_allclose(found, scores.loc[expected])
        assert {"40000", "1 in 100", "body_mass_g"} <= texts_in(display.figure_)

    def test_unseen_levels_and_other_containers(self, imputer):
        X = load_penguins()[:20].astype({"island": object})
        X.loc[3, "island"] = "Elsewhere"
        frame = CellSurpriseDisplay.from_estimator(imputer, X)
        polars = CellSurpriseDisplay.from_estimator(imputer, pl.from_pandas(X))
        for display in (frame, polars):
            assert drawn(display).rows_[0] == 3
            assert "Elsewhere" in texts_in(display.figure_)

    def test_durations_are_short(self):
        spans = ["0 days 00:02:25", "12 days", "3 days 04:00:00.5"]
        cells = pd.DataFrame({"a": pd.to_timedelta(spans)})
        scores = pd.DataFrame({"a": [3.0, 2.0, 1.0]})
        display = drawn(CellSurpriseDisplay(scores, cells).plot())
        found = [text.get_text() for text in display.ax_.texts]
        assert found == ["00:02:25", "12 days", "3 days 04…"]

    def test_wide_tables_are_not_written_into(self):
        scores = pd.DataFrame(np.eye(30), columns=[f"c{k}" for k in range(30)])
        display = drawn(CellSurpriseDisplay(scores, scores).plot())
        assert not display.ax_.texts
        assert display.rows_.tolist() == list(range(15))

    def test_what_is_wrong_is_named(self):
        with pytest.raises(ValueError, match="estimator: got PCA, expected a fitted"):
            CellSurpriseDisplay.from_estimator(PCA(), load_penguins())
        with pytest.raises(ValueError, match="scores: got no score at all"):
            CellSurpriseDisplay(pd.DataFrame({"a": [np.nan]})).plot()
        with pytest.raises(ValueError, match=r"max_rows: got 1\.5, expected an int"):
            CellSurpriseDisplay(pd.DataFrame({"a": [1.0]})).plot(max_rows=1.5)


class TestComparison:
    def test_points_are_the_errors(self, compared):
        display = drawn(ComparisonDisplay.from_comparison(compared))
        for kind in ("numbers", "levels"):
            overall = display.points_[kind].get_offsets()
            np.testing.assert_allclose(overall[:, 0], compared.overall[kind])
            assert overall[:, 1].tolist() == [0, 1]
            of_kind = "numeric" if kind == "numbers" else "nominal"
            errors = compared.by_column[compared.by_column["kind"] == of_kind]
            errors = errors[["mean", "knn"]]
            found = display.column_points_[kind].get_offsets()[:, 0]
            np.testing.assert_allclose(
                np.sort(found), np.sort(errors.to_numpy().ravel())
            )
        assert {"mean", "knn"} <= texts_in(display.figure_)

    def test_what_failed_is_told(self, compared):
        overall = compared.overall.copy()
        overall.loc["mean", ["numbers", "levels"]] = np.nan
        by_column = compared.by_column.assign(mean=np.nan)
        display = drawn(ComparisonDisplay(by_column, overall).plot())
        assert "mean (failed)" in texts_in(display.figure_)

    def test_one_kind_needs_one_panel(self, compared):
        overall = compared.overall.assign(levels=np.nan)
        display = drawn(ComparisonDisplay(compared.by_column, overall).plot())
        assert display.points_["numbers"].axes is display.ax_

    def test_what_is_wrong_is_named(self, compared):
        with pytest.raises(ValueError, match="comparison: got dict, expected"):
            ComparisonDisplay.from_comparison({})
        failed = compared.overall.assign(numbers=np.nan, levels=np.nan)
        with pytest.raises(ValueError, match="overall: got no error at all"):
            ComparisonDisplay.from_comparison(replace(compared, overall=failed))


HOSTILE = ["$x_1$", "_hidden", r"\frac{", "a $ b", "<script>", "two\nlines", "n" * 200]


@pytest.fixture(scope="module")
def hostile():
    """A table whose names of columns and levels look like markup."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, len(HOSTILE))), columns=HOSTILE)
    X[r"$\alpha$"] = pd.Categorical(rng.choice(["$y^2$", "_z", "100 %"], size=40))
    return ampute(X, fraction=0.2, random_state=0)


def test_names_that_look_like_markup_are_text(hostile):
    fitted = VAEImputer(**LINEAR).fit(hostile)
    reducer = VAETransformer(hidden_layer_sizes=(), random_state=0).fit(hostile)
    imputers = {"$m$": Encoded(SimpleImputer()), "_n": Encoded(KNNImputer())}
    found = compare_imputers(hostile, imputers, n_repeats=1, random_state=0)
    level = r"$\alpha$"
    cases = [
        (MissingnessDisplay.from_data(hostile), {"$x_1$", "_hidden", "two lines"}),
        (DistributionDisplay.from_estimator(fitted, hostile, "$x_1$"), {"$x_1$"}),
        (DistributionDisplay.from_estimator(fitted, hostile, level), {"$y^2$", level}),
        (
            CoverageDisplay.from_predictions(
                *([0.0], [[0.0]], [[0.0]], [0.5]), columns=["$x_1$"], by_column=True
            ),
            {"$x_1$ (1)"},
        ),
        (
            LatentMapDisplay.from_estimator(reducer, hostile, column=level),
            {level, "$y^2$", "_z"},
        ),
        (
            LatentMapDisplay.from_estimator(reducer, hostile, column="$x_1$"),
            {"$x_1$"},
        ),
        (CellSurpriseDisplay.from_estimator(fitted, hostile), {"$x_1$", "$y^2$"}),
        (ComparisonDisplay.from_comparison(found), {"$m$", "_n"}),
    ]
    for display, expected in cases:
        artists = drawn(display).figure_.findobj(lambda x: hasattr(x, "get_parse_math"))
        literal = {x.get_text() for x in artists if not x.get_parse_math()}
        assert expected <= literal, type(display)


@pytest.fixture(scope="module")
def displays(imputer, reducer, penguins, compared):
    """One display of each class."""
    some = penguins[:60]
    return [
        MissingnessDisplay.from_data(penguins),
        LossCurveDisplay([2.0, 1.0], [0.1, 0.2]),
        DistributionDisplay.from_estimator(imputer, some, "sex"),
        CoverageDisplay.from_estimator(imputer, some, random_state=0),
        LatentMapDisplay.from_estimator(reducer, penguins, column="body_mass_g"),
        CellSurpriseDisplay.from_estimator(imputer, some),
        ComparisonDisplay.from_comparison(compared),
    ]


def test_all_draw_on_given_axes(displays):
    assert {type(x).__name__ for x in displays} == set(diagnostics.__all__)
    pyplot.close("all")
    figure, grid = pyplot.subplots(2, 4, figsize=(24, 10), layout="constrained")
    for display, ax in zip(displays, grid.flat, strict=False):
        assert display.plot(ax=ax) is display
        assert display.ax_ is ax
        assert display.figure_ is figure
    figure.draw_without_rendering()
    assert pyplot.get_fignums() == [figure.number]


def test_all_text_fits_into_the_figure(displays):
    for display in displays:
        figure = display.plot().figure_
        figure.draw_without_rendering()
        inside = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert -0.01 <= inside.x0 < inside.x1 <= width + 0.01, type(display)
        assert -0.01 <= inside.y0 < inside.y1 <= height + 0.01, type(display)


def test_short_names_of_options_count():
    lines = LossCurveDisplay([2.0, 1.0], [0.1, 0.2]).plot(lw=3, c="black")
    given = ([1.0], [[0.0]], [[2.0]], [0.5])
    covered = CoverageDisplay.from_predictions(*given, lw=3, c="black")
    for line in (lines.loss_line_, lines.validation_line_, covered.line_):
        assert (line.get_linewidth(), line.get_color()) == (3, "black")


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'vaeimpute\[plot\]'"):
        LossCurveDisplay([1.0]).plot()


def test_page_shows_each_class():
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S))
    shown = set(re.findall(r"(\w+Display)\.from_", code))
    assert shown == set(diagnostics.__all__)
