"""Reading a manifest from another store, which anybody may have written."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise

import msgspec

from stocklstm.core.inputs.features import FeatureScale
from stocklstm.core.inputs.volatility import AnchorState, VolatilityAnchor
from stocklstm.core.reference import is_pool, parse_owner_key
from stocklstm.core.scores.baselines import Baselines
from stocklstm.core.scores.comparison import BETTER, NO_BETTER, WORSE
from stocklstm.core.scores.scores import Evaluation
from stocklstm.core.settings.config import LEVELS
from stocklstm.core.stored_words import is_sha256
from stocklstm.errors import ArtifactCorruptError, ConfigError
from stocklstm.store.manifest import DataRecord, Manifest, decode_manifest
from stocklstm.store.pool_members import Member

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MEASURED = re.compile(r"daily|[1-9][0-9]{0,3}-minute")
_LONGEST_WORDS = 2_000
# Far beyond what any exchange quotes, and far from what a float can hold.
_HIGHEST_PRICE = 1e12
_MOST = 1e15
# Of a variance by the daily range to one by the bars within the session.
_LARGEST_RATIO = 1e6
_MOST_MEASURES = 10
_VERDICTS = {BETTER, NO_BETTER, WORSE}


class _Identity(msgspec.Struct):
    ticker: str
    version: int


def decode_untrusted_manifest(content: bytes) -> Manifest:
    """Read a manifest of another store, checking also its names, texts and days.

    Raises:
        ArtifactVersionError: It has another format number.
        ArtifactCorruptError: It is no manifest, or holds what no program would have written.
    """
    try:
        identity = msgspec.json.decode(content, type=_Identity)
        _check_identity(identity)
        manifest = decode_manifest(content, identity.ticker, identity.version)
        _check_kind(manifest)
        check_words(msgspec.to_builtins(manifest))
        _check_days(manifest)
        _check_numbers(manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ConfigError) as error:
        raise ArtifactCorruptError(f"its manifest cannot be read: {error}") from error
    return manifest


def _check_identity(identity: _Identity) -> None:
    """Refuse a ticker or version that cannot be a directory's name."""
    if parse_owner_key(identity.ticker) != identity.ticker or not 0 < identity.version < 10**9:
        raise ConfigError("its ticker or version is not valid")


def _check_kind(manifest: Manifest) -> None:
    """Refuse a single model with the name of a pooled one, and the reverse."""
    if is_pool(manifest.ticker) != (manifest.pool is not None):
        named = "a pooled model" if is_pool(manifest.ticker) else "a single ticker"
        raise ConfigError(f"its name is that of {named}, its content is not")


def check_words(value: object) -> None:
    """Refuse text that would move the cursor of a terminal or fill the screen, and wild numbers."""
    if isinstance(value, int | float) and not abs(value) < _MOST:
        raise ConfigError("it holds a number that is none, or too large")
    if isinstance(value, str) and not (value.isprintable() and len(value) <= _LONGEST_WORDS):
        raise ConfigError(f"it holds text that is too long or not printable: {value[:40]!a}")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for part in value:
            check_words(part)


def _check_days(manifest: Manifest) -> None:
    """Refuse days that are not dates or out of order: later decisions rely on them."""
    splits, data, scores = manifest.splits, manifest.data, manifest.evaluation
    days = [
        *(splits.train_start, splits.train_end, splits.validation_start),
        *(splits.test_start, splits.test_end),
    ]
    learned = manifest.learned_before.values()
    whole = [data.first, *days, data.last]
    _require_days([*whole, *learned, scores.start, scores.end, manifest.created[:10]])
    if whole != sorted(whole) or len({splits.train_end, *days[2:4]}) != 3:
        raise ConfigError("its training, validation and test dates are out of order")
    if not splits.test_start <= scores.start <= scores.end <= splits.test_end:
        raise ConfigError("its scores are not of its test part")


def _require_days(days: Iterable[str]) -> None:
    for day in days:
        if not _DAY.fullmatch(day):
            raise ConfigError(f"{day[:40]!a} is not a date")
        try:
            date.fromisoformat(day)
        except ValueError as error:
            raise ConfigError(f"{day!a} is not a date") from error


def check_members(members: Mapping[str, Member]) -> None:
    """Refuse numbers and days of tickers that no program would have written.

    Raises:
        ConfigError: There is one.
    """
    for member in members.values():
        _require_days([member.data.first, member.data.last])
        _check_data(member.data)
        _check_anchor(member.anchor)
        _check_baselines(member.baselines)
        _require("a MASE scale", member.mase_scale >= 0)
        _require("a number of windows", member.windows >= 0)
        if member.state is not None:
            _check_state(member.state)
            _require("a volatility", len(member.state.ratios) == len(member.anchor.measures))
        if member.scores is not None:
            found = member.scores
            ratios = [r for r in (found.rmse_ratio, found.crps_ratio) if r is not None]
            _require("scores", found.n > 0 <= min(ratios, default=0), found.verdict in _VERDICTS)


def _require(what: str, *held: bool) -> None:
    """Refuse a number that is outside of its bounds; no comparison holds for what is none."""
    if not all(held):
        raise ConfigError(f"{what} is outside of its bounds")


