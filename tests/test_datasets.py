import numpy as np
import pandas as pd
import pytest

from vaeimpute.datasets import load_penguins


def test_penguins_have_the_published_shape_and_gaps():
    penguins = load_penguins()

    assert penguins.shape == (344, 8)
    assert penguins.isna().sum().to_dict() == {
        "species": 0,
        "island": 0,
        "bill_length_mm": 2,
        "bill_depth_mm": 2,
        "flipper_length_mm": 2,
        "body_mass_g": 2,
        "sex": 11,
        "year": 0,
    }
    assert len(penguins.dropna()) == 333


@pytest.mark.parametrize(
    ("column", "levels"),
    [
        ("species", ["Adelie", "Chinstrap", "Gentoo"]),
        ("island", ["Biscoe", "Dream", "Torgersen"]),
        ("sex", ["female", "male"]),
    ],
)
def test_nominal_columns_are_categories(column, levels):
    assert load_penguins()[column].cat.categories.tolist() == levels


def test_numeric_columns_have_stated_dtypes():
    dtypes = load_penguins().select_dtypes("number").dtypes.astype(str).to_dict()

    assert dtypes == {
        "bill_length_mm": "float64",
        "bill_depth_mm": "float64",
        "flipper_length_mm": "float64",
        "body_mass_g": "float64",
        "year": "int64",
    }


def test_penguins_agree_with_the_published_figures():
    penguins = load_penguins()

    assert penguins["sex"].value_counts().to_dict() == {"male": 168, "female": 165}
    assert penguins["year"].value_counts().to_dict() == {
        2007: 110,
        2008: 114,
        2009: 120,
    }
    # The summary printed in the palmerpenguins documentation.
    means = penguins.select_dtypes("float64").mean().to_dict()
    assert means == pytest.approx(
        {
            "bill_length_mm": 43.92,
            "bill_depth_mm": 17.15,
            "flipper_length_mm": 200.9,
            "body_mass_g": 4202,
        },
        rel=3e-4,
    )


def test_measurements_are_read_exactly():
    # Bills were measured to 0.1 mm: each number is the double nearest to that.
    bills = load_penguins()[["bill_length_mm", "bill_depth_mm"]].to_numpy()
    bills = bills[~np.isnan(bills)]

    np.testing.assert_array_equal(bills, [float(f"{bill:.1f}") for bill in bills])


def test_each_call_returns_a_new_table():
    changed = load_penguins()
    changed["year"] = 0

    assert load_penguins()["year"].min() == 2007


def test_filling_nothing_but_gaps_keeps_category_dtype():
    # What an imputer relies on: the gaps are NaN inside the category dtype.
    sex = load_penguins()["sex"]

    assert isinstance(sex.dtype, pd.CategoricalDtype)
    assert sex.cat.codes.eq(-1).sum() == 11
