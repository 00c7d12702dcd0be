"""Notice when the inputs of a result change, and wait until they rest before saying so."""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

REST_MILLISECONDS = 300
"""How long the inputs must rest: a slider that is dragged starts one run, not fifty."""

_LARGEST_READ = 2**28  # bytes; what is larger is known by being the same array
_PIECE = 2**24  # bytes that are read between two turns of the event loop, in about 20 milliseconds

Print = tuple[Any, ...]
"""What tells the data of a layer from others: their shape, their type and a checksum, or which array they are."""


def timer(parent: QObject, milliseconds: int, callback: Callable[[], None]) -> QTimer:
    """Make a timer that calls once, so long after it was started last."""
    made = QTimer(parent)
    made.setSingleShot(True)
    made.setInterval(milliseconds)
    made.timeout.connect(callback)
    return made


class Connections:
    """Connections to napari's events that end together.

    napari's emitters outlive a dock widget; a callback into a deleted widget would be an error in every later event.
    """

    def __init__(self) -> None:
        self._pairs: list[tuple[Any, Callable[..., None]]] = []

    def connect(self, emitter: Any, callback: Callable[..., None]) -> None:
        """Connect a callback."""
        emitter.connect(callback)
        self._pairs.append((emitter, callback))

    def close(self, *_: Any) -> None:
        """Disconnect everything; arguments are ignored so that a Qt signal can call it."""
        while self._pairs:
            emitter, callback = self._pairs.pop()
            emitter.disconnect(callback)


