"""
New rows under conditions
=========================

A fitted imputer is a model of the whole table, so it can also make rows: any, such as
fulfil a condition, or such as lie between two others.
"""

# %%
# Female penguins of each species, which need not be in the table.

import matplotlib.pyplot as plt
import pandas as pd

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins

penguins = load_penguins()
imputer = VAEImputer(max_iter=50, random_state=0).fit(penguins)
kinds = penguins["species"].cat.categories
made = imputer.sample(
    60, given=pd.DataFrame({"species": kinds, "sex": "female"}), random_state=0
)
made.groupby("species", observed=True).head(2)

# %%
# Crosses are made, dots are real females.

x, y = "bill_length_mm", "bill_depth_mm"
real = penguins[penguins["sex"] == "female"]

figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
for colour, species in enumerate(kinds):
    for rows, marker, label in [(real, "o", species), (made, "x", None)]:
        birds = rows[rows["species"] == species]
        axes.scatter(
            birds[x],
            birds[y],
            s=16 if marker == "o" else 28,
            marker=marker,
            color=f"C{colour}",
            alpha=0.6,
            label=label,
        )
axes.set(xlabel="bill length (mm)", ylabel="bill depth (mm)")
axes.legend()

# %%
# From the lightest to the heaviest penguin on a straight line between their latents:
# measurements change together, and somewhere on the way the species does.

lightest = penguins.loc[[penguins["body_mass_g"].idxmin()]]
heaviest = penguins.loc[[penguins["body_mass_g"].idxmax()]]
way = imputer.interpolate(lightest, heaviest, n_steps=9)
way.drop(columns="year").round(0)

# %%
# The way among the real penguins:

figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
x, y = "flipper_length_mm", "body_mass_g"
axes.scatter(penguins[x], penguins[y], s=10, color="0.8")
axes.plot(way[x], way[y], "k-o", label="interpolated")
axes.set(xlabel="flipper length (mm)", ylabel="body mass (g)")
axes.legend()
plt.show()
