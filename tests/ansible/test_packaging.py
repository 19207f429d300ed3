# SPDX-License-Identifier: Apache-2.0
"""What users install works: the collection's tarball, and the wheel that carries engine and collection."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {
    *("application", "application_set", "cluster", "controller", "controller_info", "deploy", "files", "notification"),
    *("plan", "project", "release_info", "repository", "rollback", "sync"),
}
# Only what was installed is found: neither this checkout nor what the user has.
INSTALLED_ONLY = {"ANSIBLE_COLLECTIONS_PATH": None, "PYTHONPATH": None}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The Python of a fresh environment with the wheel in it; its dependencies are those of our own environment."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, capture_output=True)
    python = venv / "bin/python"
    # A path in a .pth file is not searched for .pth files itself, so our own editable installation stays out of sight.
    [packages] = venv.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index", "--no-deps", wheel]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return python


def test_the_wheel_carries_both_faces_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    collection = "ansible_collections/iac/gitops/"
    assert {f"{collection}plugins/modules/{module}.py" for module in MODULES} <= set(names)
    assert {f"{collection}{name}" for name in ("galaxy.yml", "meta/runtime.yml", "playbooks/deploy.yml")} <= set(names)
    assert not [name for name in names if name.startswith((f"{collection}tests/", "tests/"))]
    # Other wheels put their collections into the same folder.
    assert "ansible_collections/__init__.py" not in names


def test_modules_are_found_after_pip_install(installed, run, tmp_path):
    done = run(installed, "-m", "ansible.cli.doc", "-j", "iac.gitops.deploy", cwd=tmp_path, **INSTALLED_ONLY)
    doc = json.loads(done.stdout)["iac.gitops.deploy"]["doc"]
    assert Path(doc["filename"]).is_relative_to(installed.parents[1])


def test_a_playbook_runs_by_its_full_name_after_pip_install(installed, run, tmp_path):
    definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}
    done = run(
        *(installed, "-m", "ansible.cli.playbook", "iac.gitops.deploy", "-e"),
        json.dumps({"release": "shop", "namespace": "shop", "definition": definition}),
        cwd=tmp_path,
        expect=2,
        K8S_AUTH_HOST="https://127.0.0.1:1",
        **INSTALLED_ONLY,
    )
    assert "cluster.unreachable" in done.stdout


def test_the_tarball_installs_offline(run, programs, tmp_path):
    galaxy = programs / "ansible-galaxy"
    run(galaxy, "collection", "build", "--output-path", tmp_path)
    [tarball] = tmp_path.glob("iac-gitops-*.tar.gz")
    with tarfile.open(tarball) as archive:
        names = set(archive.getnames())
    assert {f"plugins/modules/{module}.py" for module in MODULES} <= names
    assert {"LICENSE", "README.md", "CHANGELOG.md", "meta/execution-environment.yml"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".ansible/", "tests/output/"))]

    run(galaxy, "collection", "install", "--offline", "-p", tmp_path, tarball, cwd=tmp_path)
    doc = run(programs / "ansible-doc", "-l", "iac.gitops", cwd=tmp_path, ANSIBLE_COLLECTIONS_PATH=tmp_path)
    assert {f"iac.gitops.{module}" for module in MODULES} <= set(doc.stdout.split())
