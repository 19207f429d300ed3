# SPDX-License-Identifier: Apache-2.0
"""The Git server of a sandbox, with git itself as the client, and with requests that git would not send."""

from __future__ import annotations

import base64
import gzip
import http.client
import os
import random
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pulumi_gitops.core.errors import InputError, ProcessError
from pulumi_gitops.sandbox import GitServer
from pulumi_gitops.sandbox.gitserver import create_repository

from .conftest import eventually

USER, PASSWORD = "ci", "canary-Tr0ub4dor:&3 ä"
REFS = "info/refs?service=git-upload-pack"
LS_REFS = b"0014command=ls-refs\n00010000"
V2 = {"Content-Type": "application/x-git-upload-pack-request", "Git-Protocol": "version=2"}


def git(*arguments, cwd, login=None, fails=False):
    """Run git as a user would; returns what it prints, or what it complains about when it has to fail."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    env |= {f"GIT_{who}_{what}": f"test@{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    if login:
        env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader"}
        env["GIT_CONFIG_VALUE_0"] = f"Authorization: {basic(*login)}"
    done = subprocess.run(
        ["git", "-c", "core.compression=0", *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout.strip()


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def push(url, folder, files, **options):
    """Commit files in a new clone and push them; returns the commit."""
    git("clone", "-q", url, str(folder), cwd=folder.parent, **options)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    git("add", ".", cwd=folder)
    git("commit", "-q", "-m", "by the test", cwd=folder)
    git("push", "-q", "origin", "HEAD", cwd=folder, **options)
    return git("rev-parse", "HEAD", cwd=folder)


def send(connection, method, path, body=None, **headers):
    """Make one request; returns status, headers and body."""
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


@pytest.fixture
def server(tmp_path):
    with GitServer(tmp_path / "repositories") as server:
        yield server


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    yield connection
    connection.close()


@pytest.fixture
def process(tmp_path):
    """A server in a process of its own: its URL, its folder, its number."""
    root = tmp_path / "repositories"
    root.mkdir(mode=0o700)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pulumi_gitops.sandbox.gitserver", "--root", str(root), "--port", str(port)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: process.poll() is not None or connects(port))
            yield f"http://127.0.0.1:{port}", root, process.pid
        finally:
            process.kill()


def connects(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


# --- what git does with it -------------------------------------------------------------------------------------------


def test_what_is_pushed_is_what_another_clone_gets(server, tmp_path):
    url = server.create_repository("config")
    assert url == f"{server.url}/config.git"
    commit = push(url, tmp_path / "first", {"a.yaml": b"a: 1\n", "binary": bytes(range(256))})
    git("clone", "-q", url, "second", cwd=tmp_path)
    assert git("rev-parse", "HEAD", cwd=tmp_path / "second") == commit
    assert git("branch", "--show-current", cwd=tmp_path / "second") == "main"
    assert (tmp_path / "second" / "binary").read_bytes() == bytes(range(256))


def test_the_default_branch_can_be_another_one(server, tmp_path):
    url = server.create_repository("config", branch="production")
    push(url, tmp_path / "first", {"a.yaml": b"a: 1\n"})
    assert git("ls-remote", "--symref", url, "HEAD", cwd=tmp_path).startswith("ref: refs/heads/production\t")


def test_blobs_can_be_left_out_and_any_commit_asked_for(server, tmp_path):
    url = server.create_repository("config")
    first = push(url, tmp_path / "first", {"a.yaml": b"a: 1\n"})
    git("commit", "-q", "--allow-empty", "-m", "second", cwd=tmp_path / "first")
    git("push", "-q", "origin", "HEAD", cwd=tmp_path / "first")
    git("init", "-q", "--bare", "sparse", cwd=tmp_path)
    git("fetch", "-q", "--depth=1", "--filter=blob:none", url, first, cwd=tmp_path / "sparse")
    held = git("cat-file", "--batch-all-objects", "--batch-check=%(objecttype)", cwd=tmp_path / "sparse").split()
    assert sorted(held) == ["commit", "tree"]


def test_memory_stays_small_when_a_large_commit_is_pushed(process, tmp_path):
    url, root, pid = process
    create_repository(root, "large")
    # Above http.postBuffer (1 MB), so git sends it chunked.
    commit = push(f"{url}/large.git", tmp_path / "clone", {"blob": random.Random(3).randbytes(64 * 1024 * 1024)})
    assert git("rev-parse", "main", cwd=root / "large.git") == commit
    git("clone", "-q", f"{url}/large.git", "again", cwd=tmp_path)
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    assert peak < 64 * 1024  # kB


def test_many_clients_at_once(server, tmp_path):
    url = server.create_repository("config")
    commit = push(url, tmp_path / "first", {"a.yaml": b"a: 1\n"})
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: git("ls-remote", url, "main", cwd=tmp_path), range(32)))
    assert {answer.split()[0] for answer in answers} == {commit}


def test_what_the_starter_of_the_server_has_set_for_git_changes_nothing(server, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[http]\n\treceivepack = false\n\tuploadpack = false\n[init]\n\ttemplateDir = /x\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'http.receivepack=false'")
    url = server.create_repository("config")
    push(url, tmp_path / "first", {"a.yaml": b"a: 1\n"})


# --- logins ----------------------------------------------------------------------------------------------------------


def test_a_repository_with_a_login_lets_in_who_has_it(server, tmp_path):
    url = server.create_repository("private", USER, PASSWORD)
    commit = push(url, tmp_path / "first", {"a.yaml": b"a: 1\n"}, login=(USER, PASSWORD))
    assert PASSWORD not in url
    assert git("ls-remote", url, "main", cwd=tmp_path, login=(USER, PASSWORD)).startswith(commit)
    assert "could not read Username" in git("ls-remote", url, cwd=tmp_path, fails=True)
    git("ls-remote", url, cwd=tmp_path, login=(USER, "wrong"), fails=True)


@pytest.mark.parametrize(
    "given",
    [
        basic(USER, "wrong"),
        basic(USER, ""),
        basic("other", PASSWORD),
        basic(USER, PASSWORD).replace("Basic", "Bearer"),
        "Basic",
        "Basic not base64",
        "Basic äöü",
        None,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_others_are_asked_for_the_login(server, connection, given, method):
    server.create_repository("private", USER, PASSWORD)
    path = f"/private.git/{REFS}" if method == "GET" else "/private.git/git-receive-pack"
    headers = {} if given is None else {"Authorization": given.encode("latin-1")}
    status, answer, body = send(connection, method, path, b"0000" if method == "POST" else None, **headers)
    assert status == 401
    assert answer["WWW-Authenticate"].startswith("Basic realm=")
    assert body == b""


def test_the_name_of_the_scheme_may_be_written_in_small_letters(server, connection):
    server.create_repository("private", USER, PASSWORD)
    login = basic(USER, PASSWORD).replace("Basic", "basic")
    assert send(connection, "GET", f"/private.git/{REFS}", Authorization=login)[0] == 200


def test_a_login_is_in_a_file_for_its_owner_only_and_is_never_served(server, connection, tmp_path):
    server.create_repository("private", USER, PASSWORD)
    folder = tmp_path / "repositories" / "private.git"
    holding = [path for path in folder.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    assert len(holding) == 1
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    for name in (holding[0].name, "config", "HEAD"):
        assert send(connection, "GET", f"/private.git/{name}", Authorization=basic(USER, PASSWORD))[0] == 404


# --- requests --------------------------------------------------------------------------------------------------------


def test_one_connection_serves_many_requests_refused_ones_included(server, connection, tmp_path):
    push(server.create_repository("config"), tmp_path / "first", {"a.yaml": b"a: 1\n"})
    server.create_repository("private", USER, PASSWORD)
    connection.connect()
    opened = connection.sock
    for path, status in ((REFS, 200), ("private", 401), ("none", 404), (REFS, 200)):
        where = f"/config.git/{path}" if path == REFS else f"/{path}.git/{REFS}"
        assert send(connection, "GET", where)[0] == status
    for _ in range(2):
        assert send(connection, "POST", "/config.git/git-upload-pack", LS_REFS, **V2)[0] == 200
    assert connection.sock is opened


def test_protocol_version_2_is_spoken_when_asked_for(server, connection):
    server.create_repository("config")
    assert b"version 2\n" in send(connection, "GET", f"/config.git/{REFS}", Git_Protocol="version=2")[2]
    assert b"version 2\n" not in send(connection, "GET", f"/config.git/{REFS}")[2]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_may_come_in_any_coding(server, connection, tmp_path, compressed, chunked):
    commit = push(server.create_repository("config"), tmp_path / "first", {"a.yaml": b"a: 1\n"})
    body = gzip.compress(LS_REFS) if compressed else LS_REFS
    headers = V2 | ({"Content-Encoding": "gzip"} if compressed else {})
    pieces = iter((body[:7], body[7:])) if chunked else body  # http.client sends what has no length in chunks
    status, _, answer = send(connection, "POST", "/config.git/git-upload-pack", pieces, **headers)
    assert status == 200
    assert f"{commit} refs/heads/main".encode() in answer


def test_a_large_request_that_git_refuses_gets_its_answer(server, connection):
    server.create_repository("config")
    body = bytes(8 * 1024 * 1024)
    assert send(connection, "POST", "/config.git/git-receive-pack", body, Content_Type="text/plain")[0] == 415


@pytest.mark.parametrize(
    "path",
    [
        f"/none.git/{REFS}",
        f"/config/{REFS}",
        f"/../config.git/{REFS}",
        f"/x/../config.git/{REFS}",
        f"/%2e%2e/config.git/{REFS}",
        f"/.git/{REFS}",
        "/config.git/objects/info/packs",
        "/config.git/",
        "/",
    ],
)
def test_nothing_but_the_two_services_of_a_repository_is_served(server, connection, path):
    server.create_repository("config")
    assert send(connection, "GET", path)[0] == 404


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
        b"Transfer-Encoding: gzip\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x4\r\n0000\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n\r\n",
    ],
)
def test_a_body_without_a_clear_end_is_refused(server, framing):
    server.create_repository("config")
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=30) as client:
        client.sendall(b"POST /config.git/git-upload-pack HTTP/1.1\r\nHost: x\r\n" + framing)
        with client.makefile("rb") as answer:
            assert b" 400 " in answer.readline()
            while answer.readline().strip():
                pass
            assert answer.read() == b""  # and the connection, in an unknown state, is closed


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_a_client_that_goes_away_leaves_nothing_behind(server, connection, tmp_path, framing, capfd):
    server.create_repository("config")
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), timeout=30) as client:
        client.sendall(b"POST /config.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n\r\n5\r\n0000\n")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert send(connection, "GET", f"/config.git/{REFS}")[0] == 200
    assert [path.name for path in (tmp_path / "repositories").iterdir()] == ["config.git"]
    assert "Traceback" not in capfd.readouterr().err


# --- start, stop, repositories ---------------------------------------------------------------------------------------


def test_a_stop_lets_go_of_the_port_and_cuts_open_connections(server, connection):
    server.create_repository("config")
    assert send(connection, "GET", f"/config.git/{REFS}")[0] == 200
    server.stop()
    with pytest.raises(ConnectionError):
        send(connection, "GET", f"/config.git/{REFS}")
    port = urlsplit(server.url).port
    assert not connects(port)
    with GitServer(server.root, port=port) as again:
        assert again.url == server.url


def test_a_port_is_not_shared(server, tmp_path):
    with pytest.raises(OSError, match="in use"):
        GitServer(tmp_path / "other", port=urlsplit(server.url).port)


def test_only_this_machine_can_reach_it(server):
    assert urlsplit(server.url).hostname == "127.0.0.1"
    with socket.socket() as client:  # another address of loopback stands for every other one
        assert client.connect_ex(("127.0.0.2", urlsplit(server.url).port)) != 0


def test_a_running_server_serves_what_another_process_creates(process, tmp_path):
    url, root, _ = process
    create_repository(root, "open")
    create_repository(root, "private", USER, PASSWORD)
    push(f"{url}/open.git", tmp_path / "open", {"a": b"1"})
    push(f"{url}/private.git", tmp_path / "private", {"a": b"1"}, login=(USER, PASSWORD))
    git("ls-remote", f"{url}/private.git", cwd=tmp_path, fails=True)


def test_a_name_is_given_once(server, tmp_path):
    commit = push(server.create_repository("config"), tmp_path / "first", {"a": b"1"})
    with pytest.raises(InputError, match="there is a repository 'config' already"):
        server.create_repository("config")
    assert git("rev-parse", "main", cwd=server.root / "config.git") == commit

    def create(_):
        try:
            return server.create_repository("raced")
        except InputError:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sum(url is not None for url in pool.map(create, range(8))) == 1
    assert sorted(path.name for path in server.root.iterdir()) == ["config.git", "raced.git"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", ".hidden", "-option", "a.git", "a b", "ä", "x" * 101])
def test_names_that_could_lead_elsewhere_are_refused(server, name):
    with pytest.raises(InputError, match="can not be the name of a repository"):
        server.create_repository(name)
    assert list(server.root.iterdir()) == []


@pytest.mark.parametrize("login", [("ci", None), (None, PASSWORD), ("a:b", PASSWORD)])
def test_a_login_that_nobody_could_use_is_refused(server, login):
    with pytest.raises(InputError) as raised:
        server.create_repository("private", *login)
    assert PASSWORD not in str(raised.value)
    assert list(server.root.iterdir()) == []


def test_a_branch_that_git_does_not_take_leaves_no_repository(server):
    with pytest.raises(ProcessError, match="invalid initial branch name"):
        server.create_repository("config", branch="no..branch")
    assert list(server.root.iterdir()) == []
