"""Webhooks from the command line: a server, a worker and a receiver that takes what it is told to."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.postgresql import drop_database, fresh_database
from tests.support.command_line import CommandLine, clean_environment, running_process
from tests.support.http_double import HttpDouble, http_double
from tests.support.webhooks import SECRET, identities, webhook_body

SECONDS = 30


@dataclass
class Installed:
    headwater: CommandLine
    receiver: HttpDouble
    #: What the receiver answers, by path.
    answers: dict[str, int]

    def apply(self, name: str, **spec: Any) -> None:
        body = webhook_body(name, f"{self.receiver.url}/{name}", **spec)
        self.headwater.done("apply", "-f", "-", stdin=json.dumps(body))

    def arrive(self, name: str) -> int:
        told = self.headwater.done("emit", "version", "--dataset", "ns", name).out
        return int(told.removeprefix("reported, position "))

    def show(self, name: str) -> dict[str, Any]:
        return dict(self.headwater.done("webhooks", "show", name, "--json").json)

    def until(self, name: str, **expected: Any) -> dict[str, Any]:
        """Wait until the webhook is as expected."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            found = self.show(name)
            if all(found[key] == value for key, value in expected.items()):
                return found
            time.sleep(0.1)
        raise AssertionError(found)


@pytest.fixture(scope="module")
def installed(
    cluster_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """A server and a worker for the tests of this file, which use names of their own."""
    folder = tmp_path_factory.mktemp("webhooks")
    url = fresh_database(cluster_url, template_database)
    answers: dict[str, int] = {}
    environment = clean_environment(
        folder,
        HEADWATER_DATABASE_URL=url,
        HEADWATER_OUTBOUND_ALLOW_LOOPBACK="true",
        HEADWATER_SECRET_HOOK=SECRET,
    )
    with ExitStack() as stack:
        receiver = stack.enter_context(
            http_double(lambda heard, reply: reply.send(answers.get(heard.path.strip("/"), 204)))
        )
        serve = running_process(["serve", "--port", "0"], environment, folder / "serve.log")
        server = stack.enter_context(serve).split()[1]
        worker = running_process(
            ["worker"], environment | {"HEADWATER_PUBLIC_URL": server}, folder / "worker.log"
        )
        stack.enter_context(worker)
        yield Installed(CommandLine(clean_environment(folder, HEADWATER_URL=server)), receiver, answers)
    drop_database(url)


def test_a_webhook_from_its_document_to_its_deliveries(installed: Installed) -> None:
    installed.apply("first", secret="env:HEADWATER_SECRET_HOOK", events=["version.published"])
    tried = installed.headwater.done("webhooks", "test", "first")
    assert tried.out == "delivered answered 204\n"
    position = installed.arrive("a")
    found = installed.until("first", delivered=1, pending=0)
    assert (found["state"], found["dead"], found["lastError"]) == ("ACTIVE", 0, None)
    listed = installed.headwater.done("webhooks", "list").out
    assert "first" in listed
    told = installed.headwater.done("webhooks", "deliveries", "first", "--json").json["deliveries"]
    assert [(message["type"], message["state"]) for message in told] == [
        ("version.published", "DELIVERED"),
        ("webhook.test", "DELIVERED"),
    ]
    assert told[0]["position"] == position == told[0]["body"]["data"]["position"]
    assert "version.published" in installed.headwater.done("webhooks", "deliveries", "first").out
    replayed = installed.headwater.done("webhooks", "replay", "first", "--from", str(position))
    assert replayed.out.startswith("first active")
    installed.until("first", delivered=2)
    heard = [request for request in installed.receiver.heard if request.path == "/first"]
    assert identities(heard)[1] == identities(heard)[2] == told[0]["id"]


def test_dead_letters_are_shown_and_sent_again(installed: Installed) -> None:
    installed.answers["second"] = 500
    installed.apply("second", secret="env:HEADWATER_SECRET_HOOK", retries={"count": 0})
    installed.arrive("b")
    found = installed.until("second", dead=1)
    assert found["lastError"] == "answered 500 Internal Server Error"
    assert (
        "answered 500" in installed.headwater.done("webhooks", "deliveries", "second", "--state", "dead").out
    )
    tried = installed.headwater("webhooks", "test", "second")
    assert (tried.code, tried.out) == (1, "failed answered 500 Internal Server Error\n")
    installed.answers["second"] = 200
    installed.headwater.done("webhooks", "retry-dead", "second")
    installed.until("second", dead=0, delivered=1)


def test_a_pause_keeps_what_happens_for_later(installed: Installed) -> None:
    installed.apply("third", secret="env:HEADWATER_SECRET_HOOK")
    paused = installed.headwater.done("webhooks", "pause", "third", "--reason", "they move")
    assert paused.out == "third paused: 0 messages pending, 0 dead\n"
    assert installed.show("third")["reason"] == "they move"
    installed.arrive("c")
    assert "they move" in installed.headwater.done("webhooks", "show", "third").out
    installed.headwater.done("webhooks", "resume", "third")
    installed.until("third", delivered=1, state="ACTIVE")


def test_refusals(installed: Installed, tmp_path: Path) -> None:
    for command in (["show", "none"], ["deliveries", "none"], ["pause", "none"], ["test", "none"]):
        said = installed.headwater("webhooks", *command)
        assert said.code == 3, said
        assert "none" in said.err
    installed.apply("fourth", secret="env:HEADWATER_SECRET_HOOK")
    stranger = CommandLine(
        clean_environment(tmp_path, HEADWATER_URL=installed.headwater.environment["HEADWATER_URL"])
    )
    assert stranger.done("webhooks", "list").code == 0, "whoever may read sees how webhooks stand"
    for command in (["pause"], ["resume"], ["replay", "--from", "1"], ["retry-dead"], ["test"]):
        said = stranger("webhooks", command[0], "fourth", *command[1:])
        assert said.code == 3, said
        assert "unauthenticated" in said.err
