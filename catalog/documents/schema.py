"""JSON Schemas of the documents, for editors; `python -m catalog.documents.schema FOLDER` writes the files.

What JSON Schema cannot say is left to Headwater: an upper bound of durations written as text, that `when`
nests at most so deep and names a dataset once in one `all` or `any`, that the longest backoff is not
shorter than the first; of the `http` launcher the names of variables, which headers a document may not
write, and what its parts ask of each other. Source: JSON Schema 2020-12.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from catalog.documents.duration import format_duration
from catalog.documents.kinds import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """Writes durations in their short form and closes mappings whose names have a pattern."""

    schema_dialect = DIALECT

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        written = super().dict_schema(schema)
        if "patternProperties" in written:
            written["additionalProperties"] = False
        return written


def schema_of(api_version: str, kind: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind; raise `KeyError` where there is no such kind."""
    model = KINDS[api_version, kind]
    written = model.model_json_schema(by_alias=True, schema_generator=_Generator, mode="validation")
    head = {"$schema": DIALECT, "$id": f"urn:{api_version.replace('/', ':')}:{kind}"}
    return head | written


def schema_files() -> dict[str, str]:
    """Return the content of every schema file by its name."""
    return {
        f"{api_version.replace('/', '-')}-{kind}.json": json.dumps(
            schema_of(api_version, kind), indent=2, ensure_ascii=False
        )
        + "\n"
        for api_version, kind in KINDS
    }


def main(arguments: list[str]) -> int:
    """Write the files into a folder; return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m catalog.documents.schema FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in schema_files().items():
        (folder / name).write_text(content, encoding="utf-8")
        sys.stdout.write(f"{folder / name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
