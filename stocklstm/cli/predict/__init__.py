"""stocklstm predict, and how forecasts are shown."""
