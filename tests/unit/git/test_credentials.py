# SPDX-License-Identifier: Apache-2.0
"""URLs that are accepted, and passwords that stay out of everything that is printed."""

from __future__ import annotations

import base64

import pytest

from pulumi_gitops.core.errors import InputError
from pulumi_gitops.core.git import Credentials, read_tip
from pulumi_gitops.core.git.credentials import check_url
from pulumi_gitops.core.redact import redact

LOGIN = Credentials(username="ci", password="canary-4711")


@pytest.mark.parametrize(
    ("url", "credentials"),
    [
        ("https://git.example.com/team/config.git", LOGIN),
        ("https://git.example.com:8443/team/config", LOGIN),
        ("http://git.example.com/public.git", Credentials()),
        ("http://127.0.0.1:3000/config.git", LOGIN),
        ("http://[::1]:3000/config.git", LOGIN),
        ("http://localhost/config.git", LOGIN),
    ],
)
def test_accepted_urls(url, credentials):
    assert check_url(url, credentials) == url.partition(":")[0]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "config.git",
            "/srv/config.git",
            "file:///srv/config.git",
            "git@example.com:config.git",
            "--upload-pack=x",
        ),
        *("ssh://git@example.com/c.git", "ext::sh -c id", "https:///c.git", "https://-x/c.git", "https://a b/c.git"),
        *(
            "https://example.com/c.git?x=1",
            "https://example.com/c.git#x",
            "https://example.com:port/c",
            "https://e.com/\n",
        ),
    ],
)
def test_refused_urls(url):
    with pytest.raises(InputError):
        check_url(url, Credentials())


def test_a_url_with_a_password_is_refused_without_repeating_it():
    with pytest.raises(InputError, match="carries credentials") as caught:
        read_tip("https://ci:canary-0815@git.example.com/config.git", "main")
    assert "canary-0815" not in f"{caught.value} {caught.value.args} {caught.value.as_dict()}"
    assert "username and password" in caught.value.hint


def test_a_password_does_not_go_over_the_network_unencrypted():
    with pytest.raises(InputError, match="unencrypted"):
        check_url("http://git.example.com/config.git", LOGIN)


def test_the_password_is_neither_shown_nor_printed():
    login = Credentials(username="ci", password="canary-4711")
    encoded = base64.b64encode(b"ci:canary-4711").decode()
    assert "canary" not in repr(login)
    assert redact(f"x canary-4711 y {encoded}") == "x *** y ***"
    assert login.header() == f"Authorization: Basic {encoded}"


def test_a_token_alone_is_enough_and_nothing_is_anonymous():
    token = Credentials(password="canary-4712").header()
    assert token == f"Authorization: Basic {base64.b64encode(b'git:canary-4712').decode()}"
    assert Credentials(username="ci").header() is None


@pytest.mark.parametrize(
    "wrong",
    [{"username": "a:b"}, {"password": "canary-4713\n"}, {"username": "a\r\nX: y"}, {"ca_cert": "/no/such/file.pem"}],
)
def test_credentials_that_can_not_work(wrong):
    with pytest.raises(InputError):
        Credentials(**wrong)
