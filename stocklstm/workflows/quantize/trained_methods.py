"""Methods of quantize that train, on the prices that the parent was trained on."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from stocklstm.core.inputs.scaling import PriceScaling
from stocklstm.core.prices.series import Bars
from stocklstm.core.settings.compression import (
    ALPHA,
    BITS,
    FINE_TUNING_EPOCHS,
    FULL_SIZE_STEPS,
    MATCHING_BATCH,
    MATCHING_RATE,
    MATCHING_STEPS,
    PIPELINE_SPARSITY,
    SPARSITY,
    STRUCTURED_SPARSITY,
    Compression,
    Method,
)
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ConfigError
from stocklstm.infer.forecaster import Forecaster
from stocklstm.infer.latency import latencies_ms
from stocklstm.infer.session import ServingGraph
from stocklstm.learn.checkpoints import State, decode_checkpoint, encode_checkpoint, rebuild_network
from stocklstm.learn.compress.distillation import distill
from stocklstm.learn.compress.matching import match, without_dropout
from stocklstm.learn.compress.rounding import plain_scales
from stocklstm.learn.compress.structured import keep_units
from stocklstm.learn.compress.weight_transforms import (
    Pruning,
    fake_quantized,
    fine_tune,
    start_state,
    transformed,
)
from stocklstm.learn.compress.weights import store_integers
from stocklstm.learn.loop import OnEpoch, TrainedNetwork, adopt_network, train_network
from stocklstm.learn.network import StockLSTM
from stocklstm.learn.onnx_graph import export_onnx
from stocklstm.workflows.loading.model import LoadedModel
from stocklstm.workflows.quantize.methods import (
    Candidate,
    EpochTrained,
    Parent,
    dynamic,
    weight_only,
    with_graph,
)
from stocklstm.workflows.train.fit import PreparedTicker, calibrated, prepare, training_record

# An average over about an epoch: fine-tuning is short, and one as slow as in training would still
# hold the weights from before the rounding.
_FINE_TUNING_DECAY = 0.98

_QAT_METHODS: dict[int, Method] = {8: "qat-int8", 4: "qat-int4", 2: "qat-int2"}


def retrain(parent: Parent, compression: Compression) -> tuple[Candidate, ...]:
    """Make a model smaller by training; see `quantize.compress`."""
    return TRAINED[compression.method](_Retraining(parent), compression)


class _Retraining:
    """The parent's weights, the data they were trained on, and the methods that use both."""

    def __init__(self, parent: Parent) -> None:
        self.parent = parent
        self.config = parent.manifest.config
        self.bars: Bars = parent.training_bars()
        self.prepared: PreparedTicker = prepare(self.bars, self.config)
        self.state: State = decode_checkpoint(parent.checkpoint())
        self.network: StockLSTM = rebuild_network(self.state)

    # The methods

    def qat(self, compression: Compression) -> tuple[Candidate, ...]:
        bits, epochs = compression.bits or BITS, compression.epochs or FINE_TUNING_EPOCHS
        control = self._fine_tuned(epochs)
        self._note(f"training {bits}-bit weights for {epochs} epochs")
        config, transform = self._fine_tuning_config(epochs), fake_quantized(bits)
        trained = fine_tune(
            config, self.prepared.data, self._start(), self._watch(config), transform
        )
        method, after = _QAT_METHODS[bits], store_integers(control.content, bits)
        return (
            control,
            with_graph(control, f"int{bits} afterwards", method, after),
            self._quantized(trained, bits, self.config),
        )

    def prune(self, compression: Compression) -> tuple[Candidate, ...]:
        if compression.structured:
            return self._prune_structured(compression)
        sparsity = compression.sparsity or SPARSITY
        at_once = self._pruned(
            "pruned at once", transformed(self._without_dropout(), Pruning(sparsity))
        )
        growing = Pruning(sparsity, "polynomial")
        epochs = self._epochs(compression, FULL_SIZE_STEPS)
        self._note(
            f"pruning to {100 * sparsity:.0f} % zeros for {epochs} epochs, and {epochs} more"
        )
        # Full steps while zeros are being set, and falling ones when all of them are.
        config = self._matching_config(self.config.hidden_size, epochs)
        rising = replace(config, schedule="constant")
        data = self.prepared.data
        sparse = match(rising, data, self.network, self.network, self._watch(config), growing)
        settled = Pruning(sparsity)
        trained = match(config, data, self.network, sparse.network, self._watch(config), settled)
        pruned = self._pruned("pruned", transformed(trained, settled))
        small = weight_only(pruned, self.bars, 8, "pruned int8", "pruned-int8")
        return at_once, pruned, small

    def _prune_structured(self, compression: Compression) -> tuple[Candidate, ...]:
        hidden = self._units_left(compression.sparsity or STRUCTURED_SPARSITY)
        return self._trained_small(hidden), self._with_fewer_units(hidden, compression)

    def distill(self, compression: Compression) -> tuple[Candidate, ...]:
        hidden = compression.student_hidden or max(1, self.config.hidden_size // 2)
        if hidden >= self.config.hidden_size:
            raise ConfigError(
                f"a student of {hidden} hidden units is no smaller than its teacher of "
                f"{self.config.hidden_size}",
                hint=f"--student-hidden {max(1, self.config.hidden_size // 2)}",
            )
        alpha = ALPHA if compression.alpha is None else compression.alpha
        alone = self._trained_small(hidden)
        self._note(f"training a student of {hidden} units")
        config = self._resized(hidden)
        trained = distill(config, self.prepared.data, self.network, alpha, self._watch(config))
        return alone, self._candidate("distilled", "distilled", config, trained)

    def pipeline(self, compression: Compression) -> tuple[Candidate, ...]:
        """Run the pipeline that `--budget` names."""
        if compression.budget == "accuracy":
            return self._int8_by_matching(compression)
        left = self._units_left(compression.sparsity or PIPELINE_SPARSITY)
        small = self._with_fewer_units(left, compression)
        if compression.budget != "latency":
            return small, weight_only(small, self.bars, 4, "structured int4", "structured-int4")
        fast = replace(dynamic(small, "structured-dynamic-int8"), name="structured int8")
        # With few units, scaling the activations takes longer than int8 saves.
        float_ms, int8_ms = latencies_ms([small.graph, fast.graph])
        if int8_ms < float_ms:
            return small, fast
        return small, weight_only(small, self.bars, 8, "structured int8", "structured-static-int8")

    # Steps of the methods

    def _int8_by_matching(self, compression: Compression) -> tuple[Candidate, ...]:
        afterwards = weight_only(
            self.parent.candidate, self.bars, 8, "int8 afterwards", "static-int8"
        )
        config = self._matching_config(
            self.config.hidden_size, self._epochs(compression, FULL_SIZE_STEPS)
        )
        self._note(f"teaching 8-bit weights for {config.epochs} epochs")
        trained = match(
            config,
            self.prepared.data,
            self.network,
            self.network,
            self._watch(config),
            fake_quantized(8),
        )
        return afterwards, self._quantized(trained, 8, replace(self.config, dropout=0.0))

    def _quantized(self, trained: TrainedNetwork, bits: int, config: TrainingConfig) -> Candidate:
        # From the full weights: scales that come of rounded ones may be others.
        full = export_onnx(trained.network, config)
        content = store_integers(full, bits, scales=plain_scales)
        served = self._candidate("", "float32", config, transformed(trained, fake_quantized(bits)))
        return with_graph(served, f"QAT int{bits}", _QAT_METHODS[bits], content)

    def _units_left(self, share: float) -> int:
        """Count the units that are kept of each layer."""
        return max(1, round(self.config.hidden_size * (1 - share)))

    def _fine_tuned(self, epochs: int) -> Candidate:
        self._note(f"fine-tuning for {epochs} epochs, as a control")
        config = self._fine_tuning_config(epochs)
        trained = fine_tune(config, self.prepared.data, self._start(), self._watch(config))
        return self._candidate("fine-tuned only", "float32", self.config, trained)

    def _trained_small(self, hidden: int) -> Candidate:
        self._note(f"training a network of {hidden} units from scratch, as a control")
        config = self._resized(hidden)
        trained = train_network(config, self.prepared.data, self._watch(config))
        return self._candidate("trained small", "float32", config, trained)

    def _with_fewer_units(self, hidden: int, compression: Compression) -> Candidate:
        epochs = self._epochs(compression, MATCHING_STEPS)
        self._note(
            f"keeping {hidden} of {self.config.hidden_size} units, and {epochs} epochs to make up "
            "for the others"
        )
        config = self._matching_config(hidden, epochs)
        first = keep_units(self.network, hidden)
        trained = match(config, self.prepared.data, self.network, first, self._watch(config))
        described = replace(self._resized(hidden), dropout=0.0)
        return self._candidate("structured", "structured", described, trained)

    def _without_dropout(self) -> TrainedNetwork:
        config = replace(self.config, dropout=0.0)
        state = start_state(without_dropout(self.network), config)
        return adopt_network(config, self.prepared.data, state)

    def _pruned(self, name: str, trained: TrainedNetwork) -> Candidate:
        return self._candidate(name, "float32", replace(self.config, dropout=0.0), trained)

    def _candidate(
        self, name: str, method: Method, config: TrainingConfig, trained: TrainedNetwork
    ) -> Candidate:
        content = export_onnx(trained.network, config)
        forecaster = Forecaster(ServingGraph(content), config, self.parent.manifest.scaling)
        # A price model that was trained on errs otherwise than its parent.
        forecaster = calibrated(forecaster, self.bars, self.prepared.split)
        scaling = forecaster.scaling
        manifest = replace(
            self.parent.manifest,
            method=method,
            config=config,
            prices=scaling if isinstance(scaling, PriceScaling) else None,
            training=training_record(trained),
        )
        checkpoint = encode_checkpoint(trained.network, trained.state, config, trained.history)
        return Candidate(name, content, LoadedModel(manifest, forecaster), checkpoint)

    def _start(self) -> State:
        return start_state(self.network, self.config)

    def _fine_tuning_config(self, epochs: int) -> TrainingConfig:
        """Settings of a short training that begins where another one ended."""
        rate = self.config.learning_rate / 2
        return replace(
            self._resized(self.config.hidden_size),
            epochs=epochs,
            patience=None,
            restore_best=True,
            # Steps that end small, and an average: what is left of the noise of single steps would
            # be taken for what the rounding does.
            schedule="cosine",
            learning_rate=rate,
            min_lr=min(self.config.min_lr, rate),
            ema_decay=_FINE_TUNING_DECAY,
        )

    def _epochs(self, compression: Compression, steps: int) -> int:
        """Take the epochs asked for, or as many as make some number of steps."""
        batches = math.ceil(len(self.prepared.data.train) / MATCHING_BATCH)
        return compression.epochs or math.ceil(steps / batches)

    def _matching_config(self, hidden: int, epochs: int) -> TrainingConfig:
        """Settings of a training that learns from the parent and not from what came."""
        return replace(
            self._resized(hidden),
            dropout=0.0,
            epochs=epochs,
            patience=None,
            # The last epoch: with the smallest steps, and with all zeros.
            restore_best=False,
            batch_size=MATCHING_BATCH,
            optimizer="adam",
            weight_decay=0.0,
            schedule="cosine",
            learning_rate=MATCHING_RATE,
            min_lr=0.0,
            ema_decay=None,
        )

    def _resized(self, hidden: int) -> TrainingConfig:
        return replace(self.config, hidden_size=hidden, checkpoint_every=None, top_k=0)

    def _note(self, words: str) -> None:
        self.parent.on_note(f"{self.parent.manifest.id}: {words}")

    def _watch(self, config: TrainingConfig) -> OnEpoch:
        model, epochs = self.parent.manifest.id, config.epochs
        return lambda record: self.parent.on_epoch(EpochTrained(model, epochs, record.epoch))


TRAINED: Mapping[str, Callable[[_Retraining, Compression], tuple[Candidate, ...]]] = {
    "qat": _Retraining.qat,
    "prune": _Retraining.prune,
    "distill": _Retraining.distill,
    "pipeline": _Retraining.pipeline,
}
