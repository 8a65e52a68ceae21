"""The report of the benchmark: its statistics, its pages and its figures."""

import json
from math import exp, inf, log, nan

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from benchmarks import bars, comparison, markdown, plots, ranking, report
from benchmarks.protocol import Case
from benchmarks.ranking import ACCURACY, BEST, RMSE
from benchmarks.suites import Suite

SETTING = ("independent", 0.3)
TOY_SUITE = Suite(("toy",), (SETTING,), (0, 1), ("zero",))
NOMINAL_SUITE = Suite(
    ("toy",), (SETTING,), (0, 1), ("mode", "knn", "vae"), metric="accuracy"
)
HEADLINE_SUITE = Suite(
    ("red", "blue"), (("mcar", 0.3), ("mar", 0.5)), (0, 1), ("mean", "knn", "vae")
)
FIGURES = ("ranks", "seconds", "sizes")
FAILED = "failed"


def toy_row(mask, rmse, fit_seconds=1.0, dataset="toy", method="zero", **changed):
    case = {"dataset": dataset, "mechanism": "independent", "rate": 0.3}
    case |= {"mask": mask, "method": method}
    size = {"n_rows": 50, "n_columns": 3, "cells": f"{dataset}{mask}"}
    result = {"rmse": rmse, "fit_seconds": fit_seconds, "error": None}
    result |= {"processor_seconds": fit_seconds}
    return case | size | result | {"environment": {"python": "3"}} | changed


def nominal_rows(method, *scores):
    """Return the rows of a method on the nominal suite, one for each mask."""
    return [
        toy_row(mask, None, method=method, accuracy=score)
        for mask, score in enumerate(scores)
    ]


def headline_row(case, **scores):
    """Return a result on which vae is better than knn, and knn than the mean."""
    error = {"mean": 1.0, "knn": 0.8, "vae": 0.4}[case.method]
    row = toy_row(**case._asdict(), rmse=error) | {"cells": str(case[:-1])}
    return row | {"mae": error / 2, "new_rmse": 1.1 * error} | scores


def headline_rows(**changes):
    """Return the rows of all cases; `changes` are scores by method, on table "red"."""
    rows = {}
    for case in HEADLINE_SUITE.cases():
        change = changes.get(case.method, {}) if case.dataset == "red" else {}
        rows[case] = headline_row(case, **change)
    return rows


def compared(rows):
    cases = comparison.wanted_cases(HEADLINE_SUITE, rows)
    return comparison.render_comparison(cases, comparison.results_of(cases, rows), [])


def section(text, title):
    return text.partition(f"### {title}\n")[2].partition("\n### ")[0]


def by_case(rows):
    return {Case(*(row[field] for field in Case._fields)): row for row in rows}


