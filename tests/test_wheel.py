"""The wheel, installed where nothing else is: it runs, and carries its data."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that has the wheel and what it depends on, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], check=True)
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    wheel = next(folder.glob("*.whl"))
    python = str(environment / "bin" / "python")
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "-q", "install", str(wheel)], check=True)
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
    program = "import importlib.resources as r; print(r.files('advisor') / 'sample_profiles')"
    found = subprocess.run([installed / "python", "-c", program], capture_output=True, text=True, cwd="/")
    for profile in sorted(Path(found.stdout.strip()).glob("*.jsonl.zst")):
        command = [str(installed / "hugepage-advisor"), "report", str(profile), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, (profile.name, done.stderr)
        assert json.loads(done.stdout)["processes"], profile.name
