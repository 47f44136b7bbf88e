"""The requests of one attempt, made of its document: values in their places, secrets read at this moment.

Source of the structured form: CloudEvents 1.0.2, JSON event format.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from catalog.documents.http_launcher import HttpLauncher, SecretHeader
from catalog.documents.template import render_body, render_text, render_url
from catalog.errors import InvalidInput, SecretUnavailable
from hooks.engines.port import EngineAttempt, Handle
from hooks.launchers.answers import without_secrets
from hooks.launchers.secret import SecretReference
from hooks.launchers.variables import values_of, with_answer
from hooks.outbound import OutboundRequest, Zone, origin_of

JSON, CLOUD_EVENT = "application/json", "application/cloudevents+json; charset=utf-8"
EVENT_TYPE = "headwater.pipeline_run.due"
_HEADER_VALUE = re.compile(r"[!-~](?:[\t -~]*[!-~])?")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, and the secrets in it, which nothing that is told of its answer may show."""

    request: OutboundRequest
    secrets: frozenset[str]

    def without_secrets(self, text: str) -> str:
        """Return the text without the secrets, should the server have sent them back."""
        return without_secrets(text, self.secrets)


def launch_request(http: HttpLauncher, attempt: EngineAttempt, secrets_folder: Path | None) -> Prepared:
    """Return the request that starts the attempt.

    Raises `SecretUnavailable`, and `InvalidInput` where a value does not fit its place.
    """
    values = values_of(attempt)
    url = _rendered(http.url, values)
    headers = {"Accept": JSON, http.idempotency.header: str(attempt.id)}
    body = None
    if http.method != "GET" and http.body is not None:
        headers["Content-Type"] = CLOUD_EVENT if http.format == "cloudevents" else JSON
        content = render_body(http.body, values)
        try:
            body = orjson.dumps(_cloud_event(attempt, content) if http.format == "cloudevents" else content)
        except orjson.JSONEncodeError as error:
            raise InvalidInput(f"the body is no JSON: {error}") from error
    own, secrets = _headers(http, values, secrets_folder)
    return Prepared(OutboundRequest(http.method, url, headers, own, body), secrets)


def status_request(
    http: HttpLauncher, attempt: EngineAttempt, handle: Handle | None, secrets_folder: Path | None
) -> Prepared:
    """Return the request that asks how the attempt stands; raises as `launch_request` does."""
    if http.poll is None:
        raise ValueError("expected a document with `poll`")
    values = values_of(attempt)
    if http.poll.is_template:
        return _later(http, "GET", http.poll.url, values, handle, secrets_folder)
    if handle is None:
        raise InvalidInput("the status URL is known from the engine's answer alone, and that is lost")
    url = str(handle["statusUrl"])
    own, secrets = _headers(http, values, secrets_folder)
    named = {origin_of(http.url)} | ({origin_of(http.cancel.url)} if http.cancel else set())
    # Whoever wrote the document trusts the origins in it, not every one that an answer names.
    request = OutboundRequest(
        "GET",
        url,
        {"Accept": JSON},
        own if _origin(url) in named else {},
        nearest=Zone(handle["zone"]),
    )
    return Prepared(request, secrets)


def cancel_request(
    http: HttpLauncher, attempt: EngineAttempt, handle: Handle | None, secrets_folder: Path | None
) -> Prepared:
    """Return the request that ends the attempt; raises as `launch_request` does."""
    if http.cancel is None:
        raise ValueError("expected a document with `cancel`")
    return _later(http, http.cancel.method, http.cancel.url, values_of(attempt), handle, secrets_folder)


def _later(
    http: HttpLauncher,
    method: str,
    template: str,
    values: Mapping[str, Any],
    handle: Handle | None,
    secrets_folder: Path | None,
) -> Prepared:
    url = _rendered(template, with_answer(values, handle))
    own, secrets = _headers(http, values, secrets_folder)
    return Prepared(OutboundRequest(method, url, {"Accept": JSON}, own), secrets)


def _rendered(template: str, values: Mapping[str, Any]) -> str:
    try:
        return render_url(template, values)
    except KeyError as error:
        raise InvalidInput(f"the engine's answer with {error} was lost") from error
    except UnicodeError as error:
        raise InvalidInput("a value of the URL is no text") from error


def _origin(url: str) -> str | None:
    try:
        return origin_of(url)
    except ValueError:
        return None


def _headers(
    http: HttpLauncher, values: Mapping[str, Any], secrets_folder: Path | None
) -> tuple[dict[str, str], frozenset[str]]:
    """Return the document's headers with the secrets in them, and the secrets on their own."""
    headers = {}
    secrets = set()
    for name, value in http.headers.items():
        if isinstance(value, SecretHeader):
            secret = SecretReference.parse(value.secret).read(secrets_folder)
            headers[name] = f"{value.prefix}{secret}"
            if _HEADER_VALUE.fullmatch(headers[name]) is None:
                raise SecretUnavailable(
                    f"the secret {value.secret} cannot stand in the header {name}", secret=value.secret
                )
            secrets.add(secret)
        else:
            headers[name] = render_text(value, values)
    return headers, frozenset(secrets)


def _cloud_event(attempt: EngineAttempt, data: Any) -> dict[str, Any]:
    run = attempt.run
    return {
        "specversion": "1.0",
        "id": str(attempt.id),
        "source": f"{attempt.openlineage_url}/pipelines/{run.pipeline}",
        "type": EVENT_TYPE,
        "subject": str(run.run_id),
        "time": run.due_at,
        "datacontenttype": JSON,
        "pipeline": run.pipeline,
        "attempt": attempt.number,
        "data": data,
    }
