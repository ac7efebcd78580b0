"""One file a command; each has `EXAMPLES`, `add_arguments(parser)` and `run(args) -> status`."""
