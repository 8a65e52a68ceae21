"""Fill the gaps of tables with mixed columns by a variational autoencoder.

The public names are imported when they are first used, so that ``import
vaeimpute`` takes no time and no module imports Keras before a model is fitted.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vaeimpute import (
        amputation,
        archive,
        comparison,
        datasets,
        diagnostics,
        inference,
        metrics,
        model_selection,
        report,
        streaming,
    )
    from vaeimpute._imputer import VAEImputer
    from vaeimpute._outliers import VAEOutlierDetector
    from vaeimpute._supervised import VAEClassifier, VAERegressor
    from vaeimpute._transformer import VAETransformer
    from vaeimpute.archive import load
    from vaeimpute.comparison import compare_imputers

__version__ = "0.1.0"

__all__ = [
    "VAEClassifier",
    "VAEImputer",
    "VAEOutlierDetector",
    "VAERegressor",
    "VAETransformer",
    "__version__",
    "amputation",
    "archive",
    "compare_imputers",
    "comparison",
    "datasets",
    "diagnostics",
    "inference",
    "load",
    "metrics",
    "model_selection",
    "report",
    "streaming",
]

_HOME_OF_NAME = {
    "VAEClassifier": "vaeimpute._supervised",
    "VAEImputer": "vaeimpute._imputer",
    "VAEOutlierDetector": "vaeimpute._outliers",
    "VAERegressor": "vaeimpute._supervised",
    "VAETransformer": "vaeimpute._transformer",
    "compare_imputers": "vaeimpute.comparison",
    "load": "vaeimpute.archive",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _HOME_OF_NAME:
        found = getattr(import_module(_HOME_OF_NAME[name]), name)
    else:
        found = import_module(f"{__name__}.{name}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
