"""
Find suspicious cells
=====================

`cell_scores` hides each cell in turn, predicts it from the rest of its row and says
how unlikely the observed value is. Of cells without errors one in twenty scores 3 or
more, and one in a thousand 7 or more.
"""

# %%
# Plant ten typing errors of three kinds.

import matplotlib.pyplot as plt
import numpy as np

from vaeimpute import VAEImputer
from vaeimpute.datasets import load_penguins
from vaeimpute.diagnostics import CellSurpriseDisplay

penguins = load_penguins().dropna(ignore_index=True)
rng = np.random.default_rng(0)
rows = rng.choice(len(penguins), size=10, replace=False)
typed = penguins.copy()
typed.loc[rows[:3], "body_mass_g"] *= 10  # a zero too many
swapped = typed.loc[rows[3:6], ["bill_depth_mm", "bill_length_mm"]].to_numpy()
typed.loc[rows[3:6], ["bill_length_mm", "bill_depth_mm"]] = swapped
typed.loc[rows[6:], "species"] = [
    "Gentoo" if species != "Gentoo" else "Adelie"
    for species in typed.loc[rows[6:], "species"]
]
is_error = typed.ne(penguins)

# %%
# The model is fitted to the table as it was typed; nobody tells where the errors are.

imputer = VAEImputer(hidden_layer_sizes=(), random_state=0).fit(typed)
scores = imputer.cell_scores(typed)
suspects = scores.stack().nlargest(16).round(1).rename("score").to_frame()
suspects["typed"] = [typed.at[cell] for cell in suspects.index]
suspects["is an error"] = [is_error.at[cell] for cell in suspects.index]
suspects

# %%
# Rows with the largest scores, cell by cell. Planted errors have a frame. An error
# makes its neighbours look odd as well: the row is worth a look.

display = CellSurpriseDisplay.from_estimator(imputer, typed, max_rows=16)
for row, column in np.argwhere(is_error.iloc[display.rows_]):
    frame = plt.Rectangle(
        (column, row), *(1, 1), fill=False, edgecolor="tab:cyan", linewidth=2.5
    )
    display.ax_.add_patch(frame)

# %%
# How many of the planted errors are among the cells that are looked at first?

order = scores.stack().sort_values(ascending=False)
found = is_error.stack().loc[order.index].cumsum()

figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
axes.step(range(1, 61), found.iloc[:60], where="post")
axes.axhline(is_error.to_numpy().sum(), color="black", linewidth=0.8)
axes.set(xlabel="cells looked at, oddest first", ylabel="planted errors found")
plt.show()
