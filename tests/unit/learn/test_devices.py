"""Training in half precision, and on devices that are or are not there."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError
from stocklstm.learn import devices
from stocklstm.learn.checkpoints import decode_checkpoint, encode_checkpoint
from stocklstm.learn.devices import (
    KNOWN_FAULTS,
    KnownFault,
    choose_device,
    describe_device,
    skipped_devices,
)
from stocklstm.learn.loop import TrainingData, train_network

MISSING = [
    name
    for name, there in (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    )
    if not there
]


@pytest.mark.parametrize("name", MISSING)
def test_a_device_that_is_not_there_is_refused(tiny: TrainingConfig, name: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no device '{name}'") as caught:
        choose_device(replace(tiny, device=name))

    assert "--device cpu" in str(caught.value.hint)


@pytest.mark.skipif(len(MISSING) < 2, reason="this machine has a GPU")
def test_auto_is_the_processor_where_there_is_no_gpu(tiny: TrainingConfig) -> None:
    device = choose_device(replace(tiny, device="auto"))

    assert describe_device(device) == "cpu"


class Machine:
    """A machine of which a test says what it has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def has(self, *kinds: str, pytorch: str = "2.13.0") -> None:
        self.monkeypatch.setattr(torch, "__version__", pytorch)
        for kind, module in (("cuda", torch.cuda), ("mps", torch.backends.mps)):
            self.monkeypatch.setattr(module, "is_available", lambda kind=kind: kind in kinds)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


AFFECTED = [
    "2.6.0",
    "2.9.1+cpu",
    "2.13.0",
    "2.14.0.dev20260710",
    "2.14.0a0+git2662808",
    "2.14.0rc1",
]
MENDED = ["2.14.0", "2.14.0+cpu", "2.14.1", "2.15.0.dev20260901", "2.100.0", "3.0.0"]


@pytest.mark.parametrize("pytorch", AFFECTED)
@pytest.mark.parametrize("network", [{}, {"num_layers": 1}, {"dropout": 0.0}])
def test_mps_is_refused_where_its_gradients_are_wrong(
    tiny: TrainingConfig, machine: Machine, pytorch: str, network: dict[str, int | float]
) -> None:
    machine.has("mps", pytorch=pytorch)

    with pytest.raises(ConfigError) as caught:
        choose_device(replace(tiny, device="mps", **network))

    assert str(caught.value) == (
        f"PyTorch {pytorch} trains wrongly on mps: the LSTM's gradients ignore the dropout between "
        "layers (pytorch#190056, fixed in PyTorch 2.14)"
    )
    assert caught.value.hint == "train with --device cpu"


@pytest.mark.parametrize("pytorch", AFFECTED)
def test_auto_skips_it_and_tells_who_asks(
    tiny: TrainingConfig, machine: Machine, pytorch: str
) -> None:
    machine.has("mps", pytorch=pytorch)
    config = replace(tiny, device="auto")

    assert choose_device(config) == torch.device("cpu")
    assert skipped_devices(config) == (f"mps: {KNOWN_FAULTS[0]}",)
    assert skipped_devices(replace(config, device="cpu")) == ()


@pytest.mark.parametrize("pytorch", MENDED)
@pytest.mark.parametrize("wanted", ["auto", "mps"])
def test_mps_is_taken_once_it_is_mended(
    tiny: TrainingConfig, machine: Machine, pytorch: str, wanted: str
) -> None:
    machine.has("mps", pytorch=pytorch)
    config = replace(tiny, device=wanted)

    assert choose_device(config) == torch.device("mps")
    assert skipped_devices(config) == ()


@pytest.mark.parametrize("there", [("cuda",), ("cuda", "mps"), ()])
def test_a_fault_of_one_device_is_none_of_another(
    tiny: TrainingConfig, machine: Machine, there: tuple[str, ...]
) -> None:
    machine.has(*there)
    config = replace(tiny, device="auto")

    assert choose_device(config).type == ("cuda" if there else "cpu")
    assert skipped_devices(config) == ()


