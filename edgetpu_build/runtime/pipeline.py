"""A model in segments, one thread and one device each: pycoral's ``PipelinedModelRunner``.

Names, blocking, errors and texts are pycoral's (https://github.com/google-coral/pycoral). What is known to fail there
works: outputs wider than a byte, outputs of segments before the last, dynamic outputs, inputs in any order.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStats:
    """``total_time_ns``: from setting the inputs to the outputs' being there, waiting in queues left out."""

    total_time_ns: int
    num_inferences: int


class PipelinedModelRunner:
    """Runs ``interpreters`` (allocated; in order) as a pipeline. ``push`` and ``pop`` may be called from any threads.

    Raises ValueError where a segment needs a tensor that neither the first one takes nor an earlier one gives.
    """

    def __init__(self, interpreters: Sequence[Any]) -> None:
        if not interpreters:
            raise ValueError("At least one interpreter expected")
        self._interpreters = list(interpreters)
        self._inputs = {details["name"]: details for details in self._interpreters[0].get_input_details()}
        self._failure = _Failure()
        inner = [_Queue(1) for _ in self._interpreters[1:]]
        self._queues = [_Queue(0), *inner, _Queue(0)]
        kept = _kept(self._interpreters)
        self._segments = [
            _Segment(number, interpreter, self._queues[number : number + 2], kept[number], self._failure)
            for number, interpreter in enumerate(self._interpreters)
        ]
        self._threads = [threading.Thread(target=segment.run, daemon=True) for segment in self._segments]
        for thread in self._threads:
            thread.start()

    def __del__(self) -> None:
        for queue in getattr(self, "_queues", ()):
            queue.abandon()

    def interpreters(self) -> list[Any]:
        return self._interpreters

    def set_input_queue_size(self, size: int) -> None:
        """How many inputs may wait before ``push`` blocks; 0, the default: any number."""
        self._queues[0].resize(size)

    def set_output_queue_size(self, size: int) -> None:
        """How many results may wait to be popped before the last segment does; 0, the default: any number."""
        self._queues[-1].resize(size)

    def push(self, input_tensors: Mapping[str, NDArray[Any]]) -> None:
        """Hands in one inference: an array for every input of the model, by name; they are copied.

        Blocks while the input queue is full. An empty dict ends the pipeline once all that was pushed is through (room
        for the results provided). RuntimeError after that, or once a segment failed; ValueError for arrays of another
        number, type or size, KeyError for an unknown name.
        """
        if not self._queues[0].is_open and not self._failure.message:
            raise RuntimeError("Pipeline was turned off before.")
        if not input_tensors:
            self._shut()
            return
        tensors = self._checked(input_tensors)
        if self._failure.message or not self._queues[0].put(tensors):
            self._shut()
            raise RuntimeError(self._failure.message or "Pipeline was turned off before.")

    def pop(self) -> Tensors | None:
        """The next result, in the order of ``push``: outputs by name. None once the pipeline was ended and is empty.

        Blocks until there is one. RuntimeError where a segment failed, after the results from before.
        """
        found = self._queues[-1].get()
        if found is None and self._failure.message:
            raise RuntimeError(self._failure.message)
        return found

    def segment_stats(self) -> tuple[SegmentStats, ...]:
        """Time and number of inferences so far, by segment."""
        return tuple(segment.stats for segment in self._segments)

    def _shut(self) -> None:
        self._queues[0].close()
        for thread in self._threads:
            thread.join()

    def _checked(self, given: Mapping[str, Any]) -> Tensors:
        if len(given) != len(self._inputs):
            raise ValueError(f"Expected input of length {len(self._inputs)}, but got {len(given)}")
        tensors = {}
        for name, value in given.items():
            details = self._inputs[name]
            if not isinstance(value, np.ndarray) or value.dtype != details["dtype"]:
                raise ValueError(f"Input should be a list of numpy array of type {details['dtype']}")
            shape = tuple(details["shape"])
            if value.size != np.prod(shape, dtype=np.int64):
                raise ValueError(f"Input `{name}` has the shape {value.shape}, expected {shape}")
            tensors[name] = value.reshape(shape).copy()
        return tensors


