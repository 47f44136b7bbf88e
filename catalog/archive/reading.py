"""An archive opened: what it is, whether it is whole, and its rows."""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from catalog.archive.form import FORM, HEADER, MANIFEST, Header, Manifest, TableCopy
from catalog.archive.table_copies import Chunk
from catalog.errors import InvalidArchive, NewerArchive, NotFound

_DAMAGED = (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, KeyError)


@dataclass(frozen=True, slots=True)
class Archive:
    """An open archive whose header and manifest were read."""

    file: Path
    tar: tarfile.TarFile
    manifest: Manifest

    def chunks(self, table: TableCopy) -> Iterator[Chunk]:
        """Give the rows of the table; raise `InvalidArchive` where a member is not the one that was written."""
        for part in table.parts:
            content = _member(self.tar, self.file, part.name)
            if hashlib.sha256(content).hexdigest() != part.sha256:
                raise InvalidArchive(f"{self.file}: {part.name} is not what was written: its SHA-256 differs")
            text = gzip.decompress(content)
            yield Chunk(text, text.count(b"\n"))

    def check(self) -> None:
        """Read everything; raise `InvalidArchive` where something is not what was written."""
        for table in self.manifest.tables:
            for _ in self.chunks(table):
                pass


@contextmanager
def open_archive(file: Path) -> Iterator[Archive]:
    """Yield the archive.

    Raises `NotFound`, `InvalidArchive` for what is none or was cut short, and `NewerArchive` for another form.
    """
    try:
        tar = tarfile.open(file, "r:")  # noqa: SIM115 - closed below; opening alone is judged here
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {file}") from error
    except (*_DAMAGED, OSError) as error:
        raise InvalidArchive(
            f"expected an archive that `headwater backup` wrote in {file}, found none: {error}"
        ) from error
    with tar:
        try:
            header = Header.model_validate_json(_member(tar, file, HEADER))
            if header.form > FORM:
                written = f"{file} was written by release {header.headwater} in form {header.form}"
                raise NewerArchive(f"{written}; this release reads forms up to {FORM}")
            manifest = Manifest.model_validate_json(_member(tar, file, MANIFEST))
        except ValidationError as error:
            raise InvalidArchive(f"{file}: expected an archive of form {FORM}: {error}"[:500]) from error
        yield Archive(file, tar, manifest)


def _member(tar: tarfile.TarFile, file: Path, name: str) -> bytes:
    try:
        found = tar.extractfile(name)
        if found is None:
            raise KeyError(name)
        with found:
            return found.read()
    except _DAMAGED as error:
        told = "was cut short" if name == MANIFEST else f"has no readable {name}"
        raise InvalidArchive(f"{file} is no whole archive: it {told}") from error
