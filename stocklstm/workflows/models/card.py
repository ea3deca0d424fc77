"""models show --card: what a version is, what it is worth and how it was made, as Markdown."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from stocklstm.core.reference import is_pool
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.compression import METHODS
from stocklstm.core.settings.config import SIGNIFICANT, TrainingConfig
from stocklstm.core.settings.layers import SETTINGS, format_value, training_options
from stocklstm.core.wording import (
    level_percent,
    measured_words,
    naive_words,
    p_words,
    significant,
    target_words,
)
from stocklstm.store.manifest import Manifest, training_command

_NONE = "–"

_LICENCE = (
    "Made with stocklstm, which is under the MIT licence. The prices belong to whoever provided "
    "them, under the terms of that source. A forecast is not investment advice."
)

_TREATMENT = (
    "closes are put on the basis of the last day where shares were split; dividends are added back "
    "to the return of their day"
)

_FETCHED = ("sample", "yahoo")
"""Sources that need no file."""

# All that means something to Markdown. Manifests come from other stores, too.
_MARKUP = re.compile(
    r"([\\`*{}\[\]<>|#~$&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?=://)|(?<=www)(?=\.))"
)

Rows = Sequence[Sequence[str]]


def model_card(manifest: Manifest, aliases: Sequence[str] = ()) -> str:
    """Describe a version for whoever has to judge it (Mitchell et al. 2019, *Model Cards*).

    Args:
        manifest: As it was published.
        aliases: Names that point at the version.

    Returns:
        Markdown: data, split, settings, scores, verdict, limits, and how to make it again.
    """
    scores = manifest.evaluation
    parts = [
        f"# Model card: {_plain(manifest.id)}",
        _introduction(manifest),
        f"**{_plain(scores.verdict_text)}**",
        "## What it is",
        _table(("What", "Value"), list(_facts(manifest, aliases))),
        "## Data",
        _table(("What", "Value"), list(_data(manifest))),
        "## Settings",
        _table(("Setting", "Value"), list(_settings(manifest.config))),
        "## Scores",
        _on_which_days(manifest),
        _table(("Forecast", "RMSE", "RMSE ratio", "MAE", "CRPS"), list(_scores(manifest))),
        _tests(scores),
        "### Intervals",
        _table(
            ("Promised", "Held", "A right one holds", "Mean width", "Kupiec"),
            list(_coverage(manifest)),
        ),
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(manifest)),
        "## How to make it again",
        *_reproduction(manifest),
        "## Licence",
        _LICENCE,
    ]
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Write text so that Markdown shows it as it is, also inside a cell of a table."""
    visible = "".join(each if each.isprintable() else " " for each in text)
    return _MARKUP.sub(r"\\\1", visible).strip()


