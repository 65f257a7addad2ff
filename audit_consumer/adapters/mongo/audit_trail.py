"""The audit trail in MongoDB.

The driver is motor because the product's owner chose it. It is past its end of life, so this module alone uses it; ADR 26
describes the move to PyMongo's asynchronous client.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import bson
import structlog
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo import ReadPreference, WriteConcern
from pymongo.errors import (
    BulkWriteError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.topology_description import TopologyDescription

from audit_consumer.adapters.mongo.documents import from_document, to_document
from audit_consumer.adapters.mongo.queries import INDEXES, NEWEST_FIRST, filter_document, index_for
from audit_consumer.domain.events import AuditEvent
from audit_consumer.domain.queries import Filters, SortKeyRange
from audit_consumer.errors import QueryTooSlow
from audit_consumer.ports import Rejection, WriteResult
from shared.runtime.clock import Clock
from shared.runtime.deadlines import Deadlines
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard
from shared.runtime.tracing.database import database_call

NAME, READS = "mongo", "mongo_reads"
COLLECTION = "events"
_SYSTEM = "mongodb"
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_CONCURRENT_READS = 3
"""motor runs each call in a thread of a pool, 5 for each CPU: slow queries must leave threads for the ingestion on one CPU."""
MAX_CONCURRENT_WRITES = 2
"""The worker's: one batch or the creation of the indexes, and one check that MongoDB answers."""

DUPLICATE_KEY = 11000
# BadValue, DocumentValidationFailure, BSONObjectTooLarge, KeyTooLong: MongoDB rejects the same document every time.
PERMANENT_CODES = frozenset({2, 121, 10334, 17280})

REACHABLE_SECONDS = 0.4
"""Longest wait of a query for a server while none is known: callers get their 503 within half a second."""

_log = structlog.get_logger(__name__)
_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
Document: TypeAlias = dict[str, Any]


def new_client(url: str, *, call_seconds: float) -> AsyncIOMotorClient[Document]:
    """A client that fails early, retries nothing, and connects on first use. No call may take longer than `call_seconds`."""
    return AsyncIOMotorClient(
        url,
        serverSelectionTimeoutMS=1_000,
        connectTimeoutMS=1_000,
        socketTimeoutMS=round(call_seconds * 1_000),
        waitQueueTimeoutMS=1_000,
        retryWrites=False,
        retryReads=False,
        tz_aware=True,
        appname="audit_consumer",
    )


