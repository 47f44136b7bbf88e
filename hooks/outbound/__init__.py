"""The one way out over HTTP: a client that decides where it connects to, and bounds what it sends for and takes in.

Owns no state and knows nothing of pipelines: the `http` launcher, webhooks and other engines send through it.
May import `catalog` alone.
"""

from hooks.outbound.addresses import OutboundPolicy, Zone
from hooks.outbound.client import OutboundClient
from hooks.outbound.exchange import (
    Answered,
    Bounds,
    Exchange,
    NotSent,
    OutboundRequest,
    Unanswered,
    origin_of,
)

__all__ = [
    "Answered",
    "Bounds",
    "Exchange",
    "NotSent",
    "OutboundClient",
    "OutboundPolicy",
    "OutboundRequest",
    "Unanswered",
    "Zone",
    "origin_of",
]
