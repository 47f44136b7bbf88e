import httpx
import pytest

from catalog.errors import InvalidInput
from web.cli.client import Client
from web.cli.run_names import run_id


@pytest.mark.parametrize(
    "name",
    [
        "",
        "abc",
        "xyz12",
        "0123456789abcdef0",
        "flights/",
        "flights/one",
        "flights/-1",
        "/1",
        "flights/²",
        "g" * 36,
        "0402f884-73f1-5897-843c-df52f030484c0",
        "0402-f884",
        "-" * 32,
    ],
)
def test_what_names_no_run_is_refused_before_anybody_is_asked(name: str) -> None:
    client = Client(httpx.URL("http://127.0.0.1:1"), None)
    try:
        with pytest.raises(InvalidInput, match="expected a UUID, the beginning of one"):
            run_id(client, name)
    finally:
        client.close()


@pytest.mark.parametrize(
    "name",
    [
        "0402F884-73f1-5897-843c-df52f030484c",
        "run:0402f884-73f1-5897-843c-df52f030484c",
        "0402f88473f15897843cdf52f030484c",
    ],
)
def test_a_uuid_needs_no_server(name: str) -> None:
    client = Client(httpx.URL("http://127.0.0.1:1"), None)
    try:
        assert run_id(client, name) == "0402f884-73f1-5897-843c-df52f030484c"
    finally:
        client.close()
