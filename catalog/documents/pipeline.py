"""The document kind `Pipeline`: what runs, when it becomes due, and how."""

import functools
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self, assert_never, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from catalog.documents.airflow_launcher import AirflowLauncher
from catalog.documents.duration import Duration, format_duration
from catalog.documents.http_launcher import HttpLauncher
from catalog.documents.references import (
    DatasetName,
    DatasetReference,
    DocumentModel,
    JobReference,
    Metadata,
    Text,
    unknown_fields,
)
from catalog.documents.secret_name import SecretName
from catalog.keys import DatasetKey

MAX_WHEN_DEPTH = 16
MAX_WHEN_DATASETS = 1000

Argument = Annotated[str, StringConstraints(max_length=100_000)]
_ENVIRONMENT_NAME = (
    r"(?!(?:HEADWATER_.*|OPENLINEAGE_PARENT_ID|OPENLINEAGE_CONTEXT)$)[A-Za-z_][A-Za-z0-9_]{0,255}"
)


def _environment_name(name: str) -> str:
    if re.fullmatch(_ENVIRONMENT_NAME, name) is None:
        reason = (
            "expected a name of letters, digits and _ that Headwater does not set itself "
            f"(HEADWATER_…, OPENLINEAGE_PARENT_ID, OPENLINEAGE_CONTEXT), found {name!r:.200}"
        )
        raise PydanticCustomError("environment_name", "{reason}", {"reason": reason})
    return name


EnvironmentName = Annotated[
    str,
    AfterValidator(_environment_name),
    WithJsonSchema({"type": "string", "pattern": f"^{_ENVIRONMENT_NAME}$"}),
]

RetriedOutcome = Literal["failed", "timed_out", "lost"]


class WhenDataset(DocumentModel):
    """Due when a new version of the dataset is published."""

    dataset: DatasetReference = Field(description="A dataset, by any of its names.")


class WhenAll(DocumentModel):
    """Due when every child is."""

    children: "Annotated[tuple[When, ...], Field(strict=False)]" = Field(
        alias="all", min_length=1, max_length=MAX_WHEN_DATASETS, description="All of these."
    )


class WhenAny(DocumentModel):
    """Due when one child is."""

    children: "Annotated[tuple[When, ...], Field(strict=False)]" = Field(
        alias="any", min_length=1, max_length=MAX_WHEN_DATASETS, description="Any one of these."
    )


_WHEN_KEYS = ("dataset", "all", "any")
_LAUNCHER_KEYS = ("command", "http", "airflow")


def _one_key(field: str, keys: tuple[str, ...], value: Any) -> Any:
    """Refuse a value of the field that is no mapping with exactly one of the keys."""
    if isinstance(value, DocumentModel):
        return value
    expected = f"expected a mapping with exactly one of {', '.join(keys)}"
    if not isinstance(value, dict):
        raise PydanticCustomError(field, "{reason}", {"reason": f"{expected}, found {value!r:.200}"})
    unknown = [key for key in value if key not in keys]
    if unknown:
        reason = unknown_fields(unknown, list(keys))
        raise PydanticCustomError("unknown_field", "{reason}", {"reason": reason, "field": unknown[0]})
    if len(value) != 1:
        found = ", ".join(value) or "none"
        raise PydanticCustomError(field, "{reason}", {"reason": f"{expected}, found {found}"})
    return value


def _tag(value: Any) -> str:
    match value:
        case WhenDataset():
            return "<dataset>"
        case WhenAll():
            return "<all>"
        case WhenAny():
            return "<any>"
        case _:
            return f"<{next(iter(value))}>"


When = Annotated[
    Annotated[WhenDataset, Tag("<dataset>")]
    | Annotated[WhenAll, Tag("<all>")]
    | Annotated[WhenAny, Tag("<any>")],
    Discriminator(_tag),
    BeforeValidator(functools.partial(_one_key, "when", _WHEN_KEYS)),
]
"""When a pipeline is due: a dataset, or `all` or `any` of such."""


class SecretReference(DocumentModel):
    """A secret by name; it is read when an attempt starts and stored nowhere."""

    secret: SecretName = Field(
        description="`env:HEADWATER_SECRET_…`, a variable of the worker, or `file:NAME` in its secrets.",
        examples=["env:HEADWATER_SECRET_WAREHOUSE_PASSWORD"],
    )


