"""
Fill a table and look at what was filled
========================================

The Palmer penguins have 19 missing cells: two birds were not measured at all, and of
eleven nobody knows the sex.
"""

# %%
# What is missing together? A row for each pattern, with the number of its penguins.

import matplotlib.pyplot as plt
import numpy as np

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins
from vaeimpute.diagnostics import MissingnessDisplay

penguins = load_penguins()
MissingnessDisplay.from_data(penguins)

# %%
# Filling takes one line. Observed cells, dtypes and the index stay as they are.
# (``max_iter`` keeps this page quick; without it, it follows the table.)

imputer = VAEImputer(max_iter=50, random_state=0)
filled = imputer.fit_transform(penguins)
missing = penguins.isna()
filled[missing.any(axis=1)].round(1)

# %%
# Where do the two penguins without measurements land? Each is put where its species and
# island say; the bars are 90 % intervals, calibrated on cells that ``fit`` held out.

lower, upper = imputer.predict_interval(penguins, confidence_level=0.9)
x, y = "flipper_length_mm", "body_mass_g"

figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
for species, birds in penguins.groupby("species", observed=True):
    axes.scatter(birds[x], birds[y], s=14, alpha=0.5, label=species)
gaps = missing[x]
guess = filled.loc[gaps]
axes.errorbar(
    guess[x],
    guess[y],
    xerr=np.abs(np.stack([lower.loc[gaps, x], upper.loc[gaps, x]]) - guess[x].values),
    yerr=np.abs(np.stack([lower.loc[gaps, y], upper.loc[gaps, y]]) - guess[y].values),
    fmt="k*",
    markersize=14,
    capsize=4,
    label="filled",
)
axes.set(xlabel="flipper length (mm)", ylabel="body mass (g)")
axes.legend()

# %%
# Levels come with probabilities. Of some birds the sex is nearly sure, of others not.

probability = imputer.predict_proba(penguins)["sex"][missing["sex"]]

figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
places = range(len(probability))
axes.bar(places, probability["male"], label="male")
axes.bar(places, probability["female"], bottom=probability["male"], label="female")
axes.set_xticks(places, probability.index)
axes.axhline(0.5, color="black", linewidth=0.8)
axes.set(xlabel="penguin", ylabel="probability", title="Sex, where it is not known")
axes.set_ylim(0, 1)
figure.legend(loc="outside right upper")
plt.show()
