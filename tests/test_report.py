"""What a report finds, against what is known, and the page that shows it."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vaeimpute import VAEImputer, compare_imputers
from vaeimpute._columns import Column
from vaeimpute.comparison import default_imputers
from vaeimpute.report import report
from vaeimpute.report._charts import mirrored, squares
from vaeimpute.report._findings import Share
from vaeimpute.report._findings import _levels as level_counts
from vaeimpute.report._findings import _together as together
from vaeimpute.report._page import _ticks, page, shown, text
from vaeimpute.report._verdict import Verdict

# One latent, which the tables here are made of.
CORE = {"n_components": 1, "hidden_layer_sizes": (), "text_features": "passthrough"}
HOSTILE = "<script>alert(1)</script>"
QUOTED = "\"'><img src=x onerror=alert(1)>"
VOID = {"meta", "input", "br", "link", "img", "hr", "rect", "circle"}


def make_table(n_rows=200):
    """Return a table with a copy in noise, a function of it, noise, and a code.

    Two columns are missing together, one of them sometimes alone.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    table = pd.DataFrame(
        {
            "x": x,
            "near": 3 * x + 0.2 * rng.normal(size=n_rows),
            HOSTILE: -x + 0.2 * rng.normal(size=n_rows),
            "noise": rng.normal(size=n_rows),
            "sign": np.where(x > 0, "up", QUOTED),
        },
        index=[f"row {i}" for i in range(n_rows)],
    )
    table.iloc[10:30, [0, 1]] = np.nan
    table.iloc[50:55, 1] = np.nan
    table.iloc[60:64, 4] = None
    return table


