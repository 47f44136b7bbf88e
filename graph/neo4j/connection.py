"""Sessions with a Neo4j: the only module that imports its driver, and the place where the driver's errors end."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, LiteralString, TypeVar

import neo4j
from neo4j import GraphDatabase, ManagedTransaction, unit_of_work
from neo4j.exceptions import ConfigurationError as DriverConfigurationError
from neo4j.exceptions import DriverError, Neo4jError

from catalog.errors import ConfigurationError, GraphUnavailable, HeadwaterError

#: Seconds for a connection, for a place in the pool, and for repeating a transaction that met a passing fault.
CONNECT_SECONDS = 4.0
RETRY_SECONDS = 2.0
#: Seconds after which the server ends a transaction that writes; the follower's own database waits ten for it.
WRITE_SECONDS = 9.0
POOL = 60
#: What these codes begin with, a statement or its values are to blame for; for anything else, the server's state is.
_REFUSED = ("Neo.ClientError.Statement.", "Neo.ClientError.Schema.")

Answer = TypeVar("Answer")
Transaction = ManagedTransaction | neo4j.Transaction


@dataclass(frozen=True, slots=True)
class Neo4jAccess:
    """Where a Neo4j is, and as whom to use it."""

    url: str
    user: str
    password: str = field(repr=False)


class Neo4jSessions:
    """Managed transactions: those that meet a passing fault are run again, so what they do may happen twice."""

    def __init__(self, access: Neo4jAccess) -> None:
        try:
            self._driver = GraphDatabase.driver(
                access.url,
                auth=(access.user, access.password),
                connection_timeout=CONNECT_SECONDS,
                connection_acquisition_timeout=2 * CONNECT_SECONDS,
                max_transaction_retry_time=RETRY_SECONDS,
                max_connection_pool_size=POOL,
                notifications_min_severity=neo4j.NotificationMinimumSeverity.OFF,
                telemetry_disabled=True,
                user_agent="headwater",
            )
        except (DriverConfigurationError, ValueError) as error:
            raise ConfigurationError(f"HEADWATER_NEO4J_URL names no Neo4j: {error}") from error

    def close(self) -> None:
        """End every connection."""
        self._driver.close()

    @contextlib.contextmanager
    def session(self) -> Iterator["Neo4jSession"]:
        """Yield a session, whose transactions see each other's effects."""
        with translated_errors(), self._driver.session() as session:
            yield Neo4jSession(session)

    @contextlib.contextmanager
    def transaction(self, seconds: float) -> Iterator["neo4j.Transaction"]:
        """Yield one transaction that is not run again, which the server ends after so many seconds."""
        with (
            translated_errors(),
            self._driver.session() as session,
            session.begin_transaction(timeout=seconds) as transaction,
        ):
            yield transaction
            transaction.commit()

    def write(self, work: Callable[[Transaction], Answer], *, seconds: float = WRITE_SECONDS) -> Answer:
        """Run the work in a transaction of a session of its own."""
        with self.session() as session:
            return session.transact(work, seconds=seconds)

    def define(self, statements: list[str]) -> None:
        """Run statements about the schema, which share no transaction with others; return once indexes answer."""
        with translated_errors(), self._driver.session() as session:
            for statement in statements:
                session.run(_declared(statement)).consume()
            session.run("CALL db.awaitIndexes(300)").consume()


class Neo4jSession:
    """One session: managed transactions, one after the other."""

    def __init__(self, session: neo4j.Session) -> None:
        self._session = session

    def transact(self, work: Callable[[Transaction], Answer], *, seconds: float) -> Answer:
        """Run the work in a transaction that the server ends after so many seconds.

        All go to whoever writes: what is read has to be the newest, and a cursor is read under its lock.
        """
        return self._session.execute_write(unit_of_work(timeout=seconds)(work))


def ask(transaction: Transaction, query: LiteralString, /, **parameters: Any) -> list[dict[str, Any]]:
    """Return the rows of the answer by the names of their columns."""
    return transaction.run(query, parameters).data()


def ask_one(transaction: Transaction, query: LiteralString, /, **parameters: Any) -> Any:
    """Return the only row of the answer, None where there is none."""
    return transaction.run(query, parameters).single()


def ask_rows(transaction: Transaction, query: LiteralString, /, **parameters: Any) -> Iterator[Any]:
    """Give the rows of the answer while they come."""
    yield from transaction.run(query, parameters)


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """Raise `GraphUnavailable` where the server is to blame, `HeadwaterError` where what was sent is."""
    try:
        yield
    except Neo4jError as error:
        code = error.code or ""
        if code.startswith(_REFUSED):
            raise HeadwaterError(f"Neo4j refused a statement ({code}): {error.message}"[:1000]) from error
        raise GraphUnavailable(f"Neo4j cannot answer ({code}): {error.message}"[:500]) from error
    except DriverError as error:
        raise GraphUnavailable(f"Neo4j does not answer: {error}"[:500]) from error


def _declared(statement: str) -> Any:
    """Return a statement that was made of declared names alone as the driver takes it."""
    return statement
