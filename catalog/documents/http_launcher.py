"""The part of a Pipeline document that starts a run by an HTTP request."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from catalog.documents.duration import Duration, format_duration
from catalog.documents.json_path import JsonPath, is_path
from catalog.documents.references import DocumentModel
from catalog.documents.secret_name import SecretName
from catalog.documents.template import (
    ANSWER,
    PLAIN_VARIABLES,
    TEXT_VARIABLES,
    body_fault,
    variable_fault,
    variables_of,
)

MAX_URL = 2000
MAX_HEADERS = 50
MAX_ANSWERS = 16
#: Bounds of what a worker waits for: it must end within seconds when it is told to.
LONGEST_CONNECT, LONGEST_ANSWER = timedelta(seconds=30), timedelta(seconds=60)
SHORTEST_INTERVAL = timedelta(seconds=1)
#: Headers that the client writes itself, that would change what the connection is, or that would keep a state.
_OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"
_HEADER_TEXT = r"[!-~](?:[\t -~]*[!-~])?"
#: Scheme and authority are written out; what follows is visible ASCII without a fragment.
_URL = r"https?://(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?][!-\"$-~]*)?"
_LOCATION = "location"


def _refused(kind: str, reason: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{reason}", {"reason": reason})


def _url_fault(url: str, *, answers: bool) -> str | None:
    """Return what is wrong with a URL; the text may hold a password, so it is not shown."""
    if re.fullmatch(_URL, url) is None:
        return (
            "expected a URL of http or https in visible ASCII, whose host is written out without user, password or "
            "variables, and that has no fragment"
        )
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port == 0:
        return "expected a port from 1 to 65535"
    return variable_fault(url, {**PLAIN_VARIABLES, **TEXT_VARIABLES}, answers=answers)


def _checked_url(url: str, *, answers: bool) -> str:
    fault = _url_fault(url, answers=answers)
    if fault is not None:
        raise _refused("url", fault)
    return url


def _launch_url(url: str) -> str:
    return _checked_url(url, answers=False)


def _later_url(url: str) -> str:
    return _checked_url(url, answers=True)


def _status_url(url: str) -> str:
    return url if url == _LOCATION or is_path(url) else _later_url(url)


_URL_SCHEMA: dict[str, Any] = {"type": "string", "pattern": f"^{_URL}$", "maxLength": MAX_URL}
_Bounded = StringConstraints(max_length=MAX_URL)
LaunchUrl = Annotated[str, _Bounded, AfterValidator(_launch_url), WithJsonSchema(_URL_SCHEMA)]
LaterUrl = Annotated[str, _Bounded, AfterValidator(_later_url), WithJsonSchema(_URL_SCHEMA)]
StatusUrl = Annotated[
    str,
    _Bounded,
    AfterValidator(_status_url),
    WithJsonSchema(
        {"type": "string", "pattern": rf"^(?:{_LOCATION}|\$[.\[].*|{_URL})$", "maxLength": MAX_URL}
    ),
]


def _header_name(name: str) -> str:
    if re.fullmatch(_HEADER_NAME, name) is None:
        raise _refused("header", f"expected the name of a header, found {name!r:.100}")
    if name.lower() in _OWN_HEADERS:
        raise _refused("header", f"expected a header that Headwater does not write itself, found {name}")
    return name


def _header_text(text: str) -> str:
    if re.fullmatch(_HEADER_TEXT, text) is None:
        # What stands here by mistake may be a credential.
        raise _refused(
            "header", "expected visible ASCII, spaces only within, found a value that is not shown"
        )
    fault = variable_fault(text, PLAIN_VARIABLES)
    if fault is not None:
        raise _refused("header", fault)
    return text


HeaderName = Annotated[
    str, AfterValidator(_header_name), WithJsonSchema({"type": "string", "pattern": f"^{_HEADER_NAME}$"})
]
HeaderText = Annotated[
    str,
    StringConstraints(max_length=8000),
    AfterValidator(_header_text),
    WithJsonSchema({"type": "string", "pattern": f"^{_HEADER_TEXT}$", "maxLength": 8000}),
]


class SecretHeader(DocumentModel):
    """A header whose value is a secret by name; it is read when the request is sent and stored nowhere."""

    secret: SecretName = Field(
        description="`env:HEADWATER_SECRET_…`, a variable of the worker, or `file:NAME` in its secrets.",
        examples=["env:HEADWATER_SECRET_ENGINE_TOKEN"],
    )
    prefix: Annotated[str, StringConstraints(pattern=r"^(?:[!-~][ -~]{0,99})?$")] = Field(
        "", description="What stands before it in the header.", examples=["Bearer "]
    )


def _header_tag(value: Any) -> str:
    return "<secret>" if isinstance(value, dict | SecretHeader) else "<text>"


HeaderValue = Annotated[
    Annotated[HeaderText, Tag("<text>")] | Annotated[SecretHeader, Tag("<secret>")],
    Discriminator(_header_tag),
]
"""A text with variables of safe characters, or a secret by name."""

Status = Annotated[int, Field(ge=200, le=599)]
Statuses = Annotated[tuple[Status, ...], Field(strict=False, max_length=50)]


def _state(value: Any) -> Any:
    if not isinstance(value, bool | int | str) or (isinstance(value, str) and len(value) > 500):
        raise _refused("state", "expected a text of at most 500 characters, a whole number, true or false")
    return value


StateValue = Annotated[
    bool | int | str,
    BeforeValidator(_state),
    WithJsonSchema({"anyOf": [{"type": ["boolean", "integer"]}, {"type": "string", "maxLength": 500}]}),
]
StateValues = Annotated[tuple[StateValue, ...], Field(strict=False, min_length=1, max_length=50)]
AnswerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,49}$")]


#: Without a definition of its own in the schema, where it would stand for any value all the same.
JsonBody = Annotated[JsonValue, WithJsonSchema({})]


def _not_too_often(interval: timedelta) -> timedelta:
    if interval < SHORTEST_INTERVAL:
        raise _refused("interval", f"expected at least 1s, found {format_duration(interval)}")
    return interval


Interval = Annotated[Duration, AfterValidator(_not_too_often)]
"""Time between two questions to an engine."""


class Idempotency(DocumentModel):
    """How the engine recognises a request that it has had before."""

    header: HeaderName = Field(
        "Idempotency-Key",
        description="Header with the attempt's UUID, the same each time the attempt is sent.",
    )
    honoured: bool = Field(
        False,
        description="Whether the engine starts nothing anew for a key that it has had: then a request whose answer "
        "was lost is sent again, else the attempt is `lost`.",
    )


class Poll(DocumentModel):
    """How to learn what became of the run after the engine accepted it."""

    url: StatusUrl = Field(
        description="The status URL: written out with variables; `location`, the header of the engine's answer; or a "
        "JSON path to it in the answer.",
        examples=["https://engine.example/runs/${run.id}", "location", "$.links.status"],
    )
    state: JsonPath = Field(description="Where the state stands in the answer.", examples=["$.state"])
    succeeded: StateValues = Field(
        description="States that mean that the run ended well.", examples=[["SUCCESS"]]
    )
    failed: StateValues = Field(
        description="States that mean that it ended badly.", examples=[["FAILED", "ERROR"]]
    )
    reason: JsonPath | None = Field(
        None, description="Where the answer says why, for people.", examples=["$.message"]
    )
    interval: Interval = Field(timedelta(seconds=10), description="Time between two questions; at least 1s.")
    absent: Statuses = Field(
        (),
        description="Statuses that mean that the engine never had the run, such as 404. With them a lost answer is "
        "settled by asking, and the run is sent again where the engine does not have it.",
        examples=[[404]],
    )

    @model_validator(mode="after")
    def _states_are_told_apart(self) -> Self:
        both = {_typed(state) for state in self.succeeded} & {_typed(state) for state in self.failed}
        if both:
            raise _refused("states", "expected no state both in succeeded and in failed")
        return self

    @model_validator(mode="after")
    def _absence_can_be_asked_for(self) -> Self:
        if self.absent and not self.known_before_the_answer:
            raise _refused(
                "absent", "expected a url that is known before the engine's answer, because of `absent`"
            )
        return self

    @property
    def known_before_the_answer(self) -> bool:
        """Whether the status URL needs nothing of the engine's answer."""
        return self.is_template and not any(name.startswith(ANSWER) for name in variables_of(self.url))

    @property
    def is_template(self) -> bool:
        """Whether the status URL is written out."""
        return self.url != _LOCATION and not self.url.startswith("$")


