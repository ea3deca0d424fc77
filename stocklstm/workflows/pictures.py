"""Pictures of what train, evaluate and predict found; they are worth less than that, and wait."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stocklstm.core.batch import Batch
from stocklstm.core.forecasts.fan import Fan, fan_out
from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.prices.series import Bars, Dates, outcomes
from stocklstm.core.reference import ModelReference, parse_reference, version_id
from stocklstm.core.scores.evaluation import ScoredDays
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.training.diagnosis import ConstantLosses, diagnose
from stocklstm.core.wording import counted
from stocklstm.errors import (
    ConfigError,
    IntegrityError,
    MissingPackageError,
    NotFoundError,
    StockLstmError,
    StorageError,
    StoreLockedError,
)
from stocklstm.report.calibration import calibration_figure
from stocklstm.report.errors_over_time import errors_figure
from stocklstm.report.fan import SHOWN_CLOSES, fan_figure
from stocklstm.report.figure import (
    DARK,
    LIGHT,
    Colours,
    PictureForm,
    PictureKind,
    rendered,
    self_showing,
)
from stocklstm.report.loss_curves import history_figure
from stocklstm.report.predictions import predictions_figure
from stocklstm.store.disk import disk_errors
from stocklstm.store.drafts import replace_file
from stocklstm.store.manifest import HISTORY_FILE, Manifest, corrupt
from stocklstm.store.store import Store
from stocklstm.store.user_files import require_outside_stores
from stocklstm.workflows.loading.pooled_model import pool_tickers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stocklstm.workflows.predict.predict import Forecast, PredictResult


HISTORY_PICTURE = "training_history"
FORECASTS_PICTURE = "predictions_vs_actual"


@dataclass(frozen=True)
class Drawn:
    """What became of some pictures.

    Attributes:
        paths: Where those lie that were drawn.
        warnings: Why one was not, one line each.
    """

    paths: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


_Draw = Callable[[Colours], "Figure"]

_Pictures = dict[str, _Draw]
"""What draws each, by the name of its file without the suffix."""


def draw_training(store: Store, manifest: Manifest, days: ScoredDays | None) -> Drawn:
    """Draw the loss curves of a version, and forecasts beside outcomes; see `draw_scores`.

    Args:
        days: Its test part; None for a pooled model, which has many.
    """
    pictures = _of_training(store, manifest)
    if days is not None:
        currency = store.prices.instrument(manifest.ticker).currency
        pictures[FORECASTS_PICTURE] = lambda colours: predictions_figure(
            days, manifest.evaluation, _title(manifest), currency, colours
        )
    return _drawn(store, manifest, pictures)


def draw_scores(
    store: Store, manifest: Manifest, days: ScoredDays, evaluation: Evaluation, currency: str
) -> Drawn:
    """Draw forecasts beside outcomes, errors over time and calibration, and the loss curves.

    Scores are worth more than their pictures: what stands in the way becomes a warning.
    """
    title = _title(manifest)
    pictures: _Pictures = {
        FORECASTS_PICTURE: lambda colours: predictions_figure(
            days, evaluation, title, currency, colours
        ),
        "errors_over_time": lambda colours: errors_figure(days, evaluation, title, colours),
        "calibration": lambda colours: calibration_figure(days, evaluation, title, colours),
    }
    return _drawn(store, manifest, pictures | _of_training(store, manifest))


def _title(manifest: Manifest) -> str:
    tickers = "" if manifest.pool is None else f", {manifest.pool.tickers} tickers"
    return f"{manifest.id}{tickers}, preset {manifest.config.preset}"


def _of_training(store: Store, manifest: Manifest) -> _Pictures:
    """Draw the loss curves, where the version has them and not their picture, as older ones do."""
    files = manifest.files
    known = HISTORY_FILE in files and manifest.training.constant_val_loss is not None
    if not known or f"{HISTORY_PICTURE}.png" in files:
        return {}
    return {HISTORY_PICTURE: lambda colours: _history_figure(store, manifest, colours)}


def _history_figure(store: Store, manifest: Manifest, colours: Colours = LIGHT) -> "Figure":
    config, training = manifest.config, manifest.training
    history = store.registry.history(manifest)
    if training.kept_epoch not in {record.epoch for record in history}:
        raise corrupt(manifest.id, f"{HISTORY_FILE} lacks the epoch that was kept")
    constant = ConstantLosses(
        training.constant_train_loss or 0.0,
        training.constant_val_loss or 0.0,
        is_start=config.target == "return" and not manifest.learned_before,
    )
    words = diagnose(history, constant, config, training.kept_epoch).words
    title = _title(manifest)
    return history_figure(history, constant, config, training.kept_epoch, title, words, colours)


def _drawn(store: Store, manifest: Manifest, pictures: _Pictures) -> Drawn:
    folder = store.paths.reports(manifest.ticker, manifest.version)
    paths: list[str] = []
    for name, draw in pictures.items():
        try:
            form = PictureForm.chosen()
            path = folder / form.named(name)
            # The curves of a version never change.
            if name != HISTORY_PICTURE or not path.is_file():
                store.require_writable()
                _keep(path, draw, form)
        except (ConfigError, IntegrityError, StorageError) as error:
            # What stops one usually stops them all, and is said once.
            return Drawn(tuple(paths), (_no_picture(error, len(paths)),))
        paths.append(str(path))
    return Drawn(tuple(paths))


def draw_forecasts(
    store: Store, result: "PredictResult", file: Path | None = None
) -> "PredictResult":
    """Draw a fan chart for each ticker; see `Client.draw_forecasts`."""
    from stocklstm.workflows.predict.predict import PredictResult, of_one_model

    try:
        drawn = [
            made
            for together in of_one_model(result.forecasts)
            for made in _draw_fan(store, together, file)
        ]
    except StoreLockedError as error:
        warning = _no_picture(error)
        drawn = [replace(made, warnings=(*made.warnings, warning)) for made in result.forecasts]
    return PredictResult(tuple(drawn), result.failures)


KINDS = ("history", "predictions", "errors", "calibration")
"""Pictures of a version."""


def plot(store: Store, what: object, kind: str | None, *, dark: bool) -> "Figure":
    """Draw a result, or a version; see `Client.plot`."""
    from stocklstm.workflows.predict.predict import Forecast, of_one_model

    colours = DARK if dark else LIGHT
    results = what.results if isinstance(what, Batch) else (what,)
    forecasts = [each for each in results if isinstance(each, Forecast)]
    groups = of_one_model(forecasts) if forecasts else [[each] for each in results]
    if len(groups) != 1:
        raise ConfigError(
            f"a picture is of one model, and this is of {len(groups)}",
            hint="stocklstm.plot(result.results[0])",
        )
    if forecasts:
        if kind is not None:
            raise ConfigError("a forecast has one picture", hint="leave kind out")
        return self_showing(forecast_figure(store, forecasts, colours))
    (one,) = results
    if not isinstance(one, str):
        if not hasattr(one, "ticker") or not isinstance(getattr(one, "version", None), int):
            raise ConfigError(
                f"there is no picture of a {type(one).__name__}",
                hint="give what predict, evaluate or train returned, or a version, as PETR4.SA@v1",
            )
        default = "history" if hasattr(one, "best_epoch") else "predictions"
        kind, one = kind or default, version_id(one.ticker, one.version)
    manifest = store.registry.find(parse_reference(one))
    return self_showing(_version_figure(store, manifest, kind or "history", colours))


def _version_figure(store: Store, manifest: Manifest, kind: str, colours: Colours) -> "Figure":
    if kind not in KINDS:
        raise ConfigError(f"there is no picture {kind[:30]!a}", hint=f"take {', '.join(KINDS)}")
    if kind == "history":
        if HISTORY_FILE not in manifest.files or manifest.training.constant_val_loss is None:
            raise NotFoundError(
                f"{manifest.id} has no loss curves: it was not trained here",
                hint=f"stocklstm models show {manifest.id}",
            )
        return _history_figure(store, manifest, colours)
    if manifest.pool is not None:
        raise ConfigError(
            f"{manifest.id} is a model of many tickers: of those there are loss curves alone",
            hint="kind='history'",
        )
    from stocklstm.workflows.loading.bars import bars_of_model
    from stocklstm.workflows.loading.model import load_model
    from stocklstm.workflows.scoring import score_unseen

    bars = bars_of_model(store, manifest, manifest.ticker).since(manifest.config.start)
    model = load_model(store, ModelReference(manifest.ticker, manifest.version))
    days, evaluation = score_unseen(model, bars)
    title = _title(manifest)
    if kind == "predictions":
        currency = store.prices.instrument(manifest.ticker).currency
        return predictions_figure(days, evaluation, title, currency, colours)
    draw = errors_figure if kind == "errors" else calibration_figure
    return draw(days, evaluation, title, colours)


def require_picture_name(file: Path) -> None:
    """Refuse a file that is neither a PNG nor an SVG, or a picture of the store's own."""
    if _kind_of(file) is None or file.is_dir():
        raise ConfigError(
            f"the picture is a PNG or an SVG, and {str(file)[:200]!a} is not the name of one",
            hint="stocklstm predict --plot-file forecast.png",
        )
    require_outside_stores(file)


