"""Values of a document that are, or look like, a credential written out: documents name secrets (law 10)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import parse_qsl, urlsplit

from catalog.documents.faults import Path
from catalog.documents.http_launcher import HttpLauncher
from catalog.documents.pipeline import AirflowLaunch, CommandLaunch, CommandLauncher, HttpLaunch, Pipeline
from catalog.documents.version_scope import VersionScope
from catalog.documents.webhook import Webhook
from catalog.redaction import holds_address_with_password

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(?:_|$)",
    re.IGNORECASE,
)
#: What else would be called so? `TOKEN_URL` and `PASSWORD_FILE` are another matter, and so is POSIX's `PWD`.
_CERTAIN_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)$", re.IGNORECASE
)
_SECRET_OPTION = re.compile(r"--?([A-Za-z][\w-]*)=.+", re.DOTALL)
#: Words of headers and fields of JSON, which are written `X-Api-Key`, `apiKey` or `api_key`.
_WORDS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_ADVICE = "name a secret instead, as {secret: env:HEADWATER_SECRET_NAME} in "

_AIRFLOW_ADVICE = "keep it in Airflow, as a connection or a variable, and let the DAG read it there"
_WEBHOOK_ADVICE = "whoever may read documents sees it; let the receiver check the signature instead"


@dataclass(frozen=True, slots=True)
class WrittenOut:
    """A value that is a credential where `certain`, else only looks like one; it is not shown."""

    path: Path
    message: str
    certain: bool


def credentials_of(document: Pipeline | VersionScope | Webhook) -> list[WrittenOut]:
    """Return each value that is or looks like a credential."""
    match document:
        case Pipeline():
            return list(_of_pipeline(document))
        case Webhook():
            return list(_of_urls([(("spec", "url"), document.spec.url)], _WEBHOOK_ADVICE))
        case VersionScope():
            return []
        case _:
            assert_never(document)


def _of_pipeline(pipeline: Pipeline) -> Iterator[WrittenOut]:
    match pipeline.spec.launch:
        case CommandLaunch(command=command):
            yield from _of_command(command)
        case HttpLaunch(http=http):
            yield from _of_http(http)
        case AirflowLaunch(airflow=airflow):
            # Whoever sees the DAG run in Airflow sees its conf, so no secret of the worker can be named there either.
            yield from _of_body(("spec", "launch", "airflow", "conf"), airflow.conf, _AIRFLOW_ADVICE)
        case _:
            assert_never(pipeline.spec.launch)


def _of_command(command: CommandLauncher) -> Iterator[WrittenOut]:
    at: Path = ("spec", "launch", "command")
    advice = f"{_ADVICE}environment"
    for name, value in command.environment.items():
        if not isinstance(value, str) or not value:
            continue
        if _SECRET_NAME.search(name):
            yield _called((*at, "environment", name), name, name, advice)
        elif holds_address_with_password(value):
            yield _address((*at, "environment", name), f"{name} holds", advice)
    for index, argument in enumerate(command.argv):
        option = _SECRET_OPTION.fullmatch(argument)
        if option is not None and _SECRET_NAME.search(option[1].replace("-", "_")):
            yield _called((*at, "argv", index), f"option {option[1]}", option[1], advice)
        elif holds_address_with_password(argument):
            yield _address((*at, "argv", index), "an argument holds", advice)


def _of_http(http: HttpLauncher) -> Iterator[WrittenOut]:
    at: Path = ("spec", "launch", "http")
    advice = f"{_ADVICE}headers"
    for name, value in http.headers.items():
        path = (*at, "headers", name)
        if isinstance(value, str) and name.lower() in _SECRET_HEADERS:
            yield WrittenOut(path, f"{name} is a credential: {advice}", certain=True)
        elif isinstance(value, str) and _names_a_secret(name):
            yield _called(path, name, name, advice)
    urls: list[tuple[Path, str]] = [((*at, "url"), http.url)]
    urls += [((*at, "poll", "url"), http.poll.url)] if http.poll else []
    urls += [((*at, "cancel", "url"), http.cancel.url)] if http.cancel else []
    yield from _of_urls(urls, advice)
    yield from _of_body((*at, "body"), http.body, advice)


def _of_urls(urls: Iterable[tuple[Path, str]], advice: str) -> Iterator[WrittenOut]:
    for path, url in urls:
        for name, value in parse_qsl(urlsplit(url).query):
            if value and not value.startswith("${") and _names_a_secret(name):
                yield _called(path, f"the parameter {name}", name, advice)


def _of_body(path: Path, body: Any, advice: str) -> Iterator[WrittenOut]:
    waiting: list[tuple[Path, Any]] = [(path, body)]
    while waiting:
        at, value = waiting.pop()
        match value:
            case dict():
                waiting.extend(((*at, name), item) for name, item in value.items())
            case list() | tuple():
                waiting.extend(((*at, index), item) for index, item in enumerate(value))
            case str() if value and not value.startswith("${"):
                if _names_a_secret(str(at[-1])):
                    yield _called(at, str(at[-1]), str(at[-1]), advice)
                elif holds_address_with_password(value):
                    yield _address(at, "a text holds", advice)
            case _:
                pass


def _names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(_in_words(name)) is not None


def _in_words(name: str) -> str:
    return "_".join(_WORDS.split(name))


def _called(path: Path, what: str, name: str, advice: str) -> WrittenOut:
    """Return what is found by its name."""
    certain = _CERTAIN_NAME.search(_in_words(name)) is not None
    return WrittenOut(path, f"{what} {'is' if certain else 'looks like'} a credential: {advice}", certain)


def _address(path: Path, where: str, advice: str) -> WrittenOut:
    return WrittenOut(path, f"{where} an address with a password: {advice}", certain=True)
