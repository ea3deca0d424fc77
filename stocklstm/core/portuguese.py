"""What the program says in the Portuguese of Brazil, by the English of it."""

from stocklstm.core.translation import Translation

SAID = {
    "A forecast is not investment advice.": "Uma previsão não é recomendação de investimento.",
}
"""Texts that are passed to `say`."""

TOLD: dict[str, str] = {}
"""Texts that are passed to `english`: they are stored in English, and told as they are shown."""

PORTUGUESE_TEXTS = Translation(SAID, TOLD, {"; ": "; ", " and ": " e ", ", ": ", "})