def _check_numbers(manifest: Manifest) -> None:
    """Refuse numbers that no program would have written."""
    config, training = manifest.config, manifest.training
    _check_data(manifest.data)
    _check_baselines(manifest.baselines)
    _require("its MASE scale", manifest.mase_scale >= 0)
    _require(
        "its training",
        0 <= training.best_epoch <= training.epochs,
        0 <= training.kept_epoch <= training.epochs,
        training.seconds >= 0,
        training.parameters > 0,
        (training.constant_train_loss or 0) >= 0,
        (training.constant_val_loss or 0) >= 0,
    )
    for each in manifest.input_ranges:
        _require("an input range", each.low <= each.high, each.name in config.features)
    for file in manifest.files.values():
        _require("a file", file.size >= 0, is_sha256(file.sha256))
    if (anchored := manifest.anchor) is not None:
        _check_anchor(anchored.anchor)
        _check_features(anchored.features)
    if (prices := manifest.prices) is not None:
        _check_features(prices.features)
        if prices.anchor is not None:
            _check_anchor(prices.anchor)
        _require(
            "its range of prices",
            0 <= prices.data_min <= prices.data_max <= _HIGHEST_PRICE,
            prices.data_max > 0,
            prices.low < prices.high,
            len(prices.residuals) in {0, len(LEVELS)} and _rising(prices.residuals),
        )
    if (pool := manifest.pool) is not None:
        _require_days([pool.days.validation_from, pool.days.test_from])
        _require("its pool", pool.days.validation_from < pool.days.test_from, pool.tickers > 1)
        _check_features(pool.scaling.features)
    else:
        # One scaling, and the one that the target calls for.
        both = anchored is not None, prices is not None
        _require("its scaling", both == (config.target == "return", config.target == "price"))
    _check_scores(manifest.evaluation, config.horizon)


def _rising(values: Sequence[float]) -> bool:
    return all(one <= other for one, other in pairwise(values))


def _check_data(data: DataRecord) -> None:
    _require("its last close", 0 < data.last_close <= _HIGHEST_PRICE)
    _require("its number of rows", data.rows > 0, data.first <= data.last)
    _require("its number of rows", sum(data.measured.values()) in {0, data.rows})
    _require("its number of rows", *(count > 0 for count in data.measured.values()))
    _require("its kinds of bars", *(bool(_MEASURED.fullmatch(kind)) for kind in data.measured))
    _require("its hash", is_sha256(data.sha256))


def _check_anchor(anchor: VolatilityAnchor) -> None:
    level = anchor.level_decay
    _require("a volatility", 0 < anchor.decay < 1, 0 <= anchor.floor < 10)
    _require("a volatility", level is None or 0 < level < 1)
    _require("a volatility", anchor.estimator in {"range", "returns", "realised"})
    _require("a volatility", bool(anchor.measures) == (anchor.estimator == "realised"))
    for each in anchor.measures:
        _require("a volatility", 0 < each.decay < 1, 0 < each.ratio < _LARGEST_RATIO)
    lengths = [each.longest for each in anchor.measures]
    _require("a volatility", lengths == sorted(set(lengths)), min(lengths, default=1) > 0)
    _require("a volatility", len(lengths) <= _MOST_MEASURES)
    if anchor.resume is not None:
        _check_state(anchor.resume)
        _require("a volatility", len(anchor.resume.ratios) == len(anchor.measures))


def _check_state(state: AnchorState) -> None:
    _require_days([state.date])
    _require("a volatility", state.average >= 0, state.level >= 0)
    for ratio in state.ratios:
        _require("a volatility", 0 < ratio < _LARGEST_RATIO)


def _check_features(features: Iterable[FeatureScale]) -> None:
    for feature in features:
        _require(f"the scale of {feature.name}", feature.spread > 0)


def _check_baselines(baselines: Baselines) -> None:
    quantiles = baselines.ewma.quantiles
    _check_anchor(baselines.ewma.anchor)
    _require("a baseline", len(quantiles) == len(LEVELS), _rising(quantiles))


def _check_scores(scores: Evaluation, horizon: int) -> None:
    point, spread = scores.point, scores.distribution
    _require("its scores", scores.n > 0, scores.horizon == horizon, scores.verdict in _VERDICTS)
    errors = point.rmse, point.mae, point.rmse_naive, point.mae_naive, point.mape, point.smape
    ratios = point.rmse_ratio, point.mae_ratio, point.mase, spread.crps_ratio
    sizes = *errors, spread.crps, spread.crps_ewma, *(r for r in ratios if r is not None)
    _require("an error", *(size >= 0 for size in sizes))
    chances = [point.dm_p, point.cw_p, spread.dm_p, scores.direction.pt_p, *spread.reliability]
    for each in spread.coverage:
        _require("a level", 0 < each.level < 1, each.low <= each.high)
        chances += [each.share, each.kupiec_p, each.christoffersen_p]
        adaptive = each.adaptive_share, each.adaptive_level
        chances += [share for share in adaptive if share is not None]
    levels = [each.level for each in spread.coverage]
    _require("a level", all(one < other for one, other in pairwise(sorted(levels))))
    _require("a probability", *(0 <= chance <= 1 and math.isfinite(chance) for chance in chances))
