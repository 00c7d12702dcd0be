"""Everything that may be given to everything public, one argument at a time, all others being sound and small.

`python -m tests.core.sweep [NAME ...]`, from the root of the checkout, goes through all of it, or what is named, and
prints what escapes: any error but an `IqmapsError`, any warning, and whatever takes longer than ten seconds.
"""

from __future__ import annotations

import collections
import contextlib
import decimal
import fractions
import inspect
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import napari_iqmaps as iq

SIDE = 40
_LONGEST = 10.0  # seconds, of which nobody has to wait a tenth


def picture(seed: int = 0, shape: tuple[int, ...] = (SIDE, SIDE)) -> Any:
    """Give a grey picture with detail in it, uint8."""
    noise = np.random.default_rng(seed).integers(0, 60, shape)
    return (noise + np.linspace(0, 150, shape[-1])).astype(np.uint8)


class _Lookalike:
    """What says that it is an array, as jax, xarray and h5py have it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        made = self._make()
        return made if dtype is None else np.asarray(made, dtype)


class _Hostile:
    """An object all of whose methods fail."""

    def __repr__(self) -> str:
        raise RuntimeError("no representation")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None  # type: ignore[assignment]


def len_of_nothing(*_given: Any) -> int:
    """Take anything, as a call of progress does."""
    return 0


def _raises(error: type[Exception]) -> Callable[[], Any]:
    def make() -> Any:
        raise error("of another's making")

    return make


def scalars() -> dict[str, Any]:
    """Give values that an option may be given: by name, since some cannot be shown."""
    return {
        "None": None,
        "True": True,
        "False": False,
        "numpy true": np.True_,
        "0": 0,
        "1": 1,
        "-1": -1,
        "2": 2,
        "3": 3,
        "1.5": 1.5,
        "4.0": 4.0,
        "int8": np.int8(4),
        "float32": np.float32(0.5),
        "array of one": np.array(4),
        "10**12": 10**12,
        "2**31": 2**31,
        "2**63": 2**63,
        "10**400": 10**400,
        "-10**12": -(10**12),
        "1e-300": 1e-300,
        "1e12": 1e12,
        "1e308": 1e308,
        "-1e308": -1e308,
        "5e-324": 5e-324,
        "nan": float("nan"),
        "inf": float("inf"),
        "-inf": float("-inf"),
        "1j": 1j,
        "Decimal": decimal.Decimal("0.5"),
        "Fraction": fractions.Fraction(1, 2),
        "longdouble": np.longdouble(2),
        "empty text": "",
        "a": "a",
        "auto": "auto",
        "no": "no",
        "AUTO": "AUTO",
        "data": "data",
        "percentiles": "percentiles",
        "NUL": "\0",
        "surrogate": "\ud800",
        "long text": "x" * 5000,
        "numpy text": np.str_("cpu"),
        "bytes": b"auto",
        "cpu": "cpu",
        "cuda:99": "cuda:99",
        "cpu:1": "cpu:1",
        "cuda:-1": "cuda:-1",
        "cuda:x": "cuda:x",
        "path": Path("nowhere"),
        "list": [],
        "tuple": (),
        "dict": {},
        "set": {1},
        "list of text": ["auto"],
        "pair": (0, 1),
        "pair of floats": (0.5, 200.0),
        "narrow": (0, 1e-300),
        "wide": (0, 1e308),
        "widest": (-1e308, 1e308),
        "half wide": (0, 3e38),
        "nan pair": (0, float("nan")),
        "reversed": (1, 0),
        "equal": (1, 1),
        "infinite pair": (0, float("inf")),
        "pair of text": ("0", "1"),
        "pair of bool": (False, True),
        "three": (0, 1, 2),
        "one": (1,),
        "pair of None": (None, None),
        "pair of lists": ([0], [1]),
        "large pair": (2**31, 2**31),
        "huge pair": (10**400, 10**401),
        "negative pair": (-5, -2),
        "far pair": (1e20, 1e20 + 1e5),
        "complex pair": (0, 1j),
        "decimals": (decimal.Decimal(0), decimal.Decimal(1)),
        "array": np.arange(2),
        "matrix": np.eye(3),
        "floats": np.array([0.0, 1.0]),
        "generator": (number for number in range(2)),
        "range": range(2),
        "function": len_of_nothing,
        "type": int,
        "object": object(),
        "hostile": _Hostile(),
        "options": iq.ThresholdOptions(),
        "limits": iq.ScoreLimits(),
        "slices": (slice(0, 10), slice(0, 10)),
        "slice": slice(0, 3),
        "odd slices": (slice("a", "b"), slice(None)),
    }


def arrays() -> dict[str, Any]:
    """Give values that an image, or another array, may be given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns of its own matrices, torch of what it has not finished
        return _arrays()