def _typed(state: Any) -> tuple[str, Any]:
    # In Python True equals 1; in JSON it does not.
    return type(state).__name__, state


class HttpCancel(DocumentModel):
    """The request that ends a run at the engine."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="Its method.")
    url: LaterUrl = Field(
        description="Where it is sent, with variables.",
        examples=["https://engine.example/runs/${run.id}/cancel"],
    )


class HttpTimeouts(DocumentModel):
    """How long the engine is waited for."""

    connect: Duration = Field(timedelta(seconds=5), description="To connect; at most 30s.")
    answer: Duration = Field(timedelta(seconds=10), description="For a whole answer; at most 60s.")
    unreachable: Duration = Field(
        timedelta(minutes=5), description="How long an engine that cannot be reached is tried again."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        for name, value, longest in (
            ("connect", self.connect, LONGEST_CONNECT),
            ("answer", self.answer, LONGEST_ANSWER),
        ):
            if value > longest:
                found = f"{name} of at most {format_duration(longest)}, found {format_duration(value)}"
                raise _refused("timeouts", f"expected {found}")
        return self


class HttpLauncher(DocumentModel):
    """Starts a run by a request to an engine, which any worker sends and asks."""

    method: Literal["POST", "PUT", "PATCH", "GET"] = Field("POST", description="The request's method.")
    url: LaunchUrl = Field(
        description="Where it is sent, with variables; host and port are written out.",
        examples=["https://engine.example/jobs/nightly/run?partition=${version.partition}"],
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default={},
        max_length=MAX_HEADERS,
        description="Headers of every request to the origins that this document names; secrets by name only.",
        examples=[{"Authorization": {"secret": "env:HEADWATER_SECRET_ENGINE_TOKEN", "prefix": "Bearer "}}],
    )
    body: JsonBody = Field(
        "${trigger}",
        description="Any value of JSON with variables in its texts; null sends none, and a `GET` has none.",
        examples=[{"run": "${run.id}", "versions": "${trigger.versions}"}],
    )
    format: Literal["json", "cloudevents"] = Field(
        "json",
        description="`json` sends the body as it is; `cloudevents` as the data of a CloudEvent 1.0 in structured mode.",
    )
    success: Statuses = Field(
        (),
        description="Statuses that mean that the engine accepted the run (with `poll`) or did the work (without); "
        "where none stands here, 200 to 299.",
        examples=[[200, 202]],
    )
    idempotency: Idempotency = Field(
        Idempotency(), description="What lets the engine recognise a request that comes twice."
    )
    answer: dict[AnswerName, JsonPath] = Field(
        default={},
        max_length=MAX_ANSWERS,
        description="Values to keep of the engine's answer, by name: `${answer.NAME}` in the URLs of `poll` and "
        "`cancel`.",
        examples=[{"job": "$.job.id"}],
    )
    poll: Poll | None = Field(None, description="How to learn how it ended; without it the answer says so.")
    cancel: HttpCancel | None = Field(None, description="How to end it at the engine.")
    timeouts: HttpTimeouts = Field(HttpTimeouts(), description="How long to wait for the engine.")

    @field_validator("body")
    @classmethod
    def _known_variables(cls, body: JsonValue) -> JsonValue:
        fault = body_fault(body)
        if fault is not None:
            raise _refused("body", fault)
        return body

    @model_validator(mode="after")
    def _each_header_once(self) -> Self:
        names = [name.lower() for name in (*self.headers, self.idempotency.header)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise _refused("headers", f"expected each header once, found {twice[0]} twice")
        return self

    @model_validator(mode="after")
    def _answers_are_kept(self) -> Self:
        for where, name in self._answers_used():
            if name not in self.answer:
                raise _refused("answer", f"{where} uses ${{{ANSWER}{name}}}, which `answer` does not keep")
        if self.answer and self.poll is None and self.cancel is None:
            raise _refused("answer", "expected `poll` or `cancel` beside `answer`: nothing else uses it")
        return self

    def _answers_used(self) -> Iterator[tuple[str, str]]:
        for where, url in (
            ("poll", self.poll.url if self.poll and self.poll.is_template else None),
            ("cancel", self.cancel.url if self.cancel else None),
        ):
            for name in variables_of(url) if url else ():
                if name.startswith(ANSWER):
                    yield where, name.removeprefix(ANSWER)
