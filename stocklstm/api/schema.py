"""OpenAPI: what each address answers, from the docstrings of the result classes."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from inspect import getdoc
from typing import Any, Literal, get_args, get_type_hints

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from stocklstm.api.problems import MEDIA_TYPE
from stocklstm.api.responses import Health
from stocklstm.core.settings.config import TrainingConfig
from stocklstm.core.settings.layers import SETTINGS
from stocklstm.workflows.models.listing import ModelDetails, ModelSummary
from stocklstm.workflows.predict.from_prices import GivenForecast
from stocklstm.workflows.predict.history import PastForecast
from stocklstm.workflows.predict.predict import Forecast

DESCRIPTION = (
    "Forecasts of the next session's close, with intervals. The documents are those of the "
    "command line's --json. Dates are sessions of the exchange, timestamps UTC, prices in the "
    "currency of the exchange, levels and quantiles probabilities from 0 to 1. Errors are "
    "problem details (RFC 9457). A forecast is not investment advice."
)


@dataclass(frozen=True)
class ErrorObject:
    """Why one of several failed.

    Attributes:
        ticker: Whose; null if it is of none.
        code: Exit code of the command line.
        error: Class of the error.
        message: What happened.
        hint: What to do next.
    """

    ticker: str | None
    code: int
    error: str
    message: str
    hint: str | None


@dataclass(frozen=True)
class ProblemDetails:
    """Why there is no answer (RFC 9457).

    Attributes:
        type: URN of the kind of problem.
        title: The same in words.
        status: Of HTTP.
        detail: What happened this time.
        instance: Path of the request.
        hint: What to do next.
        code: Exit code that the command line would end with; null for what only HTTP knows.
        errors: What is wrong with each part of the request.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    hint: str | None
    code: int | None
    errors: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True)
class PredictDocument:
    """As `predict --json`."""

    schema_version: Literal[1]
    command: Literal["predict"]
    forecasts: list[Forecast]
    errors: list[ErrorObject]


@dataclass(frozen=True)
class GivenDocument:
    """As `predict --json`, from prices in the request."""

    schema_version: Literal[1]
    command: Literal["predict"]
    forecasts: list[GivenForecast]
    errors: list[ErrorObject]


@dataclass(frozen=True)
class ModelsDocument:
    """As `models list --json`."""

    schema_version: Literal[1]
    command: Literal["models list"]
    models: list[ModelSummary]
    errors: list[ErrorObject]


@dataclass(frozen=True)
class ModelDocument:
    """As `models show --json`."""

    schema_version: Literal[1]
    command: Literal["models show"]
    models: list[ModelDetails]
    errors: list[ErrorObject]


@dataclass(frozen=True)
class ForecastsDocument:
    """The forecasts on record."""

    schema_version: Literal[1]
    command: Literal["forecasts"]
    forecasts: list[PastForecast]
    errors: list[ErrorObject]


_DOCUMENTS: Mapping[str, tuple[type, ...]] = {
    "health": (Health,),
    "models": (ModelsDocument,),
    "model": (ModelDocument,),
    "predict": (PredictDocument,),
    "predict_given": (PredictDocument, GivenDocument),
    "forecasts": (ForecastsDocument,),
}

_PROBLEMS = {
    400: "The body is not text.",
    401: "The token is missing or wrong.",
    404: "No such ticker, version or prices; or there is no store.",
    408: "The body did not arrive in time.",
    409: "The prices or the model are older than was demanded.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "More has to be computed for this client than it may ask for; with Retry-After.",
    422: "Something in the request is wrong, or the prices do not suffice.",
    503: "Busy, locked, or the store is damaged; with Retry-After, try again.",
}

_REFS = "#/components/schemas/{name}"

