"""Signatures against the vector that the specification's libraries share, and against one of them."""

import base64
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from catalog.errors import SecretUnavailable
from hooks.webhooks.signing import key_of, signature, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_vector_of_the_reference_libraries() -> None:
    body = b'{"test": 2432232314}'
    found = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, key_of(SECRET, name="x"))
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.text(), st.integers(0, 2**33))
def test_another_library_makes_the_same_signature(key: bytes, text: str, seconds: int) -> None:
    body = text.encode()
    when = dt.datetime.fromtimestamp(seconds, dt.UTC)
    expected = Webhook(key).sign("msg_1", when, text)
    assert signature("msg_1", seconds, body, key) == expected


def test_every_key_signs_in_its_order() -> None:
    keys = [b"a" * 24, b"b" * 24]
    found = signed_headers("msg_1", 5, b"{}", keys)
    assert found == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "5",
        "webhook-signature": " ".join(signature("msg_1", 5, b"{}", key) for key in keys),
    }


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_is_base64_with_or_without_prefix_and_padding(size: int) -> None:
    key = bytes(range(size))
    encoded = base64.b64encode(key).decode()
    for text in (f"whsec_{encoded}", encoded, f"whsec_{encoded}".rstrip("="), f" whsec_{encoded}\n"):
        assert key_of(text, name="x") == key


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64 at all!!", "ä" * 40, "A" * 200]
)
def test_what_is_no_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(SecretUnavailable) as raised:
        key_of(secret, name="env:HEADWATER_SECRET_X")
    assert (
        raised.value.message
        == "expected whsec_ and base64 of 24 to 64 bytes in the secret env:HEADWATER_SECRET_X"
    )
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
