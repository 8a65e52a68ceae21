"""Fill the gaps of the Palmer penguins, and see how good the fillings are.

Run as ``python docs/examples/demo.py``; it takes less than a minute and writes the
filled table and a picture into the folder ``demo-output``.

Filling a table needs no more than ``VAEImputer(random_state=0).fit_transform(table)``.
The rest of this file shows what came out: it lists the filled cells, then hides cells
whose values are known, fills them by three methods and compares.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.preprocessing import StandardScaler

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins

try:
    # Up to scikit-learn 1.9, IterativeImputer exists only after this import.
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
except ImportError:
    pass
from sklearn.impute import IterativeImputer

HIDDEN_FRACTION = 0.2
N_REPEATS = 5
COLOUR_OF_SPECIES = {"Adelie": "C1", "Chinstrap": "C4", "Gentoo": "C2"}


def main() -> None:
    """Fill the penguins, compare three methods and write the results."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--output-dir", type=Path, default=Path("demo-output"))
    output_dir = arguments.parse_args().output_dir
    output_dir.mkdir(parents=True, exist_ok=True)

    penguins = load_penguins()
    filled = VAEImputer(random_state=0).fit_transform(penguins)
    print_filled_cells(penguins, filled)

    trials = run_trials(penguins)
    scores = trials.groupby("method", sort=False)[["error", "accuracy", "seconds"]]
    print_scores(scores.mean())

    csv_path = output_dir / "penguins_filled.csv"
    filled.to_csv(csv_path, index=False)
    picture_path = output_dir / "penguins_filled.png"
    draw(penguins, filled, trials).savefig(picture_path, dpi=150)
    print(f"Filled table: {csv_path}\nPicture:      {picture_path}")


