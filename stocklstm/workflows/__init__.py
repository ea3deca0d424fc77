"""One public function per subcommand, each returning a frozen result; no terminal here."""
