"""Images as tables of pixels: digits, and what they are.

The label is one more column, so that digits can be drawn by label, and the model fills
hidden halves and goes from one digit to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from benchmarks import markdown
from benchmarks.datasets import load
from benchmarks.uses.study import Study
from vaeimpute import VAEImputer, VAETransformer

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
PER_CLASS = 100


@dataclass(frozen=True)
class Images:
    """A table of square images: pixels from 0 to `brightest`, then "label".

    Attributes
    ----------
    name : str
    table : DataFrame
    side, brightest : int
    """

    name: str
    table: pd.DataFrame
    side: int
    brightest: int

    @property
    def lower_half(self) -> list[str]:
        """Names of the pixels of the lower half."""
        return list(self.table.columns[:-1][self.side**2 // 2 :])

    def without_lower_half(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return rows whose lower halves are missing."""
        return table.assign(**dict.fromkeys(self.lower_half, np.nan))

    def draw(self, pixels: np.ndarray, what: str) -> None:
        """Write images, (n_rows, n_columns, n_pixels), as one picture."""
        from matplotlib.image import imsave

        n_rows, n_columns, _ = pixels.shape
        images = np.clip(pixels, 0, self.brightest)
        images = images.reshape(n_rows, n_columns, self.side, self.side)
        padded = np.pad(images, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=0)
        side = self.side + 2
        picture = padded.swapaxes(1, 2).reshape(n_rows * side, n_columns * side)
        larger = np.kron(picture, np.ones(2 * (40 // side,)))
        path = FIGURES / f"{self.name}_{what}.png"
        path.parent.mkdir(exist_ok=True)
        imsave(path, larger, cmap="gray_r", vmin=0, vmax=self.brightest)


def images_named(name: str, folder: Path | None) -> Images:
    if name == "mnist_t10k":
        return Images(name, load(name, folder).astype({"label": str}), 28, 255)
    pixels, labels = load_digits(return_X_y=True)
    names = [f"pixel{j:02d}" for j in range(pixels.shape[1])]
    table = pd.DataFrame(pixels, columns=names).assign(label=labels.astype(str))
    return Images(name, table, 8, 16)


def cases():
    yield ("digits",)
    yield ("mnist_t10k",)


def solve(dataset: str, folder: Path | None) -> dict[str, float]:
    """Return how real drawn digits look to classifiers, and how well halves are filled.

    The pictures are drawn on the way.
    """
    images = images_named(dataset, folder)
    fitted, new = train_test_split(
        images.table, test_size=0.3, random_state=0, stratify=images.table["label"]
    )
    imputer = VAEImputer(random_state=0).fit(fitted)
    drawn = pd.concat(
        [
            imputer.sample(PER_CLASS, given={"label": k}, random_state=int(k))
            for k in "0123456789"
        ]
    )
    judge, pupil = _classifier(images, fitted), _classifier(images, drawn)
    plain = _pixels(imputer.sample(1_000, random_state=0)) / images.brightest

    def accuracy(model, table):
        return float(model.score(_pixels(table) / images.brightest, table["label"]))

    filled, lower = imputer.transform(images.without_lower_half(new)), images.lower_half
    error = np.sqrt(np.mean((filled[lower] - new[lower].astype(float)).to_numpy() ** 2))
    mean = np.sqrt(np.mean((fitted[lower].mean() - new[lower]).to_numpy() ** 2))
    draw_pictures(images, imputer, drawn, new, filled)
    if dataset == "digits":
        draw_plane(images, fitted)
    return {
        "drawn digits recognised": accuracy(judge, drawn),
        "classes among drawn digits": float(len(set(judge.predict(plain)))),
        "real digits, learned from drawn ones": accuracy(pupil, new),
        "real digits, learned from real ones": accuracy(judge, new),
        "labels filled": float(np.mean(_labels_filled(imputer, new) == new["label"])),
        "hidden halves, RMSE ÷ that of the mean": float(error / mean),
    }


def _pixels(table):
    return table.drop(columns="label").to_numpy(float)


def _classifier(images: Images, table):
    # Not of our kind, and good at digits: what a reader would reach for.
    model = MLPClassifier((128,), max_iter=500, random_state=0)
    return model.fit(_pixels(table) / images.brightest, table["label"])


def _labels_filled(imputer, table):
    return imputer.transform(table.assign(label=None))["label"].to_numpy()


def draw_pictures(images: Images, imputer, drawn, new, filled) -> None:
    """Write grids of digits: drawn by label, with filled halves, and on the way."""
    by_label = [
        _pixels(drawn[drawn["label"] == k][:10]) for k in sorted(set(drawn["label"]))
    ]
    images.draw(np.stack(by_label), "by_label")
    holed = images.without_lower_half(new[:10]).fillna(0)
    rows = [_pixels(new[:10]), _pixels(holed), _pixels(filled[:10])]
    images.draw(np.stack(rows), "halves")
    ways = [
        _pixels(imputer.interpolate(new.iloc[i], new.iloc[i + 10], 10))
        for i in range(5)
    ]
    images.draw(np.stack(ways), "between")


def draw_plane(images: Images, fitted) -> None:
    """Write what a plane of two components decodes to, from edge to edge."""
    pixels = fitted.drop(columns="label")
    reducer = VAETransformer(2, random_state=0).fit(pixels)
    components = reducer.transform(pixels)
    ends = np.quantile(components, [0.02, 0.98], axis=0)
    across, down = (np.linspace(*ends[:, k], 15) for k in (0, 1))
    points = np.array([[x, y] for y in down[::-1] for x in across])
    table = reducer.inverse_transform(points).to_numpy(float)
    images.draw(table.reshape(15, 15, -1), "plane")


def render(rows: pd.DataFrame) -> str:
    figures = rows.set_index("dataset").drop(columns=["processor_seconds"])
    figures = figures.select_dtypes("number")
    lines = [[name, *map(markdown.number, figures[name])] for name in figures.columns]
    return markdown.table(["figure", *figures.index], lines)


STUDY = Study("images", ("dataset",), cases, solve, render, takes_folder=True)