def _kind_of(file: Path) -> PictureKind | None:
    """Tell by its name what kind of picture a file is."""
    match file.suffix.lower():
        case ".png":
            return "png"
        case ".svg":
            return "svg"
    return None


def require_one_picture(store: Store, references: Sequence[str], pool: str | None) -> None:
    """Refuse one file for the pictures of several models, before anything is forecast."""
    names = pool_tickers(store, pool, references)
    count = len({parse_reference(name) for name in names})
    if count > 1:
        raise ConfigError(
            f"one file cannot take the pictures of {count} models",
            hint="stocklstm predict --plot without a file, or one --ticker",
        )


def _draw_fan(store: Store, together: "Sequence[Forecast]", file: Path | None) -> "list[Forecast]":
    """Draw the forecasts of one ticker by one model, nearest first, in one picture."""
    made = together[-1]
    owner = parse_reference(made.model).ticker
    name = "forecast" if owner == made.ticker else f"forecast-{made.ticker}"
    try:
        form = PictureForm.chosen()
        if file is None:
            path = store.paths.reports(owner, made.version) / form.named(name)
            store.require_writable()
        else:
            path = file.absolute()
            form = replace(form, kind=_kind_of(file) or form.kind)
        _keep(path, lambda colours: forecast_figure(store, together, colours), form)
    except (ConfigError, StorageError) as error:
        warning = _no_picture(error)
        return [replace(each, warnings=(*each.warnings, warning)) for each in together]
    return [replace(each, plot=str(path)) for each in together]


