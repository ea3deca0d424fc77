"""Whether a text is told in Portuguese, whole."""

import re

from stocklstm.core.language import PORTUGUESE, retold, speaking

# Words of English that no sentence in Portuguese has. Options keep their names.
_ENGLISH = re.compile(
    r"(?<![\w-])(the|of|and|than|was|were|is|are|to|at|on|with|for|its?|by|not|has|had|more|days?"
    r"|better|worse|covered)(?![\w-])",
    re.IGNORECASE,
)
_DECIMAL_POINT = re.compile(r"(?<!-rate )(?<![\d.-])\d+\.\d{1,2}(?!\d)")


def english_left(text: str) -> list[str]:
    """Find what stays English of a stored text that is told in Portuguese."""
    with speaking(PORTUGUESE):
        told = retold(text)
    return [*_ENGLISH.findall(told), *_DECIMAL_POINT.findall(told)]
