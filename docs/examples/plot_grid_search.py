"""
Choose parameters by hidden cells
=================================

The error of fillings cannot be measured on the gaps, but on cells that are known:
`hidden_cell_score` hides some of the test rows' cells, lets the imputer fill them and
compares. It is a scorer for any search of scikit-learn.
"""

# %%
# How many latents does the linear core need? The imputer is one step of a pipeline, and
# its parameters are named by the step. The rows are sorted by species, so folds are
# shuffled.

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaeimpute import VAEImputer
from vaeimpute.amputation import ampute
from vaeimpute.datasets import load_penguins
from vaeimpute.model_selection import hidden_cell_score

penguins = load_penguins()
X = ampute(penguins.iloc[:, 2:6], fraction=0.15, random_state=0)
y = penguins["species"]
model = make_pipeline(
    VAEImputer(hidden_layer_sizes=(), random_state=0),
    StandardScaler(),
    LogisticRegression(max_iter=1_000),
)
candidates = [1, 2, 3, 4]
by_cells = GridSearchCV(
    model,
    {"vaeimputer__n_components": candidates},
    scoring=hidden_cell_score(fraction=0.2, metric="nrmse", random_state=0),
    cv=KFold(5, shuffle=True, random_state=0),
).fit(X, y)
print(by_cells.best_params_)

# %%
# The same search by what the pipeline is for, the accuracy of the classifier:

by_accuracy = GridSearchCV(
    model,
    {"vaeimputer__n_components": candidates},
    scoring="accuracy",
    cv=KFold(5, shuffle=True, random_state=0),
).fit(X, y)

# %%
# Cells are filled best with some number of latents; the classifier hardly minds. Bars
# are standard deviations over the five folds.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for axes, search, sign in [(left, by_cells, -1), (right, by_accuracy, 1)]:
    results = search.cv_results_
    axes.errorbar(
        candidates,
        sign * results["mean_test_score"],
        yerr=results["std_test_score"],
        marker="o",
        capsize=4,
    )
    axes.set(xlabel="n_components", xticks=candidates)
left.set(ylabel="error (sd)", title="Hidden cells: lower is better")
right.set(ylabel="accuracy", title="Species: higher is better", ylim=(0.8, 1))
plt.show()
