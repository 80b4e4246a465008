"""``torch.futures``: values that will be there.

``Future`` is set by the program, ``Awaited`` is what a transfer will have brought. There are no
threads behind them: a transfer moves on when it is asked for, and callbacks run in the thread that
sets the value, or that asks for it.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from ..base.errors import message, warn

__all__ = ["Future", "collect_all", "wait_all"]

T = TypeVar("T")


class Future(Generic[T]):
    """A value that will be there: ``wait()`` for it, or say what is done ``then``.

    ``set_result`` gives the value, ``set_exception`` an error that ``wait`` raises; each future
    takes one of them, once. ``devices`` is accepted as programs pass it.
    """

    def __init__(self, *, devices: Sequence[Any] | None = None) -> None:
        self._values: list[Any] = []
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Future[T]], Any]] = []

    def done(self) -> bool:
        """Is there a value, or an error?"""
        return bool(self._values) or self._error is not None

    def wait(self) -> T:
        """The value, as soon as it is there; or its error, raised."""
        while not self.done():
            time.sleep(0)  # others may need the processor
        return self.value()

    def value(self) -> T:
        """The value, which must be there; or its error, raised. Raises RuntimeError before."""
        if not self.done():
            raise RuntimeError(message("the future has no value yet", fix="wait() for it"))
        if self._error is not None:
            raise self._error
        value: T = self._values[0]
        return value

    def then(self, callback: Callable[[Future[T]], Any]) -> Future[Any]:
        """What ``callback`` makes of this future when it is done; an error in it is its error."""
        result: Future[Any] = Future()

        def run(future: Future[T]) -> None:
            try:
                value = _called(callback, future)
            except RuntimeError as error:
                result.set_exception(error)
            else:
                result.set_result(value)

        self.add_done_callback(run)
        return result

    def add_done_callback(self, callback: Callable[[Future[T]], Any]) -> None:
        """Call it with this future when that is done: now, if it is. An error in it is a warning.
        """
        if self.done():
            self._tell(callback)
        else:
            self._callbacks.append(callback)

    def _tell(self, callback: Callable[[Future[T]], Any]) -> None:
        try:
            _called(callback, self)
        except RuntimeError as error:
            warn(str(error))

    def set_result(self, result: T) -> None:
        """Raises RuntimeError where there is a value or an error already."""
        self._end(result, None)

    def set_exception(self, result: Exception) -> None:
        """Raises AssertionError for what is no exception, and as ``set_result``."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._end(None, result)

    def _end(self, value: Any, error: BaseException | None) -> None:
        if Future.done(self):
            raise RuntimeError(
                "Attempting to mark a completed Future as complete again. Note that a Future can "
                "only be marked completed once."
            )
        if error is None:
            self._values.append(value)
        self._error = error
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._tell(callback)


def _called(callback: Callable[[Future[T]], Any], future: Future[T]) -> Any:
    """What a callback returns. RuntimeError for any error in it."""
    try:
        return callback(future)
    except Exception as error:
        raise RuntimeError(
            "Got the following error when running the callback: "
            f"{type(error).__name__}: {error}"
        ) from error


class Awaited(Future[T]):
    """What ``compute`` returns when ``done`` says that it can; both run when the user asks."""

    def __init__(self, done: Callable[[], bool], compute: Callable[[], T]) -> None:
        super().__init__()
        self._ready, self._compute = done, compute

    def done(self) -> bool:
        return super().done() or self._ready()

    def value(self) -> T:
        if not super().done():
            try:
                value = self._compute()
            except Exception as error:  # kept, for it is computed once
                self._end(None, error)
            else:
                self._end(value, None)
        return super().value()

    def then(self, callback: Callable[[Future[T]], Any]) -> Future[Any]:
        return Awaited(self.done, lambda: _called(callback, self))


def collect_all(futures: Sequence[Future[Any]]) -> Future[list[Future[Any]]]:
    """A future whose value is the list of the futures, when all of them are done."""
    every = list(futures)

    def values() -> list[Future[Any]]:
        for future in every:
            future.value()  # raises an error that one of them has
        return every

    return Awaited(lambda: all(f.done() for f in every), values)


def wait_all(futures: Sequence[Future[Any]]) -> list[Any]:
    """The values of all of them. Raises the first error."""
    return [future.value() for future in collect_all(futures).wait()]
