from pathlib import Path

from catalog.documents.loading import load_documents, load_text
from web.cli.documents import resolved

DOCUMENT = """
apiVersion: headwater/v1
kind: Pipeline
metadata: {name: build, owner: team}
spec:
  when: {dataset: {namespace: ns, name: raw}}
  launch: {command: {argv: ["true"], workingDirectory: %s}}
"""


def directory_of(body: dict[str, object]) -> str:
    return str(body["spec"]["launch"]["command"]["workingDirectory"])  # type: ignore[index]  # a document as JSON


def test_a_relative_folder_is_taken_from_the_folder_of_the_document(tmp_path: Path) -> None:
    folder = tmp_path / "a folder: with a colon"
    folder.mkdir()
    (folder / "build.yaml").write_text(DOCUMENT % "../jobs")
    (document,) = load_documents([folder])
    assert directory_of(resolved(document)) == str(tmp_path / "jobs")
    # The document itself stays as it was written.
    assert directory_of(dict(document.body)) == "../jobs"


def test_an_absolute_folder_stays() -> None:
    (document,) = load_text(DOCUMENT % "/srv/jobs", "stdin")
    assert directory_of(resolved(document)) == "/srv/jobs"


def test_a_document_without_a_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(DOCUMENT.replace(", workingDirectory: %s", ""))
    (document,) = load_documents([tmp_path / "a.yaml"])
    assert resolved(document) == document.body
