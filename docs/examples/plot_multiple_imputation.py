"""
Several imputations, one interval
=================================

One filled table pretends to know its gaps. Several drawn tables show what they leave
open, and `pool` makes one interval of what is estimated from each.
"""

# %%
# Nearly half of the body masses are taken away, more often of birds with long flippers:
# what is missing depends on what is observed.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins
from vaeimpute.inference import pool

birds = load_penguins().dropna(ignore_index=True)
truth = birds["body_mass_g"].copy()
rng = np.random.default_rng(0)
flipper = (birds["flipper_length_mm"] - 200) / 14
hidden = rng.random(len(birds)) < 1 / (1 + np.exp(-2 * flipper))
table = birds.assign(body_mass_g=truth.mask(hidden))
print(f"{hidden.mean():.0%} of the masses are hidden.")

# %%
# Draw twenty tables. Drawn masses scatter as true ones do; the best guesses lie in the
# middle, on a narrow band.

imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(table)
guessed = imputer.transform(table)
tables = imputer.impute_multiple(table, 20, random_state=0)

figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True, layout="constrained")
shown = {
    "true": truth,
    "best guess": guessed["body_mass_g"],
    "one draw": tables[0]["body_mass_g"],
}
for ax, (title, mass) in zip(axes, shown.items(), strict=True):
    x = birds["flipper_length_mm"]
    ax.scatter(x[~hidden], mass[~hidden], s=10, color="0.8", label="observed")
    ax.scatter(x[hidden], mass[hidden], s=12, color="C3", label="hidden")
    ax.set(title=title, xlabel="flipper length (mm)")
axes[0].set_ylabel("body mass (g)")
axes[0].legend()

# %%
# How many grams does a centimetre of flipper weigh, among birds of one sex? Least
# squares, from each table; and the same from the best guesses, from the birds that are
# left, and from all.


def slope(table):
    """Return grams per centimetre of flipper, given the sex, and their variance."""
    table = table.dropna(subset="body_mass_g")
    is_male = table["sex"] == "male"
    centimetres = table["flipper_length_mm"] / 10
    design = np.column_stack([np.ones(len(table)), centimetres, is_male])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ table["body_mass_g"]
    residual = table["body_mass_g"] - design @ coefficients
    variance = residual @ residual / (len(table) - 3) * inverse
    return coefficients[1], variance[1, 1]


estimates, variances = zip(*map(slope, tables), strict=True)
pooled = pool(estimates, variances, dof_complete=len(table) - 3)
rows = {"20 draws, pooled": (pooled.estimate, *pooled.interval())}
for name, other in [
    ("best guesses", guessed),
    ("observed only", table),
    ("nothing hidden", birds),
]:
    estimate, variance = slope(other)
    reach = 1.97 * np.sqrt(variance)
    rows[name] = estimate, estimate - reach, estimate + reach
intervals = pd.DataFrame(rows, index=["estimate", "lower", "upper"]).T
intervals.round(0)

# %%
# Who drops the incomplete rows gets another slope. The interval of the guesses is
# narrower than that of the whole table, as if filled cells told more than seen ones;
# the pooled one says what the gaps leave open.

figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
reach = intervals["upper"] - intervals["estimate"]
axes.errorbar(intervals["estimate"], intervals.index, xerr=reach, fmt="o", capsize=5)
axes.axvline(intervals.loc["nothing hidden", "estimate"], color="black", linewidth=0.8)
axes.set(xlabel="grams per centimetre, 95 % interval")
axes.invert_yaxis()
plt.show()
