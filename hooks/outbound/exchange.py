"""What is sent, within which bounds, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from hooks.outbound.addresses import Zone

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """One request. `origin_headers` (credentials among them) are sent to the origin of `url` and to no other.

    `nearest` bounds how near the server may be; it is given where the URL came from an answer. With `own_origin_only`
    no redirect is followed to another origin: for a body that only that server may see.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    origin_headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    nearest: Zone | None = None
    own_origin_only: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long an exchange may take, in seconds, and how many bytes of the answer are taken in."""

    connect_seconds: float = 5.0
    total_seconds: float = 10.0
    answer_bytes: int = MIB


@dataclass(frozen=True, slots=True)
class Answered:
    """The server gave a status. `cut` says why the body is not whole; None where it is.

    `headers` have names in lower case; of one that comes twice the values are joined by a comma.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    zone: Zone
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """No server has seen the request, or only such that sent it elsewhere; it is safe to send it again.

    `permanent` says that the same request would come to nothing again.
    """

    reason: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request was sent, in part at least, and nobody can know what the server made of it."""

    reason: str


Exchange = Answered | NotSent | Unanswered


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL, the port only where it is not the scheme's own (RFC 6454)."""
    parsed = httpx.URL(url)
    host = parsed.raw_host.decode("ascii")
    shown = f"[{host}]" if ":" in host else host
    return f"{parsed.scheme}://{shown}" + ("" if parsed.port is None else f":{parsed.port}")
