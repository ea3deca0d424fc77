"""Training in half precision, and on devices that are or are not there."""

from dataclasses import replace

import pytest
import torch

from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError
from stocklstm.learn import devices
from stocklstm.learn.devices import choose_device, describe_device
from stocklstm.learn.loop import TrainingData, train_network

MISSING = [
    name
    for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.mps.is_available()))
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