def find(X, **parameters):
    imputer = VAEImputer(**CORE)
    return report(X, imputer, **{"n_repeats": 1, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def table():
    table = make_table()
    table.iloc[100, 1] += 12  # a typing error
    # Far out, but as its row lets expect.
    table.iloc[150] = [9.0, np.nan, -9.0, 0.0, "up"]
    return table


@pytest.fixture(scope="module")
def made(table):
    return find(table)


@pytest.fixture(scope="module")
def findings(made):
    return made.findings


# Findings


def test_missing_cells_are_counted(table, findings):
    assert (findings.n_rows, findings.n_columns) == table.shape
    assert findings.n_missing == table.isna().sum().sum() == 50
    columns = findings.columns
    assert columns["n_missing"].tolist() == table.isna().sum().tolist()
    assert columns["share_missing"].tolist() == table.isna().mean().tolist()
    assert columns["n_imputed"].tolist() == table.isna().sum().tolist()
    assert columns["kind"].tolist() == [*["numbers"] * 4, "levels"]


def test_patterns(findings):
    found = findings.patterns
    assert dict(zip(found["columns"], found["n_rows"], strict=True)) == {
        (): 170,
        ("x", "near"): 20,
        ("near",): 6,
        ("sign",): 4,
    }
    assert found["n_rows"].tolist() == [170, 20, 6, 4]
    assert found["share"].sum() == pytest.approx(1)


def test_columns_missing_together(table, findings):
    [pair] = findings.together.itertuples()
    assert (pair.one, pair.other, pair.n_rows) == ("x", "near", 20)
    missing = table.isna()
    assert pair.correlation == pytest.approx(missing["x"].corr(missing["near"]))
    assert pair.expected == pytest.approx(20 * 26 / 200)
    assert findings.groups == (("x", "near"),)


def test_columns_missing_by_chance_are_not_together():
    table = make_table()[["x", "noise"]]
    observed = np.random.default_rng(0).random(table.shape) > 0.3
    found = find(table.where(observed)).findings
    assert found.together.empty
    assert found.groups == ()


def test_few_tables_have_columns_said_to_be_missing_together_by_chance():
    """Of many pairs some are far apart, and in rare gaps that says little."""
    n_false = 0
    for seed in range(40):
        shares = np.geomspace(0.01, 0.5, 30)
        missing = np.random.default_rng(seed).random((100, 30)) < shares
        n_false += not together(missing, range(30))["together"].empty
    assert n_false <= stats.binom.isf(1e-3, 40, 0.05)


def test_groups_are_the_linked_columns():
    rng = np.random.default_rng(0)
    parts = rng.random((200, 3)) < 0.3
    found = together(parts[:, [0, 1, 0, 2, 1, 0]], "abcdef")
    assert found["groups"] == (("a", "c", "f"), ("b", "e"))
    assert len(found["together"]) == 3 + 1
    assert found["together"]["correlation"].tolist() == pytest.approx([1] * 4)


def test_errors_are_those_of_the_comparison(table, findings):
    found, generator = findings, np.random.RandomState(0)
    seed_of_fit, seed_of_cells = generator.randint(2**31 - 1, size=2)
    imputers = default_imputers()
    imputers["vae"] = VAEImputer(**CORE, random_state=int(seed_of_fit))
    expected = compare_imputers(
        table, imputers, n_repeats=1, random_state=int(seed_of_cells)
    )
    pd.testing.assert_frame_equal(found.comparison.by_column, expected.by_column)
    assert found.comparison.chosen == expected.chosen
    assert found.columns["error"].tolist() == expected.by_column["vae"].tolist()
    assert (
        found.columns["error_of_mean"].tolist() == expected.by_column["mean"].tolist()
    )


def test_skill_is_the_share_of_the_loss_that_is_avoided(findings):
    columns = findings.columns
    ratio = columns["error"] / columns["error_of_mean"]
    numbers = columns["kind"] == "numbers"
    assert columns["skill"].tolist() == pytest.approx(
        (1 - ratio**2).where(numbers, 1 - ratio).tolist()
    )
    assert columns["n_hidden"].tolist() == [18, 17, 20, 20, 20]
    assert columns["predictable"].tolist() == [
        *("untested", "untested", "well", "hardly", "well")
    ]


def test_untested_with_few_hidden_cells():
    found = find(make_table(60)).findings
    assert set(found.columns["n_hidden"]) <= {3, 4, 5, 6}
    assert set(found.columns["predictable"]) == {"untested"}


def test_odd_cells(table, findings):
    first = findings.odd.iloc[0]
    assert (first["row"], first["column"]) == ("row 100", "near")
    assert first["observed"] == table.iloc[100, 1]
    assert first["lower"] < 3 * table.iloc[100, 0] < first["upper"]
    assert first["lower"] < first["expected"] < first["upper"]
    assert findings.odd["score"].is_monotonic_decreasing
    assert findings.columns["n_odd"].sum() == len(findings.odd)


def test_extrapolated_cells(table, findings):
    cells = findings.extrapolated
    outside = cells[cells["why"] == "outside"]
    assert ["row 150", "near"] in outside[["row", "column"]].to_numpy().tolist()
    for cell in outside.itertuples():
        observed = table[cell.column]
        assert not observed.min() <= cell.imputed <= observed.max()
    assert findings.columns["n_extrapolated"].sum() == len(cells)


def test_rows_without_anything_are_extrapolated():
    table = make_table()
    table.iloc[:3] = np.nan
    cells = find(table).findings.extrapolated
    assert (cells["why"] == "empty").sum() == 3 * 5


def test_distributions(table, findings):
    assert set(findings.distributions) == {"x", "near", "sign"}
    near, sign = findings.distributions["near"], findings.distributions["sign"]
    assert near.observed.sum() == table["near"].notna().sum()
    assert near.imputed.sum() == 26
    observed, _ = np.histogram(table["near"].dropna(), near.edges)
    assert near.observed.tolist() == observed.tolist()
    quartiles = table["near"].quantile([0.25, 0.5, 0.75])
    assert near.observed_quartiles == pytest.approx(tuple(quartiles))
    assert dict(zip(sign.levels, sign.observed, strict=True)) == (
        table["sign"].value_counts().to_dict()
    )
    assert sign.imputed.sum() == 4


def test_rare_levels_are_counted_together():
    column = Column("code", "nominal", "str", levels=tuple("abcdefghijklmnop"))
    observed = np.repeat(np.arange(16.0), np.arange(16))  # a never, p 15 times
    found = level_counts(column, observed, np.array([15.0, 0.0, 1.0]))
    assert found.levels == (*"ponmlkjihgf", "5 others")
    assert found.observed.tolist() == [*range(15, 4, -1), 1 + 2 + 3 + 4]
    assert found.imputed.tolist() == [1, *[0] * 10, 2]


def test_coverage_of_intervals_that_are_right():
    """Of normal columns, about as many lie in their intervals as are to."""
    found = find(make_table(400)[["x", "near", "noise"]], n_repeats=2).findings
    assert found.coverage.n > 150
    assert 0.82 < found.coverage.share < 0.98
    assert found.coverage.expected == 0.9
    assert found.certainty.n == 0


def test_certainty_of_levels(findings):
    assert findings.certainty.n == findings.columns.loc["sign", "n_hidden"]
    right = 1 - findings.columns.loc["sign", "error"]
    assert findings.certainty.share == pytest.approx(right)
    assert findings.columns.loc["sign", "accuracy"] == pytest.approx(right)


def test_wilson_interval():
    share = Share.counted(45, 50, 0.9)
    z, p, n = stats.norm.ppf(0.975), 0.9, 50
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (share.low, share.high) == pytest.approx((middle - reach, middle + reach))
    assert share.is_as_expected
    assert not Share.counted(30, 50, 0.9).is_as_expected
    assert not Share.counted(0, 0, 0.9).is_as_expected


def test_long_tables_are_sampled(table):
    made = find(table, max_rows=120)
    assert made.findings.n_rows_seen == 120
    assert made.findings.n_rows == 200
    assert made.findings.n_missing == 50  # counted in all
    assert made.findings.columns["n_imputed"].sum() < 50
    assert any("120 rows" in x for x in made.verdict.limits)


@pytest.mark.parametrize("container", ["polars", "numpy"])
def test_other_containers(container):
    table = make_table()[["x", "near", "noise"]]
    expected = find(table.reset_index(drop=True)).findings
    if container == "polars":
        pl = pytest.importorskip("polars")
        given = pl.from_pandas(table)
    else:
        given = table.to_numpy()
    found = find(given).findings
    assert found.columns["error"].tolist() == expected.columns["error"].tolist()
    assert found.patterns["n_rows"].tolist() == expected.patterns["n_rows"].tolist()


def test_every_kind_of_column(mixed_table, typed_table):
    table = mixed_table.reset_index(drop=True)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(table)), "D")
    table["day"] = pd.Series(days).where(table["height"].notna())
    table["nothing"] = np.nan
    table["note"] = [f"a long note that says {i} and more" for i in range(len(table))]
    made = find(table)
    columns = made.findings.columns
    assert columns.loc["day", "kind"] == "dates"
    assert columns.loc["note", "note"] == "free text"
    assert columns.loc["nothing", ["n_imputed", "n_odd"]].tolist() == [0, 0]
    assert isinstance(made.findings.distributions["day"].edges[0], pd.Timestamp)
    check_structure(made.html)


