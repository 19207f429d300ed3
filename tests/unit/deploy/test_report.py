# SPDX-License-Identifier: Apache-2.0
"""Plans as text, Markdown and JSON: complete, within bounds, and nothing in them breaks out of its place."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy.model import Action, Change, FieldOwner, Plan
from pulumi_gitops.core.deploy.report import as_json, as_markdown, as_text, summary
from pulumi_gitops.core.errors import AdmissionDeniedError, ConflictError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.core.redact import register

HOSTILE = "x|`~~~~~\n~~~~~\r</details><b onclick=1> *_[a](b)_* \\| &lt; \x1b[2J \u202e"
LIMIT = 60_000


def ref(name, kind="ConfigMap"):
    return ObjectRef("", "v1", kind, "shop", name)


def config(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def planned(*changes, **more):
    values = {"release": "web", "namespace": "shop", "revision": 2, "set_digest": "sha256:s", "digest": "sha256:d"}
    return Plan(**{**values, "changes": changes, **more})


CONFLICT = Change(
    Action.CONFLICT,
    ref("c"),
    config(a="1"),
    config(a="2"),
    "2 fields belong to another manager",
    (FieldOwner(".data.a", "kubectl"), FieldOwner(".data.b", "helm")),
    ConflictError("2 fields belong to another manager", hint="Remove the fields."),
)
PLAN = planned(
    Change(Action.CONFIGURE, ref("a"), config(a="red", b="1"), config(a="blue", c="1")),
    Change(Action.CREATE, ref("b"), None, config(), "its namespace is created first"),
    CONFLICT,
    Change(Action.UNCHANGED, ref("quiet")),
    Change(Action.UNCHANGED, ref("kept"), reason="kept by its annotation"),
    Change(Action.HANDED_OVER, ref("f"), config(), config(), "owned by Flux (web)"),
    Change(Action.PRUNE, ref("old"), config(), None),
    warnings=("v1beta1 is deprecated",),
)


def test_a_plan_as_text_names_what_happens_to_each_object_and_why():
    assert as_text(PLAN).splitlines() == [
        "release shop/web: 1 to create, 1 to configure, 1 to prune, 1 in conflict, 1 handed over, 2 unchanged",
        "  ~ ConfigMap shop/a: configure",
        "      .data.a: red -> blue",
        '      .data.b: - "1"',
        '      .data.c: + "1"',
        "  + ConfigMap shop/b: create (its namespace is created first)",
        "  ! ConfigMap shop/c: conflict",
        "      .data.a is owned by kubectl",
        "      .data.b is owned by helm",
        "      Remove the fields.",
        "  = ConfigMap shop/kept: unchanged (kept by its annotation)",
        "  > ConfigMap shop/f: handed over (owned by Flux (web))",
        "  - ConfigMap shop/old: prune",
        "warning: v1beta1 is deprecated",
        "plan digest sha256:d",
    ]
    assert not [line for line in as_text(PLAN, fields=False).splitlines() if line.startswith("      ")]
    assert as_text(planned()) == "release shop/web: no objects"
    assert summary(planned(Change(Action.RECREATE, ref("a")))) == "1 to recreate"


def test_a_plan_as_markdown_has_a_row_for_each_object_and_its_details_folded():
    lines = as_markdown(PLAN).splitlines()
    assert lines[0] == "### Plan for release `shop/web`"
    assert "| ~ | ConfigMap shop/a | configure |  |" in lines
    assert "| ! | ConfigMap shop/c | conflict | 2 fields of other managers |" in lines
    assert "| = | ConfigMap shop/kept | unchanged | kept by its annotation |" in lines
    start = lines.index("<details><summary>ConfigMap shop/a</summary>")
    block = ["", "~~~~~text", ".data.a: red -> blue", '.data.b: - "1"', '.data.c: + "1"', "~~~~~", "</details>", ""]
    assert lines[start + 1 : start + 9] == block
    assert lines[-3:] == ["> warning: v1beta1 is deprecated", "", "Plan digest: `sha256:d`"]
    assert "Nothing changes." in as_markdown(planned(Change(Action.UNCHANGED, ref("a"))))


def test_a_plan_as_json_is_json_and_names_fields_conflicts_and_errors():
    found = json.loads(json.dumps(as_json(PLAN)))
    assert (found["changed"], found["refused"], found["counts"]["unchanged"]) == (True, 1, 2)
    changes = {change["name"]: change for change in found["changes"]}
    assert set(changes) == {"a", "b", "c", "kept", "f", "old"}
    assert changes["a"]["fields"][0] == {"path": ".data.a", "before": "red", "after": "blue"}
    assert changes["c"]["conflicts"][0] == {"field": ".data.a", "manager": "kubectl"}
    assert changes["c"]["error"] == {
        "code": "cluster.conflict",
        "message": "2 fields belong to another manager",
        "hint": "Remove the fields.",
    }


def test_of_many_fields_and_conflicts_the_first_are_told_and_the_others_counted():
    many = Change(Action.CONFIGURE, ref("a"), config(), config(**{f"k{n}": "v" for n in range(33)}))
    owners = tuple(FieldOwner(f".data.k{n}", "x") for n in range(33))
    refused = Change(Action.CONFLICT, ref("c"), conflicts=owners, error=ConflictError("no"))
    text = as_text(planned(many, refused))
    assert "      and 13 more fields\n" in text
    assert "      and 23 more conflicts\n" in text


def outside_fences(markdown):
    """The lines that Markdown reads as markup; asserts that every code block is closed."""
    found, fence = [], ""
    for line in re.split(r"\r\n|\n|\r", markdown):
        run = re.match(r" {0,3}(~{3,})(text)?\s*\Z", line)
        if not fence and run:
            fence = run[1]
        elif fence and run and not run[2] and len(run[1]) >= len(fence):
            fence = ""
        elif not fence:
            found.append(line)
    assert not fence
    return found


KNOWN_LINES = [
    r"### .*|\*\*.*\*\*|\*and \d+ more [a-z ]+\*|> warning:.*|Plan digest:.*|Nothing changes\.|",
    r"<details><summary>[^<>\n]*</summary>|</details>",
    r"\| \| object \| action \| \||\|( --- \|){4}",
    r"\|(([^\\|`*_~&<>\[\]]|\\.)*\|){4}|\| [~>] \|(([^\\|`*_~&<>\[\]]|\\.)*\|){3}",
]


def check_markdown(plan):
    text = as_markdown(plan)
    assert len(text) <= LIMIT
    lines = outside_fences(text)
    assert [line for line in lines if not re.fullmatch("|".join(KNOWN_LINES), line)] == []
    assert sum(line.startswith("<details>") for line in lines) == lines.count("</details>")
    return text


def hostile(text):
    refused = AdmissionDeniedError(text, hint=f"see {text}")
    return planned(
        Change(
            Action.CONFIGURE,
            ref(text, f"K{text}"),
            {f"k{text}": text, "a": [text]},
            {f"k{text}": text + "x", "a": [{"b": text}]},
        ),
        Change(Action.BLOCKED, ref(text), None, None, text, (), refused),
        Change(Action.CONFLICT, ref(text), None, None, text, (FieldOwner(text, text),), refused),
        Change(Action.HANDED_OVER, ref(text), reason=text),
        warnings=(text, text),
    )


@settings(max_examples=200, deadline=None)
@given(st.text() | st.text("|`~\n\r</details>\\*_[]& ab\u2028", max_size=30))
def test_no_name_value_or_message_breaks_out_of_its_place(text):
    check_markdown(hostile(text))
    lines = as_text(hostile(text)).split("\n")
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(as_text(hostile("x")).split("\n"))


def test_a_name_that_is_meant_to_break_out_is_shown_as_it_is():
    text = check_markdown(hostile(HOSTILE))
    assert "&lt;/details&gt;&lt;b onclick=1&gt;" in text
    assert r"x\|\`\~\~\~\~\~ \~\~\~\~\~ \</details\>\<b onclick=1\>" in text
    assert "\x1b" not in text + as_text(hostile(HOSTILE))


@pytest.mark.parametrize(("objects", "size", "warnings"), [(3000, 5, 0), (100, 5000, 0), (3, 90_000, 3), (5, 5, 9000)])
def test_markdown_fits_into_a_comment_and_says_what_was_left_out(objects, size, warnings):
    changes = [
        Change(Action.CONFIGURE, ref(f"n{n}-" + "x" * size), config(), config(**{"y" * size: "z" * size}))
        for n in range(objects)
    ]
    refused = Change(Action.BLOCKED, ref("b"), reason="|" * size * 10, error=AdmissionDeniedError("x " * size * 5))
    text = check_markdown(planned(*changes, refused, warnings=("w " * (size + 300),) * warnings))
    shown = len(re.findall(r"^\| ", text, re.MULTILINE)) - 2
    left_out = re.search(r"\*and (\d+) more objects\*", text)
    assert shown + (int(left_out[1]) if left_out else 0) == objects + 1
    assert "Plan digest: `sha256:d`" in text
    if objects == 3000:
        assert left_out
    if warnings == 9000:
        told = text.count("> warning: ")
        assert f"*and {warnings - told} more warnings*" in text


def test_known_credentials_in_messages_are_hidden_in_every_form_and_signs_stay():
    register("canary-4711")
    error = AdmissionDeniedError("denied: canary-4711", hint="not canary-4711")
    blocked = Change(Action.BLOCKED, ref("b"), reason=error.message, error=error)
    owned = Change(Action.CONFLICT, ref("c"), conflicts=(FieldOwner(".x", "canary-4711"),), error=error)
    added = Change(Action.CONFIGURE, ref("a"), {"x": 1}, {"x": 1, "token": "***"})
    handed = Change(Action.HANDED_OVER, ref("d"), reason="owned by canary-4711")
    plan = planned(blocked, owned, added, handed, warnings=("canary-4711 seen",))
    for form in (as_text(plan), as_markdown(plan)):
        assert "canary" not in form
        assert ".token: + ***" in form
    assert "canary" not in json.dumps({**as_json(planned(blocked, handed)), "warnings": as_json(plan)["warnings"]})
