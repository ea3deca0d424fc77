"""How the server is: remembered per change of the store, so that asking costs nothing."""

import asyncio
import logging
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import cache, partial

from starlette.responses import Response

from stocklstm import __version__
from stocklstm.api.model_cache import ModelCache
from stocklstm.api.responses import ChampionHealth, Health, encode, unready
from stocklstm.api.service import Service
from stocklstm.core.clock import utc_now
from stocklstm.core.reference import ModelReference, is_pool
from stocklstm.errors import StockLstmError
from stocklstm.store.store import Store

_log = logging.getLogger("stocklstm.api")

_LOOK_S = 1.0

WARMED = 64
"""Champions that are loaded before anybody asks, and found out about if they are damaged."""


class HealthWatch:
    """Looks once a second whether the store has changed, and remembers how the server is.

    The store is looked through in a thread of its own: neither strangers nor forecasts wait for it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known: Health = unready("the server has just begun")
        self._of: Hashable = None
        self._written: tuple[Health, int, bytes] | None = None
        self._look: asyncio.Future[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look once, and then time and again."""
        await self.current()
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
        await asyncio.gather(
            *(task for task in (self._watching, self._look) if task), return_exceptions=True
        )

    async def current(self) -> Health:
        """Tell how the server is, as of the last change of the store."""
        try:
            while self._of != (now := self._key()):
                if self._look is None or self._look.done():
                    self._look = asyncio.ensure_future(self._find_out(now))
                # Others wait for it, too.
                await asyncio.shield(self._look)
                if self._of == now:
                    # What has changed since is for those who ask later.
                    break
        except StockLstmError as error:
            self._known, self._of = unready(error.message), None
        return self._known

    def document(self, found: Health) -> bytes:
        """Write it, with the models in memory: of thousands of tickers once for all who ask."""
        models = self._service.models
        loaded = 0 if models is None else len(models)
        if self._written is None or self._written[0] is not found or self._written[1] != loaded:
            self._written = found, loaded, encode(replace(found, models_loaded=loaded))
        return self._written[2]

    def for_strangers(self) -> Response:
        """Tell whether a ticker can be forecast, and nothing else: as of the last second."""
        status = "ok" if self._known.ready else "unready"
        found = Health(status, ready=self._known.ready, version=None)
        return health_response(encode(found), ready=found.ready)

    def _key(self) -> Hashable:
        state, models = self._service.state(), self._service.models
        return state, 0 if models is None else models.changes

    async def _find_out(self, key: Hashable) -> None:
        self._known = await self._service.work(survey, aside=True)
        self._of = key

    async def _watch(self) -> None:
        warmed: Hashable = None
        while True:
            try:
                await self.current()
                if self._of not in {None, warmed}:
                    warmed = self._of
                    await self._warm_up()
            except StockLstmError:
                # The store is gone; what comes in its place is looked at then.
                pass
            except Exception:  # noqa: BLE001 - a bug must not blind the server
                _log.exception("a bug in stocklstm, in looking at the store")
            await asyncio.sleep(_LOOK_S)

    async def _warm_up(self) -> None:
        for champion in self._known.tickers[:WARMED]:
            if champion.version is None:
                continue
            task = partial(_load, ticker=champion.ticker, version=champion.version)
            await self._service.work(task, aside=True)


def health_response(document: bytes, *, ready: bool) -> Response:
    """Answer: 200 if a ticker can be forecast, else 503."""
    return Response(
        document,
        200 if ready else 503,
        {"cache-control": "no-store"},
        "application/json",
    )


def survey(store: Store, models: ModelCache) -> Health:
    """Look through the store; load one model, so that something is known to work.

    Of the others it is told what loading them last came to.
    """
    now = utc_now()
    champions = store.registry.aliases.champions()
    last_days = store.prices.last_days()
    ended = cache(lambda exchange, day: store.sessions.ended_since(exchange, day, now))

    def look_at(ticker: str) -> ChampionHealth:
        version = champions.get(ticker)
        as_of = stale = None
        try:
            if version is None:
                store.registry.resolve(ModelReference(ticker))
            elif (failure := models.failure(ticker, version)) is not None:
                raise failure
            if ticker not in last_days:
                # Says what became of a ticker that was renamed.
                store.prices.bars(ticker)
            exchange, as_of = last_days[ticker]
            stale = ended(exchange, as_of)
        except StockLstmError as error:
            return ChampionHealth(ticker, version, as_of, stale, error.message)
        return ChampionHealth(ticker, version, as_of, stale, None)

    names = [name for name in store.registry.tickers() if not is_pool(name)]
    found = {name: look_at(name) for name in names}
    for name, champion in found.items():
        if champion.error is not None:
            continue
        if (error := _load(store, models, name, champion.version)) is None:
            break
        found[name] = replace(champion, error=error)
    tickers = tuple(found.values())
    reason = _obstacle(tickers)
    return Health(
        status="ok" if reason is None else "unready",
        ready=reason is None,
        version=__version__,
        reason=reason,
        writable=store.writable,
        tickers=tickers,
    )


def _obstacle(tickers: Sequence[ChampionHealth]) -> str | None:
    if not tickers:
        return "the store has no model"
    if all(champion.error is not None for champion in tickers):
        return f"no model can forecast; {tickers[0].ticker}: {tickers[0].error}"
    return None


def _load(store: Store, models: ModelCache, ticker: str, version: int | None) -> str | None:
    """Load a champion that is not in memory; tell why it cannot be."""
    if (ticker, version) in models:
        return None
    try:
        models.load(store, ModelReference(ticker))
    except StockLstmError as error:
        return error.message
    return None