def forecast_figure(
    store: Store, together: "Sequence[Forecast]", colours: Colours = LIGHT
) -> "Figure":
    """Draw the fan chart of the forecasts of one ticker by one model, nearest first."""
    made = together[-1]
    owner = parse_reference(made.model).ticker
    learned = store.registry.manifest(owner, made.version).config.horizon
    exchange = store.prices.instrument(made.ticker).exchange
    fan = _fan(store, exchange, store.prices.bars(made.ticker), together, learned)
    named = made.model if owner == made.ticker else f"{made.ticker} by {made.model}"
    title = f"Forecast: {named}, {made.as_of} to {made.target_session}"
    levels = [interval.level for interval in made.intervals]
    words = _fan_words(together, in_hindsight=len(fan.outcomes) > 0)
    return fan_figure(fan, levels, title, words, made.currency, colours)


def _fan_words(together: "Sequence[Forecast]", *, in_hindsight: bool) -> str:
    """Say what must not be missed below the picture of forecasts."""
    made = together[-1]
    words = [made.verdict_text]
    if in_hindsight:
        # Those between would fill the picture with the same words about other days.
        warnings = dict.fromkeys((*together[0].warnings, *made.warnings))
        words += [f"Drawn in hindsight: {', '.join(warnings) or 'what came is known'}."]
    if made.stale_sessions:
        words += [f"The prices are {counted(made.stale_sessions, 'session')} behind."]
    if any(interval.adaptive for each in together for interval in each.intervals):
        # The adapted ones are of one session: between it and the last close there are none.
        words += ["The intervals drawn are the model's own, not the adapted ones."]
    return " ".join(words)


def _fan(
    store: Store, exchange: str, bars: Bars, together: "Sequence[Forecast]", learned: int
) -> Fan:
    """Put together the closes before forecasts, the forecasts, and what is known of the outcome.

    From the horizon that the model learned on, the fan to the farthest one is made of what was
    forecast of each nearer one.
    """
    made = together[-1]
    origin = int(np.searchsorted(bars.dates, np.datetime64(made.as_of, "D")))
    first, horizon = max(0, origin + 1 - SHOWN_CLOSES), made.horizon
    last = np.array([made.last_close])
    target = ReturnForecasts(
        np.log(np.array([made.point]) / last),
        np.log(np.array([list(made.quantiles.values())]) / last),
    )
    known = min(horizon, len(bars) - 1 - origin)
    return Fan(
        dates=bars.dates[first : origin + 1],
        closes=bars.closes[first : origin + 1],
        sessions=_sessions(store, exchange, bars.dates[origin : origin + known + 1], horizon),
        forecasts=fan_out(target, horizon, learned).closes(np.repeat(last, horizon + 1)),
        outcomes=np.array(
            [outcomes(bars, np.array([origin]), ahead)[0] for ahead in range(1, known + 1)]
        ),
        horizons=tuple(each.horizon for each in together),
    )


def _sessions(store: Store, exchange: str, known: Dates, horizon: int) -> Dates:
    """Go on from the sessions that are stored to the one that is forecast."""
    later = [
        store.sessions.next_after(exchange, str(known[-1]), count)
        for count in range(1, horizon + 2 - len(known))
    ]
    return np.concatenate([known, np.array(later, "datetime64[D]")])


def _keep(path: Path, draw: _Draw, form: PictureForm) -> None:
    picture = rendered(draw(form.colours), form.kind)
    with disk_errors("write the picture"):
        replace_file(path, picture)


def _no_picture(error: StockLstmError, drawn: int = 0) -> str:
    line = f" ({error.hint})" if isinstance(error, MissingPackageError) else ""
    return f"no {'further ' if drawn else ''}picture was drawn: {error.message}{line}"
