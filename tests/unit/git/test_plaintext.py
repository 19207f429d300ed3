# SPDX-License-Identifier: Apache-2.0
"""Secrets in clear are recognised, encrypted ones and other files are left alone."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.git.plaintext import holds_plaintext_secret

HEAD = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.yaml", HEAD + "data: {a: Yg==}\n"),
        ("a.YML", HEAD + "stringData: {a: b}\n"),
        ("a.json", '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"a": "Yg=="}}'),
        ("a.yaml", "kind: ConfigMap\n---\n" + HEAD + "data: {a: Yg==}\n"),
        ("a.yaml", "kind: List\nitems:\n- kind: Secret\n  data: {a: Yg==}\n"),
        ("a.yaml", "kind: SecretList\nitems:\n- data: {a: Yg==}\n"),
    ],
)
def test_secrets_in_clear(path, text):
    assert holds_plaintext_secret(path, text.encode())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.yaml", HEAD),
        ("a.yaml", HEAD + "type: kubernetes.io/service-account-token\ndata: {}\n"),
        ("a.yaml", HEAD + "data: {a: 'ENC[AES256_GCM,data:x]'}\nsops: {version: 3.9.0}\n"),
        ("a.yaml", "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nspec: {encryptedData: {a: x}}\n"),
        ("a.yaml", "kind: Deployment\nspec: {volumes: [{secret: {kind: Secret}}]}\n"),
        ("a.yaml", "kind: Secret\ndata:\n  {{ range .Values }}\n"),
        ("a.txt", HEAD + "data: {a: Yg==}\n"),
    ],
)
def test_everything_else(path, text):
    assert not holds_plaintext_secret(path, text.encode())