def _arrays() -> dict[str, Any]:
    import torch
    from PIL import Image

    plane = picture()
    tensor = torch.from_numpy(plane.astype(np.float32))
    structured = np.zeros(plane.shape, [("a", "u1"), ("b", "f4")])
    masked = np.ma.masked_array(plane, plane > 100)
    frozen = plane.copy()
    frozen.flags.writeable = False
    made = {
        "np.matrix": np.matrix(plane),
        "masked": masked,
        "all masked": np.ma.masked_all_like(masked),
        "masked matrix": np.ma.array(np.matrix(plane)),
        "masked records": np.ma.array(structured),
        "records": structured.view(np.recarray),
        "structured": structured,
        "torch": tensor,
        "torch with gradient": tensor.clone().requires_grad_(),
        "torch bfloat16": tensor.bfloat16(),
        "torch float16": tensor.half(),
        "torch meta": tensor.to("meta"),
        "torch sparse": tensor.to_sparse(),
        "torch conjugate": torch.view_as_complex(tensor.reshape(40, 20, 2)).conj(),
        "lookalike": _Lookalike(lambda: plane),
        "failing lookalike": _Lookalike(_raises(OSError)),
        "lookalike of objects": _Lookalike(lambda: plane.astype(object)),
        "lookalike of nothing": _Lookalike(lambda: None),
        "longdouble": plane.astype(np.longdouble),
        "huge longdouble": plane * np.longdouble("1e4000"),
        "big-endian": plane.astype(">u2"),
        "big-endian floats": plane.astype(">f4"),
        "read-only": frozen,
        "turned": plane[::-1, ::-1],
        "Fortran": np.asfortranarray(plane),
        "repeated": np.broadcast_to(np.uint8(7), (SIDE, SIDE)),
        "10**12 pixels": np.broadcast_to(np.uint8(7), (10**6, 10**6)),
        "10**12 planes": np.broadcast_to(plane, (10**12, SIDE, SIDE)),
        "10**10 pixels": np.broadcast_to(plane[:1, :1], (10**5, 10**5)),
        "10**12 pixels of 40": np.broadcast_to(plane[0], (10**11, SIDE)),
        "float16": plane.astype(np.float16),
        "float32": plane.astype(np.float32),
        "floats": plane / 255,
        "nan": np.full(plane.shape, np.nan),
        "inf": np.full(plane.shape, np.inf),
        "one nan": np.where(plane == plane[3, 3], np.nan, plane / 255.0),
        "constant": np.full_like(plane, 9),
        "zeros": np.zeros_like(plane),
        "denormal": np.full(plane.shape, 5e-324),
        "denormals": plane * np.float32(1e-45),
        "float max": plane.astype(np.float32) / np.float32(255) * np.float32(3e38),
        "double max": plane / 255.0 * 1.7e308,
        "signs": plane - 128.0,
        "int8": plane.astype(np.int8),
        "int64 max": np.iinfo(np.int64).max - plane.astype(np.int64),
        "uint64": np.uint64(2**64 - 1) - plane.astype(np.uint64),
        "bool": plane > 100,
        "complex": plane * 1j,
        "dates": plane.astype("M8[s]"),
        "spans": plane.astype("m8[s]"),
        "void": plane.view("V1"),
        "text array": plane.astype(str),
        "bytes array": plane.astype("S3"),
        "objects": plane.astype(object),
        "None objects": np.full(plane.shape, None),
        "list": plane.tolist(),
        "ragged": [[1, 2], [3]],
        "list of lists of text": [["a", "b"]],
        "empty list": [],
        "nested empty": [[]],
        "text": "picture",
        "None": None,
        "number": 5,
        "float": 5.0,
        "0-d": np.array(5),
        "1-d": plane[0],
        "empty": np.zeros((0, 0), np.uint8),
        "no rows": np.zeros((0, SIDE), np.uint8),
        "no planes": np.zeros((0, SIDE, SIDE), np.uint8),
        "1x1": plane[:1, :1],
        "1xn": plane[:1],
        "nx1": plane[:, :1],
        "2x2": plane[:2, :2],
        "7x7": plane[:7, :7],
        "long": picture(1, (1, 3000)),
        "one channel": plane[..., None],
        "two channels": picture(1, (SIDE, SIDE, 2)),
        "colours": picture(1, (SIDE, SIDE, 3)),
        "five channels": picture(1, (SIDE, SIDE, 5)),
        "no channels": np.zeros((SIDE, SIDE, 0), np.uint8),
        "stack": picture(1, (2, SIDE, SIDE)),
        "many axes": plane.reshape((1,) * 20 + plane.shape),
        "bytes": plane.tobytes(),
        "memoryview": memoryview(plane),
        "dict": {"a": plane},
        "Pillow": Image.fromarray(plane),
        "Pillow palette": Image.fromarray(plane).convert("P"),
        "Pillow 1": Image.fromarray(plane).convert("1"),
        "hostile": _Hostile(),
        "generator": iter([plane]),
        "tuple of planes": (plane, plane),
        "eye": np.eye(3),
        "singular": np.zeros((3, 3)),
        "points": np.array([(1.0, 2.0)]),
        "large": np.full(plane.shape, 10**400, object),
    }
    return made | _dask(plane) | _pandas(plane)


