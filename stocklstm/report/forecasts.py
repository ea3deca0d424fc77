"""The picture of forecasts beside what happened."""

from stocklstm.core.evaluation import ScoredDays
from stocklstm.core.money import currency_symbol
from stocklstm.core.quantiles import interval
from stocklstm.core.scores import Evaluation
from stocklstm.report.figure import BLACK, BLUE, ORANGE, canvas, heading, png

SHOWN_DAYS = 120


def predictions_png(days: ScoredDays, evaluation: Evaluation, title: str, currency: str) -> bytes:
    """Draw the last days of the test part: outcome, forecast and both intervals.

    Args:
        days: n >= 1 scored days, of which the last 120 are shown.
        evaluation: Scores over all of them.
        title: Version and preset.
        currency: ISO 4217 code, for the axis.

    Returns:
        PNG, 1000 pixels wide.
    """
    ahead = evaluation.horizon
    made = "made the day before" if ahead == 1 else f"made {ahead} sessions before"
    with canvas() as (figure, axes):
        shown = slice(-SHOWN_DAYS, None)
        dates = days.dates[shown].astype("datetime64[D]").astype(object)
        for level, alpha in ((0.95, 0.15), (0.8, 0.25)):
            lower, upper = interval(days.forecasts.quantiles[shown], level)
            axes.fill_between(
                dates,
                lower,
                upper,
                color=BLUE,
                alpha=alpha,
                linewidth=0,
                label=f"{level * 100:.0f} % interval, {made}",
            )
        axes.plot(
            dates,
            days.forecasts.points[shown],
            color=BLUE,
            linewidth=1,
            label=f"point forecast, {made}",
        )
        axes.plot(
            dates,
            days.actuals[shown],
            color=BLACK,
            marker="o",
            markersize=2.5,
            linewidth=0.8,
            label="outcome (close, dividends added back)",
        )
        lower, upper = interval(days.forecasts.quantiles[shown], 0.95)
        outside = (days.actuals[shown] < lower) | (days.actuals[shown] > upper)
        axes.plot(
            dates[outside],
            days.actuals[shown][outside],
            color=ORANGE,
            marker="X",
            markersize=7,
            linestyle="none",
            label=f"outside the 95 % interval ({outside.sum()} of {len(dates)} days)",
        )
        axes.set_ylabel(f"close in {currency_symbol(currency)}")
        axes.set_xlabel(f"session (last {len(dates)} of {evaluation.n} test days)")
        axes.margins(x=0.01)
        axes.legend(frameon=False, fontsize=9)
        heading(
            axes,
            f"Forecast and outcome: {title}",
            evaluation.verdict_text,
        )
        return png(figure)
