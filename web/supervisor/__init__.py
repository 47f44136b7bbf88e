"""Processes that live and end together: forked children and, below them, the embedded PostgreSQL.

Knows neither web nor worker: the composition root passes what a child runs.
"""

from web.supervisor.child import UNMENDABLE_EXIT, ChildProcess
from web.supervisor.supervisor import Supervisor

__all__ = ["UNMENDABLE_EXIT", "ChildProcess", "Supervisor"]
