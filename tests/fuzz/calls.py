"""Random arrays and options for every public function."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import napari_iqmaps as iq

from .mutations import Rng, pick
from .promises import broken, of_answer, of_map

# Arrays ---------------------------------------------------------------------------------------------------------------


def image(rng: Rng) -> Any:
    """Draw an image: three times of four one that should do, else one that is odd in shape, type, value or class."""
    array = _sound(rng)
    if rng.random() < 0.75:
        return array
    return pick(rng, _ODD)(array, rng)


def _sound(rng: Rng) -> Any:
    sides = tuple(int(side) for side in rng.integers(24, 49, 2))
    shape = pick(rng, (sides, sides, sides, (*sides, 3), (*sides, 4), (2, *sides), (2, *sides, 3)))
    smooth = np.add.outer(np.linspace(0, 1, shape[-2]), np.linspace(0, 1, shape[-1])) / 2
    values = np.clip(np.broadcast_to(smooth, shape) * 0.7 + rng.uniform(0, 0.3, shape), 0, 1)
    kind = pick(rng, ("u1", "u1", "u1", "u2", "f4", "f8", "?"))
    if kind == "?":
        return values > 0.5
    return (values * np.iinfo(kind).max).astype(kind) if kind[0] == "u" else values.astype(kind)


def _with_values(array: Any, rng: Rng) -> Any:
    with np.errstate(over="ignore"):  # what is too large for half precision becomes infinite
        out = np.array(array, pick(rng, ("f4", "f8", "f2")))
    special = pick(rng, (np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-38, 65504.0, 3.4e38))
    with np.errstate(over="ignore"):
        out[rng.random(out.shape) < pick(rng, (0.01, 0.5, 1.0))] = special
    return out


def _of_dtype(array: Any, rng: Rng) -> Any:
    name = pick(
        rng, ("i1", "i2", "i4", "i8", "u4", "u8", "f2", "g", "c8", "O", "U", "S", "M8[s]", "m8[s]", ">u2", ">f4", "V4")
    )
    zero_to_one = np.asarray(array, float) / max(1.0, float(np.max(array, initial=0)))
    if name in ("V4", "M8[s]", "m8[s]"):
        return np.zeros(array.shape, name)
    return (zero_to_one * 100).astype(name)


def _of_shape(array: Any, rng: Rng) -> Any:
    height, width = array.shape[:2]
    shapes = ((), (0,), (1,), (5,), (0, 0), (0, 5), (5, 0), (1, 1), (1, 40), (40, 1), (2, 2), (3, 3), (3, 40, 40),
    (height, width, 1),
              (height, width, 2), (height, width, 5), (0, height, width), (1, height, width),
              (1, 1, 1, 1, height, width),
              (height, width, 0), (300, 7))  # fmt: skip
    return np.resize(array, pick(rng, shapes))


def _of_class(array: Any, rng: Rng) -> Any:
    import torch

    plain = np.ascontiguousarray(array if array.dtype != bool else array.astype(np.uint8))
    tensor = torch.from_numpy(plain.astype(np.float32))
    mask = rng.random(plain.shape) < 0.3
    classes: tuple[Callable[[], Any], ...] = (
        lambda: np.matrix(plain.reshape(plain.shape[0], -1)),
        lambda: np.ma.masked_array(plain, mask),
        lambda: np.ma.masked_all_like(plain),
        lambda: plain.tolist(),
        lambda: tensor,
        lambda: tensor.clone().requires_grad_(),
        lambda: tensor.to(torch.bfloat16),
        lambda: tensor[..., ::2].T if tensor.ndim == 2 else tensor,
        lambda: plain[::-1, ::-2],
        lambda: np.asfortranarray(plain),
        lambda: _read_only(plain),
        lambda: np.rec.array(np.zeros(plain.shape[:2], [("a", "u1"), ("b", "f4")])),
        lambda: _dask(plain, rng),
        lambda: memoryview(plain),
        lambda: plain.tobytes(),
        lambda: iq.QualityMap.of(np.zeros((20, 20), np.float32), "threshold", {}),
    )
    return pick(rng, classes)()


def _read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


def _dask(array: Any, rng: Rng) -> Any:
    try:
        import dask.array as da
    except ImportError:
        return array
    lazy = da.from_array(array, chunks=pick(rng, (-1, 7, 16)))
    return lazy if rng.random() < 0.7 or array.ndim != 2 else lazy[lazy[:, 0] > 3]  # of unknown shape


def _nothing(_array: Any, rng: Rng) -> Any:
    return pick(rng, odd_values())


_ODD = (_with_values, _with_values, _of_dtype, _of_shape, _of_shape, _of_class, _of_class, _nothing)


def like(first: Any, rng: Rng) -> Any:
    """Draw a second image: mostly one that goes with the first, else any."""
    if not isinstance(first, np.ndarray) or first.ndim < 2 or first.dtype.kind not in "uf" or rng.random() < 0.12:
        return image(rng)
    moved = np.roll(first, (1, 2), axis=(0, 1))
    return pick(rng, (first, moved, moved, moved, first[::-1], first[:-1], np.zeros_like(first)))


# Options --------------------------------------------------------------------------------------------------------------


def odd_values() -> tuple[Any, ...]:
    """Give what no option takes, or few."""
    return (None, True, False, -1, 0, 1, 1.5, 2**31, 2**63, 10**400, -1e308, 1e-300, float("nan"), float("inf"), "",
    "a", "auto",
            "\x00", b"a", [], (), {}, {"a": 1}, object(), np.array([1, 2]), np.float32(3), np.int8(-5), np.bool_(True),
                1j,
            print, (1, 2, 3), ["a", None], np.nan, "x" * 500, Path("nowhere"))  # fmt: skip


POOLS: dict[str, tuple[Any, ...]] = {
    "data_range": ("data", "percentiles", "Data", 255, (0, 1), (0, 255), (0, 65535), (1, 0), (0, 0), (0, 1e-300),
        (0, float("nan")),
        (float("-inf"), 1), (0,),
                   (0, 1, 2), [0, 1], np.array([0.0, 1.0]), (0, 10**400), (-1e308, 1e308), ("a", "b"), (None, 1), -3,
                   0.5,
                   (np.float32(0), np.float32(1)), (False, True)),
    "channel_axis": (-1, 2, 0, 1, 3, -7, "last", 1.5, np.int64(-1), 2**70, True),
    "tile": (8, 16, 32, 64, 0, -1, 1.5, 2**40, np.int32(32), "a"),
    "device": ("cpu", "auto", "cuda", "cuda:99", "tpu", "cpu:1", 3, ""),
    "model": ("contrast", "contrast", "contrast", "pnet", "deepbqa", "diqa", "net", 3),
    "luminance": ("code", "absolute", "lux"), "encoding": ("pu21", "pq", "x"), "observer": ("everyday", "practised",
        "me"),
    "peak_luminance": (None, 100, 1e4, 1e5, 0, -1, 1e-300, float("nan"), "a"), "black_level": (0, 0.5, 99, -1, 1e9,
        float("nan"), "a"),
    "stride": (1, 2, 4, 8, 3, 0, "4", 4.0), "window": (None, 1, 3, 33, 2, 0, -1, 10**9, 5.0, "a"),
    "pixels_per_degree": (35, 4, 600, 0, 1e9, float("nan"), "a", -5), "weights": ("contrast", "pnet", "none", "", ".",
        "\x00", 5, "n" * 5000),
    "severity": (0, 1, 2.5, 5, 6, -1, float("nan"), "a", True, None, 10**400), "seed": (0, 1, -1, 2**32, 2**64, 1.5,
        "a", None, np.int64(4)),
    "severities": ((0, 1), (0,), (), [5, 0], (0, float("nan")), "12", None, (0, 9)), "fails_below": (0.5, 0, 1,
        float("nan"), "a", -1),
    "method": ("auto", "fast", "features", "flow", "ecc", "phase", "dd", "translation", "matches", "stackreg",
        "elastix", "x", 3),
    "transform": ("homography", "affine", "euclidean", "translation", "x", None), "max_shift": (None, 5, 0, -1,
        float("nan"), "a", 1e308),
    "min_overlap": (0.5, 0, 1, 2, -1, float("nan"), "a"), "min_inliers": (8, 0, 1, -3, 10**9, 1.5, "a"),
        "matches": (None, "a", 3, []),
    "to": ("first", "previous", "x"), "radius": (1, 3, 5, 15, 0, -1, 1.5, 10**9, "a"), "objective": ("gain", "soft",
        "ratio", "x"),
    "tol": ("auto", 0, 1, 5.5, -1, 300, float("nan"), float("inf"), "x", None), "illumination": ("none", "before",
        "each", "local", "frame", "x"),
    "grid": (None, (1, 1), (5, 5), (0, 0), (1000, 1000), (-1, 2), (2**31, 2**31), (2.5, 2), 5, "ab", (5,)),
        "smooth": (None, 0, 1, 2.5, -1, 1e9, float("nan"), "a"),
    "median": (0, 3, 1, 2, -1, 10**9, 1.5, "a"), "border": (0, 1, 5, 10**9, -1, 1.5, "a"), "compat": (None, "notebook",
        "x"),
    "kind": ("mean", "gaussian", "laplacian", "x"), "step": (1, 0.5, 8, 0, -1, 1e9, float("nan"), "a"),
        "margin": (0.01, 0, -1, float("nan"), "a"),
    "max_inconsistency": (1, 0, -1, float("nan"), "a"), "min_score": (0.5, 0, 2, float("nan"), "a"),
        "timeout": (5, 0, -1, float("nan"), "a"),
    "strength": (1, 0.1, 10, 0, -1, 1e9, float("nan"), "a"), "mode": ("multiply", "clamp", "x"),
        "placement": ("centre", "tile", "stretch", (0, 0), (-5, 1000), (2**70, 0), "x"),
    "mark_range": (None, (0, 1), (255, 0), (0, 0), "a", (0, float("nan"))), "amplitude": (None, 1, 0, -1, float("nan"),
        1e308, "a"),
    "rounding": ("dither", "nearest", "x"), "thresholds": (None, iq.ThresholdOptions(),
        iq.ThresholdOptions(model="contrast"), "a", {}),
    "family": (None, "noise", "blur", "x", 3), "height": (4, 16, 48, 1, 0, -1, 1.5, 10**6, "a"),
        "font": (None, "none.ttf", "", "/dev/null", 3),
    "options": ((), ("-a",), "a", (3,), None), "maps": (None, (), ("error",), ("x",), "error", 3,
        ("reliability", "error")),
    "limits": (iq.ScoreLimits(), iq.ScoreLimits(min_block=0), None, 3), "baseline": (None, "none", "x", 3),
    "scoring": ("smooth", "raw", ("smooth",), "x", (), 3), "registration": ("fast", "phase", "x", 3),
        "most_pixels": (1, 10, 2**30, 0, -1, 1.5, "a", True, 10**400),
    "moving_shape": (None, (20, 24), (0, 1), (1.5, 2), "a", (2**70, 1)), "fixed_shape": (None, (20, 24), (-1, 1), 3),
}  # fmt: skip
"""By the name of an option: what it takes, and what it nearly takes."""

_CHEAP: dict[str, dict[str, Any]] = {
    "threshold_map": {"model": "contrast"}, "visibility_map": {"model": "contrast"},
    "hide": {"thresholds": iq.ThresholdOptions(model="contrast")}, "machine_curve": {"severities": (0, 3)},
    "compare_registrations": {"registration": "fast", "methods": ("none",)}, "run_deepmatching": {"timeout": 5},
}  # fmt: skip


def options_of(
    name: str, words: tuple[Any, ...], parameters: Mapping[str, inspect.Parameter], rng: Rng
) -> dict[str, Any]:
    """Draw some of a function's options; each is mostly one that it knows, and a third of the calls have none."""
    options = dict(_CHEAP.get(name, {})) | {k: v for k, v in _needed(words).items() if k in parameters}
    often = pick(rng, (0, 0.1, 0.2))
    for option in parameters.values():
        if option.kind is option.KEYWORD_ONLY and rng.random() < often:
            options[option.name] = _option(option.name, rng)
    return options


