"""Comparison of imputers on real tables; no part of the installed package."""