class _Failure:
    """What went wrong first, for all segments of a pipeline."""

    def __init__(self) -> None:
        self.message = ""


class _Segment:
    """One stage. ``kept``: names of the tensors that later stages, or the caller, still want behind it."""

    def __init__(
        self, number: int, interpreter: Any, queues: Sequence[_Queue], kept: frozenset[str], failure: _Failure
    ) -> None:
        self.number = number
        self.interpreter = interpreter
        self.source, self.target = queues
        self.kept = kept
        self.failure = failure
        self.stats = SegmentStats(total_time_ns=0, num_inferences=0)
        self.takes = [(details["index"], details["name"]) for details in interpreter.get_input_details()]
        self.gives = [(details["index"], details["name"]) for details in interpreter.get_output_details()]

    def run(self) -> None:
        """Until the queue before it is closed and empty, or something fails; then the queue behind it is closed."""
        try:
            while (tensors := self.source.get()) is not None:
                begun = time.perf_counter_ns()
                made = self._infer(tensors)
                total = self.stats.total_time_ns + time.perf_counter_ns() - begun
                self.stats = SegmentStats(total_time_ns=total, num_inferences=self.stats.num_inferences + 1)
                passed = {name: value for name, value in tensors.items() if name in self.kept}
                if not self.target.put(passed | {name: value for name, value in made.items() if name in self.kept}):
                    break
        except Exception as problem:  # noqa: BLE001 whatever it is, the caller hears of it at pop and push
            self.failure.message = self.failure.message or f"Segment {self.number} runner error: {problem}"
        finally:
            self.source.abandon()
            self.target.close()

    def _infer(self, tensors: Tensors) -> Tensors:
        interpreter = self.interpreter
        try:
            for index, name in self.takes:
                interpreter.set_tensor(index, tensors[name])
        except ValueError:
            interpreter.invoke()  # of an interpreter without memory, only this says what is wrong
            raise
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for index, name in self.gives}


class _Queue:
    """First in, first out, with a size that may change; 0 is any. Closed: nothing more goes in, the rest comes out."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Tensors] = deque()
        self._changed = threading.Condition()
        self.is_open = True

    def put(self, item: Tensors) -> bool:
        """Waits for room; False where the queue is, or gets, closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self.is_open or not 0 < self._size <= len(self._items))
            if self.is_open:
                self._items.append(item)
                self._changed.notify_all()
            return self.is_open

    def get(self) -> Tensors | None:
        """Waits for an item; None once it is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or not self.is_open)
            if not self._items:
                return None
            self._changed.notify_all()
            return self._items.popleft()

    def resize(self, size: int) -> None:
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self.is_open = False
            self._changed.notify_all()

    def abandon(self) -> None:
        """Closes it and drops what is in it: nobody will come for it."""
        with self._changed:
            self._items.clear()
            self.is_open = False
            self._changed.notify_all()


def _kept(interpreters: Sequence[Any]) -> list[frozenset[str]]:
    """For each segment the tensors to hand on behind it: what later segments take, and outputs that none of them takes.

    The last hands on its outputs and those of earlier segments that nobody took.
    """
    taken = [[d["name"] for d in interpreter.get_input_details()] for interpreter in interpreters]
    given = [[d["name"] for d in interpreter.get_output_details()] for interpreter in interpreters]
    known = set(taken[0])
    results = set(given[-1])
    for number, names in enumerate(taken):
        if not known.issuperset(names):
            raise ValueError(f"Interpreter {number} can not get its input tensors")
        known.update(given[number])
        later = {name for names in taken[number + 1 :] for name in names}
        results.update(name for name in given[number] if name not in later)
    return [
        frozenset(results.union(*taken[number + 1 :]) & _made(taken, given, number))
        for number in range(len(interpreters))
    ]


def _made(taken: Sequence[Sequence[str]], given: Sequence[Sequence[str]], number: int) -> set[str]:
    """What there is once segment ``number`` has run."""
    return {*taken[0]}.union(*given[: number + 1])
