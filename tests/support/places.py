"""Where things lie in the repository."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SAMPLE = ROOT / "stocklstm" / "data" / "PETR4.SA.csv"
"""The bundled prices."""