def _needed(words: tuple[Any, ...]) -> dict[str, Any]:
    """Give what has to be said of an array that should do: black and white of numbers, and where its colours are."""
    first = words[0] if words and isinstance(words[0], np.ndarray) else np.zeros(0)
    colours = {"channel_axis": -1} if first.ndim > 2 and first.shape[-1] in (3, 4) else {}
    return colours | ({"data_range": (0, 1)} if first.dtype.kind == "f" else {})


def _option(name: str, rng: Rng) -> Any:
    if name == "progress":
        return pick(rng, (lambda done, total: None, lambda done, total: 1, _cancel, "a", 3))
    if name in ("reference", "valid", "weight", "region", "fixed", "matrix"):
        return pick(rng, (image(rng), np.ones((20, 24), bool), np.eye(3)))
    return pick(rng, POOLS[name] if name in POOLS and rng.random() < 0.85 else odd_values())


def _cancel(_done: int, _total: int) -> None:
    raise iq.Cancelled("enough")


# Calls ----------------------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """A function with what it is given; `shape`, of an array whose map has to have that shape."""

    name: str
    words: tuple[Any, ...]
    options: dict[str, Any]

    def made(self) -> Any:
        """Make the call."""
        return getattr(iq, self.name)(*self.words, **self.options)

    def wrong(self, answer: Any) -> str:
        """Give the promises that its answer breaks."""
        first = self.words[0] if self.words else None
        if isinstance(answer, iq.QualityMap) and isinstance(first, np.ndarray):
            return of_map(
                answer.compute(), _planes(first.shape, self.options.get("channel_axis"), answer)
            ) or of_answer(answer)
        if self.name == "distort" and isinstance(first, np.ndarray):
            same = np.shape(answer) == first.shape and answer.dtype == first.dtype
            return broken((same, f"{np.shape(answer)} of {answer.dtype}, not {first.shape} of {first.dtype}"))
        return of_answer(answer)

    def shown(self) -> str:
        """Tell what is given, in short."""
        words = [*map(_short, self.words), *(f"{name}={_short(value)}" for name, value in self.options.items())]
        return f"({', '.join(words)})"