def test_sentinel_counts_as_missing():
    table = make_table()[["x", "near", "noise"]]
    imputer = VAEImputer(**CORE, missing_values=-999.0)
    found = report(table.fillna(-999.0), imputer, n_repeats=1, random_state=0).findings
    expected = find(table).findings
    pd.testing.assert_frame_equal(found.columns, expected.columns)


@pytest.mark.parametrize(
    ("X", "parameters", "message"),
    [
        (np.full((3, 2), np.nan), {}, "X: got no observed cell"),
        (np.zeros((0, 2)), {}, r"X: got a table of shape \(0, 2\)"),
        (np.eye(3), {"max_rows": 1}, "max_rows: got 1"),
        (np.eye(3), {"max_rows": True}, "max_rows: got True"),
        (np.eye(3), {"fraction": 2}, "fraction: got 2"),
        (np.eye(3), {"n_repeats": 0}, "n_repeats: got 0"),
        (np.eye(3), {"imputer": "mean"}, "imputer: got 'mean'"),
    ],
)
def test_bad_parameters(X, parameters, message):
    with pytest.raises(ValueError, match=message):
        report(X, **parameters)


# The verdict


def test_verdict_names_the_simpler_imputer(made, findings):
    assert findings.comparison.chosen in ("knn", "iterative")
    assert made.verdict.headline == "Something simpler is as good"
    well, untested = made.verdict.trust[:2]
    assert well.endswith("avoided: “sign”.")  # of those with gaps
    assert untested.endswith(": “x”, “near”.")
    assert any("“near”" in x and "odd" not in x for x in made.verdict.to_check)
    assert "missing by chance" in made.verdict.limits[-1]
    assert made.verdict.headline in str(made)