def cells_of_line(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def results(scores, key="rmse", n_masks=1):
    """Return results of methods on tables with masks; None is a case not run."""
    rows = []
    for method, values in scores.items():
        for i, value in enumerate(values):
            dataset, mask = divmod(i, n_masks)
            case = Case(f"table {dataset}", "mcar", 0.3, mask, method)
            outcome = {"error": None, key: value}
            if value == FAILED:
                outcome = {"error": "ValueError: x", key: nan}
            if value is not None:
                rows.append(case._asdict() | outcome)
    return pd.DataFrame(rows)


def scores(values, **options):
    return ranking.scores(results(values, **options), "rmse")


def test_ratio_is_the_geometric_mean_over_cases_that_both_finished():
    table = scores({"vae": [0.4, 0.1, 0.2, 0.2], "knn": [0.8, 0.8, FAILED, None]})

    both = ranking.pair(table, "vae", "knn")
    assert len(both) == 2
    assert ranking.mean_ratio(both) == pytest.approx(0.25)  # √(1/2 · 1/8)


def test_summary_of_a_rival_and_of_the_best_one():
    found = results({"vae": [0.4, 0.9], "knn": [0.8, 0.3], "mean": [0.5, 1.0]})
    found = found.assign(mae=0.5, accuracy=nan, processor_seconds=[8, 4, 1, 2, 1, nan])

    summary = ranking.summary(found, "vae")
    assert list(summary.index) == ["knn", "mean", BEST]
    assert summary["seconds"].tolist() == pytest.approx([4, 8, nan], nan_ok=True)
    assert summary["n_seconds"].tolist() == [2, 1, 0]
    # √(1/2 · 3), and beside the better of two in each case √(4/5 · 3).
    assert summary.loc["knn", "rmse"] == pytest.approx(np.sqrt(1.5))
    assert summary.loc[BEST, "rmse"] == pytest.approx(np.sqrt(2.4))
    assert [tuple(counts) for counts in summary["outcomes"]] == [
        (1, 0, 1),
        (2, 0, 0),
        (1, 0, 1),
    ]
    assert summary["mae"].tolist() == pytest.approx([1, 1, 1])
    assert summary["n_accuracy"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("metric", "vae", "expected"),
    [
        (RMSE, 0.994, (1, 0, 0)),
        (RMSE, 0.996, (0, 1, 0)),
        (RMSE, 1.004, (0, 1, 0)),
        (RMSE, 1.006, (0, 0, 1)),
        (ACCURACY, 1.006, (1, 0, 0)),
        (ACCURACY, 0.996, (0, 1, 0)),
        (ACCURACY, 0.994, (0, 0, 1)),
    ],
)
def test_half_a_percent_is_a_tie(metric, vae, expected):
    both = ranking.pair(scores({"vae": [vae], "knn": [1.0]}), "vae", "knn")
    assert ranking.outcomes(both, metric) == expected


def test_masks_are_averaged_before_they_are_ranked_or_counted():
    table = scores({"vae": [0.1, 0.5], "knn": [0.2, 0.3]}, n_masks=2)

    assert ranking.mean_ranks(table, RMSE).to_dict() == {"knn": 1, "vae": 2}
    assert ranking.outcomes(ranking.pair(table, "vae", "knn"), RMSE) == (0, 0, 1)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (RMSE, {"vae": 1.25, "knn": 1.75, "mean": 3.0}),
        (ACCURACY, {"vae": 2.75, "knn": 2.25, "mean": 1.0}),
    ],
)
def test_ties_share_their_mean_rank(metric, expected):
    # A tie of two on the first table: ranks 1.5, 1.5 and 3.
    table = scores({"vae": [0.5, 0.1], "knn": [0.5, 0.3], "mean": [0.6, 0.4]})

    assert ranking.mean_ranks(table, metric).to_dict() == expected


def test_ranks_are_over_cases_that_all_finished_or_have_failures_last():
    found = results(
        {
            "vae": [0.5, 0.5, 0.5, FAILED],
            "knn": [0.4, FAILED, 0.4, 0.4],
            "mean": [1.0, 1.0, None, 1.0],
            "broken": [FAILED, FAILED, FAILED, FAILED],
        }
    )
    finished = ranking.finished(ranking.scores(found, "rmse"))
    assert finished.shape == (1, 3)
    assert ranking.mean_ranks(finished, RMSE).to_dict() == dict(knn=1, vae=2, mean=3)

    # The third table was not run by all. In the others a failure is the last, with
    # "broken" beside it: 2, 1, 3.5 for vae and 1, 3.5, 1 for knn.
    failing = ranking.failures_last(found, RMSE)
    assert failing["broken"].tolist() == [inf, inf, inf]
    ranks = ranking.mean_ranks(failing, RMSE)
    assert ranks.loc[["vae", "knn"]].tolist() == pytest.approx([6.5 / 3, 5.5 / 3])
    assert ranks.loc[["mean", "broken"]].tolist() == pytest.approx([7 / 3, 11 / 3])


def test_a_method_without_such_a_score_is_not_ranked_by_it():
    found = results({"vae": [0.9, 0.8], "knn": [0.7, FAILED]}, key="accuracy")
    numbers = results({"numeric": [0.1, FAILED]}).assign(accuracy=nan)
    found = pd.concat([found, numbers[found.columns]])

    failing = ranking.failures_last(found, ACCURACY)
    assert failing.to_dict("list") == {"vae": [0.9, 0.8], "knn": [0.7, -inf]}


