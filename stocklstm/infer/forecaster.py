"""From stored bars to forecasts, through the serving graph."""

import numpy as np

from stocklstm.core.forecasts.quantiles import ReturnForecasts
from stocklstm.core.inputs.features import needs_anchor
from stocklstm.core.inputs.scaling import Scaling
from stocklstm.core.inputs.windows import windows_at
from stocklstm.core.prices.series import Bars, Floats, Indices
from stocklstm.core.records import dataclass
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.errors import ArtifactCorruptError, RejectedDataError, SeriesTooShortError
from stocklstm.infer.session import ServingGraph


@dataclass(frozen=True, eq=False)
class Forecaster:
    """A model ready to forecast."""

    graph: ServingGraph
    config: TrainingConfig
    scaling: Scaling

    def __post_init__(self) -> None:
        """Refuse a graph or a scaling that does not belong to these settings.

        Raises:
            ArtifactCorruptError: Shapes, features or the horizon differ.
        """
        names = tuple(feature.name for feature in self.scaling.features)
        unmeasured = self.scaling.anchor is None and needs_anchor(self.config.features)
        if (names, self.scaling.horizon) != (self.config.features, self.config.horizon) or (
            unmeasured
        ):
            raise ArtifactCorruptError("the scaling numbers do not fit the model's settings")
        expected = (self.config.seq_length, self.config.input_size, self.config.outputs)
        if (*self.graph.window_shape, self.graph.outputs) != expected:
            raise ArtifactCorruptError("the serving graph does not fit the model's settings")

    def first_origin(self) -> int:
        """Return the first row at whose close a forecast can be made."""
        return self.scaling.warm_up + self.config.seq_length - 1

    def outputs(self, bars: Bars, origins: Indices, *, together: bool = False) -> Floats:
        """Run the network.

        Args:
            origins: (M,) rows at whose close forecasts are made, none before `first_origin`.
            together: Run several windows at once, which may round otherwise.

        Returns:
            (M, Q) raw outputs.

        Raises:
            SeriesTooShortError: There are too few rows before an origin.
            RejectedDataError: A price in a window is not usable.
        """
        needed = self.first_origin() + 1
        if len(origins) and origins.min() < needed - 1:
            found, start = int(origins.min()) + 1, self.config.start
            raise SeriesTooShortError(
                f"{found} rows{'' if start is None else f' from {start} on'} are too few for a "
                f"forecast, which needs {needed}",
                needed=needed,
                found=found,
                hint="fetch a longer history"
                if start is None
                else f"the model looks at no price before {start}: take a later day, or train one "
                "with an earlier --start",
            )
        length = self.config.seq_length
        windows = windows_at(self.scaling.inputs(bars), origins, length)
        if not np.isfinite(windows).all():
            raise RejectedDataError(
                "the latest prices hold a value that is not a number",
                hint="stocklstm fetch again",
            )
        # One by one, as each was or will be made on its evening: the scores are then those of the
        # very forecasts that are given out, to the last digit, also where int8 depends on the
        # batch.
        return self.graph.run_each(windows, together=together)

    def forecast(self, bars: Bars, origins: Indices, *, together: bool = False) -> ReturnForecasts:
        """Forecast the log return over the horizon from each origin.

        Args:
            origins: (M,) rows, none before `first_origin`.
            together: Run several windows at once, which may round otherwise.

        Raises:
            SeriesTooShortError: There are too few rows before an origin.
            RejectedDataError: A price in a window is not usable.
        """
        outputs = self.outputs(bars, origins, together=together)
        return self.scaling.forecasts(outputs, bars, origins)
