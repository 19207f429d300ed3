# SPDX-License-Identifier: Apache-2.0
"""Which way requests go where machines have a proxy in their environment."""

from __future__ import annotations

import pytest

from pulumi_gitops.core import redact
from pulumi_gitops.core.cluster import ConnectionOptions
from pulumi_gitops.core.cluster.connection import resolve
from pulumi_gitops.core.errors import ClusterConfigError
from pulumi_gitops.core.proxies import proxy_of_environment

PROXY = "http://proxy.example.com:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A machine with a proxy, and some names that need none."""
    for name in ("http_proxy", "all_proxy", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "registry.example.com, .corp.example.com,10.0.0.0/8,fd00::/8,192.0.2.7,not/anything")


@pytest.mark.parametrize(
    "server",
    [
        "https://127.0.0.1:6443",
        "https://127.1.2.3",
        "https://[::1]:6443",
        "https://localhost:6443",
        "https://registry.example.com",
        "https://api.corp.example.com:6443",
        "https://10.96.0.1:443",
        "https://[fd00::1]",
        "https://192.0.2.7",
        "http://api.example.com",
    ],
)
def test_loopback_and_what_no_proxy_names_are_reached_without_it(server):
    assert proxy_of_environment(server) == ""
    assert resolve(ConnectionOptions(host=server)).proxy == ""


@pytest.mark.parametrize("server", ["https://api.example.com:6443", "https://192.0.2.8", "https://[2001:db8::1]"])
def test_all_others_are_reached_through_it(server):
    assert proxy_of_environment(server) == PROXY
    assert resolve(ConnectionOptions(host=server)).proxy == PROXY


def test_without_a_proxy_in_the_environment_there_is_none(monkeypatch):
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxy_of_environment("https://api.example.com") == ""


def test_a_proxy_of_the_options_is_used_but_for_what_the_options_name():
    options = {"proxy": "http://other.example.com", "no_proxy": "10.0.0.0/8, .example.com"}
    for server, proxy in {"127.0.0.1": options["proxy"], "10.1.2.3": "", "api.example.com": ""}.items():
        assert resolve(ConnectionOptions(host=server, **options)).proxy == proxy


def test_the_login_in_the_url_of_a_proxy_reaches_the_proxy_and_no_output():
    endpoint = resolve(ConnectionOptions(host="api.example.com", proxy="http://ci:can%40ary-1@proxy.example.com:3128"))
    assert endpoint.proxy_headers == {"proxy-authorization": "Basic Y2k6Y2FuQGFyeS0x"}
    assert redact.redact("can@ary-1 can%40ary-1") == redact.redact("can@ary-1") + " " + redact.redact("can@ary-1")
    assert "canary" not in repr(endpoint)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://ci:canary-7@proxy.example.com:port",
        "ci:canary-7@proxy.example.com:3128",
        "socks5://ci:canary-7@proxy.example.com",
        "http://ci:canary-7@[proxy",
        "https://",
    ],
)
def test_what_is_no_proxy_is_told_with_where_it_may_come_from_and_not_repeated(monkeypatch, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for options in ({"proxy": proxy}, {}):
        with pytest.raises(ClusterConfigError, match=r"the proxy for https://api.example.com has no") as caught:
            resolve(ConnectionOptions(host="api.example.com", **options))
        assert "HTTPS_PROXY" in caught.value.hint
        assert "canary" not in str(caught.value.as_dict())


def test_a_login_of_the_options_comes_before_that_of_the_url():
    headers = {"proxy_basic_auth": "other:login-2", "user_agent": "ci"}
    options = ConnectionOptions(
        host="api.example.com", proxy="http://ci:url-login-1@proxy.example.com", proxy_headers=headers
    )
    expected = {"proxy-authorization": "Basic b3RoZXI6bG9naW4tMg==", "user-agent": "ci"}
    assert resolve(options).proxy_headers == expected
    assert "url-login-1" not in redact.redact("it is url-login-1")
