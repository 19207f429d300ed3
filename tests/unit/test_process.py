# SPDX-License-Identifier: Apache-2.0
"""Running other programs: what comes back, what an error says, and that nothing stays behind."""

from __future__ import annotations

import sys

import pytest

from pulumi_gitops.core import process, redact
from pulumi_gitops.core.errors import ProcessError


def python(code, **kwargs):
    options = {"timeout": 60, "env": process.allowed_env()} | kwargs
    return process.run([sys.executable, "-c", code], **options)


def test_output_input_and_folder(tmp_path):
    code = "import os, sys; print(os.getcwd()); print(sys.stdin.read(), file=sys.stderr)"
    assert python(code, input=b"hello", cwd=tmp_path) == process.Completed(f"{tmp_path}\n", "hello\n", 0)


def test_undecodable_output_is_replaced():
    assert python(r"import sys; sys.stdout.buffer.write(b'caf\xe9')").stdout == "caf\ufffd"


def test_only_allowed_variables_are_passed_on(monkeypatch):
    monkeypatch.setenv("CI_JOB_TOKEN", "canary")
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    shown = python("import os; print(dict(os.environ))", env=process.allowed_env({"EXTRA": "1"})).stdout
    assert "canary" not in shown
    assert "proxy.example.com" in shown
    assert "'EXTRA': '1'" in shown


def test_a_failure_names_program_exit_code_and_last_lines():
    with pytest.raises(ProcessError) as caught:
        python("import sys; print('\\n'.join(map(str, range(100))), file=sys.stderr); sys.exit(3)")
    assert "failed with exit code 3" in caught.value.message
    assert caught.value.details["program"] == sys.executable
    assert caught.value.details["returncode"] == 3
    assert caught.value.details["output"].splitlines()[0] == "80"
    assert caught.value.message.endswith("\n99")


def test_a_failure_can_be_a_result():
    assert python("raise SystemExit(3)", check=False).returncode == 3


def test_secrets_in_the_output_of_a_failure_are_masked():
    redact.register("canary-of-process")
    with pytest.raises(ProcessError) as caught:
        python("raise SystemExit('no access with canary-' + 'of-process')")
    assert "canary-of-process" not in f"{caught.value} {caught.value.as_dict()}"
    assert "no access with ***" in caught.value.message


def test_what_the_caller_knows_to_be_secret_is_masked_too():
    with pytest.raises(ProcessError) as caught:
        python("raise SystemExit('canary-of-' + 'caller')", mask=lambda text: text.replace("canary-of-caller", "***"))
    assert "canary-of-caller" not in f"{caught.value} {caught.value.as_dict()}"
    assert caught.value.details["output"] == "***"


def test_a_missing_program_is_named():
    with pytest.raises(ProcessError, match="no-such-program can not be started") as caught:
        process.run(["no-such-program"], timeout=1, env={})
    assert "PATH" in caught.value.hint


def test_a_timeout_kills_grandchildren_too():
    # The grandchild holds our end of the output: run() could not return for ten minutes if it lived on.
    with pytest.raises(ProcessError, match=r"did not end within 0\.5 s and was killed"):
        process.run(["sh", "-c", "sleep 600 & wait"], timeout=0.5, env=process.allowed_env())
