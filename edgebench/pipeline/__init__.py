"""Plan, convert, run, compare: the steps behind the commands."""