def test_holm():
    p_values = pd.Series({"a": 0.01, "b": 0.04, "c": nan, "d": 0.03, "e": 0.005})

    adjusted = ranking.holm(p_values)
    # Sorted .005, .01, .03, .04, times 4, 3, 2, 1, and never less than before.
    expected = {"a": 0.03, "b": 0.06, "c": nan, "d": 0.06, "e": 0.02}
    assert adjusted.to_dict() == pytest.approx(expected, nan_ok=True)
    assert ranking.holm(pd.Series([0.7, 0.8])).tolist() == [1, 1]


def test_significance_has_the_exact_p_values_of_one_sign():
    vae = [0.50, 0.51, 0.52, 0.53, 0.54]
    knn = np.multiply(vae, [2, 3, 4, 5, 6])
    table = scores({"vae": vae, "knn": knn, "mean": [FAILED, None, *vae[2:]]})

    found = ranking.significance(table, "vae", RMSE)
    # All five leads are positive: 2 / 2⁵, times 2 by Holm. Without a lead: 1.
    assert found.loc["knn", ["n_units", "p_units"]].tolist() == [5, 0.125]
    assert found.loc["knn", ["n_datasets", "p_datasets"]].tolist() == [5, 0.125]
    assert found.loc["mean", ["n_units", "p_units"]].tolist() == [3, 1]


def test_leads_of_a_table_are_averaged_for_the_test_over_tables():
    table = scores({"vae": [0.1, 0.2, 0.3, 0.4], "knn": [0.2, 0.1, 0.6, 0.8]})
    settings = [("red", "mcar"), ("red", "mar"), ("blue", "mcar"), ("blue", "mar")]
    table.index = pd.MultiIndex.from_tuples(
        [(*setting, 0.3, 0) for setting in settings], names=ranking.PROBLEM
    )

    found = ranking.significance(table, "vae", RMSE).loc["knn"]
    # The leads of "red" cancel each other, which leaves one lead: 2 / 2¹.
    assert found[["n_units", "n_datasets", "p_datasets"]].tolist() == [4, 2, 1]


def test_friedman():
    table = scores({"vae": [0.1, 0.2], "knn": [0.3, 0.4], "mean": [0.5, 0.6]})

    # Rank sums 2, 4, 6: χ² = 12 / (2·3·4) · 56 − 3·2·4 = 4, with 2 degrees of freedom.
    assert ranking.friedman(table) == pytest.approx(exp(-2))
    assert np.isnan(ranking.friedman(table[["vae", "knn"]]))


def test_losses_have_both_scores_of_the_masks_that_both_have():
    values = {"vae": [0.5, 0.9, 0.4, 0.4], "knn": [0.4, FAILED, 0.399, 0.399]}
    table = scores(values | {"mean": [1.0, 1.0, 0.2, 0.2]}, n_masks=2)

    lost = ranking.losses(table, "vae", RMSE)
    assert lost["rival"].tolist() == ["mean", "knn"]
    assert lost.index.get_level_values("dataset").tolist() == ["table 1", "table 0"]
    assert lost["judged"].tolist() == pytest.approx([0.4, 0.5])
    assert lost["score"].tolist() == pytest.approx([0.2, 0.4])
    assert lost["lead"].tolist() == pytest.approx([log(1 / 2), log(4 / 5)])


def test_shared_means_leave_out_what_not_all_have():
    found = results({"vae": [1.0, 2.0, 6.0], "knn": [3.0, 5.0, FAILED], "mean": [None]})

    means, n_problems = ranking.shared_mean(found, "rmse")
    assert (means.to_dict(), n_problems) == ({"vae": 1.5, "knn": 4.0}, 2)


def test_ratios_by_setting():
    rows = headline_rows(vae={"rmse": 0.2})
    rows[Case("red", "mar", 0.5, 0, "knn")] |= {"rmse": nan, "error": "E: x"}
    found = comparison.results_of(HEADLINE_SUITE.cases(), rows)

    ratios = ranking.ratios_by_setting(found, "vae")
    assert ratios.index.tolist() == [("mcar", 0.3), ("mar", 0.5)]
    # Ratios of ¼ on "red" and ½ on "blue", of which one of "red" is missing.
    expected = [exp(-1.5 * log(2)), exp(-4 / 3 * log(2))]
    assert ratios["knn"].tolist() == pytest.approx(expected)


