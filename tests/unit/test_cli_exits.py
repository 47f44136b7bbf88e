import pytest

from catalog import errors
from catalog.errors import HeadwaterError
from web.cli.client import errors_by_code
from web.cli.exits import ExitCode, error_line, exit_code

INVALID, REFUSED, UNAVAILABLE, FAILURE = (
    ExitCode.INVALID,
    ExitCode.REFUSED,
    ExitCode.UNAVAILABLE,
    ExitCode.FAILURE,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InvalidInput, INVALID),
        (errors.InvalidDocument, INVALID),
        (errors.InvalidJson, INVALID),
        (errors.InvalidNodeId, INVALID),
        (errors.PayloadTooLarge, INVALID),
        (errors.ConfigurationError, INVALID),
        (errors.SecretUnavailable, INVALID),
        (errors.NotFound, REFUSED),
        (errors.Conflict, REFUSED),
        (errors.InvalidTransition, REFUSED),
        (errors.CausalLoop, REFUSED),
        (errors.Forbidden, REFUSED),
        (errors.Unauthenticated, REFUSED),
        (errors.UntrustedHost, REFUSED),
        (errors.DataFolderInUse, REFUSED),
        (errors.Unavailable, UNAVAILABLE),
        (errors.DatabaseUnavailable, UNAVAILABLE),
        (errors.Unreachable, UNAVAILABLE),
        (errors.PositionNotReached, UNAVAILABLE),
        (errors.DiskFull, UNAVAILABLE),
        (errors.HeadwaterError, FAILURE),
        (errors.UnexpectedAnswer, FAILURE),
        (errors.ServerFailed, FAILURE),
    ],
)
def test_the_kind_of_an_error_gives_the_exit_code(kind: type[HeadwaterError], code: ExitCode) -> None:
    assert exit_code(kind()) is code


def test_every_status_of_the_tree_agrees_with_its_exit_code() -> None:
    # Whoever adds an error class gets the exit code that its HTTP status stands for.
    for kind in errors_by_code().values():
        if issubclass(kind, errors.ConfigurationError):
            continue
        expected = {400: INVALID, 401: REFUSED, 403: REFUSED, 404: REFUSED, 409: REFUSED, 503: UNAVAILABLE}
        if kind.status in expected:
            assert exit_code(kind()) is expected[kind.status], kind


def test_an_error_is_one_line_with_code_message_and_what_to_do() -> None:
    line = error_line(errors.Unauthenticated("expected a token"))
    assert line.startswith("headwater: unauthenticated: expected a token; ")
    assert "HEADWATER_TOKEN" in line
    assert "\n" not in line


def test_the_faults_of_a_document_keep_a_line_each() -> None:
    line = error_line(errors.InvalidDocument("a.yaml:3:5: /spec: one\na.yaml:4:1: /metadata: two"))
    first, second, advice = line.splitlines()
    assert first == "headwater: invalid-document: a.yaml:3:5: /spec: one"
    assert second == "a.yaml:4:1: /metadata: two"
    assert "nothing was changed" in advice


def test_a_message_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in error_line(errors.NotFound("there is no \x1b[31mpipeline"))
