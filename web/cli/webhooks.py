"""`headwater webhooks`: who is told what, what waits for them, and what to do where it does not arrive."""

import datetime as dt
import secrets
import time
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text

from catalog.errors import NotFound
from web.cli.client import Client, connected
from web.cli.exits import ExitCode
from web.cli.options import AsJson, DataDir, Url, group
from web.cli.output import cell, print_facts, print_json, print_line, print_table, say, state
from web.cli.text import brief, count, duration, instant, parsed_instant
from web.cli.webhook_queries import (
    DELIVERIES,
    DELIVERIES_WITH_BODIES,
    PAUSE_WEBHOOK,
    REPLAY_WEBHOOK,
    RESUME_WEBHOOK,
    RETRY_DEAD,
    TEST_WEBHOOK,
    TESTS,
    WEBHOOK,
    WEBHOOKS,
)

webhooks = group("List and show webhooks; pause, replay, retry and test them.")

PAGE = 200
#: How often `test` looks whether the receiver has answered, in seconds.
LOOK_SECONDS = 0.2

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the webhook.")]
Answer = dict[str, Any]


class DeliveryState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    TEST = "test"
    FAILED = "failed"


@webhooks.command("list")
def list_webhooks(url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """List webhooks and how they stand."""
    found: list[Answer] = []
    after = position = None
    with connected(url, data_dir) as client:
        while True:
            page = client.ask(WEBHOOKS, first=PAGE, after=after)["webhooks"]
            found += page["nodes"]
            position = page["position"] if position is None else position
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
    if as_json:
        print_json({"webhooks": found, "position": position})
        return
    if not found:
        say("There are no webhooks yet: `headwater apply -f FILE` registers one.")
        return
    now = dt.datetime.now(dt.UTC)
    rows = [
        [
            cell(webhook["name"], "bold"),
            state(webhook["state"].lower()),
            cell(f"{webhook['pending']:,}"),
            cell(f"{webhook['dead']:,}", "red" if webhook["dead"] else ""),
            cell(f"{webhook['delivered']:,}"),
            cell(_waits(webhook, now)),
            cell(_trouble(webhook)),
        ]
        for webhook in found
    ]
    columns = ["WEBHOOK", "STATE", "PENDING", "DEAD", "DELIVERED", "WAITS", "TROUBLE"]
    print_table(columns, rows, right=["PENDING", "DEAD", "DELIVERED"])


@webhooks.command("show")
def show(name: Name, url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Show a webhook."""
    with connected(url, data_dir) as client:
        found = _known(client.ask(WEBHOOK, name=name)["webhook"], name)
    if as_json:
        print_json(found)
        return
    _show(found)


@webhooks.command("deliveries")
def deliveries(
    name: Name,
    states: Annotated[
        list[DeliveryState] | None, typer.Option("--state", help="Only in this state; repeatable.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, the newest first.")] = 20,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List messages to a webhook: those that wait, dead letters, and the last thousand that arrived.

    With `--json` their bodies too.
    """
    chosen = None if states is None else [found.name for found in states]
    query = DELIVERIES_WITH_BODIES if as_json else DELIVERIES
    found: list[Answer] = []
    after = None
    with connected(url, data_dir) as client:
        while True:
            variables = {"first": min(PAGE, limit - len(found)), "after": after, "states": chosen}
            page = _known(client.ask(query, name=name, **variables)["webhook"], name)["deliveries"]
            found += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            more = bool(page["pageInfo"]["hasNextPage"])
            if not more or len(found) >= limit:
                break
    if as_json:
        print_json({"deliveries": found, "more": more})
        return
    if not found:
        say("There are no messages.")
        return
    print_table(
        ["POSITION", "MESSAGE", "STATE", "TRIES", "LAST TRIED", "NEXT", "ERROR"],
        [_delivery(message) for message in found],
        right=["POSITION", "TRIES"],
    )
    if more:
        say("There are more: --limit shows them.")


@webhooks.command("pause")
def pause(
    name: Name,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Pause a webhook: nothing is sent.

    What happens meanwhile is told once it is resumed.
    """
    with connected(url, data_dir) as client:
        done = client.ask(PAUSE_WEBHOOK, webhook=name, reason=reason, key=secrets.token_hex(16))["command"]
    _done(done, as_json=as_json)


@webhooks.command("resume")
def resume(name: Name, url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Resume a paused webhook; it goes on where it stopped."""
    with connected(url, data_dir) as client:
        done = client.ask(RESUME_WEBHOOK, webhook=name, key=secrets.token_hex(16))["command"]
    _done(done, as_json=as_json)


@webhooks.command("replay")
def replay(
    name: Name,
    position: Annotated[
        int,
        typer.Option("--from", metavar="POSITION", min=1, help="Ledger position; 1 is all that is known."),
    ],
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send everything again that happened from a ledger position on.

    In order and with the same identities, so that a receiver that remembers what it has takes only what it lacks.
    """
    with connected(url, data_dir) as client:
        variables: Answer = {"from": position}
        done = client.ask(REPLAY_WEBHOOK, webhook=name, key=secrets.token_hex(16), **variables)["command"]
    _done(done, as_json=as_json)


@webhooks.command("retry-dead")
def retry_dead(name: Name, url: Url = None, data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Send the dead letters of a webhook again, before anything younger."""
    with connected(url, data_dir) as client:
        done = client.ask(RETRY_DEAD, webhook=name, key=secrets.token_hex(16))["command"]
    _done(done, as_json=as_json)


@webhooks.command("test")
def send_test(
    name: Name,
    seconds: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for the outcome.")
    ] = 35.0,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send a test message now and say what came of it; exit code 1 where it did not arrive.

    It goes before everything that waits, and to a paused webhook too.
    """
    deadline = time.monotonic() + seconds
    with connected(url, data_dir) as client:
        done = client.ask(TEST_WEBHOOK, webhook=name, key=secrets.token_hex(16))["testWebhook"]
        message = done["delivery"]
        while (message is None or message["state"] == "TEST") and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            message = _test_at(client, name, done["position"]) or message
    if as_json:
        print_json({"position": done["position"], "delivery": message})
    elif message is None or message["state"] == "TEST":
        say("The receiver has not answered yet; `headwater webhooks deliveries` shows what comes of it.")
    else:
        outcome = message["error"] or f"answered {message['status']}"
        print_line(Text.assemble(state(message["state"].lower()), f" {outcome}"))
    if message is None or message["state"] != "DELIVERED":
        raise typer.Exit(ExitCode.FAILURE)


def _test_at(client: Client, name: str, position: int) -> Answer | None:
    nodes = _known(client.ask(TESTS, name=name)["webhook"], name)["deliveries"]["nodes"]
    found = (node for node in nodes if node["type"] == "webhook.test" and node["position"] == position)
    return next(found, None)


def _known(webhook: Answer | None, name: str) -> Answer:
    if webhook is None:
        raise NotFound(f"expected the name of a registered webhook, found {name!r}")
    return webhook


def _done(done: Answer, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    webhook = done["webhook"]
    told = f"{count(webhook['pending'], 'message')} pending, {webhook['dead']:,} dead"
    print_line(f"{webhook['name']} {webhook['state'].lower()}: {told}")


def _show(webhook: Answer) -> None:
    print_line(Text.assemble((webhook["name"], "bold"), " ", state(webhook["state"].lower())))
    because = f": {webhook['reason']}" if webhook["reason"] else ""
    facts = [
        ("since", cell(f"{instant(webhook['since'])} by {webhook['actor']}{because}")),
        ("owner", cell(webhook["owner"])),
        ("url", cell(webhook["url"])),
        ("events", cell(", ".join(webhook["events"]))),
        ("document", cell(f"version {webhook['documentVersion']}")),
        ("position", cell(webhook["position"])),
        ("pending", cell(f"{webhook['pending']:,}, {_waits(webhook, dt.datetime.now(dt.UTC))}")),
        ("dead", cell(f"{webhook['dead']:,}", "red" if webhook["dead"] else "")),
        ("delivered", cell(f"{webhook['delivered']:,}, last {instant(webhook['lastDeliveredAt'])}")),
        ("failed", cell(f"{webhook['failed']:,}, last {instant(webhook['lastFailedAt'])}")),
        ("last error", cell(webhook["lastError"])),
    ]
    print_facts(facts)


def _waits(webhook: Answer, now: dt.datetime) -> str:
    oldest = webhook["oldestWaitingAt"]
    return "-" if oldest is None else f"for {duration((now - parsed_instant(oldest)).total_seconds())}"


def _trouble(webhook: Answer) -> str:
    if webhook["state"] == "PAUSED":
        return webhook["reason"] or "-"
    return webhook["lastError"] if webhook["pending"] and webhook["lastError"] else "-"


def _delivery(message: Answer) -> list[Text]:
    return [
        cell(message["position"]),
        cell(message["type"]),
        state(message["state"].lower()),
        cell(message["attempts"]),
        cell(instant(message["lastAttemptAt"])),
        cell(instant(message["nextAttemptAt"])),
        cell("-" if message["error"] is None else brief(message["error"])),
    ]
