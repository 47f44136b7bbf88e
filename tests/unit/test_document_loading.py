"""Documents from files and folders."""

import os
from pathlib import Path

import pytest

from catalog.documents.loading import load_documents, load_text
from catalog.errors import InvalidDocument


def text(name: str, timeout: str = "1h") -> str:
    return f"""apiVersion: headwater/v1
kind: Pipeline
metadata: {{name: {name}, owner: data-platform}}
spec:
  when: {{dataset: "dataset:ns:raw"}}
  timeout: {timeout}
  launch: {{command: {{argv: [dbt-ol, build]}}}}
"""


JSON = """{"apiVersion": "headwater/v1", "kind": "VersionScope",
 "metadata": {"name": "spark", "owner": "x"}, "spec": {"namespace": "spark", "scope": "rootRun"}}"""


def refusal(*paths: Path) -> str:
    with pytest.raises(InvalidDocument) as refused:
        load_documents(paths)
    return str(refused.value)


def test_a_file_holds_many_documents(tmp_path: Path) -> None:
    file = tmp_path / "pipelines.yaml"
    file.write_text(text("b") + "---\n" + text("a"))

    documents = load_documents([file])

    assert [(document.title, document.source) for document in documents] == [
        ("Pipeline b", f"{file}:1"),
        ("Pipeline a", f"{file}:9"),
    ]


def test_a_folder_is_read_whole_in_order_of_paths(tmp_path: Path) -> None:
    for name in [
        "b.yaml",
        "a/z.yml",
        "a/y.yaml",
        "c.json",
        ".hidden.yaml",
        ".git/x.yaml",
        "README.md",
        "a.txt",
    ]:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(JSON if name == "c.json" else text(file.stem.lstrip(".")))

    names = [document.name for document in load_documents([tmp_path])]

    assert names == ["y", "z", "b", "spark"]


def test_paths_are_read_in_the_order_given(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(text(name))

    names = [document.name for document in load_documents([tmp_path / "b.yaml", tmp_path / "a.yaml"])]

    assert names == ["b", "a"]


def test_two_documents_of_one_name_are_refused_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text("twin"))
    (tmp_path / "b.yaml").write_text("---\n" + text("other") + "---\n" + text("twin"))

    message = refusal(tmp_path)

    assert message == (
        f"{tmp_path}/b.yaml:10: /metadata/name: "
        f"expected one Pipeline twin, found another in {tmp_path}/a.yaml:1"
    )


def test_one_faulty_document_refuses_all_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text("good"))
    (tmp_path / "b.yaml").write_text(text("good-too") + "---\n" + text("bad", timeout="soon"))

    assert refusal(tmp_path).startswith(f"{tmp_path}/b.yaml:14:3: /spec/timeout: expected a duration such as")


def test_a_folder_without_documents_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    assert "expected .yaml, .yml or .json files in the folder, found none" in refusal(tmp_path)
    (tmp_path / "a.yaml").write_text("# nothing\n")
    assert refusal(tmp_path) == f"{tmp_path}/a.yaml: expected a document, found none"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.yaml") == (
        f"{tmp_path}/missing.yaml: expected a file that can be read: No such file or directory"
    )


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")

    assert "expected a file or a folder, found something else" in refusal(tmp_path / "pipe.yaml")


def test_a_folder_that_links_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text("a"))
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)

    assert [document.name for document in load_documents([tmp_path])] == ["a"]


def test_a_text_is_loaded_under_the_name_that_messages_use() -> None:
    [document] = load_text(JSON, "standard input")
    assert (document.title, document.source) == ("VersionScope spark", "standard input")

    with pytest.raises(InvalidDocument, match=r"^standard input:6:3: /spec/timeout: "):
        load_text(text("a", timeout="x"), "standard input")
