"""What a screen shows, as iterators: the state now, and each later one.

A stream holds the newest state only: who is slow skips what lay between, and nothing is
queued. Close it, or use it as a context manager; it ends by itself when the store fails.

    with streams.packet(officer, call) as packets:
        for packet in packets:
            ...
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from types import TracebackType
from typing import Generic, TypeVar, cast

from .forerunner_mobile_core import (
    EntryKeyRecord,
    EntryRecord,
    ForerunnerError,
    LinkListener,
    LinkRecord,
    ListListener,
    ListUpdate,
    Officer,
    PacketListener,
    PacketRecord,
    PacketUpdate,
    Subscription,
    SummaryRecord,
)

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Stream(Generic[T], Iterator[T]):
    """States of one thing, the newest at a time. `next` waits; `get` waits for so long."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest: list[T] = []
        self._error: Exception | None = None
        self._closed = False
        self._subscription: Subscription | None = None

    def __iter__(self) -> Stream[T]:
        return self

    def __next__(self) -> T:
        return self.get(None)

    def get(self, timeout_s: float | None) -> T:
        """The next state. Raises TimeoutError, StopIteration once closed, or what failed."""
        with self._changed:
            there = lambda: bool(self._newest) or self._closed or self._error is not None  # noqa: E731
            if not self._changed.wait_for(there, timeout_s):
                raise TimeoutError
            if self._newest:
                return self._newest.pop()
            if self._error is not None:
                raise self._error
            raise StopIteration

    def close(self) -> None:
        """No state comes any more. Closing again does nothing."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.cancel()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _began(self, subscription: Subscription) -> Stream[T]:
        self._subscription = subscription
        return self

    def _put(self, state: T) -> None:
        with self._changed:
            self._newest = [state]
            self._changed.notify_all()

    def _fail(self, error: ForerunnerError) -> None:
        with self._changed:
            # UniFFI makes the class anew behind a type checker's back: it is an exception.
            self._error = cast(Exception, error)
            self._changed.notify_all()


def link(officer: Officer) -> Stream[LinkRecord]:
    """Whether there is a session with the center."""
    stream: Stream[LinkRecord] = Stream()

    class Listener(LinkListener):
        def changed(self, link: LinkRecord) -> None:
            stream._put(link)

    return stream._began(officer.subscribe_link(Listener()))


def packets(officer: Officer) -> Stream[list[SummaryRecord]]:
    """The packets on this device: open ones first, most urgent first, newest first."""
    stream: Stream[list[SummaryRecord]] = Stream()

    class Listener(ListListener):
        state: list[SummaryRecord] = []

        def changed(self, update: ListUpdate) -> None:
            self.state = list_after(self.state, update)
            stream._put(self.state)

        def failed(self, error: ForerunnerError) -> None:
            stream._fail(error)

    return stream._began(officer.subscribe_packets(Listener()))


def packet(officer: Officer, call: str) -> Stream[PacketRecord | None]:
    """One packet, whole each time; None while it is not on this device."""
    stream: Stream[PacketRecord | None] = Stream()

    class Listener(PacketListener):
        state: PacketRecord | None = None

        def changed(self, update: PacketUpdate) -> None:
            self.state = packet_after(self.state, update)
            stream._put(self.state)

        def failed(self, error: ForerunnerError) -> None:
            stream._fail(error)

    return stream._began(officer.subscribe_packet(call, Listener()))


def packet_after(before: PacketRecord | None, update: PacketUpdate) -> PacketRecord | None:
    """The packet after an update; for who listens themselves."""
    if isinstance(update, PacketUpdate.WHOLE):
        return update.packet
    if not isinstance(update, PacketUpdate.CHANGED):
        return None
    if before is None:
        raise ValueError("a difference came before the whole")

    def key(entry: EntryRecord) -> tuple[str, str]:
        return (entry.compartment, entry.id)

    def removed(gone: EntryKeyRecord) -> tuple[str, str]:
        return (gone.compartment, gone.entry)

    return PacketRecord(
        call=before.call,
        facts=update.facts,
        glance=update.glance,
        cautions_below=update.cautions_below,
        entries=_changed(
            before.entries,
            {removed(gone) for gone in update.removed},
            [(placed.at, placed.entry) for placed in update.placed],
            key,
        ),
        leases=update.leases,
    )


def list_after(before: list[SummaryRecord], update: ListUpdate) -> list[SummaryRecord]:
    """The list after an update; for who listens themselves."""
    if isinstance(update, ListUpdate.WHOLE):
        return update.packets
    if not isinstance(update, ListUpdate.CHANGED):
        raise TypeError("an update of a kind that this version does not know")

    def key(summary: SummaryRecord) -> str:
        return summary.call

    placed = [(placed.at, placed.summary) for placed in update.placed]
    return _changed(before, set(update.removed), placed, key)


def _changed(
    before: Sequence[T], removed: set[K], placed: list[tuple[int, T]], key: Callable[[T], K]
) -> list[T]:
    moved = {key(item) for _, item in placed}
    after = [item for item in before if key(item) not in removed and key(item) not in moved]
    for at, item in placed:
        after.insert(at, item)
    return after
