"""When a document is unchanged, and what differs when it is not."""

import copy
from typing import Any

from catalog.documents.document import ABSENT, Change, Document, difference, render_difference
from catalog.documents.kinds import document_of, model_of, parse_document

BODY: dict[str, Any] = {
    "apiVersion": "headwater/v1",
    "kind": "Pipeline",
    "metadata": {"name": "model", "owner": "data-platform"},
    "spec": {
        "when": {"dataset": {"namespace": "ns", "name": "raw"}},
        "launch": {"command": {"argv": ["dbt-ol", "build"]}},
    },
}


def document(**spec: Any) -> Document:
    changed = copy.deepcopy(BODY)
    changed["spec"] |= spec
    return parse_document(changed)


def test_the_digest_of_a_document_is_fixed() -> None:
    # Stored digests must stay comparable; this value may never change.
    assert document().digest == "bd20788323f61a4f6c020fec177ae36ccaf00ada19c11e8fc5b37b462656895a"


def test_other_words_for_the_same_are_no_change() -> None:
    in_other_words = document(
        when={"dataset": "dataset:ns:raw"},
        batching="each",
        timeout="PT24H",
        retries={
            "count": 0,
            "backoff": {"factor": 2.0, "initial": 1},
            "outcomes": ["lost", "failed", "timed_out"],
        },
        concurrency=1.0,
        produces=[],
        job=None,
    )

    assert in_other_words == document()
    assert in_other_words.digest == document().digest
    assert difference(document(), in_other_words) == []


def test_fields_in_another_order_are_no_change() -> None:
    turned = {key: BODY[key] for key in reversed(BODY)}

    assert parse_document(turned).digest == document().digest


def test_the_source_does_not_make_a_document_another() -> None:
    assert parse_document(BODY, "a.yaml") == parse_document(BODY, "b.yaml")


def test_the_body_is_enough_to_have_the_document_again() -> None:
    once = document(timeout=90, produces=["dataset:ns:mart"])

    again = parse_document(once.body)

    assert again == once
    assert again.body == once.body
    assert document_of(model_of(once)) == once
    assert once.body["spec"]["timeout"] == "1m30s"
    assert once.body["spec"]["produces"] == [{"namespace": "ns", "name": "mart"}]


def test_what_equals_a_default_is_not_in_the_body() -> None:
    assert document(retries={"count": 0}, concurrency=1, onFailure="keep").body == BODY


def test_a_difference_names_every_value_that_changed() -> None:
    old = document(timeout="1h", produces=["dataset:ns:a", "dataset:ns:b"], batching="latest")
    new = document(timeout="2h", produces=["dataset:ns:a"], concurrency=3)

    changes = difference(old, new)

    assert changes == [
        Change(("spec", "batching"), "latest", ABSENT),
        Change(("spec", "concurrency"), ABSENT, 3),
        Change(("spec", "produces", 1), {"name": "b", "namespace": "ns"}, ABSENT),
        Change(("spec", "timeout"), "1h", "2h"),
    ]
    assert changes[2].pointer == "/spec/produces/1"
    assert render_difference(changes).splitlines() == [
        "- spec.batching: latest",
        "+ spec.concurrency: 3",
        '- spec.produces.1: {"name":"b","namespace":"ns"}',
        "~ spec.timeout: 1h -> 2h",
    ]


def test_a_new_and_a_deleted_document_differ_as_a_whole() -> None:
    [added] = difference(None, document())
    [removed] = difference(document(), None)

    assert (added.path, added.old, added.new) == ((), ABSENT, document().body)
    assert (removed.old, removed.new) == (document().body, ABSENT)
    assert difference(None, None) == []
    assert render_difference([added]).startswith('+ document: {"apiVersion":"headwater/v1"')


def test_a_changed_form_of_condition_is_shown() -> None:
    new = document(when={"all": [{"dataset": "dataset:ns:raw"}, {"dataset": "dataset:ns:more"}]})

    assert [change.pointer for change in difference(document(), new)] == [
        "/spec/when/all",
        "/spec/when/dataset",
    ]


def test_a_line_of_a_difference_is_one_line_of_bounded_length() -> None:
    new = parse_document(
        BODY | {"metadata": BODY["metadata"] | {"description": "two\nlines\x1b[31m" + "x" * 900}}
    )

    rendered = render_difference(difference(document(), new))

    assert rendered.startswith("+ metadata.description: two\\nlines\\u001b[31mxxx")
    assert rendered.endswith("x…")
    assert len(rendered) < 250
    assert rendered.isprintable()
