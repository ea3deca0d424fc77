"""What serves a forecast: ONNX Runtime over NumPy arrays, never torch."""
