"""The command line inside the test's own process.

A fresh interpreter spends two seconds of CPU on imports and on loading the model before it does anything; here both
happen once. Tests that are about the process itself (signals, privileges, what is imported, a broken pipe) start one.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest import mock

from advisor.cli import report
from advisor.cli.main import main
from advisor.predictor import load_predictor

shipped_model = functools.cache(load_predictor)


def advisor(*arguments: str, env: Mapping[str, str] = os.environ) -> CompletedProcess[str]:
    """`hugepage-advisor ARGUMENTS`: exit code and output, as subprocess.run gives them."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["hugepage-advisor", *arguments]),
        mock.patch.object(report, "load_predictor", shipped_model),
        mock.patch.dict(os.environ, env, clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return CompletedProcess(["hugepage-advisor", *arguments], int(code or 0), out.getvalue(), err.getvalue())
