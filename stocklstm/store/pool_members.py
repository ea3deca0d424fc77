"""The tickers of a pooled model: one file of the version.

It is apart from the manifest, which is read for every list of versions and stays small however
many tickers there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from stocklstm.core.inputs.volatility import AnchorState, VolatilityAnchor
from stocklstm.core.reference import parse_key
from stocklstm.core.scores.baselines import Baselines
from stocklstm.errors import ConfigError
from stocklstm.store.manifest import DataRecord, Manifest, corrupt

MEMBERS_FILE = "pool.json"


@dataclass(frozen=True)
class MemberScores:
    """How the model did on one ticker's test days when it was published.

    Attributes:
        n: Days.
        rmse_ratio: Against yesterday's close; None if the price never changed.
        crps_ratio: Against EWMA; None likewise.
        verdict: "better", "no_better" or "worse" than yesterday's close.
        verdict_text: The same in words.
    """

    n: int
    rmse_ratio: float | None
    crps_ratio: float | None
    verdict: str
    verdict_text: str


@dataclass(frozen=True)
class Member:
    """One ticker of a pooled model.

    Attributes:
        ticker: Its name.
        data: Its prices that training, validation or test saw.
        windows: Training windows it gave; 0 if it was too young.
        anchor: Estimates its volatility.
        baselines: Fitted on its own training part.
        mase_scale: Naive error of that part, in its currency.
        scores: On its test days; None if it had none.
        state: Of its anchor, some closes before the last one: with it, tonight's volatility is
            computed from the latest prices alone. None if there were too few.
    """

    ticker: str
    data: DataRecord
    windows: int
    anchor: VolatilityAnchor
    baselines: Baselines
    mase_scale: float
    scores: MemberScores | None
    state: AnchorState | None = None


def encode_members(members: Sequence[Member]) -> bytes:
    """Encode the file, one ticker a line."""
    lines = b",\n".join(msgspec.json.encode(member) for member in members)
    return b"[\n" + lines + b"\n]\n"


def decode_members(content: bytes, manifest: Manifest) -> Mapping[str, Member]:
    """Read the file, whose bytes were checked against the manifest; members by ticker.

    Raises:
        ArtifactCorruptError: It is no such file, or not that of this manifest.
    """
    try:
        members = msgspec.json.decode(content, type=tuple[Member, ...])
        found = {parse_key(member.ticker): member for member in members}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ConfigError) as error:
        raise corrupt(manifest.id, f"{MEMBERS_FILE} cannot be read: {error}") from error
    expected = 0 if manifest.pool is None else manifest.pool.tickers
    if not len(found) == len(members) == expected:
        raise corrupt(
            manifest.id, f"{MEMBERS_FILE} holds {len(found)} tickers, the manifest {expected}"
        )
    return found
