"""The network."""

from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stocklstm.core.prices.series import Floats
from stocklstm.core.settings.config import TrainingConfig


class Architecture(TypedDict):
    """What `StockLSTM` is made of: its arguments."""

    input_size: int
    hidden_size: int
    num_layers: int
    dropout: float
    outputs: int


def architecture_of(config: TrainingConfig) -> Architecture:
    """The architecture that the settings describe."""
    return {
        "input_size": config.input_size,
        "hidden_size": config.hidden_size,
        "num_layers": config.num_layers,
        "dropout": config.dropout,
        "outputs": config.outputs,
    }


class StockLSTM(nn.Module):
    """Stacked LSTM, last step, dropout, linear head.

    With 1 input, 2 layers of hidden size 50 and 1 output it has 31,051 parameters.
    """

    def __init__(
        self, *, input_size: int, hidden_size: int, num_layers: int, dropout: float, outputs: int
    ) -> None:
        """Make the layers with PyTorch's initial weights.

        Args:
            input_size: Features F of a session.
            hidden_size: Units H of each LSTM layer.
            num_layers: LSTM layers.
            dropout: Share dropped between layers and before the head.
            outputs: Numbers Q returned per window.
        """
        super().__init__()
        self.lstm = nn.LSTM(
            input_size,
            hidden_size,
            num_layers,
            # PyTorch warns of dropout between layers where there is only one.
            dropout=dropout if num_layers > 1 else 0.0,
            batch_first=True,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, outputs)

    @classmethod
    def from_config(cls, config: TrainingConfig) -> "StockLSTM":
        """Build the network that the settings describe."""
        return cls(**architecture_of(config))

    def forward(self, windows: Tensor, masks: Tensor | None = None) -> Tensor:
        """Forecast each window.

        Args:
            windows: (N, T, F) float32, as the scaling gives them.
            masks: (N, `dropped_numbers`) factors of what may be dropped; without them PyTorch draws
                its own where the network is training.

        Returns:
            (N, Q) float32, in the unit of the scaling's targets.
        """
        if masks is None:
            states, _ = self.lstm(windows)
            last = self.dropout(states[:, -1])
        else:
            count, length, _ = windows.shape
            hidden = self.lstm.hidden_size
            *between, end = torch.split(masks, self._dropped(length), dim=1)
            states = self._layer(0, windows)
            for layer, mask in enumerate(between, start=1):
                states = self._layer(layer, states * mask.view(count, length, hidden))
            last = states[:, -1] * end
        outputs: Tensor = self.head(last)
        return outputs

    def _layer(self, layer: int, inputs: Tensor) -> Tensor:
        zeros = inputs.new_zeros(1, len(inputs), self.lstm.hidden_size)
        states: Tensor = torch.lstm(
            inputs,
            (zeros, zeros),
            tuple(self.lstm.all_weights[layer]),
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=True,
        )[0]
        return states

    def _dropped(self, length: int) -> list[int]:
        hidden = self.lstm.hidden_size
        return [length * hidden] * (self.lstm.num_layers - 1) + [hidden]

    def dropped_numbers(self, length: int) -> int:
        """Numbers of each window of a length that dropout may set to zero."""
        return sum(self._dropped(length))

    def start_from(self, quantiles: Tensor) -> None:
        """Set the head so that the untrained network forecasts fixed quantiles for every window.

        Args:
            quantiles: (Q,) of the training targets.
        """
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.copy_(quantiles)

    @property
    def architecture(self) -> Architecture:
        """The constructor's arguments."""
        return {
            "input_size": self.lstm.input_size,
            "hidden_size": self.lstm.hidden_size,
            "num_layers": self.lstm.num_layers,
            "dropout": self.dropout.p,
            "outputs": self.head.out_features,
        }

    @property
    def parameter_count(self) -> int:
        """Trainable numbers."""
        return sum(p.numel() for p in self.parameters())


def network_outputs(network: StockLSTM, windows: NDArray[np.float32]) -> Floats:
    """Run the network in PyTorch.

    Args:
        network: In evaluation mode.
        windows: (N, T, F).

    Returns:
        (N, Q).
    """
    with torch.inference_mode():
        outputs: Floats = network(torch.from_numpy(windows)).numpy().astype(np.float64)
    return outputs
