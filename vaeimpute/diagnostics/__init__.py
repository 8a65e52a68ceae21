"""Pictures of tables, fits and answers, as display classes like those of scikit-learn.

Each class keeps what it shows and draws it with `plot`; its class methods compute that
from a table or a fitted estimator and draw at once. They need matplotlib, which
``pip install 'vaeimpute[plot]'`` brings along.
"""

from vaeimpute.diagnostics._cells import CellSurpriseDisplay, DistributionDisplay
from vaeimpute.diagnostics._errors import ComparisonDisplay, CoverageDisplay
from vaeimpute.diagnostics._fits import LatentMapDisplay, LossCurveDisplay
from vaeimpute.diagnostics._missingness import MissingnessDisplay

__all__ = [
    "CellSurpriseDisplay",
    "ComparisonDisplay",
    "CoverageDisplay",
    "DistributionDisplay",
    "LatentMapDisplay",
    "LossCurveDisplay",
    "MissingnessDisplay",
]
