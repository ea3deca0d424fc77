"""evening --report: a page with the table of the evening and the picture of every forecast."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from stocklstm.core.clock import utc_now
from stocklstm.core.language import current, retold, say
from stocklstm.errors import MissingPackageError
from stocklstm.report.figure import rendered
from stocklstm.store.store import Store
from stocklstm.store.user_files import write_file
from stocklstm.workflows.evening.evening import EveningTicker
from stocklstm.workflows.evening.summary import summarize
from stocklstm.workflows.pictures import forecast_figure

PAGE = "index.html"
"""The only file: with the pictures inside it there is nothing that could be half there."""

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { border-bottom: 1px solid #ccc; padding: .3em .7em; text-align: left; white-space: nowrap }
img { height: auto; max-width: 100% }
"""


def write_report(store: Store, items: Sequence[EveningTicker], directory: Path) -> Path:
    """Write the page into a directory, in the place of the one before.

    Raises:
        ConfigError: It may not be written.
        StorageError: The disk is full or failing.
    """
    try:
        pictures = [rendered(forecast_figure(store, [item.forecast])) for item in items]
    except MissingPackageError as error:
        # The table is worth having without them.
        figures = f"<p>{escape(f'No pictures: {error.message} ({error.hint}).')}</p>\n"
    else:
        figures = "".join(_figures(items, pictures))
    page = directory / PAGE
    write_file(page, _page(items, figures, utc_now()).encode(), "--report")
    return page


def _page(items: Sequence[EveningTicker], figures: str, at: str) -> str:
    summary = summarize(items)
    title = say("Forecasts of {day}", day=at[:10])
    made = say("Made at {moment}.", moment=at)
    head = "".join(f"<th>{escape(name)}</th>" for name in summary.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n"
        for row in summary.rows
    )
    return "".join(
        (
            f'<!DOCTYPE html>\n<html lang="{current()}">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width">\n',
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n",
            f"<h1>{title}</h1>\n<p>{made}</p>\n",
            f"<table>\n<tr>{head}</tr>\n{rows}</table>\n",
            *(f"<p>{escape(line)}</p>\n" for line in summary.lines),
            figures,
            "</body>\n</html>\n",
        )
    )


def _figures(items: Sequence[EveningTicker], pictures: Sequence[bytes]) -> Iterator[str]:
    for item, picture in zip(items, pictures, strict=True):
        name, encoded = escape(item.ticker), b64encode(picture).decode()
        yield f'<h2 id="{name}">{name}</h2>\n'
        alternative = say("Forecast of {ticker}", ticker=item.ticker)
        yield f'<img alt="{escape(alternative)}" src="data:image/png;base64,{encoded}">\n'
        for warning in item.warnings:
            yield f"<p>{escape(retold(warning))}</p>\n"
