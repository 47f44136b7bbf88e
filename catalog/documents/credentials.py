"""Values of a document that are, or look like, a credential written out: documents name secrets (law 10)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import parse_qsl, urlsplit

from catalog.documents.faults import Path
from catalog.documents.http_launcher import HttpLauncher
from catalog.documents.pipeline import AirflowLaunch, CommandLaunch, CommandLauncher, HttpLaunch, Pipeline
from catalog.documents.version_scope import VersionScope
from catalog.documents.webhook import Webhook
from catalog.redaction import MARK, holds_address_with_password, redact_text

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASS|PWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(?:_|$)"
    # These are written together with others too, as in PGPASSWORD.
    r"|(?:PASSWORD|PASSWD|PASSPHRASE)(?:_|$)|^AUTHORIZATION$",
    re.IGNORECASE,
)
#: What else would be called so? `TOKEN_URL` and `PASSWORD_FILE` are another matter, and so is POSIX's `PWD`.
_CERTAIN_NAME = re.compile(
    r"(?:(?:^|_)(?:SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)|PASSWORD|PASSWD|PASSPHRASE|^AUTHORIZATION)$",
    re.IGNORECASE,
)
_PASSWORD_NAME = re.compile(r"(?:PASSWORD|PASSWD|PASSPHRASE)$", re.IGNORECASE)
#: An option with its value, or an assignment as `env` takes it. A script that begins with one is neither.
_SECRET_OPTION = re.compile(r"--?([A-Za-z][\w-]*)=.+|([A-Za-z]\w*)=[^\s$]\S*", re.DOTALL)
_OPTION = re.compile(r"--?([A-Za-z][\w-]*)")
#: A header as `curl` takes it, in one argument.
_SECRET_HEADER = re.compile(r"((?:proxy-)?authorization|cookie)\s*:\s*[^\s$].*", re.IGNORECASE | re.DOTALL)
_BEARER = re.compile(r"\s*Bearer\s+\S.*", re.IGNORECASE | re.DOTALL)
#: Words of headers and fields of JSON, which are written `X-Api-Key`, `apiKey` or `api_key`.
_WORDS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
#: Values that are put in later, by Headwater or by a shell, and what belongs to them.
_PUT_IN = re.compile(r"""\$(?:\{|\(|\w)[^\s;&"']*""")
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_ADVICE = "name a secret instead, as {secret: env:HEADWATER_SECRET_NAME} in "
_COMMAND_ADVICE = f"{_ADVICE}environment"
_AIRFLOW_ADVICE = "keep it in Airflow, as a connection or a variable, and let the DAG read it there"
_WEBHOOK_ADVICE = "whoever may read documents sees it; let the receiver check the signature instead"
_TEXT_ADVICE = "whoever may read documents sees it"
_ADDRESS_ADVICE = f"{_TEXT_ADVICE}; events are kept with {MARK} in its place, so write that"


@dataclass(frozen=True, slots=True)
class WrittenOut:
    """A value that is a credential where `certain`, else only looks like one; it is not shown."""

    path: Path
    message: str
    certain: bool


def credentials_of(document: Pipeline | VersionScope | Webhook) -> list[WrittenOut]:
    """Return each value that is or looks like a credential, each place once."""
    match document:
        case Pipeline():
            found = list(_of_pipeline(document))
        case Webhook():
            found = list(_of_urls([(("spec", "url"), document.spec.url)], _WEBHOOK_ADVICE))
        case VersionScope():
            found = []
        case _:
            assert_never(document)
    known = {each.path for each in found}
    return found + [each for each in _of_texts(document) if each.path not in known]


def _of_pipeline(pipeline: Pipeline) -> Iterator[WrittenOut]:
    for name, value in pipeline.metadata.labels.items():
        if value and _names_a_secret(name):
            yield _called(("metadata", "labels", name), f"the label {name}", name, _TEXT_ADVICE)
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
    for name, value in command.environment.items():
        path = (*at, "environment", name)
        if not isinstance(value, str) or not value:
            continue
        if _names_a_secret(name):
            yield _called(path, name, name, _COMMAND_ADVICE)
        elif _holds_a_password(value):
            yield _address(path, f"{name} holds", _COMMAND_ADVICE)
        elif _holds_a_secret(value):
            yield WrittenOut(path, f"{name} holds a credential: {_COMMAND_ADVICE}", certain=True)
    yield from _of_arguments((*at, "argv"), command.argv)


def _of_arguments(at: Path, arguments: Sequence[str]) -> Iterator[WrittenOut]:
    expecting = ""
    for index, argument in enumerate(arguments):
        path = (*at, index)
        option = _SECRET_OPTION.fullmatch(argument)
        name = "" if option is None else option[1] or option[2]
        if name and _names_a_secret(name):
            yield _called(path, f"option {name}", name, _COMMAND_ADVICE)
        elif header := _SECRET_HEADER.fullmatch(argument):
            yield WrittenOut(path, f"{header[1]} is a credential: {_COMMAND_ADVICE}", certain=True)
        elif expecting and argument and not argument.startswith(("-", "$")):
            yield _called(path, f"the value of option {expecting}", expecting, _COMMAND_ADVICE)
        elif _holds_a_password(argument):
            yield _address(path, "an argument holds", _COMMAND_ADVICE)
        elif _holds_a_secret(argument):
            # A script may well read it from somewhere.
            message = f"an argument holds what looks like a credential: {_COMMAND_ADVICE}"
            yield WrittenOut(path, message, certain=False)
        # Other options, `--secret` for example, may be followed by a name.
        alone = _OPTION.fullmatch(argument)
        expecting = alone[1] if alone is not None and _PASSWORD_NAME.search(alone[1]) else ""


def _of_http(http: HttpLauncher) -> Iterator[WrittenOut]:
    at: Path = ("spec", "launch", "http")
    advice = f"{_ADVICE}headers"
    for name, value in http.headers.items():
        path = (*at, "headers", name)
        if isinstance(value, str) and (name.lower() in _SECRET_HEADERS or _BEARER.fullmatch(value)):
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
                break
        else:
            if _holds_a_secret(url):
                yield WrittenOut(path, f"it holds a credential: {advice}", certain=True)


def _of_body(path: Path, body: Any, advice: str) -> Iterator[WrittenOut]:
    """Yield the values of a body; each is known by the name of its field, or by a `name` beside its `value`."""
    waiting: list[tuple[Path, str, Any]] = [(path, str(path[-1]), body)]
    while waiting:
        at, name, value = waiting.pop()
        match value:
            case {"name": str(called), "value": _}:
                waiting.extend(
                    ((*at, key), called if key == "value" else str(key), item) for key, item in value.items()
                )
            case dict():
                waiting.extend(((*at, key), str(key), item) for key, item in value.items())
            case list() | tuple():
                waiting.extend(((*at, index), name, item) for index, item in enumerate(value))
            case str() if value and not value.startswith("${") and _names_a_secret(name):
                yield _called(at, name, name, advice)
            # A `token` that is a number is more likely something else.
            case int() | float() if _PASSWORD_NAME.search(name) and not isinstance(value, bool):
                yield _called(at, name, name, advice)
            case str() if _holds_a_password(value):
                yield _address(at, "a text holds", advice)
            case _:
                pass


def _of_texts(document: Pipeline | VersionScope | Webhook) -> Iterator[WrittenOut]:
    """Yield every text of the document, and every name of a field, that holds what redaction takes out of events."""
    waiting: list[tuple[Path, Any]] = [((), document.model_dump(mode="json", by_alias=True))]
    while waiting:
        at, value = waiting.pop()
        match value:
            case dict():
                waiting.extend(((*at, key), item) for key, item in value.items())
                yield from (
                    _address(at, "a name holds", _ADDRESS_ADVICE) for key in value if _holds_a_password(key)
                )
            case list():
                waiting.extend(((*at, index), item) for index, item in enumerate(value))
            case str() if _holds_a_password(value):
                yield _address(at, "it holds", _ADDRESS_ADVICE)
            case str() if _holds_a_secret(value):
                message = f"it holds what looks like a credential: {_TEXT_ADVICE}"
                yield WrittenOut(at, message, certain=False)
            case _:
                pass


def _holds_a_password(text: str) -> bool:
    """Return whether an address in the text has a password that is neither redacted nor put in later."""
    return holds_address_with_password(_PUT_IN.sub("", text).replace(MARK, ""))


def _holds_a_secret(text: str) -> bool:
    """Return whether redaction would take something out of the text, what is put in later aside."""
    plain = _PUT_IN.sub(MARK, text).replace(":@", f":{MARK}@")
    return redact_text(plain) != plain


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