_EXAMPLE: Mapping[str, Any] = {
    "schema_version": 1,
    "command": "predict",
    "forecasts": [
        {
            "ticker": "PETR4.SA",
            "version": 1,
            "model": "PETR4.SA@v1",
            "as_of": "2024-03-13",
            "last_close": 36.380001,
            "currency": "BRL",
            "target_session": "2024-03-14",
            "horizon": 1,
            "point": 36.442983,
            "change_pct": 0.173123,
            "intervals": [
                {
                    "level": level,
                    "lower": lower,
                    "upper": upper,
                    "adaptive": False,
                    "effective_level": None,
                    "interpolated": False,
                    "extended": False,
                }
                for level, lower, upper in (
                    (0.8, 34.556764, 38.257451),
                    (0.95, 33.486312, 39.376966),
                )
            ],
            "quantiles": {"0.025": 33.486312, "0.1": 34.556764, "0.5": 36.442983, "0.9": 38.257451},
            "verdict": "no_better",
            "verdict_text": "NO BETTER THAN YESTERDAY'S CLOSE: error 0.2 % smaller (p = 0.31).",
            "stale_sessions": 0,
            "live": None,
            "outcome": None,
            "unchanged": True,
            "warnings": [],
            "checks": [{"name": "age", "status": "ok", "detail": "of prices to 2024-03-13"}],
            "plot": None,
        }
    ],
    "errors": [],
}


def documented(answer: str, problems: Collection[int]) -> dict[str, Any]:
    """Describe the responses of an address, for the decorators of FastAPI."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {
            "description": _PROBLEMS[status],
            "content": {MEDIA_TYPE: {"schema": _ref(ProblemDetails)}},
        }
        for status in sorted(problems)
    }
    if answer == "metrics":
        text = {"text/plain": {"schema": {"type": "string"}}}
        responses[200] = {"description": "In Prometheus' text format.", "content": text}
        return {"responses": responses}
    kinds = _DOCUMENTS[answer]
    schema = _ref(kinds[0]) if len(kinds) == 1 else {"anyOf": [_ref(kind) for kind in kinds]}
    content: dict[str, Any] = {"schema": schema}
    contents: dict[str, Any] = {"application/json": content}
    if answer in {"predict", "forecasts"}:
        contents["text/csv"] = {"schema": {"type": "string"}}
    described = {"description": "The answer.", "content": contents}
    responses[200] = described
    if answer == "health":
        responses[503] = described | {"description": "Alive, but no ticker can be forecast."}
    return {"responses": responses}


def describe(app: FastAPI) -> None:
    """Give an application its OpenAPI document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            parts = document.setdefault("components", {})
            # FastAPI's own errors are never answered: ours stand in their place.
            own = parts.get("schemas", {})
            kept = {name: own[name] for name in own if "ValidationError" not in name}
            parts["schemas"] = kept | _components()
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}, {}]
            for operation in document["paths"]["/predict"].values():
                # Later than FastAPI, which would drop the nulls.
                answer = operation["responses"]["200"]["content"]["application/json"]
                answer["example"] = _EXAMPLE
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _components() -> dict[str, Any]:
    kinds = {kind for group in _DOCUMENTS.values() for kind in group} | {ProblemDetails}
    _, components = msgspec.json.schema_components(
        sorted(kinds, key=lambda kind: kind.__name__), ref_template=_REFS
    )
    known = {kind.__name__: kind for kind in _dataclasses(kinds)}
    for name, schema in components.items():
        if name in known:
            _explain(schema, known[name])
    return components


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": _REFS.format(name=kind.__name__)}


def _dataclasses(kinds: Collection[Any]) -> set[type]:
    """Find every dataclass that some types are made of."""
    found: set[type] = set()
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind in found:
            continue
        if isinstance(kind, type) and is_dataclass(kind):
            found.add(kind)
            waiting += get_type_hints(kind).values()
        waiting += [part for part in get_args(kind) if not isinstance(part, str | int)]
    return found


def _explain(schema: dict[str, Any], kind: type) -> None:
    """Describe each attribute as the docstring does, and each setting as its row does."""
    words = dict(_attributes(kind))
    if kind is TrainingConfig:
        words |= {name: row.description for name, row in SETTINGS.items()}
    summary = (getdoc(kind) or "").partition("\n\n")[0]
    schema["description"] = " ".join(summary.split())
    for field in fields(kind):
        described = schema.get("properties", {}).get(field.name)
        if described is not None and field.name in words and "$ref" not in described:
            described["description"] = words[field.name]


def _attributes(kind: type) -> Iterator[tuple[str, str]]:
    """Read the attributes section of a docstring."""
    section = (getdoc(kind) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    for entry in re.split(r"\n(?= {4}\w+:)", section):
        name, colon, words = entry.strip().partition(":")
        if colon:
            yield name, " ".join(words.split())