def _table(head: Sequence[str], rows: Rows) -> str:
    """Lay out a table; the cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _block(*lines: str) -> str:
    """Show commands, which nothing inside can end before their end."""
    text = "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines)
    longest = max((len(list(run)) for mark, run in groupby(text) if mark == "`"), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{text}\n{fence}"


def _introduction(manifest: Manifest) -> str:
    config = manifest.config
    what = "close" if config.target == "price" else "return"
    whose = _plain(manifest.ticker)
    if manifest.pool is not None:
        whose = f"{manifest.pool.tickers:,} tickers ({whose})"
    return (
        f"A recurrent neural network (LSTM) that forecasts the {what} of "
        f"{target_words(config.horizon)} of {whose} from daily prices: a price, and how far from "
        "it the close may be."
    )


def _facts(manifest: Manifest, aliases: Sequence[str]) -> Iterator[tuple[str, str]]:
    config, training = manifest.config, manifest.training
    yield "Version", _plain(manifest.id)
    yield "Names", _plain(", ".join(aliases)) or _NONE
    yield "Made", _plain(manifest.created)
    yield (
        "Network",
        f"{config.num_layers} × {config.hidden_size} units, {training.parameters:,} parameters",
    )
    yield "Weights", _plain(manifest.method)
    if manifest.parent is not None:
        yield "Made from", _plain(manifest.parent)
    source = manifest.imported_from
    if source is not None:
        of = f" of {_plain(source.model)}" if source.model else ""
        yield (
            "Imported",
            f"{_plain(source.at)}, {_plain(source.kind)}{of}, SHA-256 {_plain(source.sha256)}",
        )
    if training.epochs:
        kept = f"weights of epoch {training.kept_epoch}"
        yield "Training", f"{training.epochs} epochs on {_plain(training.device)}, {kept}"
    else:
        yield "Training", "elsewhere; how is not known"


def _data(manifest: Manifest) -> Iterator[tuple[str, str]]:
    data, splits, config = manifest.data, manifest.splits, manifest.config
    pool = manifest.pool
    yield (
        ("Ticker", _plain(manifest.ticker))
        if pool is None
        else ("Tickers", f"{pool.tickers:,}, in the list of {_plain(manifest.ticker)}")
    )
    yield "Prices", f"{data.rows:,} rows, {_plain(data.first)} to {_plain(data.last)}"
    yield "Source", _plain(", ".join(data.sources)) or _NONE
    yield "Treatment", _TREATMENT
    if data.measured:
        yield "Sessions measured", _plain(measured_words(data.measured))
    yield "Inputs", _plain(", ".join(config.features))
    yield "Training part", f"{_plain(splits.train_start)} to {_plain(splits.train_end)}"
    yield "Validation part", f"from {_plain(splits.validation_start)}: compared epochs"
    yield (
        "Test part",
        f"{_plain(splits.test_start)} to {_plain(splits.test_end)}: touched nothing of the model",
    )
    yield "SHA-256 of the prices", _plain(data.sha256) or _NONE


def _settings(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    yield "`preset`", _plain(config.preset)
    for name in SETTINGS:
        yield f"`{name}`", _plain(format_value(getattr(config, name)))


def _on_which_days(manifest: Manifest) -> str:
    scores = manifest.evaluation
    unit = (
        "in shares of the last close" if is_pool(manifest.ticker) else "in the currency of prices"
    )
    return (
        f"On {scores.n:,} days that the model never saw, {_plain(scores.start)} to "
        f"{_plain(scores.end)}; errors are {unit}. The RMSE ratio is that to "
        f"{naive_words(scores.horizon)}, the naive forecast: below 1 is better. CRPS judges the "
        "whole forecast distribution: lower is better."
    )


def _scores(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    scores = manifest.evaluation
    point, spread = scores.point, scores.distribution
    yield (
        "**this model**",
        _figure(point.rmse),
        _ratio(point.rmse_ratio),
        _figure(point.mae),
        _figure(spread.crps),
    )
    yield (
        naive_words(scores.horizon),
        _figure(point.rmse_naive),
        _ratio(1.0),
        _figure(point.mae_naive),
        _NONE,
    )
    for rival in scores.rivals:
        yield (
            _plain(rival.name),
            _figure(rival.rmse),
            _ratio(rival.rmse_ratio),
            _figure(rival.mae),
            _NONE,
        )
    yield "EWMA", _NONE, _NONE, _NONE, _figure(spread.crps_ewma)
    for other in spread.rivals:
        yield _plain(other.name), _NONE, _NONE, _NONE, _figure(other.crps)


def _tests(scores: Evaluation) -> str:
    point, spread, direction = scores.point, scores.distribution, scores.direction
    found = (
        f"{100 * direction.accuracy:.1f} % of {direction.n:,} directions were right "
        f"(Pesaran–Timmermann: {p_words(direction.pt_p)})."
        if direction.accuracy is not None
        else "No direction could be judged."
    )
    return (
        f"Diebold–Mariano test of the point against {naive_words(scores.horizon)}: "
        f"{p_words(point.dm_p)}; of the distribution against EWMA: {p_words(spread.dm_p)} (CRPS "
        f"ratio {_ratio(spread.crps_ratio)}). {found}"
    ).replace("<", "\\<")


def _coverage(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    for each in manifest.evaluation.distribution.coverage:
        yield (
            level_percent(each.level),
            f"{100 * each.share:.1f} %",
            f"{100 * each.low:.1f} to {100 * each.high:.1f} %",
            _figure(each.width),
            p_words(each.kupiec_p).replace("<", "\\<"),
        )


def _limits(manifest: Manifest) -> Iterator[str]:
    scores, config = manifest.evaluation, manifest.config
    if scores.verdict != "better":
        yield (
            f"It is not better than {naive_words(scores.horizon)}: nothing shows that it foresees "
            "where the price goes."
        )
    for each in scores.distribution.coverage:
        if each.consistent and each.kupiec_p >= SIGNIFICANT:
            continue
        how = "narrow" if each.share < each.level else "wide"
        yield f"Its {level_percent(each.level)} interval is too {how}."
    yield f"It was tested on one stretch of days, {_plain(scores.start)} to {_plain(scores.end)}."
    yield f"It forecasts {target_words(config.horizon)}; what is farther is spread by a rule."
    yield "It knows daily prices alone: no news, no balance sheets, no other markets."
    whose = "the tickers of its list" if manifest.pool is not None else _plain(manifest.ticker)
    yield f"It is for {whose}; on other prices it was not tested."
    for name in manifest.input_ranges:
        yield (
            f"Training met {_plain(name.name)} from {_figure(name.low)} to {_figure(name.high)}, "
            "as the network sees it; beyond that it guesses."
        )
    if manifest.method != "float32":
        yield "It was made smaller, and differs a little from the version it was made from."
    if manifest.imported_from is not None:
        yield "It comes from elsewhere; its training cannot be checked here."


def _reproduction(manifest: Manifest) -> Iterator[str]:
    if not manifest.training.epochs:
        yield "It was trained elsewhere, and its settings do not make it again."
        return
    if manifest.method != "float32":
        yield from _made_smaller(manifest)
        return
    sources = manifest.data.sources
    fetched = manifest.pool is None and len(sources) == 1 and sources[0] in _FETCHED
    fetch = [f"stocklstm fetch --ticker {manifest.ticker} --source {sources[0]}"] if fetched else []
    command = f"{training_command(manifest.ticker)} {training_options(manifest.config)}"
    if manifest.pool is not None:
        yield (
            f"FILE lists its {manifest.pool.tickers:,} tickers, one a line: "
            f"`stocklstm evaluate --model {manifest.id[1:]}` names them."
        )
    yield _block(*fetch, command)
    yield (
        f"It needs the same prices, up to {_plain(manifest.data.last)}: their SHA-256, above, is "
        "compared by `stocklstm validate --prices`. A file of settings or variables "
        "`STOCKLSTM_…` of your own must say nothing else."
    )
    if manifest.learned_before:
        yield (
            "Its first weights come from other models "
            f"({_plain(', '.join(manifest.learned_before))}): see `--from`."
        )
    yield "To the last digit it also needs the same libraries:"
    versions = [(_plain(name), _plain(of)) for name, of in sorted(manifest.environment.items())]
    yield _table(("Library", "Version"), versions or [(_NONE, _NONE)])


def _made_smaller(manifest: Manifest) -> Iterator[str]:
    known = [name for name, row in METHODS.items() if manifest.method in row.makes]
    if manifest.parent is None or not known:
        yield "It was made smaller elsewhere, from a version that is not here."
        return
    yield _block(f"stocklstm quantize {manifest.parent} --method {known[0]}")
    yield (
        f"with the options that `stocklstm quantize --help` has for it, which are not on record. "
        f"How its parent was made: `stocklstm models show --card` of {_plain(manifest.parent)}."
    )


def _figure(number: float) -> str:
    return significant(number, 4)


def _ratio(number: float | None) -> str:
    return _NONE if number is None else f"{number:.4f}"
