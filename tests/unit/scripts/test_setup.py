# SPDX-License-Identifier: Apache-2.0
"""`make setup` finds an interpreter that works, on machines where the obvious one does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import setup


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Replace PATH and pyenv's versions by made-up interpreters; returns a function that adds one."""
    on_path, pyenv = tmp_path / "path", tmp_path / "pyenv"
    monkeypatch.setenv("PATH", str(on_path))
    monkeypatch.setenv("PYENV_ROOT", str(pyenv))
    monkeypatch.delenv("PYTHON", raising=False)

    def add(name: str, body: str, *, pyenv_version: str = "") -> Path:
        file = (pyenv / "versions" / pyenv_version / "bin" if pyenv_version else on_path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
        return file

    return add


def test_prefers_3_13_and_takes_3_11_last(install):
    install("python3.11", "echo 3 11 /usr/bin/python3.11")
    install("python3.12", "echo 3 12 /usr/bin/python3.12")
    install("python3.13", "echo 3 13 /usr/bin/python3.13")

    assert setup.choose_interpreter() == "/usr/bin/python3.13"


def test_skips_a_shim_that_leads_nowhere_and_finds_what_pyenv_installed(install):
    install("python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    install("python3.12", "echo 3 12 /opt/3.12.1/bin/python3.12", pyenv_version="3.12.1")
    install("python3", "echo 3 11 /usr/bin/python3.11")

    assert setup.choose_interpreter() == "/opt/3.12.1/bin/python3.12"


def test_takes_the_interpreter_that_the_user_names(install, monkeypatch):
    install("python3.13", "echo 3 13 /usr/bin/python3.13")
    monkeypatch.setenv("PYTHON", str(install("mine", "echo 3 11 /opt/my python/python3.11")))

    assert setup.choose_interpreter() == "/opt/my python/python3.11"


@pytest.mark.parametrize("body", ["echo 3 10 /usr/bin/python3.10", "echo 3 15 /usr/bin/python3.15", "exit 1"])
def test_says_what_is_needed_when_no_interpreter_fits(install, body):
    install("python3", body)

    with pytest.raises(setup.SetupError, match=r"no working Python 3\.11 to 3\.14 .*\n.*make setup PYTHON="):
        setup.choose_interpreter()


def test_does_not_replace_the_named_interpreter_by_another(install, monkeypatch):
    install("python3.13", "echo 3 13 /usr/bin/python3.13")
    monkeypatch.setenv("PYTHON", str(install("broken", "exit 127")))

    with pytest.raises(setup.SetupError, match=r"^PYTHON=.*broken is not a working Python"):
        setup.choose_interpreter()