def _value_tag(value: Any) -> str:
    return "<secret>" if isinstance(value, dict | SecretReference) else "<text>"


EnvironmentValue = Annotated[
    Annotated[Argument, Tag("<text>")] | Annotated[SecretReference, Tag("<secret>")],
    Discriminator(_value_tag),
]
"""A text, or a secret by name."""


class CommandLauncher(DocumentModel):
    """Runs a program on a worker that was started with `--allow-commands`."""

    argv: Annotated[tuple[Argument, ...], Field(strict=False)] = Field(
        min_length=1,
        max_length=1000,
        description="Program and arguments; no shell stands between.",
        examples=[["dbt-ol", "build", "--project-dir", "dbt"]],
    )
    working_directory: Text | None = Field(
        None, description="Folder to run in: absolute, or relative to a folder that the worker allows."
    )
    environment: dict[EnvironmentName, EnvironmentValue] = Field(
        default={},
        max_length=1000,
        description="Variables added to the clean environment of a run; secrets by name only.",
        examples=[{"DBT_TARGET": "production", "PASSWORD": {"secret": "env:HEADWATER_SECRET_WAREHOUSE"}}],
    )

    @field_validator("argv")
    @classmethod
    def _names_a_program(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not argv[0]:
            raise PydanticCustomError("argv", "expected the name of a program first, found an empty text")
        return argv


class CommandLaunch(DocumentModel):
    """A run is started as a program on a worker."""

    command: CommandLauncher = Field(description="Run a program on a worker.")


class HttpLaunch(DocumentModel):
    """A run is started by a request to an engine."""

    http: HttpLauncher = Field(description="Send a request to an engine.")


class AirflowLaunch(DocumentModel):
    """A run is started as a DAG run of Airflow."""

    airflow: AirflowLauncher = Field(description="Start a DAG run of Airflow 3.")


def _launch_tag(value: Any) -> str:
    match value:
        case CommandLaunch():
            return "<command>"
        case HttpLaunch():
            return "<http>"
        case AirflowLaunch():
            return "<airflow>"
        case _:
            return f"<{next(iter(value))}>"


Launch = Annotated[
    Annotated[CommandLaunch, Tag("<command>")]
    | Annotated[HttpLaunch, Tag("<http>")]
    | Annotated[AirflowLaunch, Tag("<airflow>")],
    Discriminator(_launch_tag),
    BeforeValidator(functools.partial(_one_key, "launch", _LAUNCHER_KEYS)),
]
"""How a run is started: one launcher, chosen by its key."""


class Backoff(DocumentModel):
    """How long to wait before the next attempt: a random part of a time that grows up to a maximum."""

    initial: Duration = Field(timedelta(seconds=1), description="Longest wait before the first retry.")
    factor: float = Field(
        2.0, ge=1, le=100, allow_inf_nan=False, description="How much longer it grows with each retry."
    )
    maximum: Duration = Field(timedelta(minutes=5), description="Longest wait of all.")

    @model_validator(mode="after")
    def _maximum_is_largest(self) -> Self:
        if self.maximum < self.initial:
            raise PydanticCustomError(
                "backoff",
                "expected a maximum of at least the initial wait ({initial}), found {maximum}",
                {"initial": format_duration(self.initial), "maximum": format_duration(self.maximum)},
            )
        return self


class Retries(DocumentModel):
    """Which attempts are followed by another one of the same run."""

    count: int = Field(0, ge=0, le=100, description="Attempts after the first one.")
    outcomes: Annotated[tuple[RetriedOutcome, ...], Field(strict=False)] = Field(
        ("failed", "timed_out", "lost"),
        min_length=1,
        max_length=3,
        json_schema_extra={"uniqueItems": True},
        description="Outcomes that are tried again; a `lost` attempt may still be running somewhere.",
    )
    backoff: Backoff = Field(Backoff(), description="How long to wait between attempts.")

    @field_validator("outcomes")
    @classmethod
    def _each_once(cls, outcomes: tuple[RetriedOutcome, ...]) -> tuple[RetriedOutcome, ...]:
        if len(set(outcomes)) != len(outcomes):
            raise PydanticCustomError("outcomes", "expected each outcome once")
        return tuple(outcome for outcome in get_args(RetriedOutcome) if outcome in outcomes)


class PipelineSpec(DocumentModel):
    """What a pipeline waits for, what it makes, and how it runs."""

    when: When = Field(
        description="The versions that make it due: a dataset, or `all` or `any` of such, nested.",
        examples=[{"dataset": {"namespace": "duckdb://flights", "name": "raw.flights"}}],
    )
    produces: Annotated[tuple[DatasetReference, ...], Field(strict=False)] = Field(
        (), max_length=MAX_WHEN_DATASETS, description="Datasets that its runs write; loops are found by them."
    )
    job: JobReference | None = Field(None, description="The OpenLineage job that its runs report as.")
    batching: Literal["each", "latest"] = Field(
        "each",
        description="`each`: one run each time the condition holds. `latest`: one run for all that has come.",
    )
    start_from: Literal["latest", "current", "earliest"] = Field(
        "latest",
        description="What a new pipeline sees: only versions published after it (`latest`), the current "
        "version of each input too (`current`), or every published version (`earliest`).",
    )
    launch: Launch = Field(description="How a run is started; exactly one launcher.")
    timeout: Duration = Field(
        timedelta(hours=24), description="Longest time an attempt may take before it is ended."
    )
    retries: Retries = Field(Retries(), description="What happens after an attempt that did not succeed.")
    concurrency: int = Field(1, ge=1, le=10_000, description="Runs of this pipeline that may go on at once.")
    on_failure: Literal["keep", "release"] = Field(
        "keep",
        description="Whether a run that did not succeed keeps what it consumed (`keep`) or gives it back for "
        "the next run (`release`).",
    )

    @field_validator("when")
    @classmethod
    def _bounded_condition(cls, condition: When) -> When:
        """Refuse conditions that are too deep or too wide, and a dataset twice under one `all` or `any`."""
        open_nodes: list[tuple[When, int]] = [(condition, 1)]
        datasets = 0
        while open_nodes:
            when, depth = open_nodes.pop()
            if depth > MAX_WHEN_DEPTH:
                raise PydanticCustomError("when", f"expected `when` to nest at most {MAX_WHEN_DEPTH} deep")
            match when:
                case WhenDataset():
                    datasets += 1
                case WhenAll(children=children) | WhenAny(children=children):
                    _refuse_twins(children)
                    open_nodes.extend((child, depth + 1) for child in children)
                case _:
                    assert_never(when)
        if datasets > MAX_WHEN_DATASETS:
            reason = f"expected at most {MAX_WHEN_DATASETS} datasets in `when`, found {datasets}"
            raise PydanticCustomError("when", "{reason}", {"reason": reason})
        return condition

    @field_validator("produces")
    @classmethod
    def _each_produced_once(cls, produces: tuple[DatasetName, ...]) -> tuple[DatasetName, ...]:
        if len({dataset.key for dataset in produces}) != len(produces):
            raise PydanticCustomError("produces", "expected each dataset once")
        return produces


def _refuse_twins(children: tuple[When, ...]) -> None:
    seen: set[DatasetKey] = set()
    for child in children:
        if isinstance(child, WhenDataset):
            if child.dataset.key in seen:
                reason = (
                    f"expected each dataset once in one all or any, found {child.dataset.key.node_id} twice"
                )
                raise PydanticCustomError("when", "{reason}", {"reason": reason})
            seen.add(child.dataset.key)


class Pipeline(DocumentModel):
    """A pipeline that Headwater starts when what it reads has changed."""

    model_config = ConfigDict(title="Pipeline")

    api_version: Literal["headwater/v1"] = Field(description="The version of this form.")
    kind: Literal["Pipeline"] = Field(description="What the document declares.")
    metadata: Metadata = Field(description="Name, owner and description.")
    spec: PipelineSpec = Field(description="What it waits for, what it makes, and how it runs.")

    @property
    def name(self) -> str:
        """The pipeline's name, unique among pipelines."""
        return self.metadata.name
