"""The wheel, installed where nothing else is: it runs, and carries its data."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel and what it depends on, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    environment = folder / "environment"
    venv.create(environment)
    wheel = next(folder.glob("*.whl"))
    into = ["--python", str(environment / "bin" / "python"), "install", "--no-compile"]
    subprocess.run([*pip, *into, str(wheel)], check=True)
    return environment / "bin"


def test_an_installed_wheel_reports_this_host(installed: Path) -> None:
    command = [str(installed / "hugepage-advisor"), "report", "--json", "--duration", "0"]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["schema"] == "hugepage-advisor/report/1"


def test_models_schema_and_sample_profiles_are_inside(installed: Path) -> None:
    program = (
        "import importlib.resources as r\n"
        "root = r.files('advisor')\n"
        "print(*[p.name for f in ('models', 'sample_profiles', 'report', '.') for p in (root / f).iterdir()])\n"
    )
    done = subprocess.run([installed / "python", "-c", program], capture_output=True, text=True, cwd="/")
    names = done.stdout.split()
    assert {"README.md", "report-1.schema.json", "py.typed"} <= set(names), done.stderr
    assert sum(name.endswith(".jsonl.zst") for name in names) >= 6


def test_an_installed_wheel_reports_its_sample_profiles(installed: Path) -> None:
    program = (
        "import importlib.resources as r\n"
        "from advisor.cli.main import cli\n"
        "for profile in sorted((r.files('advisor') / 'sample_profiles').glob('*.jsonl.zst')):\n"
        "    cli.main(['report', str(profile), '--json'], standalone_mode=False)\n"
    )
    done = subprocess.run([installed / "python", "-c", program], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    reports = list(whole_documents(done.stdout))
    assert len(reports) >= 6
    assert all(report["processes"] for report in reports)


def whole_documents(text: str) -> Iterator[dict[str, Any]]:
    """JSON documents that stand one behind the other."""
    while text := text.lstrip():
        document, end = json.JSONDecoder().raw_decode(text)
        yield document
        text = text[end:]