def test_report_takes_mean_and_sd_over_masks():
    # Deviations of 0.01 from the mean: the sd is 0.01 * sqrt(2).
    rows = by_case([toy_row(0, 0.51, 3.0), toy_row(1, 0.53, 8.0)])

    line = bars.render(TOY_SUITE, rows).splitlines()[2]
    assert cells_of_line(line) == [
        *("toy", "50 × 3", "30%", "zero"),
        *("0.5200", "0.0141", "2 of 2", "5.5", "8.0", "", ""),
    ]


def test_report_counts_and_names_failures():
    failed = {"rmse": None, "fit_seconds": None, "error": "ValueError: x\nmore"}
    rows = by_case([toy_row(0, 0.5), toy_row(1, **failed)])

    text = bars.render(TOY_SUITE, rows)
    cells = cells_of_line(text.splitlines()[2])
    assert cells[4:9] == ["0.5000", "–", "1 of 2", "1.0", "1.0"]
    assert "mask 1 zero: ValueError: x\n" in text
    assert "- 2 cases: python 3" in text


def test_report_judges_the_vae_by_its_bar(monkeypatch):
    monkeypatch.setitem(bars.PROTOTYPE_RMSE, "toy", 0.5)
    suite = Suite(("toy",), (SETTING,), (0, 1), ("zero", "vae"))
    rows = [toy_row(mask, 0.9) for mask in (0, 1)]
    rows += [toy_row(mask, 0.515 + 0.01 * mask, method="vae") for mask in (0, 1)]

    lines = bars.render(suite, by_case(rows)).splitlines()[2:4]
    assert [cells_of_line(line)[-2:] for line in lines] == [
        ["", ""],
        ["0.5150", "**fail**: RMSE"],
    ]


@pytest.mark.parametrize(
    ("rmse", "seconds", "expected"),
    [
        ([0.40, 0.60], [59.9, 1.0], "pass"),
        ([0.52, 0.50], [1.0, 1.0], "**fail**: RMSE"),
        ([0.50, 0.50], [1.0, 60.0], "**fail**: seconds"),
        ([0.40], [1.0], "**fail**: failed or not run"),
        ([], [], "**fail**: failed or not run"),
    ],
)
def test_verdict(rmse, seconds, expected):
    result = bars.Result({}, rmse, seconds, n_masks=2)
    assert bars.Bar("rmse", 0.5, max_fit_seconds=60).verdict(result) == expected


@pytest.mark.parametrize(
    ("mode", "knn", "vae", "bar", "verdict"),
    [
        (0.5, 0.6, 0.7, "0.6000", "pass"),
        (0.5, 0.6, 0.6, "0.6000", "pass"),
        (0.5, 0.6, 0.55, "0.6000", "**fail**: accuracy"),
        (0.6, 0.5, 0.6, "0.6000", "**fail**: accuracy"),
        (0.6, 0.6, 0.6, "0.6000", "**fail**: accuracy"),
        (0.6, 0.5, 0.61, "0.6000", "pass"),
    ],
)
def test_accuracy_is_above_the_mode_and_no_less_than_the_others(
    mode, knn, vae, bar, verdict
):
    rows = nominal_rows("mode", mode, mode) + nominal_rows("knn", knn, knn)
    rows += nominal_rows("vae", vae, vae)

    text = bars.render(NOMINAL_SUITE, by_case(rows))
    assert "| accuracy | sd |" in text.splitlines()[0]
    lines = [cells_of_line(line) for line in text.splitlines()[2:5]]
    assert [line[3] for line in lines] == ["mode", "knn", "vae"]
    assert [line[-2:] for line in lines] == [["", ""], ["", ""], [bar, verdict]]


def test_accuracy_is_not_judged_before_all_others_are_complete():
    rows = nominal_rows("mode", 0.5, 0.5) + nominal_rows("vae", 0.7, 0.7)
    for knn in ([], nominal_rows("knn", 0.6)):
        text = bars.render(NOMINAL_SUITE, by_case(rows + knn))
        (line,) = [line for line in text.splitlines() if "| vae |" in line]
        assert cells_of_line(line)[-2:] == ["", ""]