class MongoAuditTrail:
    """Stores and finds audit events."""

    def __init__(
        self,
        client: AsyncIOMotorClient[Document],
        database: str,
        *,
        write_seconds: float,
        query_seconds: float,
        clock: Clock,
        health: DependencyHealth,
        reads_health: DependencyHealth,
        metrics: Metrics,
        reads_client: AsyncIOMotorClient[Document] | None = None,
    ) -> None:
        """`health`: of writes and checks; `reads_health`: of queries.

        `reads_client`: for queries (None: the same). Its calls must end with the queries' deadline: motor lets the thread of
        a cancelled call run on.
        """
        self._client, self._reads_client = client, reads_client or client
        self._database = database
        self._query_seconds = query_seconds
        # The server cancels the query before the client's deadline, so that a slow query is not taken for an outage.
        self._server_query_ms = round(1000 * Deadlines(query_seconds).call_seconds)
        self._writes: AsyncIOMotorCollection[Document] = client[database].get_collection(
            COLLECTION,
            write_concern=WriteConcern(
                w="majority", j=True, wtimeout=round(1000 * Deadlines(write_seconds).call_seconds)
            ),
        )
        self._reads: AsyncIOMotorCollection[Document] = self._reads_client[database].get_collection(
            COLLECTION, _CODEC, ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
        )

        def guard(name: str, seconds: float, watched: DependencyHealth, at_once: int) -> Guard:
            return Guard(
                name,
                timeout=seconds,
                failures=(PyMongoError,),
                clock=clock,
                health=watched,
                metrics=metrics,
                at_once=at_once,
            )

        self._guard = guard(NAME, write_seconds, health, MAX_CONCURRENT_WRITES)
        # A guard of their own: slow queries of one caller must neither stop the ingestion nor report MongoDB as down.
        self._read_guard = guard(READS, query_seconds, reads_health, MAX_CONCURRENT_READS)

    @asynccontextmanager
    async def _call(self, guard: Guard, within_seconds: float | None = None) -> AsyncIterator[None]:
        async with guard.call(within=within_seconds):
            try:
                yield
            except OperationFailure as error:
                # MongoDB answered, and the fault is in this request (such as a missing index): the breaker must not open.
                _log.warning("MongoDB refused a request", code=error.code, reason=str(error))
                raise DependencyUnavailable(NAME, f"it refused the request with error {error.code}") from error

    async def create_indexes(self) -> None:
        """Create the missing indexes. A build that exceeds the deadline continues in MongoDB. Raises DependencyUnavailable."""
        async with self._call(self._guard):
            await self._writes.create_indexes(list(INDEXES))

    async def ping(self) -> None:
        """Check that MongoDB answers. Raises DependencyUnavailable."""
        async with self._call(self._guard, self._query_seconds):
            await self._client.admin.command("ping")

    async def store(self, events: Sequence[AuditEvent]) -> WriteResult:
        """Store the events that the trail lacks, on a majority of servers and in their journals."""
        documents, sent, rejected = _encode(events)
        errors: Sequence[Document] = ()
        if documents:
            with database_call(_SYSTEM, self._database, "insert", COLLECTION):
                async with self._call(self._guard):
                    errors = await self._insert(documents)
        rejected += [Rejection(sent[each["index"]], each["errmsg"]) for each in errors if _is_permanent(each)]
        failed = {each["index"] for each in errors}
        stored = [event for index, event in enumerate(sent) if index not in failed]
        return WriteResult(stored, sum(each["code"] == DUPLICATE_KEY for each in errors), rejected)

    async def _insert(self, documents: Sequence[RawBSONDocument]) -> Sequence[Document]:
        """The errors of single documents, all of them duplicates or permanent rejections."""
        try:
            # When all are duplicates, MongoDB still waits until a majority has its latest write: duplicates are safe too.
            await self._writes.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            if error.details["writeConcernErrors"]:
                raise WTimeoutError(str(error.details["writeConcernErrors"][0])) from error
            errors: list[Document] = error.details["writeErrors"]
            for each in errors:
                if each["code"] != DUPLICATE_KEY and not _is_permanent(each):
                    raise DependencyUnavailable(NAME, f"error {each['code']}: {each['errmsg']}") from error
            return errors
        return ()

    async def _wait_reachable(self) -> None:
        """Fail early while MongoDB is down: the driver itself looks for a server for a second, in steps of half a second."""
        topology: TopologyDescription = self._reads_client.topology_description  # type: ignore[assignment]  # wrong in motor's stubs
        if topology.has_writable_server():
            return
        try:
            async with asyncio.timeout(REACHABLE_SECONDS):
                await self._reads_client.admin.command("ping")
        except TimeoutError as error:
            raise ServerSelectionTimeoutError(f"no server answered within {REACHABLE_SECONDS:g} s") from error

    async def find(self, filters: Filters, keys: SortKeyRange, limit: int) -> Sequence[AuditEvent]:
        """At most `limit` matching events, newest first."""
        with database_call(_SYSTEM, self._database, "find", COLLECTION):
            documents = await self._find(filters, keys, limit)
        return [from_document(each) for each in documents]

    async def _find(self, filters: Filters, keys: SortKeyRange, limit: int) -> Sequence[Document]:
        async with self._call(self._read_guard):
            await self._wait_reachable()
            found = (
                self._reads.find(filter_document(filters, keys))
                .sort(NEWEST_FIRST)
                .hint(index_for(filters))
                .limit(limit)
            )
            try:
                documents: list[Document] = await found.max_time_ms(self._server_query_ms).to_list(limit)
            except ExecutionTimeout as error:
                raise QueryTooSlow(self._query_seconds) from error
        return documents

    async def close(self) -> None:
        """Close every connection."""
        self._client.close()
        self._reads_client.close()


def _is_permanent(error: Document) -> bool:
    return error["code"] in PERMANENT_CODES


def _encode(events: Sequence[AuditEvent]) -> tuple[list[RawBSONDocument], list[AuditEvent], list[Rejection]]:
    """The documents, the events in them, and the events that no document can hold."""
    documents, sent, rejected = [], [], []
    for event in events:
        try:
            encoded = bson.encode(to_document(event))
        except (BSONError, OverflowError) as error:
            rejected.append(Rejection(event, str(error)))
            continue
        if len(encoded) > MAX_DOCUMENT_BYTES:
            rejected.append(Rejection(event, f"{len(encoded)} bytes; the maximum is {MAX_DOCUMENT_BYTES}"))
            continue
        documents.append(RawBSONDocument(encoded))
        sent.append(event)
    return documents, sent, rejected
