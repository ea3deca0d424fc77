"""Command lines that the pages of --help show, by command."""

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": (
        "stocklstm demo",
        "stocklstm train PETR4.SA",
        "stocklstm evening",
    ),
    "fetch": (
        "stocklstm fetch PETR4.SA VALE3.SA",
        "stocklstm fetch",
        "stocklstm fetch PETR4.SA --intraday",
        "stocklstm fetch --source sample",
        "stocklstm fetch PETR4.SA --file prices.csv --currency BRL",
        "stocklstm fetch --tickers-file b3.txt --source b3 --file COTAHIST_A2024.ZIP",
    ),
    "train": (
        "stocklstm train PETR4.SA",
        "stocklstm train PETR4.SA --preset paper --epochs 20 --promote never",
        "stocklstm train PETR4.SA --start 2018-01-01",
        "stocklstm train --tickers-file b3.txt --jobs 4",
        "stocklstm train --all --if-older-than 60",
        "stocklstm train --pooled --name b3 PETR4.SA VALE3.SA ITUB4.SA",
    ),
    "evaluate": (
        "stocklstm evaluate PETR4.SA",
        "stocklstm evaluate PETR4.SA@v1 --walk-forward 250 --jobs 2",
        "stocklstm evaluate --compare PETR4.SA@v1 PETR4.SA@v2",
        "stocklstm evaluate --all",
        "stocklstm evaluate --horizons 1-5",
        "stocklstm evaluate --live --fail-on drift",
    ),
    "predict": (
        "stocklstm predict",
        "stocklstm predict PETR4.SA --levels 0.5,0.9 --plot",
        "stocklstm predict --horizon 1-5",
        "stocklstm predict --fetch --strict --max-age 120 --out forecast.json",
        "stocklstm predict --csv forecasts.csv --append",
        "stocklstm predict PETR4.SA@v1 --at 2024-03-01 --quiet",
    ),
    "evening": (
        "stocklstm evening",
        "stocklstm evening --retrain-after 60 --csv forecasts.csv --append",
        "stocklstm evening --tickers-file b3.txt --out forecasts.json",
        "stocklstm evening --model b3 --quiet",
    ),
    "schedule": (
        "stocklstm schedule",
        "stocklstm schedule PETR4.SA --retrain-after 60",
        "stocklstm schedule --at 21:30 --for systemd",
    ),
    "forecasts": (
        "stocklstm forecasts",
        "stocklstm forecasts PETR4.SA --since 2024-01-01 --csv record.csv",
    ),
    "validate": (
        "stocklstm validate",
        "stocklstm validate PETR4.SA@v1 --deep --leakage",
        "stocklstm validate --prices --quiet",
    ),
    "quantize": (
        "stocklstm quantize PETR4.SA",
        "stocklstm quantize PETR4.SA@v1 --method qat --bits 4",
        "stocklstm quantize PETR4.SA --method pipeline --budget latency",
    ),
    "tune": (
        "stocklstm tune PETR4.SA",
        "stocklstm tune PETR4.SA --sampler tpe --trials 50 --jobs 2 --publish",
        "stocklstm tune --resume auto",
    ),
    "serve": (
        "stocklstm serve",
        "stocklstm serve --port 0 --quiet",
    ),
    "demo": (
        "stocklstm demo",
        "stocklstm demo --home tour",
    ),
    "backup": (
        "stocklstm backup stocklstm.zip",
        "stocklstm backup /mnt/backup/stocklstm.zip --replace",
    ),
    "restore": (
        "stocklstm restore stocklstm.zip",
        "stocklstm restore stocklstm.zip --home looked-at",
    ),
    "models": (
        "stocklstm models list",
        "stocklstm models promote PETR4.SA@v2",
    ),
    "models list": (
        "stocklstm models list",
        "stocklstm models list PETR4.SA --json",
    ),
    "models show": (
        "stocklstm models show PETR4.SA@v1",
        "stocklstm models show PETR4.SA@v1 --card",
    ),
    "models promote": (
        "stocklstm models promote PETR4.SA@v2 --reason 'fewer units'",
        "stocklstm models promote PETR4.SA@v1 --as live",
    ),
    "models rollback": ("stocklstm models rollback PETR4.SA",),
    "models unalias": ("stocklstm models unalias PETR4.SA@live",),
    "models diff": ("stocklstm models diff PETR4.SA@v1 PETR4.SA@v2",),
    "models rm": ("stocklstm models rm PETR4.SA@v1",),
    "models gc": (
        "stocklstm models gc --keep 3 --dry-run",
        "stocklstm models gc --older-than 365",
    ),
    "models adopt": (
        "stocklstm models adopt --dry-run",
        "stocklstm models adopt PETR4.SA",
    ),
    "models sign": (
        "stocklstm models sign PETR4.SA@v1",
        "stocklstm models sign --all",
    ),
    "models export": (
        "stocklstm models export PETR4.SA --output petr4.zip",
        "stocklstm models export PETR4.SA@v1 --format onnx --output model",
    ),
    "models import": (
        "stocklstm models import petr4.zip",
        "stocklstm models import tutorial --format classic --ticker PETR4.SA",
    ),
    "prices": ("stocklstm prices show",),
    "prices show": (
        "stocklstm prices show",
        "stocklstm prices show PETR4.SA --last 20",
    ),
    "prices export": (
        "stocklstm prices export PETR4.SA --out petr4.csv",
        "stocklstm prices export PETR4.SA VALE3.SA --out prices --format parquet",
    ),
    "prices verify": ("stocklstm prices verify",),
    "prices rename": ("stocklstm prices rename VIIA3.SA BHIA3.SA",),
    "config": ("stocklstm config show --origin",),
    "config show": (
        "stocklstm config show --origin",
        "stocklstm config show --preset paper --epochs 20",
        "stocklstm config show --like PETR4.SA@v1",
    ),
    "config path": ("stocklstm config path",),
}
"""Each can be typed as it stands; the group or the program itself has those to begin with."""