def test_verdict_on_noise():
    noise = np.random.default_rng(0).normal(size=(300, 3))
    noise[:20, 0] = np.nan
    assert find(noise).verdict.headline == "Filling will hardly help"


def test_verdict_on_few_rows():
    assert find(make_table(20)).verdict.headline == "Too little data to tell"


def test_verdict_on_a_complete_table():
    made = find(make_table().dropna())
    assert made.verdict.headline == "Nothing to fill"
    assert made.findings.distributions == {}
    check_structure(made.html)


# The page


class Structure(HTMLParser):
    """Collects what a page is made of, and checks that its elements are closed."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.texts = [], [], []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def check_structure(html):
    """Return the parsed page, after what has to hold of every page."""
    structure = Structure()
    structure.feed(html)
    structure.close()
    assert structure.open == []
    ids = [x["id"] for _, x in structure.elements if "id" in x]
    assert len(ids) == len(set(ids))
    referred = [
        id_
        for _, x in structure.elements
        for key in ("aria-labelledby", "aria-describedby")
        for id_ in x.get(key, "").split()
    ]
    anchors = [x["href"] for x in structure.named("a")]
    assert set(referred) | {x.removeprefix("#") for x in anchors} <= set(ids)
    assert all(x.startswith("#") for x in anchors)
    levels = [
        int(tag[1]) for tag, _ in structure.elements if re.fullmatch("h[1-6]", tag)
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for attributes in structure.named("svg"):
        assert attributes.get("role") == "img" or attributes["aria-hidden"] == "true"
    return structure


def test_page_is_one_file_and_closed_to_the_network(made):
    structure = check_structure(made.html)
    assert made.html.startswith("<!DOCTYPE html>")
    assert "http:" not in made.html.replace("http-equiv", "")
    assert "https:" not in made.html
    assert "url(" not in made.html
    assert "@import" not in made.html
    for _, attributes in structure.elements:
        assert not {"src", "action", "style", "srcset"} & set(attributes)
        assert not [x for x in attributes if x.startswith("on")]
    [policy] = [
        x["content"]
        for x in structure.named("meta")
        if x.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_page_has_language_viewport_and_landmarks(made):
    structure = check_structure(made.html)
    assert structure.named("html") == [{"lang": "en"}]
    assert "width=device-width" in str(structure.named("meta"))
    for landmark in ("header", "nav", "main", "footer"):
        assert len(structure.named(landmark)) == 1
    first = structure.named("a")[0]
    assert first == {"class": "skip", "href": "#main"}


def test_pictures_have_words(findings, made):
    structure = check_structure(made.html)
    n_pictures = sum("role" in x for x in structure.named("svg"))
    n_numbers = sum(not x.levels for x in findings.distributions.values())
    assert n_pictures == n_numbers == 2
    assert len(structure.named("desc")) == n_pictures


def test_names_and_cells_stay_text(made):
    structure = check_structure(made.html)
    assert len(structure.named("script")) == 1
    assert structure.named("img") == []
    words = [data for tag, data in structure.texts if tag == "bdi"]
    assert HOSTILE in words
    assert QUOTED in words


def test_letters_that_turn_text_are_seen():
    html = find(make_table().rename(columns={"near": "\u202eturned"})).html
    assert "\u202e" not in html
    assert "\\u202eturned" in html


def test_long_names_are_cut_and_kept_in_full():
    name = "n" * 500
    html = find(make_table().rename(columns={"near": name})).html
    assert f'title="{name}"' in html
    assert html.count(name) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("</script>", "&lt;/script&gt;"),
        ("a & \"b\" 'c'", "a &amp; &quot;b&quot; &#x27;c&#x27;"),
        ("\u202eevil", "\\u202eevil"),
        ("nul\x00", "nul\\u0000"),
        ("שלום", "שלום"),
        (7, "7"),
    ],
)
def test_text(value, expected):
    assert text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.nan, "–"),
        (pd.NA, "–"),
        (40_000.0, "40000"),
        (1234.5678, "1235"),
        (0.123456, "0.1235"),
        (1e-7, "1.000e-07"),
        (0.0, "0"),
        (2007, "2007"),
        (True, "True"),
        (pd.Timestamp("2020-01-02"), "2020-01-02"),
        (pd.Timestamp("2020-01-02 03:04"), "2020-01-02 03:04:00"),
        ("x" * 100, "x" * 59 + "…"),
    ],
)
def test_shown(value, expected):
    assert shown(value) == expected


def test_same_seed_same_page(table, made):
    assert find(table).html == made.html


def test_page_says_what_it_leaves_out(findings):
    """Of more columns with gaps than are drawn, it says how many there are."""
    one = findings.distributions["near"]
    many = {f"column {k}": one for k in range(30)}
    changed = replace(findings, distributions=many)
    html = page(changed, Verdict.of(findings), "wide", "")
    assert html.count('class="histogram"') == 24
    assert "24 columns with the most imputed cells, of 30" in html


def test_saved_whole_or_not_at_all(made, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    made.save(path)
    assert path.read_text(encoding="utf-8") == made.html
    monkeypatch.setattr("os.replace", lambda *paths: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        type(made)(made.findings, "other", "").save(path)
    assert path.read_text(encoding="utf-8") == made.html
    assert [x.name for x in tmp_path.iterdir()] == ["report.html"]


def test_notebook_shows_the_page_in_a_frame(made):
    structure = Structure()
    structure.feed(made._repr_html_())
    [frame] = structure.elements
    assert frame[0] == "iframe"
    assert frame[1]["srcdoc"] == made.html
    assert frame[1]["sandbox"] == "allow-scripts"


def test_histograms_are_drawn_to_their_own_sum():
    drawn = mirrored([3, 1], [0, 8], [(0, "0"), (1, "1")], "t", "d", ("a", "b"), "id")
    bars = re.findall(r'<rect class="(\w+)"[^>]*height="([\d.]+)"', drawn)
    height = {"observed": [], "model": []}
    for name, size in bars:
        height[name].append(float(size))
    assert height["model"] == [62.0]  # all of it, the tallest bar
    assert height["observed"] == pytest.approx([0.75 * 62, 0.25 * 62], abs=0.1)


def test_texts_of_a_histogram_are_clear_of_its_bars():
    drawn = mirrored([1, 1], [1, 1], [(0, "0"), (1, "1")], "t", "d", ("a", "b"), "id")
    bars = re.findall(r'<rect[^>]* y="([\d.]+)"[^>]*height="([\d.]+)"', drawn)
    ends = [(float(y), float(y) + float(height)) for y, height in bars]
    for text_end in map(float, re.findall(r'<text[^>]* y="([\d.]+)"', drawn)):
        for start, end in ends:
            assert text_end < start or text_end - 11 >= end  # letters are 11 high


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ((0.0, 1.0, 2.0, 3.0), [(0, "0"), (0.5, "1.5"), (1, "3")]),
        ((0.5, 1.5, 2.5), [(0, "0.5"), (0.5, "1.5"), (1, "2.5")]),
        ((2, 3, 4), [(0.25, "2"), (0.75, "3")]),  # a bin each for 2 and 3
        ((5, 6), [(0.5, "5")]),
        (
            tuple(pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-05"])),
            [(0, "2020-01-01"), (0.5, "2020-01-03"), (1, "2020-01-05")],
        ),
    ],
)
def test_labels_stand_where_their_values_are(edges, expected):
    assert _ticks(edges) == expected


def test_squares():
    assert squares([True, False, True]).count("mark") == 2
    assert squares([]).count("rect") == 0


def test_regressions_are_left_out_of_wide_tables(monkeypatch):
    monkeypatch.setattr("vaeimpute.report._findings.MAX_REGRESSED", 3)
    X = make_table()[["x", "near", "noise"]]
    names = ["mean", "knn", "iterative", "vae"]
    found = find(X)
    assert found.findings.comparison.overall.index.tolist() == names
    assert "without chained regressions" not in found.html
    X["flag"] = X["noise"] > 0  # two levels
    found = find(X)
    names.remove("iterative")
    assert found.findings.comparison.overall.index.tolist() == names
    assert "without chained regressions" in found.html


@pytest.mark.parametrize(
    ("n_inside", "n", "expected"),
    [
        (45, 50, "Nothing speaks against"),  # as would 80 %
        (40, 50, "too narrow"),
        (915, 1000, "can be believed"),
        (88_500, 100_000, "can be believed"),  # surely less than 90 %, but so what
        (80, 100, "too narrow"),
        (990, 1000, "too wide"),
    ],
)
def test_verdict_on_intervals(findings, n_inside, n, expected):
    share = Share.counted(n_inside, n, 0.9)
    changed = replace(findings, coverage=share)
    [said] = [x for x in Verdict.of(changed).trust if "VAEImputer's intervals" in x]
    assert expected in said


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (Share(500, 0.70, 0.68, 0.72, 0.71), "can be believed"),
        (Share(50, 0.70, 0.58, 0.82, 0.75), "Nothing speaks against"),
        (Share(50, 0.70, 0.58, 0.82, 0.90), "too sure"),
        (Share(50, 0.70, 0.58, 0.82, 0.50), "too unsure"),
    ],
)
def test_verdict_on_probabilities(findings, share, expected):
    changed = replace(findings, certainty=share)
    [said] = [x for x in Verdict.of(changed).trust if "probabilities" in x]
    assert expected in said


def test_verdict_names_columns_that_are_better_filled_otherwise(findings):
    comparison = replace(findings.comparison, chosen="mean")
    columns = findings.columns.assign(enough=["mean", "knn", "vae", "mean", "mean"])
    changed = replace(findings, comparison=comparison, columns=columns)
    verdict = Verdict.of(changed)
    assert verdict.headline == "Filling helps in some columns only"
    [said] = [x for x in verdict.to_do if "more complex" in x]
    assert "“near” a" in said  # not the one without gaps
    nowhere = replace(changed, columns=columns.assign(enough="mean"))
    assert Verdict.of(nowhere).headline == "Filling will hardly help"


def test_verdict_names_all_columns_with_odd_cells(findings):
    """Those that are not among the odd cells that are listed, too."""
    changed = replace(findings, odd=findings.odd.iloc[:1])
    columns = findings.columns.assign(n_odd=[0, 90, 0, 20, 0])
    said = Verdict.of(replace(changed, columns=columns)).to_check[0]
    assert said.startswith("110 observed cells in “near”, “noise” would")


def test_few_cells_say_nothing_of_intervals(findings):
    changed = replace(findings, coverage=Share.counted(9, 10, 0.9))
    said = Verdict.of(changed).trust
    assert not any("intervals" in x for x in said)