def fill_by_vae(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Fill with this package, which takes the table as it is."""
    return VAEImputer(random_state=seed).fit_transform(table)


def fill_by_column(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Fill with each column's mean or most frequent level."""
    means = table.mean(numeric_only=True)
    modes = table.select_dtypes("category").mode().iloc[0]
    return table.fillna({**means, **modes})


def fill_by_regressions(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Fill with scikit-learn's IterativeImputer, which takes numbers only.

    Numeric columns are standardised and each level of a nominal column but the first
    becomes an indicator; the level with the largest filled indicator is taken.
    """
    numbers = table.select_dtypes("number")
    nominal = table.select_dtypes("category")
    scaler = StandardScaler().set_output(transform="pandas")
    parts = [scaler.fit_transform(numbers)]
    for column, levels in nominal.items():
        # With all indicators, each is one minus the others, and the regressions
        # would never leave the column means that they start from.
        indicators = pd.get_dummies(levels, prefix=column, dtype=float, drop_first=True)
        parts.append(indicators.where(levels.notna(), axis=0))
    imputer = IterativeImputer(max_iter=100, random_state=seed)
    imputer.set_output(transform="pandas")
    values = imputer.fit_transform(pd.concat(parts, axis=1))

    filled = table.copy()
    filled[numbers.columns] = scaler.inverse_transform(values[numbers.columns])
    for column, indicators in zip(nominal, parts[1:], strict=True):
        others = values[indicators.columns].to_numpy()
        first = 1 - others.sum(axis=1)
        codes = np.column_stack([first, others]).argmax(axis=1)
        filled[column] = pd.Categorical.from_codes(codes, dtype=table[column].dtype)
    return filled


METHODS = {
    "mean / most frequent": fill_by_column,
    "IterativeImputer": fill_by_regressions,
    "VAEImputer": fill_by_vae,
}


def run_trials(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each repeat and method.

    In each repeat the same cells, drawn at random from all columns, are hidden from
    all methods.
    """
    trials = []
    for repeat in range(N_REPEATS):
        rng = np.random.default_rng(repeat)
        hidden = table.notna() & (rng.random(table.shape) < HIDDEN_FRACTION)
        incomplete = table.where(~hidden)
        for method, fill in METHODS.items():
            start = time.perf_counter()
            filled = fill(incomplete, repeat)
            seconds = time.perf_counter() - start
            trial = {"method": method, "seconds": seconds}
            trials.append(trial | score(table, filled, hidden))
    return pd.DataFrame(trials)


def score(
    table: pd.DataFrame, filled: pd.DataFrame, hidden: pd.DataFrame
) -> dict[str, object]:
    """Compare the hidden cells with what they were filled with.

    ``error`` is the root mean squared error of the numeric cells in standard
    deviations of their column, ``accuracy`` the share of nominal cells with the right
    level, and ``numbers`` holds a row (true, filled) for each numeric cell.
    """
    numeric = table.select_dtypes("number").columns
    nominal = table.select_dtypes("category").columns
    where = hidden[numeric].to_numpy()
    centre, scale = table[numeric].mean(), table[numeric].std()
    true = ((table[numeric] - centre) / scale).to_numpy()[where]
    guessed = ((filled[numeric] - centre) / scale).to_numpy()[where]
    right = filled[nominal].astype(object) == table[nominal].astype(object)
    return {
        "error": np.sqrt(np.mean((guessed - true) ** 2)),
        "accuracy": right.to_numpy()[hidden[nominal].to_numpy()].mean(),
        "numbers": np.column_stack([true, guessed]),
    }


def print_filled_cells(table: pd.DataFrame, filled: pd.DataFrame) -> None:
    """Print how many cells of which columns were missing, and what fills them."""
    missing = table.isna()
    counts = missing.sum()
    print(f"Palmer penguins: {table.shape[0]} rows, {table.shape[1]} columns, of which")
    print(counts[counts > 0].rename("missing cells").to_frame().to_string())
    cells = [
        {"row": row, "column": column, "filled with": filled.at[row, column]}
        for row in table.index[missing.any(axis=1)]
        for column in table.columns[missing.loc[row]]
    ]
    print(f"\nThe first 10 of the {len(cells)} filled cells:")
    first = pd.DataFrame(cells[:10])
    print(first.to_string(index=False, float_format="{:.1f}".format))


def print_scores(scores: pd.DataFrame) -> None:
    """Print the comparison as a table."""
    print(
        f"\n{HIDDEN_FRACTION:.0%} of the known cells hidden and filled again, "
        f"mean of {N_REPEATS} repeats:"
    )
    titles = {
        "error": "error of numbers (sd)",
        "accuracy": "right levels",
        "seconds": "seconds",
    }
    formats = {
        "error of numbers (sd)": "{:.3f}".format,
        "right levels": "{:.1%}".format,
        "seconds": "{:.2f}".format,
    }
    table = scores.rename(columns=titles).rename_axis(None)
    print(table.to_string(formatters=formats), end="\n\n")


def draw(table: pd.DataFrame, filled: pd.DataFrame, trials: pd.DataFrame) -> Figure:
    """Draw the filled penguins, the hidden cells and the comparison."""
    figure = Figure(figsize=(14, 4.8), layout="constrained")
    axes = figure.subplot_mosaic(
        [["penguins", "cells", "error"], ["penguins", "cells", "accuracy"]],
        width_ratios=[1.15, 1, 1],
    )
    draw_penguins(axes["penguins"], table, filled)
    of_vae = trials["method"] == "VAEImputer"
    draw_hidden_numbers(axes["cells"], np.vstack(list(trials.loc[of_vae, "numbers"])))
    groups = trials.groupby("method", sort=False)
    for quantity, title in [
        ("error", "Error of hidden numbers, in sd (lower is better)"),
        ("accuracy", "Hidden levels filled correctly (higher is better)"),
    ]:
        draw_bars(axes[quantity], groups[quantity].mean(), title)
    return figure


def draw_penguins(axes: Axes, table: pd.DataFrame, filled: pd.DataFrame) -> None:
    """Draw two measurements of each penguin; stars where they were missing."""
    x, y = "flipper_length_mm", "bill_length_mm"
    missing = table[[x, y]].isna().any(axis=1)
    for species, colour in COLOUR_OF_SPECIES.items():
        known = table[(table["species"] == species) & ~missing]
        axes.scatter(known[x], known[y], s=14, c=colour, alpha=0.6, label=species)
    gaps = filled[missing]
    colours = gaps["species"].astype(object).map(COLOUR_OF_SPECIES)
    axes.scatter(
        *(gaps[x], gaps[y]),
        s=260,
        c=list(colours),
        marker="*",
        edgecolors="black",
        label="filled",
    )
    for row in gaps.index:
        axes.annotate(
            f"row {row}",
            (gaps.at[row, x], gaps.at[row, y]),
            xytext=(10, 6),
            textcoords="offset points",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7},
        )
    axes.set(
        title="Two penguins were not measured",
        xlabel="flipper length (mm)",
        ylabel="bill length (mm)",
    )
    axes.legend(loc="upper left")


def draw_hidden_numbers(axes: Axes, numbers: np.ndarray) -> None:
    """Draw what VAEImputer filled against the truth, on the line if they agree."""
    limits = numbers.min() - 0.2, numbers.max() + 0.2
    axes.plot(limits, limits, color="black", linewidth=0.8)
    axes.scatter(numbers[:, 0], numbers[:, 1], s=10, alpha=0.5)
    axes.set(
        title="Hidden numbers, filled by VAEImputer",
        xlabel="true value (sd from the column's mean)",
        ylabel="filled value",
        aspect="equal",
        xlim=limits,
        ylim=limits,
    )


def draw_bars(axes: Axes, heights: pd.Series, title: str) -> None:
    """Draw one labelled bar for each method."""
    bars = axes.barh(heights.index, heights, color=["0.7", "0.5", "C0"])
    axes.bar_label(bars, fmt="{:.2f}", padding=3)
    axes.set_title(title, fontsize="medium")
    axes.margins(x=0.15)
    axes.invert_yaxis()


if __name__ == "__main__":
    main()
