"""Lines about datasets and jobs that both have."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from web.cli.output import cell

Answer = Mapping[str, Any]


def joined(texts: Iterable[str]) -> Text:
    """Return the texts one below the other, `-` where there are none."""
    listed = list(texts)
    return Text("\n").join(cell(text) for text in listed) if listed else cell(None)


def owners(found: Sequence[Answer]) -> Text:
    """Return who answers for it."""
    return joined(f"{owner['name']} ({owner['type']})" if owner["type"] else owner["name"] for owner in found)


def tags(found: Sequence[Answer]) -> Text:
    """Return the labels that it has itself; those of columns stand beside the columns."""
    return joined(tag_text(tag) for tag in found if not tag.get("field"))


def tag_text(tag: Answer) -> str:
    """Return a label as it is searched by."""
    value = tag["value"]
    return f"{tag['key']}:{value}" if value and value.lower() != "true" else str(tag["key"])


def listed_jobs(neighbours: Answer) -> Text:
    """Return the jobs beside a dataset, and whether there are more."""
    ids = [job["id"] for job in neighbours["jobs"]]
    complete = neighbours["completeness"]["complete"]
    return joined(ids if complete else [*ids, f"… ({neighbours['completeness']['reason'].lower()})"])


def facet_names(facets: Sequence[Answer]) -> Text:
    """Return which facets were told of."""
    return cell(", ".join(facet["name"] for facet in facets) or None)
