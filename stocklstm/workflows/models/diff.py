"""models diff: in what two versions differ."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from stocklstm.core.reference import ModelReference
from stocklstm.core.wording import measured_words
from stocklstm.store.manifest import Manifest
from stocklstm.store.store import Store

if TYPE_CHECKING:
    from pandas import DataFrame

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Pair:
    """One thing of both versions.

    Attributes:
        name: What it is.
        left: Of the first; None if it has none.
        right: Of the second.
    """

    name: str
    left: Value
    right: Value


@dataclass(frozen=True, repr=False)
class Difference:
    """Two versions side by side.

    Attributes:
        left: Identity of the first.
        right: Identity of the second.
        about: When each was made, how and from what.
        settings: Those that differ.
        scores: As published; prices and errors in currency.
        comparable: True if both were scored on the same days of the same prices.
        prices: What each saw.
        environment: Libraries whose version differs.
        files: Bytes of every file.
    """

    left: str
    right: str
    about: tuple[Pair, ...]
    settings: tuple[Pair, ...]
    scores: tuple[Pair, ...]
    comparable: bool
    prices: tuple[Pair, ...]
    environment: tuple[Pair, ...]
    files: tuple[Pair, ...]

    def __repr__(self) -> str:
        """Show what differs, a line each."""
        pairs = (pair for _, pair in self._pairs() if pair.left != pair.right)
        lines = (f"{pair.name}: {pair.left} -> {pair.right}" for pair in pairs)
        return "\n".join([f"{self.left} -> {self.right}", *lines])

    def to_frame(self) -> "DataFrame":
        """Give it as a data frame of pandas: a row for each value, by its part and its name."""
        from stocklstm.core.csv_rows import Table
        from stocklstm.core.frames import data_frame

        rows = [
            [part, pair.name, *map(str, (pair.left, pair.right))] for part, pair in self._pairs()
        ]
        return data_frame(Table(("part", "name", "left", "right"), (), (), rows), ("part", "name"))

    def _pairs(self) -> Iterator[tuple[str, Pair]]:
        for part in ("about", "settings", "scores", "prices", "environment", "files"):
            yield from ((part, pair) for pair in getattr(self, part))


def diff_models(store: Store, left: ModelReference, right: ModelReference) -> Difference:
    """Put two versions side by side, as they were published; see `Client.diff_models`."""
    one, other = store.registry.find(left), store.registry.find(right)
    return Difference(
        left=one.id,
        right=other.id,
        about=_pairs(one, other, _about),
        settings=_differing(_pairs(one, other, _settings)),
        scores=_pairs(one, other, _scores),
        comparable=_tested(one) == _tested(other),
        prices=_pairs(one, other, _prices),
        environment=_differing(_pairs(one, other, lambda each: each.environment)),
        files=_pairs(one, other, lambda each: {n: f.size for n, f in each.files.items()}),
    )


def _pairs(
    left: Manifest, right: Manifest, values: Callable[[Manifest], Mapping[str, Value]]
) -> tuple[Pair, ...]:
    one, other = values(left), values(right)
    return tuple(Pair(name, one.get(name), other.get(name)) for name in {**one, **other})


def _differing(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    return tuple(pair for pair in pairs if pair.left != pair.right)


def _tested(manifest: Manifest) -> tuple[Value, ...]:
    scores = manifest.evaluation
    # Fingerprints differ with every new row; days that both were scored on do not.
    return manifest.ticker, scores.start, scores.end, scores.n, scores.horizon


def _about(manifest: Manifest) -> Mapping[str, Value]:
    training = manifest.training
    return {
        "created": manifest.created,
        "method": manifest.method,
        "parent": manifest.parent,
        "parameters": training.parameters,
        "epochs": training.epochs,
        "kept_epoch": training.kept_epoch,
        "best_val_loss": training.best_val_loss,
        "seconds": training.seconds,
    }


def _settings(manifest: Manifest) -> Mapping[str, Value]:
    found = {field.name: getattr(manifest.config, field.name) for field in fields(manifest.config)}
    return {
        name: ", ".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in found.items()
    }


def _scores(manifest: Manifest) -> Mapping[str, Value]:
    scores = manifest.evaluation
    point, distribution = scores.point, scores.distribution
    coverage = {f"coverage {each.level:g}": each.share for each in distribution.coverage}
    return {
        "start": scores.start,
        "end": scores.end,
        "n": scores.n,
        "rmse": point.rmse,
        "rmse_ratio": point.rmse_ratio,
        "mae": point.mae,
        "skill": point.skill,
        "dm_p": point.dm_p,
        "accuracy": scores.direction.accuracy,
        "crps": distribution.crps,
        "crps_ratio": distribution.crps_ratio,
        **coverage,
        "verdict": scores.verdict,
    }


def _prices(manifest: Manifest) -> Mapping[str, Value]:
    data = manifest.data
    words = {"sources": ", ".join(data.sources), "measured": measured_words(data.measured) or None}
    return asdict(data) | words
