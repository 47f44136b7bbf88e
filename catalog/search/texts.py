"""What a dataset, a job or a pipeline is found by: its name and what its facets or its document say of it.

Whatever a producer sent: what has another type than it should is passed over.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, Literal, NamedTuple

from catalog.search.words import WHOLE, indexed_words, whole_of

Kind = Literal["dataset", "job", "pipeline"]
KINDS: tuple[Kind, ...] = ("dataset", "job", "pipeline")

#: So much of a description counts, in characters.
MOST_DESCRIPTION = 16_384
#: Facets that an entry is made of.
FACETS = ("documentation", "ownership", "schema", "tags")


class Field(IntEnum):
    """Where a text stands: the more it says about what a thing is, the earlier."""

    NAME = 0
    COLUMN = 1
    TAG = 2
    OWNER = 3
    DESCRIPTION = 4
    #: Asked for by filters alone.
    NAMESPACE = 5


#: Fields that a text is looked for in.
ASKED_FIELDS = (Field.NAME, Field.COLUMN, Field.TAG, Field.OWNER, Field.DESCRIPTION)
#: A key of an entry is so many times the number of a word, and the field.
FIELDS_IN_KEY = 8


class Text(NamedTuple):
    """A text that something is found by; the column that it is said of, where it is said of one."""

    field: Field
    text: str
    column: str | None = None


def kind_key(kind: Kind) -> int:
    """Return the key that every entry of the kind has."""
    return -1 - KINDS.index(kind)


def word_key(word_id: int, field: Field) -> int:
    """Return the key of an entry that has the word in the field."""
    return word_id * FIELDS_IN_KEY + field


def words_to_index(namespace: str, name: str, texts: Sequence[Text]) -> set[tuple[str, Field]]:
    """Return every word of what an entity is found by, with its field; of short texts the whole too."""
    found: dict[Field, set[str]] = {field: set() for field in Field}
    found[Field.NAMESPACE].add(whole_of(namespace))
    for field, text, _ in (Text(Field.NAME, name), *texts):
        words = found[field]
        words.update(indexed_words(text))
        if field is not Field.DESCRIPTION:
            words.add(whole_of(text))
        if field is Field.OWNER and ":" in text:
            # `team:sales` is asked for as `sales` too.
            words.add(whole_of(text.partition(":")[2]))
    found[Field.OWNER].discard(WHOLE)
    return {(word, field) for field, words in found.items() for word in words}


def texts_of_facets(facets: Mapping[str, Mapping[str, Any]]) -> list[Text]:
    """Return what the facets of a dataset or a job say, each text once."""
    found = list(_columns(_objects(facets.get("schema"), "fields"), ""))
    for tag in _objects(facets.get("tags"), "tags"):
        found += _tag(_text(tag, "key"), _text(tag, "value"), _text(tag, "field"))
    for owner in _objects(facets.get("ownership"), "owners"):
        if name := _text(owner, "name"):
            found.append(Text(Field.OWNER, name))
    if description := _text(facets.get("documentation"), "description"):
        found.append(Text(Field.DESCRIPTION, description[:MOST_DESCRIPTION]))
    return list(dict.fromkeys(found))


def texts_of_document(body: Mapping[str, Any]) -> list[Text]:
    """Return what a pipeline's document says: its owner, its labels as tags, its description."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return []
    found: list[Text] = []
    labels = metadata.get("labels")
    for key, value in (labels if isinstance(labels, dict) else {}).items():
        found += _tag(key, value if isinstance(value, str) else None, None)
    if owner := _text(metadata, "owner"):
        found.append(Text(Field.OWNER, owner))
    if description := _text(metadata, "description"):
        found.append(Text(Field.DESCRIPTION, description[:MOST_DESCRIPTION]))
    return list(dict.fromkeys(found))


def _columns(fields: Sequence[Mapping[str, Any]], above: str) -> Iterator[Text]:
    """Give each column and its description; one within another is called `outer.inner`."""
    for column in fields:
        if name := _text(column, "name"):
            path = above + name
            yield Text(Field.COLUMN, path, path)
            if description := _text(column, "description"):
                yield Text(Field.DESCRIPTION, description[:MOST_DESCRIPTION], path)
            yield from _columns(_objects(column, "fields"), f"{path}.")


def _tag(key: str | None, value: str | None, column: str | None) -> Iterator[Text]:
    """Give a tag by its key, and by key and value where the value says more than that it is there."""
    if key:
        yield Text(Field.TAG, key, column)
        if value and value.lower() != "true":
            yield Text(Field.TAG, f"{key}:{value}", column)


def _text(value: Mapping[str, Any] | None, name: str) -> str | None:
    found = None if value is None else value.get(name)
    # PostgreSQL's texts hold no NUL.
    return found.replace("\0", " ") if isinstance(found, str) and found else None


def _objects(value: Mapping[str, Any] | None, name: str) -> list[dict[str, Any]]:
    found = None if value is None else value.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
