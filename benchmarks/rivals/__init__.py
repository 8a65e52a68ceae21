"""Imputers that vaeimpute is compared with, each with `fit` and `transform`.

Modules import the library that they need when an imputer is fitted, not before: some of
these live in environments of their own.
"""