def test_a_fault_that_nobody_has_mended_is_in_every_version(
    tiny: TrainingConfig, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has("cuda", "mps", pytorch="2.99.0")
    fault = KnownFault("cuda", None, "it adds one to each weight", "pytorch#1")
    monkeypatch.setattr(devices, "KNOWN_FAULTS", (*KNOWN_FAULTS, fault))
    config = replace(tiny, device="auto")

    assert choose_device(config) == torch.device("mps")
    assert skipped_devices(config) == ("cuda: it adds one to each weight (pytorch#1)",)


RELEASES = st.tuples(st.integers(0, 3), st.integers(0, 120), st.integers(0, 30))
PRERELEASES = st.sampled_from(["a0", "b2", "rc1", ".dev20260710", "a0+git2662808", ".dev1+cu128"])
SUFFIXES = st.sampled_from(["", "+cpu", "+cu128", ".post1", "+rocm6.4"])


@given(release=RELEASES, fixed=RELEASES, suffix=SUFFIXES, prerelease=PRERELEASES)
def test_versions_are_ordered_by_their_numbers(
    release: tuple[int, ...], fixed: tuple[int, ...], suffix: str, prerelease: str
) -> None:
    version, first = (".".join(map(str, numbers)) for numbers in (release, fixed))
    fault = KnownFault("mps", first, "it is wrong", "pytorch#1")

    assert fault.is_in(version + suffix) == (release < fixed)
    assert fault.is_in(version + prerelease) == (release <= fixed)


def test_a_checkpoint_of_mps_is_read_and_gone_on_with_elsewhere(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    trained = train_network(tiny, data, lambda _: None)
    there = replace(tiny, device="mps")
    content = encode_checkpoint(trained.network, trained.state, there, trained.history)

    state = decode_checkpoint(content)

    assert state["config"]["device"] == "mps"
    assert train_network(tiny, data, lambda _: None, start=state).device == "cpu"


@pytest.mark.parametrize("device", ["cpu", *([] if len(MISSING) < 2 else ["auto"])])
def test_float16_needs_a_gpu(tiny: TrainingConfig, device: str) -> None:
    with pytest.raises(ConfigError, match="16-mixed needs a GPU") as caught:
        choose_device(replace(tiny, device=device, precision="16-mixed"))

    assert "bf16-mixed" in str(caught.value.hint)


def test_a_processor_without_bfloat16_is_told_from_a_bug(
    tiny: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("could not create a primitive descriptor for the LSTM")

    monkeypatch.setattr(torch.nn.LSTM, "forward", refuse)

    with pytest.raises(ConfigError, match="cannot run an LSTM in bfloat16") as caught:
        choose_device(replace(tiny, precision="bf16-mixed"))

    assert "--precision 32" in str(caught.value.hint)


def test_bfloat16_changes_the_steps_and_not_the_weights_kind(
    tiny: TrainingConfig, data: TrainingData
) -> None:
    config = replace(tiny, restore_best=False)
    if not devices._computes_bfloat16():
        with pytest.raises(ConfigError, match="cannot run an LSTM in bfloat16"):
            train_network(replace(config, precision="bf16-mixed"), data, lambda _: None)
        return

    full, half = (
        train_network(replace(config, precision=precision), data, lambda _: None)
        for precision in ("32", "bf16-mixed")
    )

    assert all(value.dtype == torch.float32 for value in half.network.state_dict().values())
    assert not torch.equal(full.network.lstm.weight_hh_l0, half.network.lstm.weight_hh_l0)
    assert half.history[-1].val_loss == pytest.approx(full.history[-1].val_loss, rel=0.01)
    # Before the first step both are the same network, validated in the same precision.
    assert half.history[0].val_loss == full.history[0].val_loss


@pytest.mark.skipif("cuda" in MISSING, reason="this machine has no GPU")
@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_a_gpu_learns_the_same(tiny: TrainingConfig, data: TrainingData, precision: str) -> None:
    config = replace(tiny, restore_best=False)

    on_cpu = train_network(config, data, lambda _: None)
    on_gpu = train_network(
        replace(config, device="cuda", precision=precision), data, lambda _: None
    )

    assert on_gpu.device.startswith("cuda (")
    assert all(value.device.type == "cpu" for value in on_gpu.state["weights"].values())
    assert on_gpu.history[-1].val_loss == pytest.approx(on_cpu.history[-1].val_loss, rel=0.02)
