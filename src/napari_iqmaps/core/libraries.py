"""The large libraries: each is loaded once, by whoever needs it first, so that other threads can go on meanwhile.

Imports of one library in two threads can wait for each other's modules, and Python then gives away half of a module. So
there is one loader at a time, and whoever needs what it loads waits, told as a stage and free to be cancelled.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from .progress import tell_stage

LIBRARIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "image processing": (
            "cv2", "scipy.ndimage", "scipy.fft", "scipy.special", "skimage.data", "skimage.transform", "skimage.draw",
            "skimage.color", "skimage.exposure",
        ),
        "PyTorch": ("torch",),
        "matplotlib": (
            "matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.cm", "matplotlib.patches",
        ),
    }
)  # fmt: skip
"""What they are called in a stage, and their modules, in the order in which they are warmed up."""

_POLL = 0.05  # seconds between two looks at whether the wait was cancelled
_PAUSE = 0.0005  # seconds that a loading thread leaves to the others before each module
_SWITCH = 0.001  # seconds for which a loading thread may go on where another one waits
_NAME = "iqmaps: warming up"

_loading = threading.Lock()
_loaded: set[str] = set()
_warming: threading.Thread | None = None
_ends = threading.Event()


class _Left(BaseException):
    """Ends a load because the program ends; no ``except Exception`` of a library takes it for a missing module."""


def load(name: str) -> None:
    """Import a library, a key of `LIBRARIES`, unless it has been; told as a stage, whose listener may raise."""
    if name in _loaded:
        return
    while True:
        tell_stage(f"loading {name}")
        if _loading.acquire(timeout=_POLL):
            break
    try:
        if name not in _loaded:
            with _considerate():
                _import(name)
            _loaded.add(name)
    finally:
        _loading.release()


def warm_up() -> None:
    """Begin to load all libraries in the background, once a process; what fails there fails again where it is needed.

    The thread ends early where the program does, so that nobody waits for it.
    """
    global _warming
    if _warming is None:
        _warming = threading.Thread(target=_warm, name=_NAME, daemon=True)
        atexit.register(_end)
        _warming.start()


def _warm() -> None:
    with contextlib.suppress(Exception, _Left):
        for name in LIBRARIES:
            load(name)
            time.sleep(_POLL)  # whoever waits for the lock gets it


def _end() -> None:
    """Let no thread be amid an import when the interpreter is taken apart."""
    _ends.set()
    if _warming is not None:
        _warming.join()


def _import(name: str) -> None:
    if name == "PyTorch":
        _load_shared("torch", ("libtorch_global_deps", "libtorch_cpu"))
    for module in LIBRARIES[name]:
        import_module(module)


class _Pauses:
    """Stands before Python's finders, and makes one thread leave the others a moment before each module it imports."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        """Find nothing; the finders after this one are asked."""
        if threading.get_ident() == self._thread:
            if _ends.is_set() and threading.current_thread() is _warming:
                raise _Left
            time.sleep(_PAUSE)
        return None


@contextlib.contextmanager
def _considerate() -> Iterator[None]:
    """Load so that no other thread stands still for long; in the main thread there is nobody to consider."""
    if threading.current_thread() is threading.main_thread():
        yield
        return
    pauses, interval, collects = _Pauses(), sys.getswitchinterval(), gc.isenabled()
    sys.meta_path.insert(0, pauses)
    sys.setswitchinterval(_SWITCH)
    # An import makes some hundred thousand objects and no garbage. Collections meanwhile would find nothing, and stop
    # all threads for .1 s each.
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        sys.setswitchinterval(interval)
        sys.meta_path.remove(pauses)


def _load_shared(package: str, libraries: tuple[str, ...]) -> None:
    """Let the system's loader read shared libraries, which takes half a second, before Python's import does.

    Python's import holds the interpreter's lock meanwhile, so that no thread goes on; a foreign function gives it away.
    What is not found is left to the import. On Windows the package itself calls the loader so.
    """
    spec = find_spec(package)
    if os.name != "posix" or spec is None or spec.origin is None:
        return
    open_library = ctypes.CDLL(None).dlopen
    open_library.argtypes, open_library.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    for name in libraries:
        path = Path(spec.origin).parent / "lib" / (name + suffix)
        if path.is_file():
            # The first one is there for its symbols, which the import makes known to all, too.
            open_library(os.fsencode(path), os.RTLD_LAZY | (os.RTLD_GLOBAL if name == libraries[0] else 0))
