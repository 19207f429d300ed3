# SPDX-License-Identifier: Apache-2.0
"""Reading from a real Git server, and the errors that a user meets: wrong password, wrong URL, nobody there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys

import pytest

from pulumi_gitops.core import git
from pulumi_gitops.core.errors import (
    BranchNotFoundError,
    GitAuthError,
    GitError,
    GitMissingError,
    GitUnreachableError,
    InputError,
    PushRejectedError,
)

WRONG = "canary-wrong-password"


def test_tip_files_and_ids(repository):
    login = {"credentials": repository.credentials}
    tip = repository.tip()
    assert git.read_tip(repository.url, "main", **login) == tip
    snapshot = git.read_files(repository.url, "main", ["readme.md", "run.sh", "readme.md", "missing"], **login)
    assert snapshot == git.FileSnapshot(tip, {"readme.md": b"hello\n", "run.sh": b"#!/bin/sh\n", "missing": None})
    ids = git.blob_ids(repository.url, "main", ["readme.md", "missing", "apps"], **login)
    assert ids == {"readme.md": git.blob_id(b"hello\n"), "missing": None, "apps": None}


def test_a_branch_with_a_slash_and_its_namesake(repository):
    commit = repository.commit({"a": b"1"}, branch="feature/main")
    assert git.read_tip(repository.url, "feature/main", credentials=repository.credentials) == commit
    assert git.read_tip(repository.url, "main", credentials=repository.credentials) != commit


@pytest.mark.parametrize("call", [git.read_tip, lambda *a, **k: git.blob_ids(*a, ["a"], **k)])
def test_a_missing_branch(repository, call):
    with pytest.raises(BranchNotFoundError, match="no branch 'prod'") as caught:
        call(repository.url, "prod", credentials=repository.credentials)
    assert caught.value.details == {"branch": "prod", "branches": ["main"]}


def test_an_empty_repository_has_no_branch(server):
    repository = server.create("empty", password=None)
    with pytest.raises(BranchNotFoundError, match="no branch 'main'") as caught:
        git.read_tip(repository.url, "main")
    assert caught.value.hint == "The repository is empty."


@pytest.mark.parametrize("branch", ["", "-x y", "a..b", "a:b", "*", "a\nb", "@{-1}", "x.lock"])
def test_a_branch_name_that_git_does_not_allow(repository, branch):
    with pytest.raises(InputError, match="not a valid branch name"):
        git.read_tip(repository.url, branch, credentials=repository.credentials)


def test_a_wrong_password_is_said_but_not_printed(repository):
    credentials = git.Credentials(username="ci", password=WRONG)
    for call in (
        lambda: git.read_tip(repository.url, "main", credentials=credentials),
        lambda: git.commit_files(repository.url, "main", files={"a": "1"}, message="m", credentials=credentials),
    ):
        with pytest.raises(GitAuthError, match="refused the user name or password") as caught:
            call()
        shown = f"{caught.value} {caught.value.as_dict()} {caught.value!r} {caught.value.__cause__!r}"
        assert WRONG not in shown


def test_missing_credentials_are_said(repository):
    with pytest.raises(GitAuthError, match="asks for credentials"):
        git.read_tip(repository.url, "main")


def test_reading_allowed_writing_not(server, repository):
    server.refuse["git-receive-pack"] = 403
    with pytest.raises(GitAuthError, match="HTTP 403"):
        git.commit_files(repository.url, "main", files={"a": "1"}, message="m", credentials=repository.credentials)


def test_no_repository_at_the_url(server):
    with pytest.raises(GitUnreachableError, match="there is no repository"):
        git.read_tip(f"http://127.0.0.1:{server.port}/nothing.git", "main")


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/config.git"
        with pytest.raises(GitUnreachableError, match="not reachable"):
            git.read_tip(url, "main")


def test_a_host_name_that_does_not_exist():
    with pytest.raises(GitUnreachableError, match="not reachable"):
        git.read_tip("http://no-such-host.localhost.invalid/config.git", "main")


def test_a_broken_server(server, repository):
    server.refuse["git-upload-pack"] = 500
    with pytest.raises(GitUnreachableError, match="500"):
        git.read_tip(repository.url, "main", credentials=repository.credentials)


def test_a_server_that_never_answers_is_left_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/config.git"
        with pytest.raises(GitUnreachableError, match=r"not done within 1 s"):
            git.read_tip(url, "main", timeout=1)


def test_ctrl_c_ends_the_process_at_once_and_leaves_nothing(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/config.git"
        code = f"from pulumi_gitops.core import git; git.read_tip({url!r}, 'main', timeout=600)"
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
        with subprocess.Popen([sys.executable, "-c", code], env=env, start_new_session=True) as process:
            try:
                asking, _ = silent.accept()
                with asking:
                    os.killpg(process.pid, signal.SIGINT)
                    assert process.wait(timeout=60) == -signal.SIGINT
            finally:
                process.kill()
    assert list(tmp_path.iterdir()) == []


def test_no_git_on_the_path(repository, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitMissingError, match="git program is not installed"):
        git.read_tip(repository.url, "main", credentials=repository.credentials)


def test_an_old_git_is_refused(repository, monkeypatch, tmp_path):
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\necho git version 2.20.1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(GitMissingError, match=r"git 2\.20 is too old"):
        git.read_tip(repository.url, "main", credentials=repository.credentials)


@pytest.fixture
def hostile_environment(monkeypatch, tmp_path):
    """A process that was started from a git hook, by a user with odd settings."""
    elsewhere = tmp_path / "elsewhere"
    trace = tmp_path / "trace"
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[url "file://{elsewhere}/"]\n\tinsteadOf = http://\n[core]\n\tautocrlf = true\n')
    settings = {
        "HOME": home,
        "GIT_DIR": elsewhere,
        "GIT_WORK_TREE": elsewhere,
        "GIT_INDEX_FILE": elsewhere / "index",
        "GIT_OBJECT_DIRECTORY": elsewhere / "objects",
        "GIT_NAMESPACE": "other",
        "GIT_CONFIG_PARAMETERS": "'core.hookspath'='/nonexistent' 'http.proxy'='http://127.0.0.1:1'",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.proxy",
        "GIT_CONFIG_VALUE_0": "http://127.0.0.1:1",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_TEMPLATE_DIR": elsewhere,
        "GIT_ASKPASS": "/bin/false",
        "GIT_TRACE": trace,
        "GIT_TRACE_CURL": trace,
        "GIT_TRACE2_EVENT": trace,
        "GIT_CURL_VERBOSE": "1",
        "GIT_AUTHOR_NAME": "Somebody Else",
        "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


def test_settings_of_the_user_do_not_get_in_the_way(repository, hostile_environment):
    result = git.commit_files(
        repository.url, "main", files={"a": "x\r\n"}, message="m", credentials=repository.credentials
    )
    assert repository.tip() == result.commit
    assert repository.read("a") == b"x\r\n"
    assert repository.log("%an")[0] == "pulumi-gitops"
    assert not repository.log("%ad")[0].startswith("2001")
    assert not (hostile_environment / "trace").exists()
    assert not (hostile_environment / "elsewhere").exists()


def test_the_password_is_in_no_command_line_and_in_no_file(repository, monkeypatch, tmp_path):
    """A git in front of git writes down every command line, and looks into the repository after the command."""
    real = shutil.which("git")
    log = tmp_path / "commands"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\ntr "\\0" " " < /proc/$$/cmdline >> {log}\n{real} "$@"\nstatus=$?\n'
        f'for pid in $(pgrep -P $$); do tr "\\0" " " < /proc/$pid/cmdline >> {log}; done\n'
        f'[ -n "$GIT_DIR" ] && cat "$GIT_DIR/config" >> {log}\nexit $status\n'
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")
    repository.hook("exit 1")
    with pytest.raises(PushRejectedError):
        git.commit_files(repository.url, "main", files={"a": "1"}, message="m", credentials=repository.credentials)
    logged = log.read_text()
    assert "fetch" in logged
    assert "push" in logged
    assert "promisor" in logged
    assert repository.credentials.password not in logged
    assert repository.credentials.header().rpartition(" ")[2] not in logged


def test_a_private_ca_is_trusted_when_given_and_refused_otherwise(tls_server, tmp_path):
    repository = tls_server.create("config")
    tip = repository.commit({"a": b"1"})
    with pytest.raises(GitUnreachableError, match="no trusted connection") as caught:
        git.read_tip(repository.url, "main", credentials=repository.credentials)
    assert "ca_cert" in caught.value.hint
    trusting = git.Credentials(
        username="ci", password=repository.credentials.password, ca_cert=str(tmp_path / "ca.pem")
    )
    assert git.read_tip(repository.url, "main", credentials=trusting) == tip


def test_switched_off_certificate_checks_are_refused(monkeypatch):
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    with pytest.raises(GitError, match="GIT_SSL_NO_VERIFY is set"):
        git.read_tip("https://git.example.com/config.git", "main")


def test_nothing_is_left_in_the_temporary_folder(repository, monkeypatch, tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    git.commit_files(repository.url, "main", files={"a": "1"}, message="m", credentials=repository.credentials)
    with pytest.raises(BranchNotFoundError):
        git.read_tip(repository.url, "prod", credentials=repository.credentials)
    assert list(folder.iterdir()) == []
