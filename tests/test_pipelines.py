"""`VAEImputer` as a part of what scikit-learn builds of estimators."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import MissingIndicator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from vaeimpute import VAEImputer
from vaeimpute.model_selection import hidden_cell_score


def tiny(**parameters):
    defaults = {
        "n_components": 2,
        "hidden_layer_sizes": (8,),
        "max_iter": 2,
        "batch_size": 32,
        "random_state": 0,
    }
    return VAEImputer(**defaults | parameters)


@pytest.fixture(scope="module")
def numbers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1)) + 0.5 * rng.normal(size=(60, 3))
    X[rng.random(X.shape) < 0.2] = np.nan
    return X


@pytest.fixture(scope="module")
def labels(numbers):
    return (np.nanmean(numbers, axis=1) > 0).astype(int)


@pytest.fixture
def encoder():
    """Imputer, then dummies of what is not a number: as before most models."""
    dummies = ColumnTransformer(
        [
            (
                "level",
                OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
                make_column_selector(dtype_exclude="number"),
            )
        ],
        remainder="passthrough",
    )
    return make_pipeline(tiny(), dummies)


def test_between_a_scaler_and_a_classifier(numbers, labels):
    pipe = make_pipeline(StandardScaler(), tiny(), LogisticRegression())
    pipe.fit(numbers, labels)
    assert pipe.score(numbers, labels) > 0.8
    assert pipe.predict_proba(numbers[:1]).shape == (1, 2)
    scaled = StandardScaler().fit_transform(numbers)
    np.testing.assert_array_equal(
        pipe[:-1].transform(numbers), tiny().fit_transform(scaled)
    )


def test_mixed_frame_before_dummies_and_a_classifier(mixed_table, encoder):
    target = (mixed_table["height"].fillna(170) > 170).to_numpy()
    X = mixed_table.drop(columns="height")
    pipe = make_pipeline(encoder, LogisticRegression(max_iter=1000))
    assert cross_val_predict(pipe, X, target, cv=2).shape == (60,)
    names = pipe.fit(X, target)[:-1].get_feature_names_out()
    assert "level__job_baker" in names
    assert "remainder__weight" in names


def test_names_and_indicators_pass_through_a_pipeline(mixed_table):
    pipe = make_pipeline(tiny(add_indicator=True), FunctionTransformer(None))
    pipe[-1].set_params(feature_names_out="one-to-one")
    pipe.set_output(transform="pandas")
    filled = pipe.fit_transform(mixed_table)
    assert list(filled) == list(pipe.get_feature_names_out())
    assert list(filled)[6:] == [f"missingindicator_{name}" for name in mixed_table]
    assert filled["children"].dtype == "Int64"


def test_some_columns_by_a_column_transformer(mixed_table):
    chosen = ["height", "weight", "job"]
    transformer = ColumnTransformer(
        [("fill", tiny(), chosen)],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    filled = transformer.fit_transform(mixed_table)
    expected = tiny().fit_transform(mixed_table[chosen])
    pd.testing.assert_frame_equal(filled[chosen], expected)
    rest = ["children", "member", "region"]
    pd.testing.assert_frame_equal(filled[rest], mixed_table[rest])


def test_two_imputers_in_one_column_transformer(mixed_table):
    transformer = ColumnTransformer(
        [
            ("numbers", tiny(), make_column_selector(dtype_include="number")),
            ("levels", tiny(), ["job", "region"]),
        ]
    )
    filled = transformer.fit_transform(mixed_table)
    assert filled.shape == (60, 5)
    assert not pd.isna(filled).any()
    assert transformer.get_feature_names_out().tolist() == [
        "numbers__height",
        "numbers__weight",
        "numbers__children",
        "levels__job",
        "levels__region",
    ]


def test_feature_union_with_an_indicator(numbers):
    union = FeatureUnion([("filled", tiny()), ("missing", MissingIndicator())])
    both = union.fit_transform(numbers)
    np.testing.assert_array_equal(both[:, :3], tiny().fit_transform(numbers))
    np.testing.assert_array_equal(both[:, 3:], np.isnan(numbers))
    names = union.get_feature_names_out()
    assert names[:3].tolist() == ["filled__x0", "filled__x1", "filled__x2"]


def test_output_of_every_step_by_the_global_setting(mixed_table, encoder):
    with config_context(transform_output="pandas"):
        table = encoder.fit_transform(mixed_table)
    assert table.index.equals(mixed_table.index)
    assert list(table) == list(encoder.get_feature_names_out())


def test_cross_validation_scores_by_density_and_by_hidden_cells(mixed_table):
    densities = cross_val_score(tiny(), mixed_table, cv=3)
    imputer = tiny().fit(mixed_table.iloc[20:])
    assert densities[0] == imputer.score(mixed_table.iloc[:20])
    assert np.isfinite(densities).all()
    for metric in ("nrmse", "mae", "accuracy"):
        scoring = hidden_cell_score(metric=metric)
        scores = cross_val_score(tiny(), mixed_table, cv=3, scoring=scoring)
        assert np.isfinite(scores).all()
        assert len(set(scores)) > 1


@pytest.fixture
def search():
    return GridSearchCV(tiny(), {"n_components": [1, 2]}, cv=2, error_score="raise")


def test_search_by_density(search, numbers):
    search.fit(numbers)
    imputers = [
        tiny(n_components=size).fit(numbers[30:]) for size in (1, 2)
    ]  # the models of the first fold
    np.testing.assert_array_equal(
        search.cv_results_["split0_test_score"],
        [imputer.score(numbers[:30]) for imputer in imputers],
    )
    filled = search.transform(numbers)
    best = tiny(**search.best_params_).fit_transform(numbers)
    np.testing.assert_array_equal(filled, best)


@pytest.mark.slow
def test_search_in_two_processes_gives_the_same_scores(search, numbers, labels):
    scoring = hidden_cell_score()
    alone = clone(search).set_params(scoring=scoring).fit(numbers)
    together = clone(search).set_params(scoring=scoring, n_jobs=2).fit(numbers)
    np.testing.assert_array_equal(
        together.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    pipe = Pipeline([("impute", tiny()), ("classify", LogisticRegression())])
    grid = {"impute__n_components": [1, 2]}
    scores = [
        GridSearchCV(pipe, grid, cv=2, n_jobs=n_jobs, error_score="raise")
        .fit(numbers, labels)
        .cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("step", [False, True])
def test_search_of_a_step_by_hidden_cells(numbers, step):
    imputer = make_pipeline(StandardScaler(), tiny()) if step else tiny()
    prefix = "vaeimputer__" if step else ""
    search = GridSearchCV(
        imputer, {f"{prefix}n_components": [1, 2]}, cv=2, scoring=hidden_cell_score()
    )
    search.fit(numbers)
    # About -1 is the error of filling in the mean.
    assert -1.1 < search.best_score_ < -0.2


def test_search_with_a_target(numbers, labels):
    pipe = Pipeline([("impute", tiny()), ("classify", LogisticRegression())])
    grid = {"impute__n_components": [1, 2], "impute__add_indicator": [False, True]}
    search = GridSearchCV(pipe, grid, cv=2, scoring="roc_auc", error_score="raise")
    search.fit(numbers, labels)
    assert search.best_score_ > 0.8


def test_metadata_routing(numbers, labels):
    weights = np.ones(60)
    with config_context(enable_metadata_routing=True):
        classifier = LogisticRegression().set_fit_request(sample_weight=True)
        scoring = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        pipe = make_pipeline(tiny(), classifier)
        pipe.fit(numbers, labels, sample_weight=weights)
        routing = tiny().get_metadata_routing()
        params = {"sample_weight": weights}
        scores = cross_val_score(
            pipe, numbers, labels, scoring=scoring, cv=2, params=params
        )
        union = FeatureUnion([("filled", tiny())]).fit(numbers)
        GridSearchCV(tiny(), {"n_components": [1, 2]}, cv=2).fit(numbers)
    assert routing.fit.requests == {}
    assert (scores > 0.7).all()
    assert union.transform(numbers).shape == (60, 3)


def test_pipeline_is_cloned_and_keeps_its_parameters(encoder, mixed_table):
    encoder.set_params(vaeimputer__n_components=3)
    fitted = clone(encoder).fit(mixed_table)
    assert fitted[0].n_components == 3
    assert not hasattr(encoder[0], "n_iter_")
