"""The document kind `Webhook`: who is told what, where, and signed with which secret.

Source of signatures and of what an answer means: Standard Webhooks (standardwebhooks.com), specification 1.0.
"""

import difflib
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from catalog.documents.duration import Duration
from catalog.documents.http_launcher import MAX_URL, LaunchUrl
from catalog.documents.pipeline import Backoff
from catalog.documents.references import DocumentModel, Metadata
from catalog.documents.secret_name import SecretName

MAX_FILTERS = 100
#: Earlier secrets that still sign: more than one rotation at a time is a mistake, four are forgiven.
MAX_PREVIOUS_SECRETS = 4
LONGEST_TIMEOUT = timedelta(seconds=30)

VERSION_EVENTS = ("version.published", "version.partial", "version.disputed", "version.withdrawn")
RUN_EVENTS = (
    "pipeline_run.pending",
    "pipeline_run.held",
    "pipeline_run.queued",
    "pipeline_run.launching",
    "pipeline_run.running",
    "pipeline_run.retrying",
    "pipeline_run.succeeded",
    "pipeline_run.failed",
    "pipeline_run.cancelled",
    "pipeline_run.timed_out",
    "pipeline_run.lost",
    "pipeline_run.archived",
)
ALL_VERSION_EVENTS, ALL_RUN_EVENTS = "version.*", "pipeline_run.*"
#: What a document may name, and what stands in `type` of a message, but for the two that mean all of a kind.
EVENT_NAMES = (ALL_VERSION_EVENTS, *VERSION_EVENTS, ALL_RUN_EVENTS, *RUN_EVENTS)


def _event_name(name: str) -> str:
    if name in EVENT_NAMES:
        return name
    near = difflib.get_close_matches(name[:100], EVENT_NAMES, n=1, cutoff=0.5)
    hint = f", did you mean {near[0]!r}?" if near else ""
    reason = f"expected one of {', '.join(EVENT_NAMES)}; found {name!r:.100}{hint}"
    raise PydanticCustomError("event", "{reason}", {"reason": reason})


def _plain_url(url: str) -> str:
    if "${" in url:
        raise PydanticCustomError("url", "expected a URL without variables")
    return url


EventName = Annotated[
    str, AfterValidator(_event_name), WithJsonSchema({"type": "string", "enum": list(EVENT_NAMES)})
]
WebhookUrl = Annotated[
    LaunchUrl,
    AfterValidator(_plain_url),
    WithJsonSchema({"type": "string", "pattern": r"^https?://(?!.*\$\{)[!-~]+$", "maxLength": MAX_URL}),
]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class DatasetGlob(DocumentModel):
    """Datasets by their names: `*` stands for any text and `?` for any one character, case counts."""

    namespace: Glob = Field("*", description="Pattern of the namespace.", examples=["duckdb://*"])
    name: Glob = Field("*", description="Pattern of the name.", examples=["marts.*"])


class WebhookBackoff(Backoff):
    """How long to wait before the next attempt: a random part of a time that grows up to a maximum."""

    initial: Duration = Field(timedelta(seconds=5), description="Longest wait before the second attempt.")
    factor: float = Field(
        4.0, ge=1, le=100, allow_inf_nan=False, description="How much longer it grows with each attempt."
    )
    maximum: Duration = Field(timedelta(hours=3), description="Longest wait of all.")


class WebhookRetries(DocumentModel):
    """What happens to a message that was not taken: it is sent again, and is a dead letter after the last attempt."""

    count: int = Field(12, ge=0, le=100, description="Attempts after the first one.")
    backoff: WebhookBackoff = Field(
        WebhookBackoff(),
        description="How long to wait between attempts; the default spreads them over about ten hours.",
    )


class WebhookSpec(DocumentModel):
    """Where messages go, which, and how they are signed."""

    url: WebhookUrl = Field(
        description="Where messages are posted to.", examples=["https://hooks.example.com/headwater"]
    )
    events: Annotated[tuple[EventName, ...], Field(strict=False)] = Field(
        min_length=1,
        max_length=len(EVENT_NAMES),
        json_schema_extra={"uniqueItems": True},
        description="What is told; `version.*` and `pipeline_run.*` stand for all of their kind.",
        examples=[["version.published", "pipeline_run.failed"]],
    )
    datasets: Annotated[tuple[DatasetGlob, ...], Field(strict=False)] = Field(
        (),
        max_length=MAX_FILTERS,
        description="Only versions of datasets that one of these fits, by any of their names; without it of all.",
        examples=[[{"namespace": "duckdb://*", "name": "marts.*"}]],
    )
    pipelines: Annotated[tuple[Glob, ...], Field(strict=False)] = Field(
        (),
        max_length=MAX_FILTERS,
        description="Only runs of pipelines whose name one of these fits; without it of all.",
        examples=[["flights_*"]],
    )
    secret: SecretName = Field(
        description="The secret that signs, by name; its value has the form `whsec_` and base64 of 24 to 64 bytes.",
        examples=["env:HEADWATER_SECRET_WEBHOOK"],
    )
    previous_secrets: Annotated[tuple[SecretName, ...], Field(strict=False)] = Field(
        (),
        max_length=MAX_PREVIOUS_SECRETS,
        description="Secrets that sign too while receivers change over to the new one.",
    )
    timeout: Duration = Field(
        timedelta(seconds=10), description="Longest time the receiver may take to answer, 30s at most."
    )
    retries: WebhookRetries = Field(WebhookRetries(), description="What happens after a failed attempt.")
    paused: bool = Field(
        False, description="Whether nothing is sent; messages wait, and are sent when it is resumed."
    )

    @field_validator("events")
    @classmethod
    def _each_once(cls, events: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(events)) != len(events):
            raise PydanticCustomError("event", "expected each event once")
        return tuple(name for name in EVENT_NAMES if name in events)

    @field_validator("timeout")
    @classmethod
    def _bounded_timeout(cls, timeout: timedelta) -> timedelta:
        if timeout > LONGEST_TIMEOUT:
            raise PydanticCustomError("duration", "expected a timeout of at most 30s")
        return timeout


class Webhook(DocumentModel):
    """A receiver that Headwater tells of versions and pipeline runs, in order and at least once."""

    model_config = ConfigDict(title="Webhook")

    api_version: Literal["headwater/v1"] = Field(description="The version of this form.")
    kind: Literal["Webhook"] = Field(description="What the document declares.")
    metadata: Metadata = Field(description="Name, owner and description.")
    spec: WebhookSpec = Field(
        description="The receiver, what it is told, and what happens where it does not answer."
    )

    @property
    def name(self) -> str:
        """The webhook's name, unique among webhooks."""
        return self.metadata.name
