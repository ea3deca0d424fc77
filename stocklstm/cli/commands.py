"""Commands and groups of them: what can be typed with each, and how their help looks."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from stocklstm import __version__
from stocklstm.cli.output import VERBOSE
from stocklstm.cli.streams import write
from stocklstm.core.language import LANGUAGES, choose, language_of

Function = TypeVar("Function", bound=Callable[..., Any])


def _print_version(context: typer.Context, _option: object, wanted: bool) -> None:
    # A shell that asks for words reads the line and runs nothing of it.
    if wanted and not context.resilient_parsing:
        write(f"stocklstm {__version__}\n")
        raise typer.Exit


def _print_help(context: Any, _option: object, wanted: bool) -> None:  # noqa: ANN401 - Typer's own
    if wanted and not context.resilient_parsing:
        write(f"{context.get_help()}\n")
        raise typer.Exit


def _be_verbose(_context: object, _option: object, wanted: bool) -> None:
    if wanted:
        os.environ[VERBOSE] = "1"


def _choose_language(context: typer.Context, _option: object, text: str | None) -> None:
    if text is None or context.resilient_parsing:
        return
    language = language_of(text)
    if language is None:
        raise typer.BadParameter(f"{text[:50]!a} is not one of {', '.join(LANGUAGES)}")
    choose(language)


def _everywhere() -> list[TyperOption]:
    """Make the options that stand before a command's name or anywhere behind it."""
    return [
        TyperOption(
            param_decls=["--verbose", "-v"],
            is_flag=True,
            expose_value=False,
            callback=_be_verbose,
            help="Show the cause beneath each error.",
        ),
        TyperOption(
            param_decls=["--lang"],
            metavar="|".join(LANGUAGES),
            is_eager=True,
            expose_value=False,
            callback=_choose_language,
            help="Language of tables and sentences; that of the system if not given.",
        ),
        TyperOption(
            param_decls=["--version", "-V"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version.",
        ),
    ]


class _Page:
    """Help that is never cut, in the place of Typer's."""

    help: str | None

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's own
        """Write the page of `--help`."""
        # Only here: a command that runs has no use for it.
        from stocklstm.cli.help_page import help_page, terminal_width

        formatter.write(help_page(self, ctx, terminal_width()))

    def get_help_option(self, ctx: Any) -> TyperOption | None:  # noqa: ANN401 - Typer's own
        """Make it write as results are written: Typer knows nothing of a disk that is full."""
        option: TyperOption | None = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.callback = _print_help
        return option

    def get_short_help_str(self, limit: int = 0) -> str:
        """Say what it does, to a shell that lists commands; Typer would cut that at a limit."""
        del limit
        return (self.help or "").partition("\n\n")[0]


class Command(_Page, TyperCommand):
    """A command with the options that all have."""

    def __init__(self, *words: Any, params: Any = None, **settings: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(*words, params=[*(params or ()), *_everywhere()], **settings)


class Group(_Page, TyperGroup):
    """A group of commands with the same options."""

    def __init__(self, *, params: Any = None, **settings: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(params=[*(params or ()), *_everywhere()], **settings)


class Commands(typer.Typer):
    """Where functions are registered as commands, the first ones or those of a group."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(cls=Group, no_args_is_help=True, rich_markup_mode=None, **settings)

    def command(
        self,
        name: str | None = None,
        **settings: Any,  # noqa: ANN401 - Typer's own
    ) -> Callable[[Function], Function]:
        """Register a function."""
        return super().command(name, cls=Command, **settings)
