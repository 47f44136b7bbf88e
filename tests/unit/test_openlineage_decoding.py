import gzip
import time
import zlib

import pytest

from catalog.errors import InvalidInput, PayloadTooLarge, UnsupportedMediaType
from catalog.openlineage.receive import decode_body

BODY = b'{"a": 1}' * 10_000


@pytest.mark.parametrize("encoding", [None, "", "identity", " Identity "])
def test_a_plain_body_is_itself(encoding: str | None) -> None:
    assert decode_body(BODY, encoding, len(BODY)) is BODY
    with pytest.raises(PayloadTooLarge):
        decode_body(BODY, encoding, len(BODY) - 1)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP"])
def test_gzip_is_decoded_up_to_the_limit(encoding: str) -> None:
    body = gzip.compress(BODY)

    assert decode_body(body, encoding, len(BODY)) == BODY
    with pytest.raises(PayloadTooLarge, match=f"limit of {len(BODY) - 1} bytes"):
        decode_body(body, encoding, len(BODY) - 1)


def test_several_members_are_one_body() -> None:
    body = b"".join(gzip.compress(BODY[start : start + 7_000]) for start in range(0, len(BODY), 7_000))

    assert decode_body(body + b"\0" * 40_000, "gzip", len(BODY)) == BODY


def test_a_bomb_is_refused_while_it_is_decoded() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, compresslevel=9)
    nested = gzip.compress(bomb)

    with pytest.raises(PayloadTooLarge):
        decode_body(bomb, "gzip", 1_000_000)
    assert decode_body(nested, "gzip", 1_000_000) == bomb


def test_a_stream_of_empty_members_is_refused_soon() -> None:
    body = gzip.compress(b"") * 500_000
    start = time.perf_counter()

    with pytest.raises(InvalidInput, match="members"):
        decode_body(body, "gzip", 1_000)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"\x1f",
            gzip.compress(BODY, mtime=0)[:-1],
            gzip.compress(BODY, mtime=0)[:-9],
            gzip.compress(BODY, mtime=0)[:30],
        ),
        *(
            BODY,
            zlib.compress(BODY),
            gzip.compress(BODY, mtime=0) + b"x",
            gzip.compress(BODY, mtime=0) + gzip.compress(BODY, mtime=0)[:12],
        ),
        gzip.compress(BODY, mtime=0)[:-8] + b"\0" * 8,
    ],
)
def test_a_broken_stream_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_body(body, "gzip", 10 * len(BODY))


@pytest.mark.parametrize("encoding", ["deflate", "br", "gzip, gzip", "zstd"])
def test_any_other_encoding_is_unsupported(encoding: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode_body(BODY, encoding, len(BODY))
