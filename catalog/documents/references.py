"""What every document shares: strict models, metadata, and references to datasets and jobs."""

import difflib
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from catalog.keys import DatasetKey, JobKey
from catalog.openlineage.limits import MAX_NAME_BYTES

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
#: As long as a name in an event may be, so that every dataset and job can be named.
OpenLineageName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_BYTES)]


class DocumentModel(BaseModel):
    """A part of a document: frozen, without coercion, without unknown fields; camelCase in documents."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        field_title_generator=lambda name, _: name.replace("_", " ").capitalize(),
        # Defaults are part of the published schema, so a wrong one must not wait for a document to show.
        validate_default=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_fields(cls, value: Any) -> Any:
        """Refuse unknown fields with the nearest known name."""
        if isinstance(value, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            unknown = [key for key in value if key not in known]
            if unknown:
                raise PydanticCustomError(
                    "unknown_field",
                    "{reason}",
                    {"reason": unknown_fields(unknown, known), "field": unknown[0]},
                )
        return value


def unknown_fields(unknown: list[str], known: list[str]) -> str:
    """Return a message that names each unknown field (at most 5) and the nearest known name."""
    parts = []
    for field in unknown[:5]:
        near = difflib.get_close_matches(field[:100], known, n=1, cutoff=0.5)
        parts.append(f"unknown field {field!r:.100}" + (f", did you mean {near[0]!r}?" if near else ""))
    return "; ".join(parts) + f" (expected {', '.join(known)})"


class Metadata(DocumentModel):
    """Who the document is about and who answers for it."""

    name: Name = Field(
        description="Unique among documents of the kind; letters, digits, `.`, `_` and `-`, at most 128.",
        examples=["flights_model"],
    )
    owner: Text = Field(description="The person or team that answers for it.", examples=["data-platform"])
    description: Annotated[str, StringConstraints(max_length=20_000)] = Field(
        "", description="What it is for, in Markdown."
    )
    labels: dict[Name, Annotated[str, StringConstraints(max_length=2000)]] = Field(
        default={}, description="Free names and values to search by."
    )


class DatasetName(DocumentModel):
    """A dataset as OpenLineage names it."""

    namespace: OpenLineageName = Field(
        description="The dataset's OpenLineage namespace.", examples=["duckdb://flights"]
    )
    name: OpenLineageName = Field(description="The dataset's OpenLineage name.", examples=["raw.flights"])

    @property
    def key(self) -> DatasetKey:
        """The dataset as a key."""
        return DatasetKey(self.namespace, self.name)


class JobName(DocumentModel):
    """A job as OpenLineage names it."""

    namespace: OpenLineageName = Field(description="The job's OpenLineage namespace.", examples=["flights"])
    name: OpenLineageName = Field(description="The job's OpenLineage name.", examples=["dbt-run-flights"])

    @property
    def key(self) -> JobKey:
        """The job as a key."""
        return JobKey(self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class _OrNodeId:
    """Lets a document write `KIND:NAMESPACE:NAME` for a mapping, where it can be read in one way only."""

    kind: Literal["dataset", "job"]

    @property
    def pattern(self) -> str:
        # The one colon that does not begin `://` splits the namespace from the name.
        return rf"^{self.kind}:(?:[^:]|:(?=//))+:(?!//)(?:[^:]|:(?=//))+$"

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self.mapping, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "anyOf": [
                handler(schema),
                {
                    "type": "string",
                    "pattern": self.pattern,
                    "description": f"{self.kind}:NAMESPACE:NAME, where it can be read in one way only.",
                },
            ]
        }

    def mapping(self, value: Any) -> Any:
        """Turn a node id into namespace and name; leave anything else to the model."""
        if not isinstance(value, str):
            return value
        prefix, _, rest = value.partition(":")
        cuts = [match.start() for match in re.finditer(r":(?!//)", rest)]
        readings = [(rest[:cut], rest[cut + 1 :]) for cut in cuts if 0 < cut < len(rest) - 1]
        if prefix != self.kind or not readings:
            expected = f"expected a mapping with namespace and name, or {self.kind}:NAMESPACE:NAME"
            reason = f"{expected}, found {value!r:.200}"
            raise PydanticCustomError("node_id", "{reason}", {"reason": reason})
        if len(cuts) > 1:
            meanings = " or ".join(f"({namespace!r:.100}, {name!r:.100})" for namespace, name in readings[:3])
            if "@" in value:
                # A reading may tear a password out of its address, where nothing recognises it any more.
                meanings = "more than one namespace and name"
            reason = f"expected a mapping with namespace and name: {value!r:.200} can be read as {meanings}"
            raise PydanticCustomError("node_id", "{reason}", {"reason": reason})
        namespace, name = readings[0]
        return {"namespace": namespace, "name": name}


DatasetReference = Annotated[DatasetName, _OrNodeId("dataset")]
"""A dataset in a document: a mapping, or a node id."""

JobReference = Annotated[JobName, _OrNodeId("job")]
"""A job in a document: a mapping, or a node id."""
