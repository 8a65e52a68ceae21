"""Example tables with real gaps."""

from __future__ import annotations

from importlib import resources

import pandas as pd


def load_penguins() -> pd.DataFrame:
    """Load the Palmer penguins, with the gaps they were published with.

    Measurements of 344 adult penguins of three species, made from 2007 to 2009
    on three islands of the Palmer Archipelago, Antarctica. Two penguins have no
    measurements at all and eleven have no recorded sex: 19 cells are missing in
    11 rows.

    Returns
    -------
    DataFrame of shape (344, 8)
        A new table at each call, with the columns

        - ``species`` (category): Adelie, Chinstrap or Gentoo
        - ``island`` (category): Biscoe, Dream or Torgersen
        - ``bill_length_mm``, ``bill_depth_mm``, ``flipper_length_mm`` (float64):
          millimetres
        - ``body_mass_g`` (float64): grams
        - ``sex`` (category): female or male
        - ``year`` (int64): the year of the study

    Notes
    -----
    The data are in the public domain (CC0).

    References
    ----------
    .. [1] Gorman, K. B., Williams, T. D. and Fraser, W. R. (2014). Ecological
       sexual dimorphism and environmental variability within a community of
       Antarctic penguins (genus Pygoscelis). PLOS ONE 9(3), e90081.
    .. [2] Horst, A. M., Hill, A. P. and Gorman, K. B. (2020). palmerpenguins:
       Palmer Archipelago (Antarctica) penguin data. R package version 0.1.0.

    Examples
    --------
    >>> from vaeimpute.datasets import load_penguins
    >>> penguins = load_penguins()
    >>> penguins.shape
    (344, 8)
    >>> penguins["species"].value_counts().to_dict()
    {'Adelie': 152, 'Gentoo': 124, 'Chinstrap': 68}
    >>> int(penguins.isna().sum().sum())
    19
    """
    kinds = {
        "species": "category",
        "island": "category",
        "bill_length_mm": "float64",
        "bill_depth_mm": "float64",
        "flipper_length_mm": "float64",
        "body_mass_g": "float64",
        "sex": "category",
        "year": "int64",
    }
    source = resources.files("vaeimpute").joinpath("data", "penguins.csv")
    with source.open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=kinds)
