# SPDX-License-Identifier: Apache-2.0
"""Expressions to wait for: what is understood, what is refused, and when they hold."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulumi_gitops.core.deploy import State, readiness
from pulumi_gitops.core.deploy.jsonpath import Every, Index, JsonPath, Key, Where, parse
from pulumi_gitops.core.deploy.wait_for import WaitFor, annotated, parse_wait_for, skips_await
from pulumi_gitops.core.deploy.waiting import Target, all_ready, expressions_for
from pulumi_gitops.core.errors import InputError
from pulumi_gitops.core.objects import ObjectRef

DATABASE = {
    "apiVersion": "example.com/v1",
    "kind": "Database",
    "metadata": {"name": "main", "namespace": "shop", "generation": 2, "annotations": {"a/b": "c"}},
    "status": {
        "observedGeneration": 2,
        "phase": "Running",
        "port": 5432,
        "primary": True,
        "ratio": 0.5,
        "empty": "",
        "nothing": None,
        "nodes": [{"name": "a", "state": "up"}, {"name": "b", "state": "up"}],
        "mixed": [{"state": "up"}, {"state": "down"}],
        "partial": [{"state": "up"}, {}],
        "none": [],
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "Starting", "message": "soon"},
            {"type": "Synced", "status": "True", "observedGeneration": 2},
            {"type": "Old", "status": "True", "observedGeneration": 1},
        ],
    },
}


@pytest.mark.parametrize(
    "text",
    [
        "condition=Synced",
        "condition=synced",
        "condition=Ready=False",
        "condition=Ready=false",
        "jsonpath={.status.phase}=Running",
        "jsonpath={.status.phase}='Running'",
        'jsonpath={.status.phase}="Running"',
        "jsonpath={['status'][\"phase\"]}=Running",
        "jsonpath={.status.port}=5432",
        "jsonpath={.status.primary}=true",
        "jsonpath={.status.ratio}=0.5",
        'jsonpath={.status.empty}=""',
        "jsonpath={.status.phase}",
        "jsonpath={.status.empty}",
        "jsonpath={.metadata.annotations['a/b']}=c",
        "jsonpath={.status.nodes[0].name}=a",
        "jsonpath={.status.nodes[*].state}=up",
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}=False',
        "jsonpath={.status.conditions[?@.type=='Ready'].reason}=Starting",
        'jsonpath={.status.nodes[?(@.name=="b")].state}=up',
        "  jsonpath={.status.phase}=Running  ",
    ],
)
def test_it_holds(text):
    assert parse_wait_for(text).unmet(DATABASE) == ""
    assert readiness(DATABASE, wait_for=[parse_wait_for(text)]).ready


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("condition=Ready", "it is False (Starting: soon)"),
        ("condition=Missing", "there is no such condition"),
        ("condition=Old", "of an older generation"),
        ("jsonpath={.status.phase}=Stopped", "it is 'Running'"),
        ("jsonpath={.status.primary}=1", "it is 'true'"),
        ("jsonpath={.status.nothing}", "there is nothing at {.status.nothing}"),
        ("jsonpath={.status.absent.deeper}", "there is nothing at"),
        ("jsonpath={.status.nodes[2].name}", "there is nothing at"),
        ("jsonpath={.status.mixed[*].state}=up", "it is 'down'"),
        ("jsonpath={.status.partial[*].state}=up", "there is nothing at"),
        ("jsonpath={.status.none[*].state}=up", "there is nothing at"),
        ('jsonpath={.status.conditions[?(@.type=="No")].status}=True', "there is nothing at"),
        ("jsonpath={.status.nodes[0]}=a", 'it is \'{"name":"a"'),
        ("jsonpath={.status.port[0]}", "there is nothing at"),
    ],
)
def test_it_does_not_hold_and_says_why(text, said):
    expression = parse_wait_for(text)
    assert said in expression.unmet(DATABASE)
    found = readiness(DATABASE, wait_for=[expression])
    assert (found.state, found.reason) == (State.IN_PROGRESS, "WaitFor")
    assert str(expression) in found.message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("Ready", "neither a condition nor a JSONPath"),
        ("", "neither a condition nor a JSONPath"),
        ("delete", "neither a condition nor a JSONPath"),
        ("condition=", "is no condition"),
        ("condition=Ready=", "is no condition"),
        ("condition=Ready=True=False", "is no condition"),
        ("condition=Two Words", "is no condition"),
        ("jsonpath=.status.phase", "not in braces"),
        ("jsonpath={}", "is empty"),
        ("jsonpath={.status.phase", "a closing brace is missing"),
        ("jsonpath={.status.phase}=", "after the path comes nothing, or = and a value"),
        ("jsonpath={.status.phase}Running", "after the path comes nothing, or = and a value"),
        ("jsonpath={.status..phase}", "can not be read at '..phase}'"),
        ("jsonpath={status.phase}", "can not be read at 'status.phase}'"),
        ("jsonpath={.a[-1]}", "can not be read at '[-1]}'"),
        ("jsonpath={.a[1:2]}", "can not be read"),
        ("jsonpath={.a[?(@.b>1)]}", "can not be read"),
        ("jsonpath={.a[?(@.b==1]}", "can not be read"),
        ("jsonpath={.a['b]}", "can not be read"),
        ("jsonpath={.a}{.b}", "after the path"),
        ("condition=" + "a" * 2000, "longer than 1000"),
        (7, "has to be a text or a mapping, not int"),
        (["condition=Ready"], "not list"),
        ({"condition": "Ready"}, "needs kind"),
        ({"kind": "Database"}, "either condition or jsonpath"),
        ({"kind": "Database", "condition": "Ready", "jsonpath": "{.a}"}, "either condition or jsonpath"),
        ({"kind": "Database", "condition": "Ready", "label": "x"}, "knows no label"),
        ({"kind": "Database", "condition": True}, "condition has to be a text"),
        ({"kind": "", "condition": "Ready"}, "kind has to be a text that is not empty"),
        ({"kind": "Database", "jsonpath": "status.phase=x"}, "not in braces"),
    ],
)
def test_what_can_not_be_read_is_refused_with_the_reason(given, said):
    with pytest.raises(InputError) as caught:
        parse_wait_for(given)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_mapping_limits_it_to_some_objects():
    one = parse_wait_for({"kind": "Database", "name": "main", "namespace": "shop", "condition": "Ready=False"})
    assert (one.kind, one.name, one.namespace, str(one)) == ("Database", "main", "shop", "condition=Ready=False")
    assert one.applies_to(ObjectRef.of(DATABASE))
    assert not one.applies_to(ObjectRef("example.com", "v1", "Database", "shop", "other"))
    full = parse_wait_for({"kind": "example.com/Database", "jsonpath": "{.status.phase}=Running"})
    assert full.applies_to(ObjectRef.of(DATABASE))
    assert not full.applies_to(ObjectRef("other.com", "v1", "Database", "shop", "main"))


# --- properties ------------------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
KEYS = st.text(max_size=8).filter(lambda text: not ("'" in text and '"' in text))
LITERALS = KEYS | st.integers(-(10**12), 10**12) | st.booleans()
STEPS = (
    NAMES.map(Key)
    | KEYS.map(Key)
    | st.integers(0, 999_999).map(Index)
    | st.just(Every())
    | st.builds(Where, st.lists(NAMES, min_size=1, max_size=3).map(tuple), LITERALS)
)
PATHS = st.lists(STEPS, min_size=1, max_size=6).map(lambda steps: JsonPath(tuple(steps)))
CONDITIONS = st.builds(
    WaitFor,
    condition=st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9./_-]{0,8}[A-Za-z0-9])?", fullmatch=True),
    status=st.sampled_from(["True", "False", "Unknown", "true"]),
)
VALUES = st.none() | st.text(max_size=12)
LIMITS = st.just({}) | st.fixed_dictionaries({"kind": NAMES}, optional={"name": NAMES, "namespace": NAMES})
EXPRESSIONS = CONDITIONS | st.builds(WaitFor, path=PATHS, value=VALUES)


@given(EXPRESSIONS, LIMITS)
@example(WaitFor(path=JsonPath((Key("a"),)), value='"x"'), {})
@example(WaitFor(path=JsonPath((Key("a"),)), value=" x "), {"kind": "A"})
def test_every_expression_is_read_back_from_what_it_writes(expression, limits):
    whole = WaitFor(expression.condition, expression.status, expression.path, expression.value, **limits)
    assert parse_wait_for(whole.as_input()) == whole


@given(PATHS, st.text(max_size=10))
def test_every_path_is_read_back_and_what_follows_it_is_left(path, rest):
    assert parse(f"{path}{rest}") == (path, rest)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.text()
    | st.text("{}[]().?@=*'\"abc019-").map("jsonpath={".__add__)
    | st.text("Ready=Fals. ").map("condition=".__add__)
    | ANYTHING
    | st.dictionaries(st.sampled_from(["kind", "name", "namespace", "condition", "jsonpath", "x"]), ANYTHING)
)
def test_whatever_is_given_is_an_expression_or_a_clear_error(given):
    try:
        found = parse_wait_for(given)
    except InputError as error:
        found = error
    assert isinstance(found, WaitFor) or found.hint


@given(EXPRESSIONS, st.dictionaries(st.sampled_from(["status", "metadata", "a"]), ANYTHING))
def test_an_expression_can_be_asked_about_any_object(expression, obj):
    assert isinstance(expression.unmet(obj), str)


# --- with objects ----------------------------------------------------------------------------------------------------


def at(generation: int, **status: object) -> dict:
    return {
        **DATABASE,
        "metadata": {**DATABASE["metadata"], "generation": generation},
        "status": {**DATABASE["status"], **status},
    }


def test_a_status_of_an_older_generation_meets_nothing():
    expression = parse_wait_for("jsonpath={.status.phase}=Running")
    assert readiness(at(3), wait_for=[expression]).reason == "LatestGenerationNotObserved"
    assert readiness(DATABASE, wait_for=[expression], generation=3).reason == "OldGeneration"
    assert readiness(at(3, observedGeneration=3), wait_for=[expression], generation=3).ready


def test_an_expression_takes_the_place_of_the_rule_but_failed_stays_failed():
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "x"},
        "status": {"startTime": "now", "active": 1, "conditions": []},
    }
    running = parse_wait_for("jsonpath={.status.active}=1")
    assert not readiness(job).ready
    assert readiness(job, wait_for=[running]).ready
    over = {**job, "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}}
    assert readiness(over, wait_for=[running]).state is State.FAILED
    assert readiness(over, wait_for=[parse_wait_for("condition=Failed")]).ready


def annotate(**annotations: str) -> dict:
    given = {f"pulumi.com/{name}": value for name, value in annotations.items()}
    return {**DATABASE, "metadata": {**DATABASE["metadata"], "annotations": given}}


def test_an_object_says_in_annotations_what_it_is_ready_by():
    assert annotated(annotate(waitFor="condition=Synced")) == (parse_wait_for("condition=Synced"),)
    both = annotate(waitFor='["condition=Synced", "jsonpath={.status.phase}=Running"]')
    assert [str(found) for found in annotated(both)] == ["condition=Synced", "jsonpath={.status.phase}=Running"]
    assert Target.of(both).wait_for == annotated(both)
    assert all_ready([both])
    assert not all_ready([annotate(waitFor="condition=Ready")])
    assert skips_await(annotate(skipAwait="true"))
    assert not skips_await(annotate(skipAwait="false"))
    assert all_ready([annotate(skipAwait="true", waitFor="condition=Ready")])


@pytest.mark.parametrize("text", ["Ready", "[", '["condition=Ready", 3]', '[["condition=Ready"]]', "[" * 5000])
def test_an_annotation_that_can_not_be_read_is_an_error_that_names_the_object(text):
    with pytest.raises(InputError, match=r"Database shop/main: annotation pulumi\.com/waitFor: "):
        Target.of(annotate(waitFor=text))


CONFIG, CRD, DEPLOYMENT, MAIN, OTHER = (
    ObjectRef("", "v1", "ConfigMap", "shop", "web"),
    ObjectRef("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", "databases.example.com"),
    ObjectRef("apps", "v1", "Deployment", "shop", "web"),
    ObjectRef.of(DATABASE),
    ObjectRef("example.com", "v1", "Database", "shop", "other"),
)


def test_an_expression_without_a_kind_is_about_what_can_change_if_that_is_of_one_kind():
    expression = parse_wait_for("condition=Ready")
    assert set(expressions_for([expression], [CONFIG, CRD, MAIN, OTHER])) == {MAIN.key, OTHER.key}
    service = ObjectRef("", "v1", "Service", "shop", "web")
    assert set(expressions_for([expression], [DEPLOYMENT, service])) == {DEPLOYMENT.key}
    assert set(expressions_for([expression], [CONFIG, service])) == {service.key}
    with pytest.raises(InputError, match="it could be about Database, Deployment"):
        expressions_for([expression], [MAIN, DEPLOYMENT])


def test_an_expression_that_is_about_nothing_is_an_error_that_names_what_there_is():
    for form in ({"kind": "Database", "name": "typo", "condition": "Ready"}, "condition=Ready"):
        with pytest.raises(InputError) as caught:
            expressions_for([parse_wait_for(form)], [CONFIG])
        assert "no object of the set is meant" in caught.value.message
        assert "ConfigMap shop/web" in caught.value.hint


def test_a_kind_that_never_changes_by_itself_can_be_waited_for_by_name():
    expression = parse_wait_for({"kind": "ConfigMap", "name": "web", "jsonpath": "{.data.ready}=yes"})
    assert expressions_for([expression], [CONFIG, MAIN]) == {CONFIG.key: (expression,)}