def test_report_refuses_methods_with_different_cells():
    rows = by_case([toy_row(0, 0.5), toy_row(0, 0.4, method="vae", cells="others")])

    with pytest.raises(ValueError, match="mask 0 vae: got other cells"):
        bars.render(TOY_SUITE, rows)
    with pytest.raises(ValueError, match="mask 0 vae: got other cells"):
        comparison.results_of(rows, rows)


def test_summary_has_a_line_per_rival_and_its_failures():
    failed = {"error": "E: x", "rmse": None, "fit_seconds": None}
    text = section(compared(headline_rows(knn=failed)), "Against each rival")

    lines = [cells_of_line(line) for line in text.splitlines() if line[:1] == "|"]
    vae, mean, knn, best = lines[2:]
    assert (vae[0], vae[8]) == ("vae", "0 of 8")
    assert mean[:3] == ["mean", "0.400", "8"]
    assert mean[-5:] == ["4–0–0", "0 of 8", "1.0", "1", "8"]
    assert knn[:3] + knn[7:9] == ["knn", "0.500", "4", "2–0–0", "4 of 8"]
    # The best is the mean where knn failed: √(0.4 · 0.5).
    assert best[:3] == [BEST, "0.447", "8"]


def test_a_loss_is_listed_with_both_figures():
    text = compared(headline_rows(knn={"rmse": 0.35}, vae={"accuracy": 0.9}))

    losses = section(text, "Where `vae` is worse")
    assert "RMSE in 2 of 4 " in losses.replace("\n", " ")
    assert "| red | mar 50 % | RMSE | `knn` 0.3500 against 0.4000 |" in losses
    assert "blue" not in losses


def test_a_lower_accuracy_is_a_loss():
    rows = headline_rows(knn={"accuracy": 0.75}, vae={"accuracy": 0.7})

    losses = section(compared(rows), "Where `vae` is worse")
    assert "accuracy in 2 of 2 " in losses.replace("\n", " ")
    assert "| red | mcar 30 % | accuracy | `knn` 0.7500 against 0.7000 |" in losses


def test_failures_are_listed_by_the_first_line_of_their_error():
    error = "TimeoutError: 1800 s\nmore"
    text = compared(headline_rows(knn={"error": error, "rmse": None}))

    assert text.startswith("24 of 24 cases are done; 4 of them failed.")
    expected = (
        "- `knn`, 4 cases: TimeoutError: 1800 s "
        "(red mcar 30 % mask 0, 1; red mar 50 % mask 0, 1)"
    )
    assert section(text, "Failures").strip() == expected


def test_other_sections_compare_what_all_have():
    draws = {"crps": 0.25, "coverage": 0.9, "interval_score": 3.0}
    models = {"downstream_boosting": 0.7, "downstream_boosting_native": 0.8}
    text = compared(headline_rows(vae=draws | models, mean=models))

    quality = section(text, "New rows, draws and distributions")
    assert "| vae | 1.100 | – | 0.2500 | 0.900 | 3.000 | – |" in quality
    assert "| knn | 1.100 | – | – | – | – | – |" in quality
    assert "| *cases* | 8 | 0 | 4 | 4 | 4 | 0 |" in quality
    downstream = section(text, "Models fitted to filled tables")
    assert "| vae | −0.1000 | – | – |" in downstream
    assert "| mean | 3.00 | 3.00 | – | – | 0 |" in section(text, "Ranks")


@pytest.mark.parametrize("methods", [[], ["vae"], ["knn"], ["knn", "mean"]])
def test_partial_results_give_a_report(methods):
    rows = headline_rows()
    rows = {case: row for case, row in rows.items() if case.method in methods}

    text = compared(rows)
    assert text.startswith(f"{8 * len(methods)} of 24 cases are done")
    for method in {"mean", "knn", "vae"} - {*methods}:
        assert f"`{method}`" in text.splitlines()[0]


