"""Mutated input for every parser and loader: nothing but facts or the typed error, in time and in memory.

In: sound inputs (`corpus/`, and what other tests make). Out: a list of what went wrong, with the input kept.
`python -m tests.fuzz` does as many as asked for, `tests/fuzz/test_fuzz.py` a bounded number of the same ones in CI,
`python -m tests.fuzz.guided` lets atheris look for inputs that reach new code. May not touch: this host's kernel.
"""