def _dask(plane: Any) -> dict[str, Any]:
    try:
        import dask.array as da
        from dask import delayed
    except ImportError:
        return {}

    def failing(block: Any) -> Any:
        raise ZeroDivisionError("of another's making")

    lazy = da.from_array(plane, chunks=16)
    empty_chunks = da.concatenate(
        [da.zeros((0, SIDE), chunks=(0, SIDE), dtype=np.uint8), da.from_array(plane, chunks=(20, SIDE))]
    )
    return {
        "dask": lazy,
        "dask of unknown shape": lazy[lazy[:, 0] > 3],
        "dask of objects": lazy.astype(object),
        "dask that fails": lazy.map_blocks(failing, dtype=np.uint8, meta=np.empty((0, 0), np.uint8)),
        "dask with empty chunks": empty_chunks,
        "dask without pixels": lazy[:0],
        "list of dask": [lazy, lazy],
        "dask of masked": da.ma.masked_greater(lazy, 100),
        "dask of another type": lazy.map_blocks(
            lambda block: block.astype(object), dtype=np.uint8, meta=np.empty((0, 0), np.uint8)
        ),
        "dask of another shape": da.from_delayed(delayed(lambda: plane[:7])(), plane.shape, np.uint8),
        "delayed": delayed(lambda: plane)(),
        "dask of 10**12": da.zeros((10**6, 10**6), chunks=10**5, dtype=np.uint8)[:7, :7],
    }


def _pandas(plane: Any) -> dict[str, Any]:
    try:
        import pandas as pd
    except ImportError:
        return {}
    frame = pd.DataFrame(plane)
    return {
        "frame": frame,
        "frame of text": frame.astype(str),
        "frame with holes": frame.astype("UInt8").where(frame > 50),
    }


class Target(NamedTuple):
    """Something public that is called, with sound arguments."""

    name: str
    call: Callable[..., Any]
    sound: dict[str, Any]


def _quick(*, thresholds: bool = False) -> dict[str, Any]:
    return {"thresholds": iq.ThresholdOptions(model="contrast")} if thresholds else {"model": "contrast"}