def test_cases_have_the_best_in_bold_and_failures_beside():
    rows = headline_rows(vae={"accuracy": 0.6}, knn={"accuracy": 0.7})
    rows[Case("red", "mcar", 0.3, 1, "knn")] |= {"rmse": None, "error": "E: x"}
    cases = list(HEADLINE_SUITE.cases())

    text = comparison.render_cases(cases, comparison.results_of(cases, rows))
    first, nominal, *_ = text.split("## ")[1:]
    assert first.startswith("RMSE, mcar 30 %\n")
    assert "| red | 1.0000 | 0.8000 (1 failed) | **0.4000** |" in first
    assert "| blue | 1.0000 | 0.8000 | **0.4000** |" in first
    assert "| red | – | **0.7000** (1 failed) | 0.6000 |" in nominal


def test_a_suite_without_tables_has_those_with_results():
    suite = Suite((), (("mcar", 0.3),), (0,), ("vae",))
    rows = {Case("red", "mcar", 0.3, 0, "vae"): {}}

    assert comparison.wanted_cases(suite, rows) == list(rows)


def write_results(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))


def test_report_writes_between_the_markers(tmp_path):
    results, page = tmp_path / "results.jsonl", tmp_path / "page.md"
    write_results(results, [toy_row(0, 0.4321, dataset="wdbc", method="vae")])
    before = "# Title\n\n<!-- numeric: begin -->\nold\n<!-- numeric: end -->\nAfter.\n"
    page.write_text(before)

    report.write("numeric", results, page)
    once = page.read_text()
    report.write("numeric", results, page)
    assert page.read_text() == once
    assert once.startswith("# Title\n\n<!-- numeric: begin -->\n| table |")
    assert once.endswith("\n<!-- numeric: end -->\nAfter.\n")
    assert "| wdbc | 50 × 3 | 30% | vae | 0.4321 |" in once
    assert "old" not in once


def test_headline_has_two_pages_and_figures(tmp_path, monkeypatch):
    monkeypatch.setitem(report.SUITES, "headline", HEADLINE_SUITE)
    results, page = tmp_path / "results.jsonl", tmp_path / "benchmarks.md"
    write_results(results, headline_rows().values())
    cases_page = tmp_path / report.CASES_PAGE
    for path in (page, cases_page):
        path.write_text("Before\n<!-- headline: begin --><!-- headline: end -->\nAfter")

    report.write("headline", results, page)
    for path in (page, cases_page):
        assert path.read_text().startswith("Before\n<!-- headline: begin -->\n")
        assert path.read_text().endswith("\n<!-- headline: end -->\nAfter")
    figures = sorted((tmp_path / "figures").glob("*.svg"))
    assert [path.stem for path in figures] == [f"headline_{x}" for x in FIGURES]
    for path in figures:
        assert f"](figures/{path.name})" in page.read_text()


def test_page_without_markers_is_an_error():
    with pytest.raises(ValueError, match="<!-- numeric: begin -->"):
        markdown.insert("# Title\n", "numeric", "text")


def test_figures_depend_on_results_alone(tmp_path):
    found = comparison.results_of(HEADLINE_SUITE.cases(), headline_rows())
    settings = dict(mpl.rcParams)
    written = []
    for name in ("one", "two"):
        plots.write(found, "vae", tmp_path / name, "toy")
        written.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()})

    assert written[0] == written[1]
    assert len(written[0]) == len(FIGURES)
    assert dict(mpl.rcParams) == settings
    for content in written[0].values():
        assert all(name in content for name in (b"vae", b"knn", b"mean"))


def test_a_figure_that_results_do_not_suffice_for_is_removed(tmp_path):
    found = comparison.results_of(HEADLINE_SUITE.cases(), headline_rows())
    plots.write(found, "vae", tmp_path, "toy")

    left = plots.write(found[found["method"] == "vae"], "vae", tmp_path, "toy")
    assert left == ["toy_sizes.svg"]
    assert [path.name for path in tmp_path.iterdir()] == left


def test_labels_keep_their_distance():
    heights = pd.Series({"a": 0.0, "b": 0.1, "c": 0.15, "d": 5.0})

    spread = plots._spread(heights, 1.0)
    assert spread.to_dict() == {"a": 0, "b": 1, "c": 2, "d": 5}
