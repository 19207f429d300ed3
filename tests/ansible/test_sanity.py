# SPDX-License-Identifier: Apache-2.0
"""The gates that Ansible's community and Galaxy put in front of a collection, without a single exception."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

# ansible-test fetches get-pip.py from a host of its own for the small environments of its tests; this does the same
# with what Python brings along. ensurepip in a process of its own: in ours it would switch pip's configuration off.
GET_PIP = """\
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument.startswith("pip==")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "-q", *wanted]) if wanted else 0)
"""


def provide_get_pip():
    """Put the stand-in where ansible-test caches the real one, unless it is there."""
    package = importlib.util.find_spec("ansible_test")
    source = Path(package.submodule_search_locations[0], "_internal/python_requirements.py").read_text()
    version = re.search(r"pip='([\d.]+)'", source)[1]
    cached = Path(f"~/.ansible/test/cache/get_pip_{version.replace('.', '_')}.py").expanduser()
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_text(GET_PIP)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 12), reason="the ansible-test of a current ansible-core needs Python 3.12")
def test_ansible_test_sanity(run, programs):
    provide_get_pip()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    run(programs / "ansible-test", "sanity", "--color", "no", "--python", python)


def test_there_is_no_list_of_ignored_findings():
    assert not list((Path(__file__).parents[2] / "ansible_collections/iac/gitops").rglob("ignore-*.txt"))


@pytest.mark.slow
def test_ansible_lint_production(run, programs):
    root = Path(__file__).parents[2]
    done = run(programs / "ansible-lint", "--offline", "--profile", "production", ANSIBLE_COLLECTIONS_PATH=root)
    assert "0 failure(s), 0 warning(s)" in done.stdout


@pytest.mark.slow
def test_docs_lint(run, programs):
    run(programs / "antsibull-docs", "lint-collection-docs", "--plugin-docs", ".")


def test_changelog_lint(run, programs):
    run(programs / "antsibull-changelog", "lint")
