"""
Choose parameters by hidden cells
=================================

The error of fillings cannot be measured on the gaps, but on cells that are known:
`hidden_cell_score` hides some of the test rows' cells, lets the imputer fill them and
compares. It is a scorer for any search of scikit-learn.
"""

# %%
# How many latents does the linear core need? The imputer is one step of a pipeline that
# predicts a penguin's sex; its parameters are named by the step. Each candidate is
# scored by the numbers and levels that it fills, and by the prediction.

import matplotlib.pyplot as plt
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from vaeimpute import VAEImputer
from vaeimpute.amputation import ampute
from vaeimpute.datasets import load_penguins
from vaeimpute.model_selection import hidden_cell_score

penguins = load_penguins().dropna(subset="sex")
X = ampute(penguins.drop(columns="sex"), fraction=0.2, random_state=0)
encode = make_column_transformer(
    (StandardScaler(), make_column_selector(dtype_include="number")),
    (OneHotEncoder(), make_column_selector(dtype_include="category")),
)
model = make_pipeline(
    VAEImputer(hidden_layer_sizes=(), random_state=0),
    encode,
    LogisticRegression(max_iter=1_000),
)
candidates = [1, 2, 3, 4, 6]
search = GridSearchCV(
    model,
    {"vaeimputer__n_components": candidates},
    scoring={
        "numbers": hidden_cell_score(metric="nrmse", random_state=0),
        "levels": hidden_cell_score(metric="accuracy", random_state=0),
        "sex": "accuracy",
    },
    refit="numbers",
    cv=KFold(5, shuffle=True, random_state=0),  # the rows are sorted by species
).fit(X, penguins["sex"])
print(search.best_params_)

# %%
# Bars are standard deviations over the five folds. The error of hidden numbers tells
# that one or two latents are too few; the prediction hardly depends on it.

figure, panels = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
titles = {
    "numbers": "Hidden numbers: error in sd",
    "levels": "Hidden levels: share right",
    "sex": "Predicted sex: share right",
}
for axes, (score, title) in zip(panels, titles.items(), strict=True):
    sign = -1 if score == "numbers" else 1  # scores are better the larger they are
    axes.errorbar(
        candidates,
        sign * search.cv_results_[f"mean_test_{score}"],
        yerr=search.cv_results_[f"std_test_{score}"],
        marker="o",
        capsize=4,
    )
    axes.set(xlabel="n_components", title=title, xticks=candidates)
plt.show()
