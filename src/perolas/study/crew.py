"""A crew of workers that do the items of a study, by dask.distributed: processes here, or machines elsewhere.

The client sends out what is ready and keeps nothing but names: results go from the worker into the store, which all
of them see. Whoever is killed leaves at most a lease behind, which is taken over; whoever loses the connection is
asked again, and finds in the store what was finished meanwhile. Every item, and every part of an ensemble, has a seed
of its own, so who does it and in which order changes nothing.
"""

from __future__ import annotations

import logging
import queue
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perolas.core.errors import InputError, one_line
from perolas.study import execute, schema, store
from perolas.study.limits import Limits
from perolas.study.worker import Order, work

if TYPE_CHECKING:
    from distributed import Client, Future

    from perolas.study.run import Work

_AHEAD = 6  # pieces of work at each worker: enough that none waits for the next, few enough to remember
_MOST_TRIES = 8  # deaths of workers in the hands of one piece of work, until it is to blame
_RECONNECT_S = 300.0
_COUNT_S = 5.0
_ADDRESS = r"((tcp|tls|ws|wss|ucx)://)?[\w.\-\[\]:]+:\d{1,5}"
Piece = tuple[str, int | None]


@dataclass(frozen=True)
class Crew:
    """Workers for `perolas.study.run.run`.

    Attributes:
        workers: how many processes of this machine; 0 where there is a scheduler.
        scheduler: address of a dask scheduler, e.g. ``"tcp://10.0.0.1:8786"``.
        limits: of time and memory for each item.
    """

    workers: int = 0
    scheduler: str | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuse what makes no crew."""
        if (self.workers > 0) == (self.scheduler is not None):
            raise InputError("Give either a number of workers (at least 1) or the address of a scheduler.")
        if self.scheduler is not None and not re.fullmatch(_ADDRESS, self.scheduler):
            raise InputError(
                f'"{one_line(self.scheduler, 80)}" is not the address of a scheduler, such as tcp://10.0.0.1:8786.'
            )

    def do(self, todo: Work) -> dict[str, dict[str, Any]]:
        """Do all items of a run; return what the report shows of each, by name.

        Raises:
            InputError: dask.distributed is not installed, or the scheduler does not answer.
        """
        with _connection(self) as connection:
            return _Shift(todo, connection, self.limits).run()


@contextmanager
def _connection(crew: Crew) -> Iterator[_Connection]:
    try:
        import dask
        from distributed import LocalCluster
    except ImportError:
        raise InputError(
            "Runs on several workers need dask.distributed: pip install 'perolas[scale]' (or uv add perolas[scale])."
        ) from None
    settings = {
        "distributed.scheduler.allowed-failures": _MOST_TRIES,
        "distributed.comm.timeouts.connect": "10s",
        "distributed.worker.daemon": False,
    }
    with dask.config.set(settings):
        if crew.scheduler is not None:
            connection = _Connection(crew.scheduler)
            try:
                yield connection
            finally:
                connection.close()
            return
        with LocalCluster(
            n_workers=crew.workers,
            threads_per_worker=1,
            memory_limit=0,  # our own limits end an item; dask's would pause it
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster:
            connection = _Connection(cluster.scheduler_address)
            try:
                yield connection
            finally:
                connection.close()


class _Connection:
    """The client of a scheduler, made anew when it was lost."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client: Client | None = None
        self._slots, self._counted = 1, 0.0
        self._open(30.0)

    def _open(self, patience_s: float) -> None:
        from distributed import Client

        end = time.monotonic() + patience_s
        while True:
            try:
                self._client = Client(self.address, timeout=5, set_as_default=False)
                return
            except (OSError, TimeoutError, ValueError) as error:
                if time.monotonic() > end or isinstance(error, ValueError):
                    raise InputError(
                        f'The scheduler at "{one_line(self.address, 80)}" does not answer: {one_line(error, 120)}.'
                    ) from None
                time.sleep(1.0)

    def slots(self) -> int:
        """Return how many pieces of work can be done at once, at least 1; counted anew every few seconds."""
        if time.monotonic() - self._counted > _COUNT_S and self._client is not None:
            try:
                self._slots = max(sum(self._client.nthreads().values()), 1)
            except Exception:  # not while the connection is down
                return self._slots
            self._counted = time.monotonic()
        return self._slots

    @property
    def alive(self) -> bool:
        """Whether the scheduler is connected."""
        return self._client is not None and self._client.status == "running"

    def send(self, order: Order) -> Future[Any]:
        """Send a piece of work."""
        assert self._client is not None
        name = f"{order.name[:40]}-{uuid.uuid4().hex}"
        return self._client.submit(work, order.to_json(), key=name, pure=False, retries=0)

    def mend(self) -> None:
        """Come back from a lost connection; raises InputError where that does not succeed for long."""
        self.close()
        self._open(_RECONNECT_S)

    def close(self) -> None:
        """Leave, whatever state the connection is in."""
        if self._client is not None:
            try:
                self._client.close(timeout=2)
            except Exception:  # a connection that is gone cannot be closed well
                self._client = None


