"""Commands about webhooks: judged here, carried out by the webhooks follower where they stand in the stream."""

from typing import Any

import psycopg

from catalog.errors import InvalidInput, NotFound
from catalog.facts import FactKind
from hooks.deciding.planning import read_stored

WEBHOOK = "Webhook"


def judge_webhook_command(
    connection: psycopg.Connection[Any], kind: FactKind, body: dict[str, Any]
) -> dict[str, Any]:
    """Return the verdict that the webhooks follower goes by; raise `NotFound` or `InvalidInput`."""
    name = str(body["webhook"])
    stored = read_stored(connection, [(WEBHOOK, name)]).get((WEBHOOK, name))
    if stored is None or stored.document is None:
        raise NotFound(f"expected the name of a registered webhook, found {name!r}")
    verdict: dict[str, Any] = {"webhook": name, "command": kind}
    if kind is FactKind.WEBHOOK_REPLAY:
        position = body.get("position")
        if not isinstance(position, int) or isinstance(position, bool) or not 1 <= position < 2**63:
            raise InvalidInput(
                f"expected a ledger position from 1 on, found {position!r:.100}", pointer="/position"
            )
        verdict["position"] = position
    if reason := body.get("reason"):
        verdict["reason"] = str(reason)
    return verdict
