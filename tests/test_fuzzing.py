"""Tables of every kind, drawn at random: what must hold of each filled table.

``VAEIMPUTE_FUZZ=20`` draws twenty times as many tables.
"""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vaeimpute import VAEImputer
from vaeimpute._encoding import Encoding
from vaeimpute._tables import TableSchema

TIMES = int(os.environ.get("VAEIMPUTE_FUZZ", "1"))


def tables_to_draw(count):
    """Return how many tables are drawn; without VAEIMPUTE_FUZZ, the same each time."""
    return settings(
        max_examples=count * TIMES,
        derandomize=TIMES == 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


floats = st.one_of(
    st.floats(-1e300, 1e300),
    st.floats(-10, 10),
    st.sampled_from([0.0, -0.0, 5e-324, -1e-310, 1e-300, 1e300, -1e300, 1.0, 2.0]),
    st.integers(-3, 3).map(float),
)
usual_words = st.sampled_from(["a", "b", "NA", "", " a", "nan"])
words = st.one_of(usual_words, st.text(max_size=5))
CELLS = {
    "float64": floats,
    "float32": st.floats(-(2.0**99), 2.0**99, width=32),
    "int8": st.integers(-128, 127),
    "int64": st.one_of(st.integers(-(2**53), 2**53), st.integers(0, 3)),
    "uint16": st.integers(0, 2**16 - 1),
    "Int32": st.integers(-5, 5),
    "Float64": st.floats(-1e6, 1e6),
    "bool": st.booleans(),
    "boolean": st.booleans(),
    "object": words,
    "string": words,
    "category": words,
    "ordered": st.sampled_from(["low", "middle", "high"]),
    "datetime64[ns]": st.integers(0, 2**60),
    "datetime64[ns, Europe/Paris]": st.integers(10**18, 2 * 10**18),
    "timedelta64[ns]": st.integers(-(2**50), 2**50),
}
#: These cannot have a missing cell.
FULL = {"int8", "int64", "uint16", "bool"}


@st.composite
def columns(draw, n_rows):
    """Draw a column of one of the kinds, with gaps where it can have any."""
    kind = draw(st.sampled_from(sorted(CELLS)))
    cells = draw(st.lists(CELLS[kind], min_size=n_rows, max_size=n_rows))
    gaps = st.lists(st.booleans(), min_size=n_rows, max_size=n_rows)
    missing = np.array(draw(st.one_of(gaps, st.just([False] * n_rows))), bool)
    if kind == "ordered":
        dtype = pd.CategoricalDtype(["low", "middle", "high"], ordered=True)
        column = pd.Series(pd.Categorical(cells, dtype=dtype))
    elif "," in kind:
        column = pd.Series(pd.to_datetime(cells, utc=True))
        column = column.dt.tz_convert("Europe/Paris")
    elif "64[ns]" in kind:
        column = pd.Series(np.array(cells, "int64").astype(kind))
    else:
        column = pd.Series(cells, dtype=kind)
    return column if kind in FULL else column.mask(missing)


@st.composite
def tables(draw):
    n_rows = draw(st.integers(1, 12))
    usual = st.sampled_from(["x", "", "__class__", "y[0]"])
    names = st.one_of(usual, st.text(max_size=6))
    names = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    table = pd.DataFrame({name: draw(columns(n_rows)) for name in names})
    if draw(st.booleans()):
        table.index = draw(st.permutations(range(n_rows)))
    if draw(st.booleans()):
        table.index = ["same"] * n_rows
    return table


def assert_filled(filled, table, may_stay):
    """Assert that a table has changed in its missing cells alone."""
    assert filled.index.equals(table.index)
    assert filled.columns.tolist() == table.columns.tolist()
    for k, name in enumerate(table):
        before, after = table.iloc[:, k], filled.iloc[:, k]
        assert after.dtype == before.dtype, name
        observed = before.notna().to_numpy()
        pd.testing.assert_series_equal(
            after[observed], before[observed], check_exact=True, obj=name
        )
        if name not in may_stay:
            assert after.notna().all(), name
        if holds_numbers(after):
            assert np.isfinite(after.dropna().astype(float)).all(), name


def holds_numbers(column):
    return pd.api.types.is_numeric_dtype(column.dtype)


def is_hopeless(table):
    return table.isna().all(axis=None)


@given(tables())
@tables_to_draw(300)
def test_encoding_and_decoding(table):
    if is_hopeless(table):
        return
    schema = TableSchema.infer(
        table,
        categorical_features="from_dtype",
        discrete_features=None,
        missing_values=np.nan,
        text_features="passthrough",
    )
    values, missing = schema.read(table)
    encoding = Encoding.fit(values, schema.columns, {})
    rows = encoding.encode(values)
    assert np.isfinite(rows.values[rows.observed]).all()
    assert np.abs(rows.values[rows.observed]).max(initial=0) < 1e4
    n_rows, layout = len(values), encoding.layout()
    numbers = np.zeros((n_rows, len(encoding.numeric)))
    levels = np.zeros((n_rows, len(layout.log_share))) + layout.log_share
    filled = encoding.fill(values, numbers, numbers + 1.0, levels)
    assert np.isfinite(filled[:, list(encoding.likelihood_names())]).all()
    names = encoding.likelihood_names()
    modelled = np.isin(np.arange(len(schema.columns)), list(names))
    unknown = [x.name for x in schema.columns if x.name not in table.columns[modelled]]
    assert_filled(schema.write(table, filled, missing & modelled), table, unknown)


def check_filling(table, **settings):
    imputer = VAEImputer(
        **settings,
        text_features="passthrough",
        keep_empty_features=True,
        random_state=0,
    )
    if is_hopeless(table):
        with pytest.raises(ValueError, match="Every cell of X is missing"):
            imputer.fit(table)
        return
    filled = imputer.fit_transform(table)
    unknown = [x.name for x in imputer._schema.columns if x.kind == "text"]
    empty = [name for name in table if table[name].isna().all()]
    unknown += [x for x in empty if not holds_numbers(table[x])]
    assert_filled(filled, table, unknown)
    pd.testing.assert_frame_equal(imputer.fit(table).transform(table), filled)
    one = imputer.transform(table[-1:])
    pd.testing.assert_frame_equal(one, filled[-1:], check_exact=True)


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@given(tables())
@tables_to_draw(60)
def test_filling(table):
    check_filling(table, hidden_layer_sizes=())


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@given(tables())
@tables_to_draw(6)
def test_filling_by_networks(table):
    # Without held-out cells the networks have a share, whether it pays or not.
    check_filling(table, hidden_layer_sizes=(8,), max_iter=2, early_stopping=False)
