"""Train an LSTM on a stock's daily closes and forecast the next session, honestly.

From nothing to a forecast, with the prices that come along and without a network:

    import stocklstm

    stocklstm.fetch("PETR4.SA", stocklstm.FetchOptions(source="sample"))
    stocklstm.train("PETR4.SA")                         # a new version, and how good it is
    stocklstm.predict("PETR4.SA", horizon=range(1, 6))  # the next five sessions, with intervals
    stocklstm.evaluate("PETR4.SA")                      # on days it never saw

Every day after that:

    stocklstm.evening()              # new prices, a forecast, how the last one did
    stocklstm.forecasts("PETR4.SA")  # a data frame: each forecast beside what came

A name as it is means one ticker or version, whose failure is raised; of several, failures are
entries of the result. Results show themselves as small tables, and `to_frame()` gives a data frame
of pandas. `prices`, `forecasts` and `history` give data frames at once, `plot` gives a picture.

    prices      fetch prices show_prices show_intraday verify_prices export_prices rename_prices
                require_prices
    models      train train_pooled dry_run dry_run_pooled tune find_due retrain quantize
    forecasts   predict forecasts list_forecasts evening plan_evenings load
    scores      evaluate evaluate_live evaluate_horizons evaluate_pool walk_forward score_league
                compare_versions history
    pictures    plot draw_forecasts write_report
    versions    list_models show_model diff_models promote rollback unalias validate sign_versions
                export_model import_model adopt_versions remove_versions collect_garbage
    the store   open backup restore effective_settings

All functions take the directory of a store as `home`, by default where the command line has it.
They are methods of `Client` as well, which keeps a store open: `with stocklstm.open() as client:`.
Errors that are raised on purpose are in `stocklstm.errors`, with a `message` and a `hint`.

The names below are loaded on first use, so that `import stocklstm` costs nothing.
"""

import os

__version__ = "0.2.0"

# ONNX Runtime 1.29 and later report their use to Microsoft unless told otherwise before they are
# imported. What people forecast, and when, is nobody's business. A user's own setting stands.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_FUNCTIONS = (
    *("adopt_versions", "backup", "collect_garbage", "compare_versions", "diff_models"),
    *("draw_forecasts", "dry_run", "dry_run_pooled", "effective_settings", "evaluate"),
    *("evaluate_horizons", "evaluate_live", "evaluate_pool", "evening", "export_model"),
    *("export_prices", "fetch", "find_due", "forecasts", "history", "import_model"),
    *("list_forecasts", "list_models", "load", "plan_evenings", "plot", "predict", "prices"),
    *("promote", "quantize", "remove_versions", "rename_prices", "require_prices", "restore"),
    *("retrain", "rollback", "score_league", "show_intraday", "show_model", "show_prices"),
    *("sign_versions", "train", "train_pooled", "tune", "unalias", "validate"),
    *("verify_prices", "walk_forward", "write_report"),
)
"""Methods of `Client`, each of which is a function here as well: it takes `home` besides."""

_MODULES = {
    "stocklstm.client": ("Client", "open"),
    "stocklstm.core.prices.answers": ("Basis", "Rejection", "SourceAnswer"),
    "stocklstm.core.prices.folds": ("WalkForward",),
    "stocklstm.core.prices.series": ("Action", "Bars", "Instrument"),
    "stocklstm.core.settings.compression": ("Compression",),
    "stocklstm.core.settings.config": ("TrainingConfig", "configure"),
    "stocklstm.market.instrument": ("guess_instrument",),
    "stocklstm.market.source": ("FetchRequest",),
    "stocklstm.workflows.models.remove": ("RemovalRule",),
    "stocklstm.workflows.parallel": ("Backend",),
    "stocklstm.workflows.predict.preconditions": ("Demands",),
    "stocklstm.workflows.predict.predict": ("Wanted",),
    "stocklstm.workflows.prices.plan": ("FetchOptions",),
    "stocklstm.workflows.prices.retry": ("Patience",),
    "stocklstm.workflows.retraining": ("RetrainingRule",),
    "stocklstm.workflows.train.beginning": ("Search", "StartFrom"),
}
"""What else is public: whatever functions and price sources are given, by the place it lies at.

Type checkers are told of all of it by `__init__.pyi`, which is written of these two lists.
"""

_PLACES = {name: module for module, names in _MODULES.items() for name in names}

# Without open: `from stocklstm import *` must not take the builtin's place.
__all__ = ["__version__", *_FUNCTIONS, *(name for name in _PLACES if name != "open")]  # noqa: PLE0604 - names, every one


def __getattr__(name: str) -> object:
    if name in _FUNCTIONS:
        from stocklstm.client import function_of

        found = function_of(name)
    elif name == "errors":
        from importlib import import_module

        return import_module("stocklstm.errors")
    elif name in _PLACES:
        from importlib import import_module

        found = getattr(import_module(_PLACES[name]), name)
    else:
        raise AttributeError(f"module 'stocklstm' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, "__doc__", "__file__", "__name__", "__path__", "errors", "open"})
