"""Notice when the inputs of a result change, and wait until they rest before saying so."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from .tasks import meanwhile

REST_MILLISECONDS = 300
"""How long the inputs must rest: a slider that is dragged starts one run, not fifty."""

_LARGEST_FINGERPRINT = 2**28  # bytes that take about a tenth of a second to read
_LARGEST_AT_ONCE = 2**23  # bytes that take a few milliseconds


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
    """Watch layers, and say once when their data have changed and come to rest.

    napari says ``data`` when a layer gets new data, and ``set_data`` whenever it draws, be it because someone wrote
    into the array and called ``refresh``, or because the user moved to another plane. The two are told apart by a
    checksum of the array, taken when drawing has come to rest. Lazy arrays and those above 256 MB are followed by
    ``data`` alone.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._connections = Connections()
        self._layers: list[Any] = []
        self._fingerprints: dict[int, int | None] = {}
        self._certain = False
        self._timer = timer(self, REST_MILLISECONDS, self._on_rest)
        self.destroyed.connect(self._connections.close)

    def watch(self, layers: Iterable[Any]) -> None:
        """Watch these layers from now on, and no others."""
        self.stop()
        self._layers = list(layers)
        self._fingerprints = _fingerprints(self._layers)
        for layer in self._layers:
            self._connections.connect(layer.events.data, self._on_data)
            self._connections.connect(layer.events.set_data, self._on_drawn)

    def stop(self) -> None:
        """Watch nothing."""
        self._timer.stop()
        self._connections.close()
        self._layers = []
        self._certain = False

    def trigger(self, *_: Any) -> None:
        """Take note of a change that no layer tells, such as another option."""
        self._certain = True
        self._timer.start()

    def _on_data(self, _event: Any = None) -> None:
        self.trigger()

    def _on_drawn(self, _event: Any = None) -> None:
        self._timer.start()

    def _on_rest(self) -> None:
        layers = self._layers
        fingerprints = _fingerprints(layers)
        if layers is not self._layers:
            return  # others are watched since, or none
        changed = self._certain or fingerprints != self._fingerprints
        self._certain = False
        self._fingerprints = fingerprints
        if changed:
            self.changed.emit()


def _fingerprints(layers: Iterable[Any]) -> dict[int, int | None]:
    arrays = {id(layer): layer.data for layer in layers}

    def taken() -> dict[int, int | None]:
        return {key: _fingerprint(data) for key, data in arrays.items()}

    is_large = sum(data.nbytes for data in arrays.values() if isinstance(data, np.ndarray)) > _LARGEST_AT_ONCE
    made: dict[int, int | None] = meanwhile(taken) if is_large else taken()
    return made


def _fingerprint(data: Any) -> int | None:
    if not isinstance(data, np.ndarray) or data.nbytes > _LARGEST_FINGERPRINT:
        return None
    return zlib.crc32(np.ascontiguousarray(data).view(np.uint8).data)