class Follower(QObject):
    """Watch layers: tell what their data are, and say once when they have changed and come to rest.

    napari says ``data`` when a layer gets new data, and ``set_data`` whenever it draws, be it because someone wrote
    into the array and called ``refresh``, or because the user moved to another plane. The two are told apart by a
    checksum of the array, taken when drawing has come to rest, of large arrays in pieces. Lazy arrays and those above
    256 MB are followed by ``data`` alone.
    """

    changed = Signal()
    stirred = Signal()
    """Something about a layer may be another than before; `print_of` says what its data are, as far as is known."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._connections = Connections()
        self._layers: dict[int, Any] = {}
        self._prints: dict[int, Print] = {}
        self._unread: set[int] = set()
        self._doubted: set[int] = set()
        self._told: dict[int, int] = {}
        self._reading: Iterator[int] = iter(())
        self._certain = False
        self._timer = timer(self, REST_MILLISECONDS, self._on_rest)
        self._turn = timer(self, 0, self._read_on)
        self.destroyed.connect(self._connections.close)

    def watch(self, layers: Iterable[Any]) -> None:
        """Watch these layers from now on, and no others."""
        self._connections.close()
        self._layers = {id(layer): layer for layer in layers}
        self._prints = {key: known for key, known in self._prints.items() if key in self._layers}
        self._unread = {key for key in self._layers if key in self._unread or key not in self._prints}
        self._doubted &= self._unread
        self._told = {key: count for key, count in self._told.items() if key in self._layers}
        for layer in self._layers.values():
            self._connections.connect(layer.events.data, self._on_data)
            self._connections.connect(layer.events.set_data, self._on_drawn)
            if isinstance(layer, Image):
                self._connections.connect(layer.events.contrast_limits, self._on_drawn)
        self._read()

    def stop(self) -> None:
        """Watch nothing."""
        self._timer.stop()
        self._certain = False
        self.watch(())

    def trigger(self, *_: Any) -> None:
        """Take note of a change that no layer tells, such as another option."""
        self._certain = True
        self._timer.start()

    def print_of(self, layer: Any) -> Print | None:
        """Tell what the data of a layer are; None as long as that is not known."""
        return None if id(layer) in self._doubted else self._prints.get(id(layer))

    def moment(self, layer: Any) -> int:
        """Count what a layer has told so far."""
        return self._told.get(id(layer), 0)

    def know(self, layer: Any, read: Print, since: int) -> None:
        """Take over what somebody else has read of a layer, unless it has told something since a moment before that."""
        if id(layer) in self._layers and self.moment(layer) == since:
            self._prints[id(layer)] = read

    def _on_data(self, event: Any) -> None:
        self._doubted.add(id(event.source))
        self._on_drawn(event)
        data = content_of(event.source)
        if not _is_read(data):
            self._note(id(event.source), print_of(data))
        self._certain = True
        self.stirred.emit()

    def _on_drawn(self, event: Any) -> None:
        self._unread.add(id(event.source))
        self._told[id(event.source)] = self.moment(event.source) + 1
        self._turn.stop()  # what is being read is past
        self._timer.start()

    def _on_rest(self) -> None:
        self._read()

    def _read(self) -> None:
        """Read what is not known, at once as far as it is small."""
        self._turn.stop()
        self._reading = self._pieces()
        self._read_on()

    def _read_on(self) -> None:
        if next(self._reading, None) is not None:
            self._turn.start()

    def _pieces(self) -> Iterator[int]:
        """Read all that is not known, with a pause after each piece; then say what has come of it."""
        changed, read = False, 0
        for key in [*self._unread]:
            for piece in prints(content_of(self._layers[key])):
                if isinstance(piece, tuple):
                    changed |= self._note(key, piece)
                elif (read := read + piece) > _PIECE:
                    yield read
                    read = 0
        self.stirred.emit()
        if changed or (self._certain and not self._timer.isActive()):
            self._certain = False
            self.changed.emit()

    def _note(self, key: int, read: Print) -> bool:
        """Keep what was read of a layer; tell whether it is another than before."""
        before = self._prints.get(key)
        if before is not None and before[: len(read)] == read and not isinstance(read[-1], int):
            # The same large array once more: what is in it may be another, which only new data of a run can tell.
            read = (*read, object()) if key in self._doubted else before
        self._prints[key] = read
        self._unread.discard(key)
        self._doubted.discard(key)
        return before is not None and read != before


def content_of(layer: Any) -> Any:
    """Give what of a layer a run reads: its array, of a pyramid the finest; of shapes their corners, as bytes."""
    if isinstance(layer, Shapes):
        kinds = "".join(f"{kind}{len(corners)}" for kind, corners in zip(layer.shape_type, layer.data, strict=True))
        return np.frombuffer(b"".join([kinds.encode(), *(corners.tobytes() for corners in layer.data)]), np.uint8)
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


def prints(data: Any) -> Iterator[int | Print]:
    """Read data piece by piece: gives the bytes of each, and at last the print."""
    known = tuple(np.shape(data)), str(getattr(data, "dtype", ""))
    if not _is_read(data):
        # A lazy array of dask is named after all that it is made of; another is itself.
        yield *known, getattr(data, "name", None) or _Same(data)
        return
    rows = data.reshape(-1) if data.flags.c_contiguous else np.atleast_1d(data)
    step = max(1, _PIECE * len(rows) // max(data.nbytes, 1))
    checksum = 0
    for first in range(0, len(rows), step):
        piece = np.ascontiguousarray(rows[first : first + step]).reshape(-1).view(np.uint8)
        checksum = zlib.crc32(piece.data, checksum)
        yield piece.nbytes
    yield *known, checksum


def _is_read(data: Any) -> bool:
    """Tell whether data are known by what is in them, or else by which array they are."""
    return type(data) is np.ndarray and data.nbytes <= _LARGEST_READ and not data.dtype.hasobject


def print_of(data: Any) -> Print:
    """Read data whole; for a thread."""
    *_, read = prints(data)
    assert isinstance(read, tuple)
    return read


class _Same:
    """Stands for an object, equal to what stands for the same one; it does not keep it in memory."""

    def __init__(self, what: Any) -> None:
        try:
            self._get: Callable[[], Any] = weakref.ref(what)
        except TypeError:
            self._get = lambda: what

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._get() is not None and self._get() is other._get()

    __hash__ = None  # type: ignore[assignment]
