"""Request bodies as they come over the wire: plain or compressed with gzip (RFC 1952)."""

import zlib

from catalog.errors import InvalidInput, PayloadTooLarge, UnsupportedMediaType

_GZIP = 16 + zlib.MAX_WBITS
#: What is left after a member is copied, so a stream of many small members must be fed in small pieces.
_PIECE = 16 * 1024
#: Tools that write members write one for each 64 KiB or more; a stream of empty members is an attack.
_MOST_MEMBERS = 10_000


def decode_body(body: bytes, content_encoding: str | None, limit: int) -> bytes:
    """Return the decoded body, at most `limit` bytes of it ever held.

    Raises `PayloadTooLarge` as soon as decoding passes the limit, `InvalidInput` for a gzip stream that is
    broken or ends early, `UnsupportedMediaType` for any other encoding.
    """
    match (content_encoding or "identity").strip().lower():
        case "identity" | "":
            if len(body) > limit:
                raise PayloadTooLarge(f"the body has {len(body)} bytes, the limit is {limit}", limit=limit)
            return body
        case "gzip" | "x-gzip":
            try:
                return _gunzip(body, limit)
            except zlib.error as exc:
                raise InvalidInput(f"the body is no gzip stream: {exc}") from exc
        case other:
            raise UnsupportedMediaType(f"expected Content-Encoding gzip or none, found {other[:100]!r}")


def _gunzip(body: bytes, limit: int) -> bytes:
    decoded = bytearray()
    position, members, member = 0, 0, zlib.decompressobj(_GZIP)
    pending = b""
    while True:
        if not pending:
            pending = body[position : position + _PIECE]
            position += len(pending)
        if not pending:
            break
        if member.eof:
            # Zeros after a member are padding, as for gzip(1); anything else must be another member.
            pending = pending.lstrip(b"\0")
            if not pending:
                continue
            members += 1
            if members >= _MOST_MEMBERS:
                raise InvalidInput(f"expected fewer than {_MOST_MEMBERS} members in the gzip stream")
            member = zlib.decompressobj(_GZIP)
        decoded += member.decompress(pending, limit - len(decoded) + 1)
        if len(decoded) > limit:
            raise PayloadTooLarge(f"the decoded body is larger than the limit of {limit} bytes", limit=limit)
        pending = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise InvalidInput("the gzip stream ends early")
    return bytes(decoded)
