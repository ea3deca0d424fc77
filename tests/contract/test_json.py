"""The JSON documents have the documented keys; scripts rely on them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from stocklstm.core.settings.config import AXES
from stocklstm.core.settings.layers import SETTINGS
from tests.conftest import TICKER, TINY_OPTIONS, Cli
from tests.support.places import DOCS
from tests.support.stored_rows import execute

PAGE = (DOCS / "reference" / "json.md").read_text(encoding="utf-8")

# Keys that come with an option or a state that not every test has.
SOMETIMES = {"outcome", "plot", "plots", "retraining"}


def _sections() -> dict[str, tuple[str, set[str]]]:
    """Read the page: of each heading the list, and the keys of an entry of it."""
    found: dict[str, tuple[str, set[str]]] = {}
    pattern = r"^## (.+)\n\nThe list is `(\w+)`(.*)\n\n((?:- .*\n)*)"
    for heading, name, words, bullets in re.findall(pattern, PAGE, re.MULTILINE):
        heads = [bullet.partition(": ")[0] for bullet in bullets.splitlines()]
        keys = set(re.findall(r"`(\w+)`", " ".join(heads)))
        for like in re.findall(r"as \[(.+?)\]", words):
            keys |= found[like][1] if like in found else set()
        found[heading] = (name, keys)
    return found


SECTIONS = _sections()
SECTIONS["forecasts"] = SECTIONS["GET /forecasts/{ticker}"]


def _section_of(arguments: tuple[str, ...]) -> tuple[str, set[str]]:
    """Find what the page says of a command line: under the heading that has most of its words."""
    words = {*arguments[:2], *(each for each in arguments if each.startswith("--"))}
    fitting: dict[int, tuple[str, set[str]]] = {}
    for heading, section in SECTIONS.items():
        first, *others = re.split(r", ", heading)
        begun = first.split()
        alike = [begun, *([*begun[:-1], other] for other in others)]
        for each in alike:
            if each[0] == arguments[0] and set(each) <= words:
                fitting[len(each)] = section
    return fitting[max(fitting)]


def document(cli: Cli, *arguments: str) -> dict[str, Any]:
    outcome = cli(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    parsed: dict[str, Any] = json.loads(outcome.out, parse_constant=pytest.fail)
    assert parsed["schema_version"] == 1
    assert parsed["errors"] == []
    assert parsed["command"] == " ".join(
        arguments[: 2 if arguments[0] in {"models", "prices", "config"} else 1]
    )
    name, keys = _section_of(arguments)
    for entry in parsed[name]:
        assert entry.keys() - keys == set()
        assert keys - entry.keys() - SOMETIMES == set()
    return parsed


def test_fetch(cli: Cli) -> None:
    (result,) = document(cli, "fetch", "-t", TICKER, "--source", "sample")["results"]

    assert result.keys() >= {
        "ticker",
        "source",
        "rows_added",
        "rows_revised",
        "rows_rejected",
        "rows_incomplete",
        "large_moves",
        "intraday",
        "missing_sessions",
        "first",
        "last",
        "last_final_session",
        "rows",
        "currency",
        "exchange",
        "revision",
        "assumed",
        "warnings",
        "unchanged",
    }
    assert result["assumed"] == {}
    assert result["rows_rejected"][0].keys() == {"date", "reason"}
    assert result["unchanged"] is False
    (again,) = document(cli, "fetch", "-t", TICKER, "--source", "sample")["results"]
    assert again["unchanged"] is True
    assert (again["rows_added"], again["rows_revised"]) == (0, 0)


def test_train(cli: Cli, priced_home: Path) -> None:
    (result,) = document(cli, "train", "-t", TICKER, *TINY_OPTIONS)["results"]

    assert result.keys() >= {
        "ticker",
        "version",
        "preset",
        "epochs",
        "best_epoch",
        "best_val_loss",
        "seconds",
        "promoted",
        "promotion",
        "by_hand",
        "diagnosis",
        "resumed_from",
        "path",
        "plots",
        "warnings",
        "times",
        "measured",
    }
    assert Path(result["path"]).is_relative_to(priced_home)
    assert [Path(path).relative_to(priced_home).as_posix() for path in result["plots"]] == [
        f"reports/{TICKER}/v1/{name}"
        for name in ("training_history.png", "predictions_vs_actual.png")
    ]
    assert list(result["times"]) == [
        *("imports", "preparation", "training", "export", "scores", "publishing", "pictures")
    ]

    (result,) = document(cli, "train", "-t", TICKER, *TINY_OPTIONS, "--no-plot")["results"]
    assert result["plots"] == []
    assert "pictures" not in result["times"]


@pytest.mark.usefixtures("priced_home")
def test_train_dry_run(cli: Cli) -> None:
    (plan,) = document(cli, "train", "-t", TICKER, "--dry-run", *TINY_OPTIONS)["plans"]

    assert plan.keys() == {
        *("ticker", "preset", "network", "parameters", "rows", "first", "last", "parts"),
        *("steps_per_epoch", "epochs", "steps", "patience", "start", "device"),
        *("skipped_devices", "seconds_per_step", "seconds_per_validation", "seconds"),
    }
    assert plan["network"].keys() == {"inputs", "hidden", "layers", "outputs"}
    assert [part["name"] for part in plan["parts"]] == [
        *("train", "validation", "calibration", "test")
    ]
    assert all(part.keys() == {"name", "windows", "first", "last"} for part in plan["parts"])


@pytest.mark.usefixtures("model_home")
def test_evaluate(cli: Cli) -> None:
    (result,) = document(cli, "evaluate", "-t", TICKER)["results"]

    assert result.keys() >= {"ticker", "version", "test", "verdict", "verdict_text"}
    assert result["test"].keys() == {"start", "end", "n", "horizon"}
    assert result["point"].keys() >= {
        "rmse",
        "mae",
        "rmse_naive",
        "rmse_ratio",
        "mae_ratio",
        "skill",
        "mase",
        "dm_stat",
        "dm_p",
    }
    assert result["direction"].keys() >= {"accuracy", "n", "low", "high", "always_up"}
    assert result["distribution"].keys() >= {"crps", "crps_ewma", "crps_ratio"}
    assert result["distribution"]["coverage"].keys() == {"0.8", "0.95"}
    assert result["distribution"]["winkler"].keys() == {"0.8", "0.95"}
    assert result["verdict"] in {"better", "no_better", "worse"}


def test_evaluate_walk_forward(cli: Cli, model_home: Path) -> None:
    arguments = ["--walk-forward", "30", "--refit-every", "20"]
    (result,) = document(cli, "evaluate", "-t", TICKER, *arguments)["walks"]

    assert result.keys() == {
        *("ticker", "version", "preset", "currency", "sessions", "refit_every", "embargo"),
        *("folds", "test", "point", "rivals", "direction", "distribution", "verdict"),
        *("verdict_text", "report", "warnings"),
    }
    assert (result["sessions"], result["refit_every"], result["embargo"]) == (30, 20, 0)
    assert result["test"]["n"] == 30
    assert [fold["n"] for fold in result["folds"]] == [20, 10]
    assert result["folds"][0].keys() == {
        *("number", "known_to", "first", "last", "n", "windows", "epochs", "kept_epoch"),
        *("rmse_ratio", "crps_ratio", "seconds"),
    }
    assert json.loads(Path(result["report"]).read_bytes()).keys() >= {
        *("format", "created", "prices", "folds", "evaluation", "days")
    }
    (shown,) = document(cli, "models", "show", TICKER)["models"]
    assert shown["walk_forward"] == result["report"]
    assert Path(result["report"]).is_relative_to(model_home)


@pytest.mark.usefixtures("model_home")
def test_evaluate_compare_and_all(cli: Cli) -> None:
    assert cli("quantize", "-t", TICKER, "--quiet").code in {0, 3}
    names = [f"{TICKER}@v1", f"{TICKER}@v2"]

    first, second = document(cli, "evaluate", "--compare", *names)["comparison"]
    rows = document(cli, "evaluate", "--all")["league"]

    for version in (first, second):
        assert version.keys() == {
            *("ticker", "version", "preset", "currency", "against", "test", "rmse"),
            *("rmse_ratio", "crps", "crps_ratio", "squared", "distribution", "result"),
            "result_text",
        }
    assert (first["against"], first["squared"], first["distribution"]) == (None, None, None)
    assert second["against"] == names[0]
    for test in ("squared", "distribution"):
        assert second[test].keys() == {"stat", "p", "holm_p", "judged"}
    assert len(rows) == 2
    for row in rows:
        assert row.keys() == {
            *("ticker", "version", "preset", "test", "rmse_ratio", "dm_p", "dm_holm_p"),
            *("crps_ratio", "crps_p", "crps_holm_p", "coverage", "verdict"),
            *("distribution_verdict", "rows"),
        }
        assert row["coverage"].keys() == {"0.8", "0.95"}


@pytest.mark.usefixtures("model_home")
def test_evaluate_horizons(cli: Cli) -> None:
    (result,) = document(cli, "evaluate", TICKER, "--horizons", "1,5")["horizons"]

    assert result.keys() == {"ticker", "version", "model", "preset", "learned", "rows"}
    assert [row["test"]["horizon"] for row in result["rows"]] == [1, 5]
    for row in result["rows"]:
        assert row.keys() == {
            *("test", "spans", "rmse_ratio", "dm_p", "dm_holm_p", "rivals", "crps_ratio"),
            *("crps_p", "crps_holm_p", "coverage", "coverage_low", "coverage_high", "verdict"),
            *("kupiec_p", "kupiec_holm_p", "intervals"),
            "distribution_verdict",
        }
        assert row["test"].keys() == {"start", "end", "n", "horizon"}
        assert row["coverage"].keys() == row["coverage_low"].keys() == {"0.8", "0.95"}


@pytest.mark.usefixtures("model_home")
def test_predict(cli: Cli) -> None:
    (result,) = document(cli, "predict", "-t", TICKER)["forecasts"]

    assert result.keys() >= {
        "ticker",
        "version",
        "as_of",
        "last_close",
        "currency",
        "target_session",
        "horizon",
        "point",
        "change_pct",
        "intervals",
        "quantiles",
        "verdict",
        "stale_sessions",
        "live",
        "unchanged",
        "warnings",
        "checks",
    }
    assert [check["name"] for check in result["checks"]] == ["prices", "age", "inputs"]
    assert all(check.keys() == {"name", "status", "detail"} for check in result["checks"])
    assert [i["level"] for i in result["intervals"]] == [0.8, 0.95]
    assert result["intervals"][0].keys() == {
        *("level", "lower", "upper", "adaptive", "effective_level", "interpolated", "extended")
    }
    assert result["quantiles"]["0.5"] == result["point"]
    assert result["unchanged"] is False
    (again,) = document(cli, "predict", "-t", TICKER)["forecasts"]
    assert again["unchanged"] is True


def test_evening(cli: Cli, model_home: Path) -> None:
    # Nothing has closed since, so that nobody is asked.
    never = "9999-12-31T00:00:00Z"
    execute(model_home, "UPDATE sessions SET closes_at = ? WHERE date > '2024-03-13'", never)
    (result,) = document(cli, "evening")["results"]

    assert result.keys() == {
        *("ticker", "fetched", "trained", "forecast", "closed", "model_sessions", "stale_sessions"),
        *("warnings", "unchanged", "missed_sessions"),
    }
    (same,) = document(cli, "predict")["forecasts"]
    assert result["forecast"].keys() == same.keys()


def test_schedule(cli: Cli) -> None:
    (planned,) = document(cli, "schedule", TICKER)["schedules"]

    assert planned.keys() == {
        *("kind", "exchanges", "time_zone", "at", "earliest", "local_times", "files", "words")
    }
    assert planned["files"][0].keys() == {"name", "lines"}


@pytest.mark.usefixtures("model_home")
def test_forecasts(cli: Cli) -> None:
    assert document(cli, "predict")
    (result,) = document(cli, "forecasts")["forecasts"]

    assert result.keys() == {
        *("ticker", "version", "model", "target_session", "horizon", "as_of", "last_close"),
        *("currency", "point", "change_pct", "intervals", "quantiles", "made_at", "late"),
        *("outcome", "error", "held", "scale"),
    }
    # The bundled prices end before it could come.
    assert (result["outcome"], result["error"], result["held"]) == (None, None, None)


@pytest.mark.usefixtures("model_home")
def test_validate(cli: Cli) -> None:
    results = document(cli, "validate")["results"]

    assert [(each["ticker"], each["version"]) for each in results] == [(TICKER, 1), (None, None)]
    for result in results:
        assert result.keys() == {"ticker", "version", "status", "corrupt", "checks"}
        assert result["status"] == "ok"
        assert result["checks"][0].keys() == {"name", "status", "detail"}


@pytest.mark.usefixtures("model_home")
def test_quantize(cli: Cli) -> None:
    (result,) = document(cli, "quantize", "-t", TICKER)["results"]

    assert result.keys() >= {
        "ticker",
        "parent",
        "version",
        "method",
        "size_ratio",
        "speed_ratio",
        "rmse_change_pct",
        "crps_change_pct",
        "accepted",
        "reason",
        *(
            "steps",
            "compressed_ratio",
            "squared",
            "distribution",
            "largest_difference",
            "note",
            "plot",
        ),
    }
    for side in ("before", "after"):
        assert result[side].keys() == {
            *("bytes", "compressed_bytes", "latency_ms", "latency_256_ms", "load_ms"),
            *("rmse", "crps", "coverage", "parameters", "sparsity", "sparsity_by_matrix"),
        }
        assert result[side]["coverage"].keys() == {"0.8", "0.95"}
    for test in ("squared", "distribution"):
        assert result[test].keys() == {"stat", "p", "found"}


def test_tune(cli: Cli, priced_home: Path) -> None:
    arguments = ["tune", "-t", TICKER, "--trials", "2", *TINY_OPTIONS, "--batch-size", "256"]
    (result,) = document(cli, *arguments)["results"]

    trial = {*("number", "settings", "status", "val_loss", "epochs", "kept_epoch", "seconds")}
    assert result.keys() == {
        *("ticker", "study", "sampler", "trials", "start", "best", "improvement_pct", "p"),
        *("validation_days", "conclusion", "config", "command", "plot", "resumed", "published"),
    }
    assert result["published"] is None
    assert [one["number"] for one in result["trials"]] == [0, 1]
    for one in (*result["trials"], result["start"], result["best"]):
        assert one.keys() == trial
        assert one["settings"].keys() == set(AXES)
    assert result["config"].keys() == {"preset", *SETTINGS}
    assert Path(result["plot"]).is_relative_to(priced_home)


@pytest.mark.usefixtures("model_home")
def test_models(cli: Cli) -> None:
    (listed,) = document(cli, "models", "list")["models"]
    (shown,) = document(cli, "models", "show", TICKER)["models"]

    assert listed.keys() >= {
        "ticker",
        "version",
        "aliases",
        "created",
        "preset",
        "method",
        "parent",
        "bytes",
        "verdict",
    }
    assert shown["manifest"]["ticker"] == TICKER
    assert shown["alias_log"][0]["name"] == "champion"


@pytest.mark.usefixtures("model_home")
def test_models_as_files(cli: Cli, tmp_path: Path) -> None:
    arguments = ["models", "export", TICKER, "--output", str(tmp_path)]
    (exported,) = document(cli, *arguments)["exports"]
    (taken,) = document(cli, "models", "import", exported["path"])["imports"]

    assert exported.keys() == {"ticker", "version", "format", "path", "files", "bytes"}
    assert taken.keys() == {
        *("ticker", "version", "format", "origin", "parent", "promoted", "promotion", "by_hand"),
        *("unchanged", "verdict_text", "warnings", "path"),
    }
    assert taken["unchanged"] is True


@pytest.mark.usefixtures("model_home")
def test_what_models_are_named(cli: Cli) -> None:
    keys = {"ticker", "alias", "version", "replaced", "previous", "reason", "unchanged"}
    for arguments in (("promote", f"{TICKER}@v1", "--as", "live"), ("unalias", f"{TICKER}@live")):
        (moved,) = document(cli, "models", *arguments)["results"]
        assert moved.keys() == keys
    assert document(cli, "train", "-t", TICKER, "--promote", "always", *TINY_OPTIONS)
    (moved,) = document(cli, "models", "rollback", TICKER)["results"]
    assert moved.keys() == keys
    assert (moved["version"], moved["replaced"], moved["previous"]) == (1, 2, 2)


@pytest.mark.usefixtures("model_home")
def test_models_sign(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCKLSTM_SIGNING_KEY", "a key that nobody can guess")
    (signed,) = document(cli, "models", "sign", f"{TICKER}@v1")["results"]

    assert signed.keys() == {"ticker", "version", "replaced", "unchanged"}


@pytest.mark.usefixtures("model_home")
def test_models_diff(cli: Cli) -> None:
    (found,) = document(cli, "models", "diff", TICKER, f"{TICKER}@v1")["diffs"]

    assert found.keys() == {
        *("left", "right", "about", "settings", "scores", "comparable"),
        *("prices", "environment", "files"),
    }
    assert found["files"][0].keys() == {"name", "left", "right"}


@pytest.mark.usefixtures("model_home")
def test_backup_and_restore(cli: Cli, tmp_path: Path) -> None:
    file = str(tmp_path / "b.zip")
    (made,) = document(cli, "backup", file)["backups"]
    (restored,) = document(cli, "restore", file, "--replace")["stores"]

    assert made.keys() == {"path", "created", "bytes", "tickers", "versions", "forecasts"}
    assert restored.keys() == {
        *("home", "created", "program", "tickers", "versions", "forecasts", "moved_to"),
    }


def test_models_adopt(cli: Cli, model_home: Path) -> None:
    (model_home / "stocklstm.db").unlink()
    (adopted,) = document(cli, "models", "adopt")["results"]

    assert adopted.keys() == {
        *("ticker", "dry_run", "versions", "left_out", "champion", "reason", "by_hand"),
    }


def test_what_goes(cli: Cli, model_home: Path) -> None:
    assert document(cli, "train", "-t", TICKER, "--promote", "never", *TINY_OPTIONS)
    (model_home / "models" / TICKER / "v7").mkdir()
    (cleaned,) = document(cli, "models", "gc", "--dry-run")["results"]
    (removed,) = document(cli, "models", "rm", f"{TICKER}@v2")["results"]

    assert cleaned.keys() == {"dry_run", "removed", "skipped", "bytes"}
    assert cleaned["removed"][0].keys() == {"kind", "ticker", "name", "path", "bytes"}
    assert removed.keys() == {"ticker", "version", "bytes", "children"}


@pytest.mark.usefixtures("priced_home")
def test_prices(cli: Cli, tmp_path: Path) -> None:
    (shown,) = document(cli, "prices", "show", "--last", "2")["prices"]
    (coverage,) = document(cli, "prices", "show", "-t", TICKER, "--intraday")["intraday"]
    (export,) = document(cli, "prices", "export", "-t", TICKER, "--out", str(tmp_path))["exports"]
    (verified,) = document(cli, "prices", "verify")["results"]
    (renamed,) = document(cli, "prices", "rename", TICKER, "BHIA3.SA")["results"]

    assert shown.keys() >= {
        *("ticker", "rows", "first", "last", "last_close", "currency", "exchange"),
        *("calendar_known", "pinned_calendar", "time_zone"),
        *("last_fetch", "sources", "gaps", "dividends", "splits"),
        *("log", "recent", "last_rows"),
    }
    assert shown["last_rows"][1].keys() == {
        *("date", "open", "high", "low", "close", "adj_close", "volume", "source", "fetched_at")
    }
    assert coverage.keys() == {
        *("ticker", "lengths", "sessions", "not_usable", "rows", "share_pct"),
    }
    assert export.keys() == {"ticker", "path", "format", "rows"}
    assert verified.keys() == {"ticker", "version", "status", "corrupt", "checks"}
    assert verified["version"] is None
    assert renamed.keys() == {
        *("ticker", "renamed_from", "rows", "first", "last", "forecasts", "currency", "exchange"),
        *("models", "warnings"),
    }


@pytest.mark.usefixtures("model_home")
def test_an_error_of_one_ticker_is_an_object_beside_the_results(cli: Cli) -> None:
    outcome = cli("predict", "-t", TICKER, "-t", "NOPE3.SA", "--json")

    assert outcome.code == 4
    parsed = json.loads(outcome.out)
    assert [f["ticker"] for f in parsed["forecasts"]] == [TICKER]
    assert [e["ticker"] for e in parsed["errors"]] == ["NOPE3.SA"]
    assert parsed["errors"][0]["code"] == 4


def test_config(cli: Cli) -> None:
    assert document(cli, "config", "show")["settings"]
    assert document(cli, "config", "path")["paths"]
