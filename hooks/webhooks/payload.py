"""The body of a message as it goes over the wire; `python -m hooks.webhooks.payload FILE` writes its JSON Schema.

Names and values are those that GraphQL shows to whoever may read. What a text may hold of credentials is redacted
here once more, because a message leaves the installation.
"""

import datetime as dt
import json
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from catalog.documents.schema import DIALECT

TEST_EVENT = "webhook.test"


class WireModel(BaseModel):
    """A part of a message; camelCase on the wire. Receivers ignore fields that they do not know."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class DatasetOnWire(WireModel):
    """A dataset as OpenLineage names it."""

    id: str = Field(description="Its node id, dataset:NAMESPACE:NAME.")
    namespace: str = Field(description="Where it is.")
    name: str = Field(description="Its name there.")


class JobOnWire(WireModel):
    """A job as OpenLineage names it."""

    namespace: str = Field(description="Where it is.")
    name: str = Field(description="Its name there.")


class ProducerOnWire(WireModel):
    """The OpenLineage run that made a version."""

    id: uuid.UUID = Field(description="The run's UUID.")
    job: JobOnWire | None = Field(description="Its job, where it is known.")


class VersionOnWire(WireModel):
    """A dataset version."""

    id: uuid.UUID = Field(description="Its UUID, by which GraphQL's `version` finds it.")
    time: dt.datetime = Field(description="The event's time, never later than its receipt.")
    partition: str | None = Field(description="The partition that it is a version of.")
    row_count: int | None = Field(description="Rows that were written, where that was told.")
    byte_count: int | None = Field(description="Bytes that were written, where that was told.")
    run: ProducerOnWire | None = Field(
        description="What made it; null where a report or an event told of it."
    )


class VersionData(WireModel):
    """What became of a dataset version."""

    position: int = Field(
        description="Ledger position of the fact that made it so: messages come in its order."
    )
    dataset: DatasetOnWire = Field(description="The dataset.")
    aliases: list[DatasetOnWire] = Field(description="Other names of the same dataset.")
    version: VersionOnWire = Field(description="The version.")


class RunOnWire(WireModel):
    """A pipeline run and the move that it made."""

    id: uuid.UUID = Field(description="Its UUID, by which GraphQL's `pipelineRun` finds it.")
    number: int = Field(description="Its number within the pipeline.")
    state: str = Field(description="The state that it came to.")
    previous_state: str | None = Field(description="The state before; null for a run that just became due.")
    attempt: int = Field(description="The attempt that this is about; 0 before the first.")
    cause: str = Field(description="`versions` or `manual`.")
    due_at: dt.datetime = Field(description="When it became due.")
    document_version: int = Field(description="Version of the Pipeline document that it goes by.")
    reason: str = Field(description="Why it came to the state, for people.")
    actor: str = Field(description="Who or what brought it there.")


class RunData(WireModel):
    """What became of a pipeline run."""

    position: int = Field(
        description="Ledger position of the fact that made it so: messages come in its order."
    )
    pipeline: str = Field(description="Name of the pipeline.")
    run: RunOnWire = Field(description="The run.")


class ProbeData(WireModel):
    """What somebody asked for to see whether messages arrive."""

    position: int = Field(description="Ledger position of the command.")
    webhook: str = Field(description="Name of the webhook.")
    actor: str = Field(description="Who asked.")


class _Message(WireModel):
    timestamp: dt.datetime = Field(description="When Headwater heard of it.")


class VersionMessage(_Message):
    """A dataset version was published, left incomplete, doubted or taken back."""

    type: str = Field(pattern=r"^version\.[a-z_]+$", description="What happened.")
    data: VersionData = Field(description="What it happened to.")


class RunMessage(_Message):
    """A pipeline run came to the state that stands in the type."""

    type: str = Field(pattern=r"^pipeline_run\.[a-z_]+$", description="What happened.")
    data: RunData = Field(description="What it happened to.")


class ProbeMessage(_Message):
    """Somebody tries whether messages arrive; nothing happened."""

    type: Literal["webhook.test"] = Field(description="What happened.")
    data: ProbeData = Field(description="Who asked.")


Message = VersionMessage | RunMessage | ProbeMessage
_MESSAGE: TypeAdapter[Any] = TypeAdapter(Annotated[Message, Field(union_mode="smart")])


def encode_message(message: Message) -> bytes:
    """Return the body that is signed and sent; a repetition sends the same bytes."""
    return message.model_dump_json(by_alias=True).encode()


def payload_schema() -> dict[str, Any]:
    """Return the JSON Schema of every body that is sent."""
    written = _MESSAGE.json_schema(by_alias=True, mode="serialization")
    return {
        "$schema": DIALECT,
        "$id": "urn:headwater:v1:webhook-message",
        "title": "Webhook message",
    } | written


def printed_schema() -> str:
    """Return the schema as its file has it."""
    return json.dumps(payload_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(printed_schema(), encoding="utf-8")