def _planes(shape: tuple[int, ...], axis: Any, answer: Any) -> tuple[int, ...] | None:
    """Give the shape that a map has to have: the image's without its colours, which may be seen by themselves."""
    without = shape if axis is None else tuple(np.delete(shape, int(axis)))
    return without if axis is not None or len(shape) == 2 else None


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{type(value).__name__}{value.shape}:{value.dtype}"
    if type(value).__module__.split(".")[0] in ("torch", "dask"):
        return f"{type(value).__module__.split('.')[0]}{tuple(value.shape)}:{value.dtype}"
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, repr raises {type(error).__name__}>"
    return text if len(text) < 80 else f"{text[:77]}..."


ONE_IMAGE = ("threshold_map", "error_map", "perceptual_error_map", "sensitivity_map", "reliability_map", "quality",
"assess",
             "machine_quality", "machine_quality_map", "machine_assess", "edge_weight", "local_contrast",
                 "auto_tolerance")  # fmt: skip
TWO_IMAGES = ("visibility_map", "objective_error_map", "register", "search_translation", "quasi_dense_matches",
"local_optimum",
              "hide")  # fmt: skip
THREE_IMAGES = ("diff_diff", "diff_diff_score", "diff_diff_assess")
RARE = {"register": 0.4, "search_translation": 0.5, "local_optimum": 0.4, "register_series": 0.2,
"compare_registrations": 0.1,
        "machine_curve": 0.3, "quasi_dense_matches": 0.5, "run_deepmatching": 0.2, "assess": 0.5,
            "text_mark": 0.5}  # fmt: skip
