"""Facts of the ledger, as they were received."""

import datetime as dt

from strawberry.scalars import JSON

from web.graphql.scalars import Long
from web.graphql.types.declaring import object_type, plain


@object_type
class Fact:
    """A record of the ledger: an event, a report, a command, an outcome.

    It is never changed, but that retention may remove the body of an event.
    """

    position: Long = plain("Its place in the ledger.")
    kind: str = plain("What it is, such as openlineage.run, version.report or pipeline.trigger.")
    received_at: dt.datetime = plain("When it was received.")
    actor: str = plain("Who sent it.")
    redactions: list[str] = plain("JSON pointers to what was redacted on receipt.")
    body: JSON | None = plain("What was received, byte by byte; null where retention has removed it.")
