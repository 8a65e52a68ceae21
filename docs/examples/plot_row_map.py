"""
A map of rows: VAETransformer and PCA
=====================================

`VAETransformer` reduces a table to a few numbers for each row, as PCA does, but takes
gaps and columns of any kind.
"""

# %%
# PCA needs complete numbers: levels are turned into indicators, and gaps are filled by
# means. Here a quarter of the cells is missing, and no method is shown the species.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaeimpute import VAETransformer
from vaeimpute.amputation import ampute
from vaeimpute.datasets import load_penguins
from vaeimpute.diagnostics import LatentMapDisplay

penguins = load_penguins()
X = ampute(penguins.drop(columns=["species", "year"]), fraction=0.25, random_state=0)

indicators = [
    pd.get_dummies(X[name], dtype=float).where(X[name].notna(), axis=0)
    for name in ("island", "sex")
]
numbers = pd.concat([X.select_dtypes("float64"), *indicators], axis=1)
pca = make_pipeline(SimpleImputer(), StandardScaler(), PCA(2)).fit(numbers)

# %%
# The table as it is:

reducer = VAETransformer(n_components=2, max_iter=50, random_state=0)
components, deviations = reducer.fit(X).transform(X, return_std=True)

# %%
# Circles show how sure the place of a row is: the less of it is observed, the larger.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
display = LatentMapDisplay.from_estimator(pca, numbers, y=penguins["species"], ax=left)
display.legend_.remove()  # the same as that of the other map
LatentMapDisplay.from_estimator(reducer, X, y=penguins["species"], ax=right)
left.set_title("means, then PCA")
right.set_title("VAETransformer")
right.scatter(
    *components.T,
    s=4000 * deviations.mean(axis=1) ** 2,
    facecolors="none",
    edgecolors="0.6",
    linewidths=0.3,
    zorder=0,
)

# %%
# The way back: what do places on the map stand for? A walk along the first component.

ends = components[:, 0].min(), components[:, 0].max()
walk = reducer.interpolate([ends[0], 0.0], [ends[1], 0.0], n_steps=7, latent=True)
walk.round(1)
