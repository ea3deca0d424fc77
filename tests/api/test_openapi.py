"""What the OpenAPI document says is what the server does: asked by schemathesis."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from stocklstm.core.settings.layers import SETTINGS
from tests.conftest import TICKER
from tests.support.api_server import Server

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

OPERATIONS = [
    *("GET /health", "GET /metrics", "GET /models", "GET /models/{ticker}", "GET /predict"),
    *("POST /predict", "GET /forecasts/{ticker}"),
]


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/openapi.json").json()
    return found


def test_every_address_is_described(document: dict[str, Any]) -> None:
    described = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }

    assert described == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_breach_and_no_bug(server: Server, document: dict[str, Any], name: str) -> None:
    method, path = name.split()
    operation = schemathesis.openapi.from_dict(document)[path][method]

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def breach(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=server.url, checks=CHECKS)

    try:
        breach()
    except FailureGroup as failures:
        pytest.fail("\n".join(str(failure) for failure in failures.exceptions))


@pytest.mark.parametrize(
    "path",
    [
        f"/predict?ticker={TICKER}",
        f"/predict?ticker={TICKER}&at=2024-03-01",
        "/predict?adaptive=true",
        "/predict?ticker=NOPE3.SA",
        f"/predict?ticker={TICKER}&ticker=NOPE3.SA",
        f"/models/{TICKER}",
        "/models",
        f"/forecasts/{TICKER}",
        "/health",
    ],
)
def test_answers_of_the_store_are_as_described(
    server: Server, document: dict[str, Any], path: str
) -> None:
    declared = path.partition("?")[0].replace(TICKER, "{ticker}")
    operation = schemathesis.openapi.from_dict(document)[declared]["GET"]

    answer = server.get(path)

    operation.validate_response(answer)


def test_given_prices_are_as_described(server: Server, document: dict[str, Any]) -> None:
    operation = schemathesis.openapi.from_dict(document)["/predict"]["POST"]
    body = {"ticker": TICKER, "closes": [30 + 0.1 * (day % 7) for day in range(120)]}

    answer = server.post("/predict", json=body)

    assert answer.status_code == 200
    operation.validate_response(answer)


def test_units_errors_and_examples_are_told(document: dict[str, Any]) -> None:
    parts = document["components"]["schemas"]
    answer = document["paths"]["/predict"]["get"]["responses"]

    assert parts["Forecast"]["properties"]["point"]["description"] == "Forecast close."
    assert "in currency" in parts["Forecast"]["properties"]["last_close"]["description"]
    assert "per cent" in parts["Forecast"]["properties"]["change_pct"]["description"]
    assert set(answer) == {"200", "401", "404", "409", "422", "429", "503"}
    assert "application/problem+json" in answer["404"]["content"]
    example = answer["200"]["content"]["application/json"]["example"]
    assert example["forecasts"][0].keys() == parts["Forecast"]["properties"].keys()
    assert parts["PredictRequest"]["examples"]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "HTTPValidationError" not in json.dumps(document)


def test_settings_are_described_by_their_rows(document: dict[str, Any]) -> None:
    described = document["components"]["schemas"]["TrainingConfig"]["properties"]

    assert all(described[name]["description"] == row.description for name, row in SETTINGS.items())
    assert described["seq_length"]["description"] == "Sessions in a window."
    assert described["preset"]["description"] == "Name of the preset the settings started from."
