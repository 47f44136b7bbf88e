"""`headwater apply` and `headwater delete`: declared things, read here so that a fault is told with file and line."""

import copy
import re
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from catalog.documents.document import Document
from catalog.documents.loading import load_documents, load_text
from catalog.errors import InvalidInput
from web.cli.client import connected
from web.cli.event_files import read_source
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import print_json, print_line, say, warn
from web.cli.queries import APPLY, DELETE
from web.cli.text import count, shown

#: What follows the file in the source of a document.
_LINE = re.compile(r":[0-9]+$")
_STYLES = {"CREATED": "green", "UPDATED": "yellow", "UNCHANGED": "dim", "DELETED": "red"}


def run_apply(
    files: Annotated[
        list[str],
        typer.Option(
            "--file", "-f", metavar="FILE|DIR", help="YAML or JSON, a folder of such, or - for stdin."
        ),
    ],
    url: Url = None,
    data_dir: DataDir = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; change nothing.")
    ] = False,
    resolve: Annotated[
        bool,
        typer.Option(
            "--resolve-directories",
            help="Make a relative workingDirectory absolute, from the folder of its document. Without this a worker"
            " looks for it in the folders that it allows.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register documents, all or none.

    What says the same as before is left as it is, so the command may be repeated.
    """
    documents = _load(files)
    bodies = [resolved(document) if resolve else document.body for document in documents]
    with connected(url, data_dir) as client:
        done = client.ask(APPLY, documents=bodies, dryRun=dry_run, key=secrets.token_hex(16))[
            "applyDocuments"
        ]
    if as_json:
        print_json(done)
        return
    for change in done["documents"]:
        print_line(_line(change))
        for difference in change["text"].splitlines():
            print_line(f"  {difference}")
        for warning in change["warnings"]:
            warn(f"{change['kind']} {change['name']}: {warning['message']}")
    say(_summary(done))


def _load(files: list[str]) -> list[Document]:
    if "-" not in files:
        return load_documents(files)
    if len(files) > 1:
        raise InvalidInput("expected either -f - alone, or files and folders")
    return load_text(read_source("-"), "stdin")


def resolved(document: Document) -> dict[str, Any]:
    """Return the body with a relative working directory made absolute, from the folder that the document lies in."""
    body = copy.deepcopy(dict(document.body))
    command = body.get("spec", {}).get("launch", {}).get("command", {})
    directory = command.get("workingDirectory")
    if isinstance(directory, str):
        file = Path(_LINE.sub("", document.source))
        command["workingDirectory"] = str((file.parent / directory).resolve())
    return body


def _line(change: dict[str, Any]) -> Text:
    done = change["change"]
    name = shown(f"{change['kind']} {change['name']}")
    return Text.assemble((done.lower(), _STYLES.get(done, "")), f" {name} (version {change['version']})")


def _summary(done: dict[str, Any]) -> str:
    kinds = [change["change"].lower() for change in done["documents"]]
    parts = [f"{kinds.count(kind)} {kind}" for kind in ("created", "updated", "unchanged") if kind in kinds]
    told = f"{count(len(kinds), 'document')}: {', '.join(parts)}"
    return f"{told}; a dry run, nothing was stored" if done["dryRun"] else told


def run_delete(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Kind of the document, such as Pipeline.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Delete a document.

    Its versions and what they did stay. Waiting runs of a pipeline are cancelled, those that run go on.
    """
    with connected(url, data_dir) as client:
        done = client.ask(DELETE, kind=kind, name=name, key=secrets.token_hex(16))["deleteDocument"]
    if as_json:
        print_json(done)
        return
    print_line(f"deleted {done['document']['kind']} {done['document']['name']}")