class _Shift:
    """One run: what is ready, what is out, what has come back."""

    def __init__(self, todo: Work, connection: _Connection, limits: Limits) -> None:
        self.work = todo
        self.connection = connection
        self.limits = limits
        self.back: queue.SimpleQueue[tuple[Piece, Future[Any]]] = queue.SimpleQueue()
        self.run_id = uuid.uuid4().hex
        todo.store.root.mkdir(parents=True, exist_ok=True)
        path = todo.study.path
        self.study = path.parent.name if path.parent.name in schema.builtin_names() else str(path.resolve())
        self.sha256 = store.sha256(path.read_bytes())
        self.found: dict[str, dict[str, Any]] = {}
        self.out: dict[Piece, tuple[Order, Future[Any]]] = {}
        self.ready: list[tuple[Piece, Order]] = []
        self.open_parts: dict[str, int] = {}
        self.heads: dict[str, Order] = {}
        self.tries: dict[Piece, int] = {}
        self.waiting = list(todo.dependencies.order)

    def run(self) -> dict[str, dict[str, Any]]:
        """Do everything; the order of work follows from what is done, the results do not."""
        while self.waiting or self.ready or self.out:
            self._open_items()
            self._send()
            if self.out:
                self._receive()
        return self.found

    def _open_items(self) -> None:
        """Look for items whose needs are met: those in the store are done here, the others become pieces of work."""
        again = True
        while again:
            again = False
            for name in list(self.waiting):
                if len(self.ready) > 4 * _AHEAD * self.connection.slots():
                    return
                needs = self.work.dependencies.needs[name]
                if any(n not in self.work.status for n in needs):
                    continue
                self.waiting.remove(name)
                if self.work.missing(name) or not self._pieces(name):
                    self.found[name] = self.work.do(name, anew=False)
                    again = True

    def _pieces(self, name: str) -> bool:
        """Turn an item into pieces of work; False where there is nothing to send, or it cannot even be prepared."""
        kept = self.work.store
        try:
            job = execute.prepare(self.work.study, name, self.work.done, self.work.root)
        except Exception:
            return False  # `Work.do` meets the same and says it
        head = self._order(name, None, kept.key(job.recipe))
        if self.work.anew(head.key) and kept.get(head.key) is not None:
            kept.remove(head.key)
        if kept.get(head.key) is not None:
            return False
        wanted = []
        for index, part in enumerate(job.parts):
            key = kept.key(part.recipe)
            if self.work.anew(key) and kept.get(key) is not None:
                kept.remove(key)
            if kept.get(key) is None:
                wanted.append(((name, index), self._order(name, index, key)))
        if wanted:
            self.open_parts[name], self.heads[name] = len(wanted), head
            self.ready += wanted
        else:
            self.ready.append(((name, None), head))
        return True

    def _order(self, name: str, part: int | None, key: str) -> Order:
        upstream = self.work.dependencies.upstream([name])
        keys = {n: self.work.done[n].key for n in upstream if n in self.work.done}
        root = None if self.work.root is None else str(self.work.root)
        where = str(self.work.store.root.resolve())
        limits = self.limits
        return Order(
            self.study,
            self.sha256,
            root,
            where,
            name,
            part,
            key,
            keys,
            self.run_id,
            limits.time_s,
            limits.memory_mb,
            self.work.study.changes,
            None if self.work.study.digitised is None else str(self.work.study.digitised),
        )

    def _send(self) -> None:
        room = _AHEAD * self.connection.slots() - len(self.out)
        while room > 0 and self.ready:
            piece, order = self.ready.pop(0)
            future = self.connection.send(order)
            self.out[piece] = (order, future)
            future.add_done_callback(lambda f, piece=piece: self.back.put((piece, f)))
            room -= 1

    def _receive(self) -> None:
        """Wait for one piece to come back; what was lost on the way is sent again."""
        try:
            piece, future = self.back.get(timeout=1.0)
        except queue.Empty:
            self._look_after()
            return
        if piece not in self.out or self.out[piece][1] is not future:
            return  # of a connection that was given up
        order, _ = self.out.pop(piece)
        if future.status == "finished":
            told = future.result()
            future.release()
            self._finish(piece, told["error"])
        elif future.status == "error":
            self._died(piece, order, future)
        else:  # cancelled or lost: the scheduler no longer knows of it
            self.ready.insert(0, (piece, order))
            self._look_after()

    def _look_after(self) -> None:
        """Come back from a lost connection, and send again what was out; finished work is found in the store."""
        if self.connection.alive:
            return
        self.connection.mend()
        lost = [(piece, order) for piece, (order, _) in self.out.items()]
        self.out.clear()
        self.ready = lost + self.ready

    def _died(self, piece: Piece, order: Order, future: Future[Any]) -> None:
        """Deal with a piece whose worker died again and again, or whose order could not be carried out at all."""
        from distributed import KilledWorker

        error = future.exception()
        self.tries[piece] = self.tries.get(piece, 0) + 1
        if isinstance(error, KilledWorker):
            self._finish(piece, f"Its worker died {_MOST_TRIES + 1} times over it (out of memory, or killed).")
        elif self.tries[piece] < 3:
            self.ready.insert(0, (piece, order))
        else:
            self._finish(piece, f"A worker could not do it ({type(error).__name__}: {one_line(error, 160)}).")

    def _finish(self, piece: Piece, error: str | None) -> None:
        name, part = piece
        if name in self.found:
            return  # another part of it has failed already
        if error is None and part is not None:
            self.open_parts[name] -= 1
            if self.open_parts[name] == 0:
                self.ready.insert(0, ((name, None), self.heads.pop(name)))
            return
        if error is not None:
            self.ready = [(p, o) for p, o in self.ready if p[0] != name]
        self.found[name] = self.work.do(name, error=error, anew=False)
