"""Compiles on other machines: the client of a dask.distributed scheduler (extra `farm`).

A task is bytes and options, its answer is bytes and figures: workers share no file system with us and need no store.
A task's name is the fingerprint, so that of two clients that want the same unit one waits for the other's compile. The
worker that dies with a task is replaced by another; how often, is the scheduler's own setting. Encryption is dask's own
configuration, too. https://distributed.dask.org
"""

from __future__ import annotations

import logging
import re
import threading
from typing import TYPE_CHECKING, Any

from edgetpu_build import __version__
from edgetpu_build.compiler.interface import Backend, Progress, Request, Result
from edgetpu_build.engine import farmhand
from edgetpu_build.errors import EdgeTpuBuildError, error

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOM = 64
"""Units that wait for an answer at the same time: for as many workers there is always something to do."""
LOOK = 5.0
"""Seconds after which one looks whether there are workers still."""
REACH = 10.0
"""Seconds to find the scheduler, and its first worker."""
PATIENCE = 30.0
"""Seconds that a farm may be without any worker."""
RESOURCE = "compile"
"""What a worker may declare (`--resources compile=2`) to bound compiles apart from its threads."""

_ADDRESS = re.compile(r"dask://(?P<place>[^/:@\s]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5})/?$")


def place_of(address: str) -> str:
    """HOST:PORT of `dask://HOST:PORT`; ETB214 for anything else."""
    found = _ADDRESS.match(address)
    if not found:
        raise error("ETB214", f"`--executor` is `{address}`, allowed: `local` or `dask://HOST:PORT`")
    return found["place"]


class Farm:
    """Connected to when something must be compiled, and not before. Threads share it."""

    def __init__(self, address: str) -> None:
        self._place = place_of(address)
        self._lock = threading.Lock()
        self._client: Any = None
        self._failure: EdgeTpuBuildError | None = None
        self._resources: Mapping[str, float] | None = None

    def __enter__(self) -> Farm:  # noqa: PYI034 - Self is of Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        """What nobody waits for any more is dropped by the scheduler."""
        if self._client is not None:
            self._client.close(timeout=2)

    def compile(self, backend: Backend, request: Request, timeout: float, progress: Progress, *, key: str) -> Result:
        """What the backend makes of it on a worker. ETB404 for trouble with the farm, else what ``workers`` raises."""
        client = self._connected()
        future = client.submit(
            farmhand.compile_there,
            backend,
            request,
            timeout,
            backend.identify(),
            __version__,
            key=f"edgetpu-build-{key}",
            resources=self._resources,
        )
        result: Result = self._answer(client, future)
        return result

    def _answer(self, client: Any, future: Any) -> Any:
        from distributed import KilledWorker, TimeoutError  # noqa: A004 - asyncio's own on Python 3.10

        alone = 0.0
        while True:
            try:
                return future.result(timeout=LOOK)
            except TimeoutError:
                alone = 0.0 if client.scheduler_info()["workers"] else alone + LOOK
                if alone >= PATIENCE:
                    raise self._trouble(f"has had no worker for {PATIENCE:g} s") from None
            except KilledWorker as failure:
                message = f"the compile took {failure.allowed_failures + 1} workers of the farm with it"
                raise error("ETB312", message, "try it without `--executor`: see what its process needs") from None
            except (EdgeTpuBuildError, farmhand.BugError):
                raise
            except Exception as failure:  # whatever went wrong between us and the worker
                raise self._trouble(f"gave no answer: {type(failure).__name__}: {failure}") from failure

    def _connected(self) -> Any:
        """The client; the same failure for everybody if there is none."""
        with self._lock:
            if self._failure:
                raise self._failure
            if self._client is None:
                try:
                    self._client = self._connect()
                except EdgeTpuBuildError as failure:
                    self._failure = failure
                    raise
            return self._client

    def _connect(self) -> Any:
        try:
            import dask
            import distributed
        except ImportError:
            hint = "`pip install 'edgetpu-build[farm]'`"
            raise error("ETB215", "`--executor dask://…` needs dask.distributed", hint) from None
        for name in ("distributed", "distributed.client", "tornado", "asyncio"):  # what matters, we say ourselves
            logging.getLogger(name).setLevel(logging.CRITICAL)
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"})
        encrypted = dask.config.get("distributed.comm.tls.ca-file", None)
        try:
            connect: Any = distributed.Client
            client = connect(f"{'tls' if encrypted else 'tcp'}://{self._place}", timeout=REACH, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as failure:
            raise self._trouble("cannot be reached") from failure
        try:
            client.wait_for_workers(1, timeout=REACH)
        except Exception:  # noqa: BLE001 - of whatever class a time-out is here
            client.close(timeout=2)
            raise self._trouble("has no worker") from None
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        self._resources = {RESOURCE: 1} if any(RESOURCE in worker["resources"] for worker in workers) else None
        return client

    def _trouble(self, what: str) -> EdgeTpuBuildError:
        return error("ETB404", f"the farm at `{self._place}` {what}", "`--executor local` compiles here")
