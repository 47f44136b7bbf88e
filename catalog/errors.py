"""The one tree of errors: each class has a stable `code`, an HTTP `status`, and says whether a retry may help.

A message names what was expected and what was found. Extra keyword arguments become attributes and are sent
to clients as members of the problem document (RFC 9457 section 3.2).
"""

from typing import Any, ClassVar


class HeadwaterError(Exception):
    """Something went wrong in Headwater."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None, **details: Any) -> None:
        doc = (type(self).__doc__ or "").strip().split("\n", 1)[0]
        self.message = message or doc
        self.details = details
        super().__init__(self.message)


class InvalidInput(HeadwaterError):
    """The input does not have the expected form."""

    code = "invalid-input"
    status = 400

    def __init__(self, message: str | None = None, *, pointer: str = "", **details: Any) -> None:
        super().__init__(message, pointer=pointer, **details)
        self.pointer = pointer


class InvalidJson(InvalidInput):
    """The body is not JSON."""

    code = "invalid-json"


class InvalidEvent(InvalidInput):
    """The event is not a RunEvent, DatasetEvent or JobEvent of OpenLineage 2-0-2."""

    code = "invalid-event"


class InvalidDocument(InvalidInput):
    """The document does not have the form that its kind asks for."""

    code = "invalid-document"


class InvalidArchive(InvalidInput):
    """The file is no archive that `headwater backup` wrote, or not all of one."""

    code = "invalid-archive"


class InvalidCheckpoint(HeadwaterError):
    """The checkpoint in the database is not what was written."""

    code = "invalid-checkpoint"


class InvalidNodeId(InvalidInput):
    """Expected a node id such as dataset:NAMESPACE:NAME, job:NAMESPACE:NAME or run:UUID."""

    code = "invalid-node-id"


class InvalidQuery(InvalidInput):
    """The query is no GraphQL, or asks for what the schema does not have."""

    code = "invalid-query"


class QueryTooExpensive(InvalidInput):
    """The query asks for more than one answer may cost."""

    code = "query-too-expensive"


class PayloadTooLarge(HeadwaterError):
    """The body is larger than the limit."""

    code = "payload-too-large"
    status = 413


class HeadTooLarge(HeadwaterError):
    """The request line and the headers are larger than 64 KiB."""

    code = "headers-too-large"
    status = 431


class BodyTooSlow(HeadwaterError):
    """The body comes too slowly; nothing was stored, send the request again in smaller parts."""

    code = "body-too-slow"
    status = 408
    retryable = True


class UnsupportedMediaType(HeadwaterError):
    """Expected content of type application/json, plain or compressed with gzip."""

    code = "unsupported-media-type"
    status = 415


class Unauthenticated(HeadwaterError):
    """A valid token is needed: send the header Authorization: Bearer TOKEN."""

    code = "unauthenticated"
    status = 401


class Forbidden(HeadwaterError):
    """The token's role does not allow this."""

    code = "forbidden"
    status = 403


class UntrustedHost(HeadwaterError):
    """The Host header names no host that this server answers for; settings.allowed_hosts adds names."""

    code = "untrusted-host"
    status = 421


class UntrustedOrigin(HeadwaterError):
    """A web page of another site may not write here."""

    code = "untrusted-origin"
    status = 403


class LengthRequired(HeadwaterError):
    """Expected the header Content-Length."""

    code = "length-required"
    status = 411


class NotFound(HeadwaterError):
    """There is no such thing."""

    code = "not-found"
    status = 404


class Conflict(HeadwaterError):
    """The state is not the one that the request expected."""

    code = "conflict"
    status = 409


class InvalidTransition(Conflict):
    """The pipeline run is in a state in which this cannot be done."""

    code = "invalid-transition"


class CausalLoop(Conflict):
    """The pipelines would trigger each other without end."""

    code = "causal-loop"


class Unavailable(HeadwaterError):
    """A part that this needs is away; the same request may succeed later."""

    code = "unavailable"
    status = 503
    retryable = True


class NotUnderstood(Unavailable):
    """This is of a newer release than the one that was asked; a process of the newer release can do it."""

    code = "not-understood"


class DatabaseUnavailable(Unavailable):
    """The database does not answer; send the request again later."""

    code = "database-unavailable"


class GraphUnavailable(Unavailable):
    """The graph does not answer, or is not whole yet; what was told is kept, send the request again later."""

    code = "graph-unavailable"


class LedgerHeld(DatabaseUnavailable):
    """Somebody has held the ledger's append lock for 5 s; nothing was stored, send the request again later."""

    code = "ledger-held"


class ServerBusy(Unavailable):
    """The server answers as many requests at once as it may; send the request again later."""

    code = "server-busy"


class IngestQueueFull(Unavailable):
    """More events are waiting than the server keeps in memory; send the request again later."""

    code = "ingest-queue-full"


class DiskFull(Unavailable):
    """Too little free disk is left to take in events; nothing was stored."""

    code = "disk-full"


class QueryTimedOut(Unavailable):
    """The query took longer than one query may take; ask for less, or again when less is going on."""

    code = "query-timed-out"


class PositionNotReached(Unavailable):
    """The followers did not reach the asked position within the time allowed."""

    code = "position-not-reached"


class Unreachable(Unavailable):
    """Nothing answers at the URL."""

    code = "unreachable"


class UnexpectedAnswer(HeadwaterError):
    """The answer is not one that a Headwater server gives."""

    code = "unexpected-answer"
    status = 502


class RefusedByServer(HeadwaterError):
    """The server refused for a reason that this version does not know."""

    code = "refused-by-server"
    status = 502


class ConfigurationError(HeadwaterError):
    """A setting does not fit."""

    code = "configuration"


class NewerArchive(ConfigurationError):
    """The archive was written by a newer release, which is needed to read it."""

    code = "archive-newer"


class SecretUnavailable(ConfigurationError):
    """A secret that is named cannot be read here."""

    code = "secret-unavailable"


class SchemaTooNew(ConfigurationError):
    """A newer release has changed the database so that this one must not use it any more."""

    code = "schema-too-new"


class DatabaseVersionMismatch(ConfigurationError):
    """The embedded database was made by another major version of PostgreSQL than this release has."""

    code = "database-version"


class DataFolderInUse(ConfigurationError):
    """Another Headwater holds this data folder."""

    code = "data-folder-in-use"


class ServerFailed(HeadwaterError):
    """A process that Headwater supervises did not start or ended."""

    code = "server-failed"
