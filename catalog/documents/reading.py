"""Text to raw documents, YAML or JSON."""

import contextlib
import json
from collections.abc import Iterator

from catalog.documents.faults import Fault, Place, invalid_document
from catalog.documents.json_text import parse_json, read_json
from catalog.documents.raw import MAX_BYTES, RawDocument
from catalog.documents.yaml_text import YamlReader


def read(data: bytes | str, source: str) -> Iterator[RawDocument]:
    """Yield the documents of a text in order; raise `InvalidDocument` that names the place of a fault.

    JSON is text from a source that ends in `.json`, and other text that begins with a brace
    and parses as such.
    """
    text = _decoded(data, source)
    if source.endswith(".json"):
        yield RawDocument(read_json(text, source), source)
        return
    if text.lstrip().startswith("{"):
        mapping = None
        # YAML's flow form begins like JSON, so JSON's own faults decide nothing here.
        with contextlib.suppress(json.JSONDecodeError, RecursionError):
            mapping = parse_json(text, source)
        if mapping is not None:
            yield RawDocument(mapping, source)
            return
    yield from YamlReader(text, source).documents()


def _decoded(data: bytes | str, source: str) -> str:
    try:
        encoded = data if isinstance(data, bytes) else data.encode()
        if len(encoded) > MAX_BYTES:
            reason = f"expected at most {MAX_BYTES} bytes, found {len(encoded)}"
            raise invalid_document([Fault((), reason)], source)
        return encoded.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = encoded.count(b"\n", 0, error.start) + 1
        place = Place(line, error.start - encoded.rfind(b"\n", 0, error.start))
        reason = f"expected UTF-8, found the byte 0x{encoded[error.start]:02x}"
        raise invalid_document([Fault((), reason)], source, lambda _: place) from error
    except UnicodeEncodeError as error:
        raise invalid_document(
            [Fault((), "expected Unicode text, found half of a character")], source
        ) from error