def targets(folder: Path) -> list[Target]:
    """Give everything that is public and can be called, with sound arguments for what has no default."""
    plane, other = picture(), np.roll(picture(), 2, axis=1)
    instances = instances_of(folder)
    written = {suffix: folder / f"sound{suffix}" for suffix in (".tif", ".json", ".csv", ".png")}
    iq.write_map(instances["QualityMap"], written[".tif"])
    iq.save_matrix(written[".json"], np.eye(3))
    instances["MatchTable"].to_csv(written[".csv"])
    iq.write_map(instances["QualityMap"], written[".png"])
    sound: dict[str, dict[str, Any]] = collections.defaultdict(dict)
    for name in (
        "assess",
        "error_map",
        "quality",
        "reliability_map",
        "sensitivity_map",
        "perceptual_error_map",
        "machine_assess",
        "machine_quality",
        "machine_quality_map",
        "edge_weight",
        "local_contrast",
        "threshold_map",
    ):
        sound[name]["image"] = plane
    sound["threshold_map"] |= _quick()
    sound["visibility_map"] |= {"test": plane, "reference": other, **_quick()}
    sound["objective_error_map"] |= {"test": plane, "reference": other}
    sound["auto_tolerance"]["images"] = plane
    for name in ("diff_diff", "diff_diff_assess", "diff_diff_score"):
        sound[name] = {"moving": plane, "registered": other, "fixed": other}
    for name in ("register", "search_translation", "quasi_dense_matches", "local_optimum"):
        sound[name] = {"moving": plane, "fixed": other}
    sound["register"]["method"] = "phase"
    sound["search_translation"]["radius"] = 3
    sound["register_series"] = {"frames": np.stack([plane, other]), "method": "phase"}
    sound["compare_registrations"] = {"pairs": [(plane, other)], "methods": ("none",), "registration": "phase"}
    sound["hide"] = {"mark": np.eye(8), "image": plane, **_quick(thresholds=True)}
    sound["text_mark"]["text"] = "a"
    sound["distort"] = {"image": plane, "name": "gaussian_noise", "severity": 2}
    sound["distortion"]["name"] = "jpeg"
    sound["machine_curve"] = {"image": plane, "distortion": "jpeg", "severities": (0, 3)}
    sound["pq"]["luminance"] = sound["pu21"]["luminance"] = 50.0
    sound["read_image"]["path"] = written[".png"]
    sound["read_map"]["path"] = written[".tif"]
    sound["load_matrix"]["path"] = written[".json"]
    sound["read_deepmatching"]["path"] = written[".csv"]
    sound["write_map"] = {"quality_map": instances["QualityMap"], "path": folder / "again.tif"}
    sound["save_matrix"] = {"path": folder / "again.json", "registration": np.eye(3)}
    sound["run_deepmatching"] = {"binary": "/bin/false", "moving": plane, "fixed": other}
    found = [
        Target(name, getattr(iq, name), sound[name]) for name in iq.__all__ if inspect.isfunction(getattr(iq, name))
    ]
    for name, instance in instances.items():
        if isinstance(instance, BaseException):
            continue
        kept = {field: getattr(instance, field) for field in inspect.signature(type(instance)).parameters}
        found.append(Target(name, type(instance), kept))
        found += _methods(name, instance, plane)
    return found


