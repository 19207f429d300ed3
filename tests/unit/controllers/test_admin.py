# SPDX-License-Identifier: Apache-2.0
"""The password of Argo CD's administrator comes from a Secret of the user, and is nowhere to be read."""

from __future__ import annotations

import base64

import bcrypt
import pytest

from pulumi_gitops.core import redact
from pulumi_gitops.core.controllers.admin import hash_password, matches
from pulumi_gitops.core.controllers.argocd.admin import ensure_password
from pulumi_gitops.core.errors import AlreadyExistsError, InputError
from pulumi_gitops.core.objects import ObjectRef

PASSWORD = "canary-4714-horse"
SETTINGS = "argocd-secret"
INITIAL = "argocd-initial-admin-secret"


def encoded(data):
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


class Secrets:
    """A namespace that holds Secrets: name -> data in clear."""

    def __init__(self, **secrets):
        self.data = {name.replace("_", "-"): dict(data) for name, data in secrets.items()}
        self.raw, self.written, self.hidden = {}, [], False

    def find(self, ref):
        if ref.name in self.raw:
            return self.raw[ref.name]
        if ref.name not in self.data or (self.hidden and ref.name == SETTINGS):
            return None
        metadata = {"name": ref.name, "namespace": ref.namespace, "uid": "1"}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded(self.data[ref.name])}

    def create(self, obj):
        name = obj["metadata"]["name"]
        if name in self.data:
            raise AlreadyExistsError("there", status=409, reason="AlreadyExists")
        self.data[name] = {}
        self.patch(ObjectRef.of(obj), obj)

    def patch(self, ref, body):
        self.written.append(body)
        self.data[ref.name] |= {key: base64.b64decode(value).decode() for key, value in body["data"].items()}

    def delete(self, ref, **_):
        return self.data.pop(ref.name, None) is not None or True


def run(secrets, *, check=False, name="argocd-admin"):
    return ensure_password(secrets, name, "argocd", check=check)


def told(changes):
    return {(str(change.action), change.ref.name) for change in changes}


def test_before_argo_cd_is_there_its_secret_is_made_with_the_hash_alone():
    secrets = Secrets(argocd_admin={"password": PASSWORD})
    assert told(run(secrets)) == {("create", SETTINGS)}
    assert bcrypt.checkpw(PASSWORD.encode(), secrets.data[SETTINGS]["admin.password"].encode())
    assert set(secrets.data[SETTINGS]) == {"admin.password", "admin.passwordMtime"}
    assert run(secrets) == ()
    assert len(secrets.written) == 1


def test_another_password_is_written_and_the_one_that_argo_cd_made_is_removed():
    secrets = Secrets(argocd_admin={"password": PASSWORD}, argocd_secret={"server.secretkey": "k"})
    secrets.data[SETTINGS]["admin.password"] = hash_password("made-by-argo-cd")
    secrets.data[INITIAL] = {"password": "made-by-argo-cd"}
    assert told(run(secrets, check=True)) == {("configure", SETTINGS), ("delete", INITIAL)}
    assert secrets.written == []
    changes = run(secrets)
    assert told(changes) == {("configure", SETTINGS), ("delete", INITIAL)}
    assert secrets.data[SETTINGS]["server.secretkey"] == "k"
    shown = repr([(change.as_dict(), change.diff()) for change in changes])
    for hidden in (PASSWORD, "made-by-argo-cd", secrets.data[SETTINGS]["admin.password"]):
        assert hidden not in shown
    assert INITIAL not in secrets.data
    assert run(secrets) == ()


def test_password_and_hash_are_kept_out_of_all_texts():
    secrets = Secrets(argocd_admin={"password": PASSWORD})
    run(secrets)
    hashed = secrets.data[SETTINGS]["admin.password"]
    coded = base64.b64encode(hashed.encode()).decode()
    assert redact.redact(f"{PASSWORD} and {hashed} and {coded}") == "*** and *** and ***"


def test_a_secret_that_argo_cd_makes_at_the_same_moment_is_changed_instead():
    secrets = Secrets(argocd_admin={"password": PASSWORD}, argocd_secret={"server.secretkey": "k"})
    secrets.hidden = True  # it came between look and creation
    run(secrets)
    assert matches(PASSWORD, secrets.data[SETTINGS]["admin.password"])


@pytest.mark.parametrize("hashed", ["", "not a hash", "$2a$10$short"])
def test_what_is_no_hash_is_replaced(hashed):
    secrets = Secrets(argocd_admin={"password": PASSWORD}, argocd_secret={"admin.password": hashed})
    assert told(run(secrets)) == {("configure", SETTINGS)}
    assert run(secrets) == ()


def test_a_secret_that_does_not_exist_is_an_error_but_in_check_mode_it_may_still_come():
    secrets = Secrets()
    with pytest.raises(InputError, match="there is no Secret argocd/argocd-admin"):
        run(secrets)
    [change] = run(secrets, check=True)
    assert (str(change.action), change.reason) == (
        "create",
        "the admin password of Secret argocd-admin, which is not there yet",
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"user": "admin"}, "has nothing under password"),
        ({"password": ""}, "has nothing under password"),
        ({"password": "seven77"}, "shorter than 8 characters"),
        ({"password": "x" * 73}, "longer than 72 bytes"),
        ({"password": "ü" * 37}, "longer than 72 bytes"),
        ({"password": f"{PASSWORD}\n"}, "has a line break"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_a_password_that_can_not_be_used_is_refused_and_not_shown(data, message, check):
    secrets = Secrets(argocd_admin=data)
    with pytest.raises(InputError, match=message) as caught:
        run(secrets, check=check)
    assert secrets.written == []
    assert PASSWORD not in str(caught.value)


def test_what_is_not_text_is_refused():
    secrets = Secrets()
    secrets.raw["argocd-admin"] = {"data": {"password": base64.b64encode(b"\xff" * 12).decode()}}
    with pytest.raises(InputError, match="is not text"):
        run(secrets)


def test_the_longest_and_the_shortest_password_that_bcrypt_takes_whole_are_taken():
    for password in ("x" * 72, "eight888"):
        hashed = hash_password(password)
        assert matches(password, hashed)
        assert not matches(password[:-1], hashed)
