"""Every error stocklstm raises on purpose.

    StockLstmError
    ├ ConfigError             a setting or argument is wrong
    │ └ MissingPackageError   a package is not installed that this needs
    ├ CheckFailedError        the check ran and the answer is no
    │ └ TrainingDivergedError
    ├ NotFoundError           no such data or model
    │ ├ UnknownTickerError
    │ ├ NoPricesError
    │ └ NoModelError
    ├ IntegrityError          stored bytes are not what they should be
    │ ├ ArtifactCorruptError
    │ ├ ArtifactVersionError
    │ └ SchemaError
    │   └ LostDatabaseError
    ├ NotEnoughDataError      stale, too few or unusable prices
    │ ├ SeriesTooShortError
    │ ├ StaleDataError
    │ └ RejectedDataError
    ├ UnexpectedError         a bug
    └ TryAgainError           a later attempt may succeed
      ├ StorageError          the disk is full or failing
      ├ StoreLockedError
      ├ NetworkError
      └ RateLimitedError

The exit code of each class is decided in `stocklstm.core.exits`.

InterruptedWorkError is apart from them: a KeyboardInterrupt after which work can be resumed.
"""

from typing import Any


def encodable(text: str) -> str:
    r"""Write bytes of a name that are not UTF-8 as \xff, so that the text can be encoded.

    Python keeps them as halves of characters, which no file, database or document takes.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    return "".join(_escaped(each) if "\ud800" <= each <= "\udfff" else each for each in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(character)[1:-1]


def _one_line(text: str) -> str:
    """Escape what would end a line or steer a terminal: names in messages may have anything."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


class StockLstmError(Exception):
    """Base class: one line on what happened, and optionally the next command to run.

    Attributes:
        message: What happened, one line.
        hint: The next command to run or setting to change, one line.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = _one_line(message)
        self.hint = None if hint is None else _one_line(hint)

    @property
    def __notes__(self) -> list[str]:
        """Say the next step below a traceback, too."""
        return [] if self.hint is None else [f"next: {self.hint}"]

    @__notes__.setter
    def __notes__(self, notes: list[str]) -> None:
        """Take none: tblib, which Dask imports, gives each copy those that it has already."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle whole, whatever the constructor of a subclass takes."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(
    kind: type[StockLstmError], arguments: tuple[Any, ...], attributes: dict[str, Any]
) -> StockLstmError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


class ConfigError(StockLstmError):
    """A setting is out of range, unknown, or contradicts another."""


class MissingPackageError(ConfigError):
    """A package is not installed that this needs."""


class CheckFailedError(StockLstmError):
    """A check ran to its end and its answer is no."""


class TrainingDivergedError(CheckFailedError):
    """The training loss became infinite or not a number."""


class NotFoundError(StockLstmError):
    """Something that was asked for does not exist."""


class UnknownTickerError(NotFoundError):
    """The source does not know this ticker."""


class NoPricesError(NotFoundError):
    """The store holds no prices of this ticker."""


class NoModelError(NotFoundError):
    """The store holds no such model version or alias."""


class IntegrityError(StockLstmError):
    """Stored bytes are not what they were when they were written."""


class ArtifactCorruptError(IntegrityError):
    """A file of a published model version is missing, changed or unreadable."""


class ArtifactVersionError(IntegrityError):
    """A model version was written in a format this program does not read."""


class SchemaError(IntegrityError):
    """The database is damaged or of a schema this program does not read."""


class LostDatabaseError(SchemaError):
    """The database is missing or empty, and the models that it listed lie beside it."""


class NotEnoughDataError(StockLstmError):
    """The prices there are do not suffice."""


class SeriesTooShortError(NotEnoughDataError):
    """There are fewer rows than the settings need.

    Attributes:
        needed: Rows needed.
        found: Rows there are.
    """

    def __init__(self, message: str, *, needed: int, found: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.needed = needed
        self.found = found


class StaleDataError(NotEnoughDataError):
    """The last price is older than allowed."""


class RejectedDataError(NotEnoughDataError):
    """The source's answer cannot be believed as it stands."""


class UnexpectedError(StockLstmError):
    """A bug: its cause is what was raised."""


class TryAgainError(StockLstmError):
    """Nothing is wrong that a later attempt could not cure."""


class StorageError(TryAgainError):
    """The disk is full or failing."""


class StoreLockedError(TryAgainError):
    """Another process holds the lock."""


class NetworkError(TryAgainError):
    """The network gave no usable answer."""


class RateLimitedError(TryAgainError):
    """The source asked this machine to stop."""


class InterruptedWorkError(KeyboardInterrupt):
    """A long task was interrupted; what is done of it is kept.

    Attributes:
        command: Resumes it.
    """

    def __init__(self, command: str) -> None:
        super().__init__(f"stopped; resume with: {command}")
        self.command = command
