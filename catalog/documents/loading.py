"""Documents from files, folders and texts."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from catalog.documents.document import Document
from catalog.documents.faults import Fault, invalid_document
from catalog.documents.raw import MAX_BYTES
from catalog.documents.reading import read
from catalog.documents.receiving import receive_document
from catalog.errors import InvalidDocument

SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def load_documents(paths: Iterable[str | os.PathLike[str]]) -> list[Document]:
    """Return the documents of files and folders in the order given, a folder's files in order of their paths.

    A folder is read with its subfolders; names that begin with a dot are left out. Raises `InvalidDocument`
    that names file, line and field, also where two documents have one kind and name.
    """
    documents: list[Document] = []
    for path in map(Path, paths):
        for file in _files(path):
            documents.extend(_parsed(_content(file), str(file)))
    _refuse_twins(documents)
    return documents


def load_text(text: bytes | str, source: str) -> list[Document]:
    """Return the documents of one text; `source` is what messages call it."""
    documents = list(_parsed(text, source))
    _refuse_twins(documents)
    return documents


def _parsed(text: bytes | str, source: str) -> Iterator[Document]:
    found = False
    for raw in read(text, source):
        found = True
        document = receive_document(raw.value, source, raw.place)
        place = raw.place(())
        yield document if place is None else replace(document, source=f"{source}:{place.line}")
    if not found:
        raise _refusal("expected a document, found none", source)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files: list[Path] = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        files.extend(
            Path(folder, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        )
    if not files:
        raise _refusal("expected .yaml, .yml or .json files in the folder, found none", str(path))
    return sorted(files, key=lambda file: file.parts)


def _content(file: Path) -> bytes:
    """Return the file's bytes, or one byte more than the limit."""
    try:
        # A pipe or a device would never end.
        if file.exists() and not file.is_file():
            raise _refusal("expected a file or a folder, found something else", str(file))
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"expected a file that can be read: {error.strerror or error}"
        raise _refusal(reason, str(file)) from error


def _refusal(reason: str, source: str) -> InvalidDocument:
    return invalid_document([Fault((), reason)], source)


def _refuse_twins(documents: list[Document]) -> None:
    seen: dict[tuple[str, str], Document] = {}
    for document in documents:
        first = seen.setdefault((document.kind, document.name), document)
        if first is not document:
            reason = f"expected one {document.title}, found another in {first.source}"
            raise invalid_document([Fault(("metadata", "name"), reason)], document.source)