def _methods(name: str, instance: Any, plane: Any) -> Iterator[Target]:
    """Give the public methods of an instance, and its ways to be made."""
    sound: dict[str, dict[str, Any]] = {
        "QualityMap.of": {"values": np.zeros((8, 8), np.float32), "kind": "threshold", "info": {}},
        "QualityScore.of": {"planes": [1.0, 2.0]},
        "MatchTable.of": {
            "moving_points": [(1, 2)],
            "fixed_points": [(1, 2)],
            "moving_shape": (20, 20),
            "fixed_shape": (20, 20),
        },
        "MatchTable.rescaled": {"moving_shape": (40, 40), "fixed_shape": (40, 40)},
        "MatrixRecord.apply": {"moving": plane, "fixed_shape": (SIDE, SIDE)},
        "Distortion.strength": {"severity": 2},
        "Distortion.strength_beyond": {"severity": 7},
        "Kind.display_limits": {"values": np.zeros((8, 8))},
        "QualityMap.plane_sentence": {"index": ()},
        "QualityScore.plane_sentence": {"index": ()},
        "Outcome.from_row": {"row": {"file": "a", "fixed": "b"}},
    }
    if name in ("Assessment", "MachineAssessment"):
        sound[f"{name}.of"] = {"values": {}, "sums": instance.sums, "judge": instance.judge}
    if name == "MachineCurve":
        sound["MachineCurve.of"] = {"name": "jpeg", "severities": (0, 3), "qualities": instance.qualities}
    for method, call in inspect.getmembers(instance, callable):
        full = f"{name}.{method}"
        if method.startswith("_") or method in ("pooled", "from_mean", "effect", "to_csv", "read", "with_reservations"):
            continue
        parameters = inspect.signature(call).parameters.values()
        needed = [one for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
        if not needed or full in sound:
            yield Target(full, call, sound.get(full, {}))
        else:
            raise AssertionError(f"{full} takes {needed}, and no sound values are given here for them")


def instances_of(folder: Path) -> dict[str, Any]:
    """Make a real instance of every public class, by the public functions."""
    plane, other = picture(), np.roll(picture(), 2, axis=1)
    assessed = iq.diff_diff_assess(plane, other, other)
    found = iq.register(plane, other, method="phase")
    series = iq.register_series(np.stack([plane, other]), method="phase")
    compared = iq.compare_registrations([(plane, other)], ("none",), registration="phase")
    points = np.array([(1.0, 2.0), (5.0, 9.0)])
    made: dict[str, Any] = {
        "Assessment": iq.assess(plane),
        "MachineAssessment": iq.machine_assess(plane),
        "DiffDiffAssessment": assessed,
        "DiffDiffScore": assessed.score,
        "BlockScore": assessed.score.blocks[0],
        "Comparison": compared,
        "Outcome": compared.outcomes[0],
        "Distortion": iq.distortion("jpeg"),
        "FilePair": iq.FilePair(folder / "a.png", folder / "b.png"),
        "HiddenMark": iq.hide(np.eye(8), plane, **_quick(thresholds=True)),
        "Kind": iq.KINDS["threshold"],
        "LocalContrast": iq.local_contrast(plane),
        "LocalOptimum": iq.local_optimum(plane, other),
        "MachineCurve": iq.machine_curve(plane, "jpeg", severities=(0, 3)),
        "MatchTable": iq.MatchTable.of(points, points, moving_shape=(20, 20), fixed_shape=(20, 20)),
        "MatrixRecord": iq.MatrixRecord(np.eye(3), info={"a": 1}),
        "QualityMap": iq.threshold_map(plane, **_quick()),
        "QualityScore": iq.quality(plane),
        "Registration": found,
        "RegistrationSeries": series,
        "ScoreLimits": iq.ScoreLimits(min_block=3),
        "ThresholdOptions": iq.ThresholdOptions(window=5),
    }
    errors = {
        name: value
        for name in iq.__all__
        if inspect.isclass(value := getattr(iq, name)) and issubclass(value, Exception)
    }
    made |= {name: error("something is 3; give 4.") for name, error in errors.items()}
    missing = {name for name in iq.__all__ if inspect.isclass(getattr(iq, name))} - {*made}
    assert not missing, f"{missing} are public classes, and none of them is made here"
    return made


class Case(NamedTuple):
    """One call, made in a folder of its own: what is given, to which parameter, and all else sound."""

    folder: Path
    target: Target
    parameter: str
    given: str
    value: Any

    def __str__(self) -> str:
        return f"{self.target.name}({self.parameter}={self.given})"

    def outcome(self) -> str:
        """Make the call; give "" for an answer or an error of ours, and else what came out."""
        begun = time.process_time()  # of a processor that others use as well
        arguments = {**self.target.sound, self.parameter: self.value}
        starred = [arguments.pop("images")] if "images" in arguments else []
        # What is given may be taken for the path of a file to be written.
        with contextlib.chdir(self.folder), warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                answer = self.target.call(*starred, **arguments)
                if isinstance(answer, iq.QualityMap):
                    answer.compute()
                for said in ("__repr__", "__str__"):
                    getattr(answer, said)()
            except iq.IqmapsError as error:
                return "" if str(error) else "an error without a message"
            except Exception as error:
                return f"{type(error).__name__}: {error}"[:200]
        took = time.process_time() - begun
        return f"took {took:.1f} s" if took > _LONGEST / 2 else ""


def cases(folder: Path, *names: str) -> Iterator[Case]:
    """Give every case of what is named, or of everything public."""
    pools = {**{f"array {name}": value for name, value in arrays().items()}, **scalars()}
    for target in targets(folder):
        if names and target.name not in names:
            continue
        for parameter in inspect.signature(target.call).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            for given, value in pools.items():
                # What is raised in a call of progress stops the work, and comes out as it is.
                if parameter.name != "progress" or value is not int:
                    yield Case(folder, target, parameter.name, given, value)


def _main(names: list[str]) -> int:
    def hang(_number: int, _frame: Any) -> None:
        raise TimeoutError(f"took over {_LONGEST} s")

    signal.signal(signal.SIGALRM, hang)
    count = escaped = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(Path(folder), *names):
            signal.setitimer(signal.ITIMER_REAL, _LONGEST)
            outcome = case.outcome()
            signal.setitimer(signal.ITIMER_REAL, 0)
            count += 1
            if outcome:
                escaped += 1
                print(case, outcome.splitlines()[0] if outcome.splitlines() else outcome, flush=True)  # noqa: T201
    print(f"{count} calls, {escaped} escaped")  # noqa: T201
    return bool(escaped)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
