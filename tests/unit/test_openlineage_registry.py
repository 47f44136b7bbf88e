from typing import Any

import orjson
import pytest

from catalog.openlineage.reference import facet_reference
from catalog.openlineage.registry import RULES, rules_of
from tests.conftest import DATA, PROJECT

#: What an event's part is called in the specification.
BASES = {
    "RunFacet": "run",
    "JobFacet": "job",
    "DatasetFacet": "dataset",
    "InputDatasetFacet": "input",
    "OutputDatasetFacet": "output",
}
#: The parent facet names the kinds of run and job that it points to; it stands on runs alone.
NOT_FACETS_OF = {("parent", "job")}


def test_every_facet_stands_in_the_registry_once() -> None:
    names = [(rule.place, rule.name) for rule in RULES]

    assert len(set(names)) == len(names)
    assert all(rules_of(rule.place)[rule.name] is rule for rule in RULES)


def test_every_facet_says_what_it_does_in_a_sentence() -> None:
    for rule in RULES:
        assert rule.effect.endswith("."), rule.name


def bases_in(value: Any) -> set[str]:
    """Return the parts of an event whose facets a schema extends."""
    if isinstance(value, dict):
        reference = value.get("$ref", "")
        own = {reference.rsplit("/", 1)[1]} & set(BASES) if "OpenLineage.json" in reference else set()
        return own.union(*(bases_in(child) for child in value.values()))
    if isinstance(value, list):
        return set().union(*(bases_in(child) for child in value))
    return set()


@pytest.mark.interop
def test_the_registry_names_every_facet_of_the_specification() -> None:
    paths = sorted((DATA / "openlineage" / "spec" / "facets").glob("*.json"))
    specified = set()
    for path in paths:
        schema = orjson.loads(path.read_bytes())
        for name in schema["properties"]:
            specified |= {(name, BASES[base], path.stem) for base in bases_in(schema["$defs"])}
    specified = {found for found in specified if found[:2] not in NOT_FACETS_OF}

    assert len(paths) >= 38
    assert specified == {(rule.name, rule.place, rule.schema) for rule in RULES if rule.schema}


def test_the_published_page_is_current_and_names_every_facet() -> None:
    page = facet_reference()

    hint = "run `python -m catalog.openlineage.reference > docs/openlineage.md`"
    assert (PROJECT / "docs" / "openlineage.md").read_text("utf-8") == page, hint
    assert sum(line.startswith("| `") for line in page.splitlines()) == len(RULES)