"""How often to call what takes long, or says little."""

FUNCTIONS = tuple(sorted(name for name in iq.__all__ if inspect.isfunction(getattr(iq, name))))
CLASSES = ("ThresholdOptions", "ScoreLimits")


def drawn_call(rng: Rng, folder: Path) -> Call:
    """Draw a public function, or a class that a caller makes, and what to give to it."""
    while True:
        name = pick(rng, FUNCTIONS + CLASSES)
        if rng.random() < RARE.get(name, 1):
            break
    target = getattr(iq, name)
    words = _words(name, rng, folder)
    return Call(name, words, options_of(name, words, inspect.signature(target).parameters, rng))


def _words(name: str, rng: Rng, folder: Path) -> tuple[Any, ...]:
    if name in WORDS:
        return WORDS[name](rng, folder)
    first = image(rng)
    if name in ONE_IMAGE:
        return (first,)
    if name in TWO_IMAGES:
        return first, like(first, rng)
    if name in THREE_IMAGES:
        return first, like(first, rng), like(first, rng)
    return ()


def _path(rng: Rng, folder: Path, *suffixes: str) -> Any:
    good = folder / f"written{pick(rng, suffixes)}"
    odd = (folder, "", "\x00", "n" * 300 + suffixes[0], folder / "no" / "such.tif", "/proc/x.tif", None, 3, b"x.tif",
           folder / f"a\nb{suffixes[0]}", "x.xyz", folder / "\ud800.tif")  # fmt: skip
    return good if rng.random() < 0.6 else pick(rng, odd)


