"""Commands. The only room that prints, exits or reads the environment; nothing imports it.

In: arguments. Out: data on stdout, talk on stderr, an exit code of `errors.ExitCode`. Every command imports
what it needs when it runs, so that `--help` costs nothing. May touch every room; holds no logic of its own.
"""
