"""An open store and all that can be done with it; the functions of `stocklstm` are its methods."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stocklstm.core.settings.config import LOCK_TIMEOUT_S

if TYPE_CHECKING:
    from stocklstm.store.store import Store


class Client:
    """An open store, and all that can be done with it.

    The store is opened at the first call that needs it, and once. Use it in one thread:

        with stocklstm.open() as client:
            client.fetch(["PETR4.SA"])
            client.train(["PETR4.SA"])
            print(client.predict(["PETR4.SA"]).forecasts[0].point)

    Attributes:
        home: Directory of the store; None for where the command line has it.
        lock_timeout_s: Seconds to wait for another writer.
    """

    def __init__(
        self, home: Path | str | None = None, *, lock_timeout_s: float = LOCK_TIMEOUT_S
    ) -> None:
        """Say which store; see the attributes."""
        self.home = None if home is None else Path(home)
        self.lock_timeout_s = lock_timeout_s
        self._resources = ExitStack()
        self._store: Store | None = None

    def __enter__(self) -> Self:
        """Give the client; leaving closes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Close the store; it is opened again if it is needed again."""
        self._store = None
        self._resources.close()

    def store(self, *, create: bool = False) -> "Store":
        """Open the store, unless it is open.

        Args:
            create: Make it if there is none.

        Raises:
            NotFoundError: There is no store, and none is to be made.
            SchemaError: The database is damaged or of a newer program.
        """
        if self._store is None:
            from stocklstm.store.store import open_store

            opened = open_store(self.home, create=create, lock_timeout_s=self.lock_timeout_s)
            self._store = self._resources.enter_context(opened)
        return self._store


def function_of(name: str) -> Callable[..., Any]:
    """Make a function of a method: it opens a store, calls the method once, and closes the store.

    Args:
        name: Of a method of `Client`.
    """
    method = getattr(Client, name)

    @wraps(method)
    def call(
        *arguments: Any,  # noqa: ANN401 - of whatever the method takes
        home: Path | str | None = None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        **options: Any,  # noqa: ANN401 - likewise
    ) -> Any:  # noqa: ANN401 - whatever the method returns
        with Client(home, lock_timeout_s=lock_timeout_s) as client:
            return method(client, *arguments, **options)

    own = signature(method)
    kind = Parameter.KEYWORD_ONLY
    further = [
        Parameter("home", kind, default=None, annotation=Path | str | None),
        Parameter("lock_timeout_s", kind, default=LOCK_TIMEOUT_S, annotation=float),
    ]
    parameters = [*list(own.parameters.values())[1:], *further]
    call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call