def _there(rng: Rng, folder: Path, suffix: str, write: Callable[[Path], object]) -> Any:
    """Draw the path of a file that is there, or an odd one."""
    path = _path(rng, folder, suffix)
    if path == folder / f"written{suffix}":
        write(path)
    return path


def _whole_map() -> Any:
    return iq.QualityMap.of(np.ones((20, 24), np.float32), "threshold", {})


def _write_matches(path: Path) -> None:
    points = np.arange(8.0).reshape(4, 2)
    iq.MatchTable.of(points, points, moving_shape=(20, 24), fixed_shape=(20, 24)).to_csv(path)


def _a_map(rng: Rng) -> Any:
    info = pick(
        rng,
        ({}, {"a": float("nan")}, {"a": object()}, {"a": np.arange(3)}, {3: 4}, {"a": {"b": (1, 2)}}, {"a": "\ud800"}),
    )
    values = pick(
        rng, (np.zeros((20, 24), np.float32), np.full((20, 24), np.nan, np.float32), np.ones((2, 20, 24), np.float32))
    )
    if rng.random() < 0.2:
        return pick(rng, odd_values())
    return iq.QualityMap.of(values, pick(rng, tuple(iq.KINDS)), {"mixing": 1.0, "tol": 5.0, **info})


def _a_matrix(rng: Rng) -> Any:
    return pick(rng, (np.eye(3), np.eye(3)[:2], np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(4), "a", None,
    [[1, 0], [0]],
                      np.eye(3) * 1e308, np.eye(3, dtype=complex), iq.MatrixRecord(np.eye(3)),
                      np.eye(3).tolist()))  # fmt: skip


WORDS: dict[str, Callable[[Rng, Path], tuple[Any, ...]]] = {
    "read_image": lambda rng, folder: (_there(rng, folder, ".png", lambda path: iq.write_map(_whole_map(), path)),),
    "read_map": lambda rng, folder: (_there(rng, folder, ".tif", lambda path: iq.write_map(_whole_map(), path)),),
    "load_matrix": lambda rng, folder: (_there(rng, folder, ".json", lambda path: iq.save_matrix(path, np.eye(3))),),
    "read_deepmatching": lambda rng, folder: (_there(rng, folder, ".csv", _write_matches),),
    "write_map": lambda rng, folder: (_a_map(rng), _path(rng, folder, ".tif", ".png")),
    "save_matrix": lambda rng, folder: (_path(rng, folder, ".json"), _a_matrix(rng)),
    "distort": lambda rng, _folder: (image(rng), pick(rng, (*iq.distortions(), "x", 3, None)),
        pick(rng, POOLS["severity"])),
    "distortion": lambda rng, _folder: (pick(rng, (*iq.distortions(), *odd_values())),),
    "distortions": lambda _rng, _folder: (),
    "machine_curve": lambda rng, _folder: (image(rng), pick(rng, (*iq.distortions(), "x", 3))),
    "pq": lambda rng, _folder: (image(rng),),
    "pu21": lambda rng, _folder: (image(rng),),
    "text_mark": lambda rng, _folder: (pick(rng, ("mark", "", " ", "\n", "\x00", "x" * 3000, "写真", "\ud800", "$a_b$",
        3, None, b"a")),),
    "register_series": lambda rng, _folder: (pick(rng, (np.stack([_sound(rng)] * 2), [image(rng), image(rng)],
        image(rng), [])),),
    "compare_registrations": lambda rng, _folder: (pick(rng, ([(image(rng), image(rng))], [], [3], "ab", None,
        [(_sound(rng),) * 2])),),
    "run_deepmatching": lambda rng, folder: (pick(rng, ("/bin/true", "/bin/false", "/bin/echo", "none", folder, "", 3,
        sys.executable)),
                                             _sound(rng), image(rng)),
    "ThresholdOptions": lambda _rng, _folder: (),
    "ScoreLimits": lambda _rng, _folder: (),
}  # fmt: skip
