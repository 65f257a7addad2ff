"""The audit trail in MongoDB. The one module that talks to it."""

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
from pymongo.errors import BulkWriteError, ExecutionTimeout, OperationFailure, PyMongoError, WTimeoutError
from pymongo.read_concern import ReadConcern

from audit_consumer.adapters.documents import from_document, to_document
from audit_consumer.adapters.mongo_queries import INDEXES, NEWEST_FIRST, condition, index_for
from audit_consumer.domain.events import AuditEvent
from audit_consumer.domain.queries import Filters, Span
from audit_consumer.errors import QueryTooSlow
from audit_consumer.ports import Refusal, Stored
from shared.runtime.clock import Clock
from shared.runtime.health import DependencyHealth
from shared.runtime.metrics import Metrics
from shared.runtime.resilience import DependencyUnavailable, Guard

NAME = "mongo"
COLLECTION = "events"
LARGEST_DOCUMENT_BYTES = 16 * 1024 * 1024
READS_AT_ONCE = 4
"""motor runs every call in a thread of a small pool: slow queries must leave some for the ingestion."""

DUPLICATE_KEY = 11000
# BadValue, DocumentValidationFailure, BSONObjectTooLarge, KeyTooLong: the same document will be refused tomorrow.
PERMANENT_CODES = frozenset({2, 121, 10334, 17280})

_log = structlog.get_logger(__name__)
_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
Document: TypeAlias = dict[str, Any]


def new_client(url: str, *, longest_call: float) -> AsyncIOMotorClient[Document]:
    """A client that finds out soon and retries nothing by itself; connects on first use. Times in seconds."""
    return AsyncIOMotorClient(
        url,
        serverSelectionTimeoutMS=1_000,
        connectTimeoutMS=1_000,
        socketTimeoutMS=round(longest_call * 1_000),
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
        metrics: Metrics,
    ) -> None:
        self._client = client
        self._query_seconds = query_seconds
        # The server gives up before the client does, so that the client hears which of the two it was.
        self._server_query_ms = round(query_seconds * 900)
        self._writes: AsyncIOMotorCollection[Document] = client[database].get_collection(
            COLLECTION, write_concern=WriteConcern(w="majority", j=True, wtimeout=round(write_seconds * 900))
        )
        self._reads: AsyncIOMotorCollection[Document] = client[database].get_collection(
            COLLECTION, _CODEC, ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
        )
        self._readers = asyncio.Semaphore(READS_AT_ONCE)
        self._guard = Guard(
            NAME, timeout=write_seconds, failures=(PyMongoError,), clock=clock, health=health, metrics=metrics
        )

    @asynccontextmanager
    async def _call(self, within: float | None = None) -> AsyncIterator[None]:
        async with self._guard.call(within=within):
            try:
                yield
            except OperationFailure as error:
                # It answered. What is wrong is this request, an index say: no reason to hold back all the others.
                _log.warning("MongoDB refused a request", code=error.code, why=str(error))
                raise DependencyUnavailable(NAME, f"it refused the request with error {error.code}") from error

    async def prepare(self) -> None:
        """Make sure that every index exists. A build that takes longer goes on in MongoDB. May be called again."""
        async with self._call():
            await self._writes.create_indexes(list(INDEXES))

    async def ping(self) -> None:
        """Ask whether it answers. Raises DependencyUnavailable."""
        async with self._call(self._query_seconds):
            await self._client.admin.command("ping")

    async def store(self, events: Sequence[AuditEvent]) -> Stored:
        """Store what is not there yet, on a majority of servers and in their journals."""
        documents, sent, refused = _encode(events)
        errors: Sequence[Document] = ()
        if documents:
            async with self._call():
                errors = await self._insert(documents)
        refused += [Refusal(sent[each["index"]], each["errmsg"]) for each in errors if _is_permanent(each)]
        failed = {each["index"] for each in errors}
        stored = [event for index, event in enumerate(sent) if index not in failed]
        return Stored(stored, sum(each["code"] == DUPLICATE_KEY for each in errors), refused)

    async def _insert(self, documents: Sequence[RawBSONDocument]) -> Sequence[Document]:
        """The errors of single documents; each is a duplicate or will never be taken."""
        try:
            # Where all are duplicates, MongoDB still waits until a majority has what it wrote last: they are safe too.
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

    async def find(self, filters: Filters, span: Span, limit: int) -> Sequence[AuditEvent]:
        """At most `limit` matching events, newest first."""
        async with self._call(self._query_seconds), self._readers:
            found = self._reads.find(condition(filters, span)).sort(NEWEST_FIRST).hint(index_for(filters)).limit(limit)
            try:
                documents = await found.max_time_ms(self._server_query_ms).to_list(limit)
            except ExecutionTimeout as error:
                raise QueryTooSlow(self._query_seconds) from error
        return [from_document(each) for each in documents]

    async def close(self) -> None:
        """Close every connection."""
        self._client.close()


def _is_permanent(error: Document) -> bool:
    return error["code"] in PERMANENT_CODES


def _encode(events: Sequence[AuditEvent]) -> tuple[list[RawBSONDocument], list[AuditEvent], list[Refusal]]:
    """The documents, the events they are of, and those events that no document can hold."""
    documents, sent, refused = [], [], []
    for event in events:
        try:
            encoded = bson.encode(to_document(event))
        except (BSONError, OverflowError) as error:
            refused.append(Refusal(event, str(error)))
            continue
        if len(encoded) > LARGEST_DOCUMENT_BYTES:
            refused.append(Refusal(event, f"{len(encoded)} bytes; MongoDB takes {LARGEST_DOCUMENT_BYTES}"))
            continue
        documents.append(RawBSONDocument(encoded))
        sent.append(event)
    return documents, sent, refused
