"""The command line: options in, tables or JSON out; the only home of Typer and Rich."""
