"""Images as tables of pixels: digits of 8 × 8 pixels, and what they are.

The label is one more column, so that digits can be drawn by label, and the model fills
hidden halves and goes from one digit to another.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from benchmarks import markdown
from benchmarks.uses.study import Study
from vaeimpute import VAEImputer, VAETransformer

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
PER_CLASS = 100
SIDE = 8


def cases():
    yield ("digits",)


def solve(dataset: str) -> dict[str, float]:
    """Return how real drawn digits look to classifiers, and how well halves are filled.

    The pictures are drawn on the way.
    """
    fitted, new = _tables()
    imputer = VAEImputer(random_state=0).fit(fitted)
    drawn = pd.concat(
        [
            imputer.sample(PER_CLASS, given={"label": k}, random_state=int(k))
            for k in "0123456789"
        ]
    )
    judge, pupil = _classifier(fitted), _classifier(drawn)
    plain = imputer.sample(1_000, random_state=0)
    half = new.copy()
    lower = [name for name in new if name != "label"][SIDE * SIDE // 2 :]
    half[lower] = np.nan
    filled = imputer.transform(half)
    error = np.sqrt(np.mean((filled[lower] - new[lower]).to_numpy() ** 2))
    mean = np.sqrt(np.mean((fitted[lower].mean() - new[lower]).to_numpy() ** 2))
    draw_pictures(imputer, drawn, new, filled)
    draw_plane(fitted)
    return {
        "drawn digits recognised": _accuracy(judge, drawn),
        "classes among drawn digits": float(len(set(judge.predict(_pixels(plain))))),
        "real digits, learned from drawn ones": _accuracy(pupil, new),
        "real digits, learned from real ones": _accuracy(judge, new),
        "labels filled": float(np.mean(_labels_filled(imputer, new) == new["label"])),
        "hidden halves, RMSE ÷ that of the mean": float(error / mean),
    }


def _tables():
    pixels, labels = load_digits(return_X_y=True)
    names = [f"pixel{j:02d}" for j in range(pixels.shape[1])]
    table = pd.DataFrame(pixels, columns=names).assign(label=labels.astype(str))
    return train_test_split(table, test_size=0.3, random_state=0, stratify=labels)


def _pixels(table):
    return table.drop(columns="label").to_numpy(float)


def _classifier(table):
    # Not of our kind, and good at digits: what a reader would reach for.
    model = MLPClassifier((128,), max_iter=500, random_state=0)
    return model.fit(_pixels(table) / 16, table["label"])


def _accuracy(model, table) -> float:
    return float(model.score(_pixels(table) / 16, table["label"]))


def _labels_filled(imputer, table):
    return imputer.transform(table.assign(label=None))["label"].to_numpy()


def draw_pictures(imputer, drawn, new, filled) -> None:
    """Write grids of digits: drawn by label, with filled halves, and on the way."""
    by_label = [
        _pixels(drawn[drawn["label"] == k][:10]) for k in sorted(set(drawn["label"]))
    ]
    _grid(np.stack(by_label), FIGURES / "digits_by_label.png")
    rows = [
        _pixels(new[:10]),
        _pixels(_without_lower_half(new[:10])),
        _pixels(filled[:10]),
    ]
    _grid(np.stack(rows), FIGURES / "digits_halves.png")
    ways = [
        _pixels(imputer.interpolate(new.iloc[i], new.iloc[i + 10], 10))
        for i in range(5)
    ]
    _grid(np.stack(ways), FIGURES / "digits_between.png")


def draw_plane(fitted) -> None:
    """Write what a plane of two components decodes to, from edge to edge."""
    pixels = fitted.drop(columns="label")
    reducer = VAETransformer(2, random_state=0).fit(pixels)
    components = reducer.transform(pixels)
    ends = np.quantile(components, [0.02, 0.98], axis=0)
    across, down = (np.linspace(*ends[:, k], 15) for k in (0, 1))
    points = np.array([[x, y] for y in down[::-1] for x in across])
    table = reducer.inverse_transform(points).to_numpy(float)
    _grid(table.reshape(15, 15, -1), FIGURES / "digits_plane.png")


def _without_lower_half(table):
    table = table.copy()
    table[[name for name in table if name != "label"][SIDE * SIDE // 2 :]] = np.nan
    return table


def _grid(pixels: np.ndarray, path: Path) -> None:
    """Write images, (n_rows, n_columns, n_pixels), as one picture."""
    from matplotlib.image import imsave

    n_rows, n_columns, _ = pixels.shape
    images = np.clip(pixels, 0, 16).reshape(n_rows, n_columns, SIDE, SIDE)
    padded = np.pad(images, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=0)
    side = SIDE + 2
    picture = padded.swapaxes(1, 2).reshape(n_rows * side, n_columns * side)
    path.parent.mkdir(exist_ok=True)
    imsave(path, np.kron(picture, np.ones((4, 4))), cmap="gray_r", vmin=0, vmax=16)


def render(rows: pd.DataFrame) -> str:
    found = rows.iloc[0]
    lines = [
        [name, markdown.number(found[name])]
        for name in found.index
        if isinstance(found[name], float) and name != "processor_seconds"
    ]
    return markdown.table(["8 × 8 digits", "figure"], lines)


STUDY = Study("images", ("dataset",), cases, solve, render)
