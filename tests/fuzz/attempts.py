"""One attempt of each subject: something damaged or drawn at random, and the call that has to answer or refuse."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from PIL import Image, PngImagePlugin

import napari_iqmaps as iq

from .calls import drawn_call
from .mutations import Rng, json_changed, mutated, pick, text_changed
from .promises import broken, of_answer, of_picture
from .seeds import HEIGHT, WIDTH, Seed, picture, seeds

FEW_PIXELS = 2**22
"""A limit of pixels, so that what a file states is seen not to be believed."""


class Attempt(NamedTuple):
    """What is tried, what was done to it, and the call, which gives the promises that its answer breaks."""

    what: str
    how: str
    call: Callable[[], str]


# Files ----------------------------------------------------------------------------------------------------------------


def of_file(rng: Rng, folder: Path) -> Attempt:
    """Damage a picture, and read it."""
    seed = pick(rng, seeds())
    data, how = mutated(seed, rng)
    suffix = (
        seed.suffix if rng.random() < 0.9 else pick(rng, ("", ".tif", ".png", ".xyz", *(s.suffix for s in seeds())))
    )
    path = folder / f"picture{suffix}"
    path.write_bytes(data)
    more = {} if rng.random() < 0.3 else {"most_pixels": FEW_PIXELS}

    def call() -> str:
        file = iq.read_image(path, **more)
        kept = of_picture(file)
        if kept or how not in (("cut",), ("rubbish_behind",)):
            return kept
        return _same_or_said(file, _intact(seed.name, folder), how[0])

    return Attempt(seed.name, "+".join(how), call)


def _same_or_said(file: Any, intact: Any, how: str) -> str:
    """Ask of a file without its end, or with something behind it, for the same pixels, or a note."""
    if intact is None or file.notes != intact.notes:
        return ""
    same = file.array.shape == intact.array.shape and np.array_equal(
        file.array, intact.array, equal_nan=_is_float(file)
    )
    return broken((same, f"{how}: other pixels without a note, {file.array.shape} of {intact.array.shape}"))


def _is_float(file: Any) -> bool:
    return bool(file.array.dtype.kind in "fc")


@cache
def _intact(name: str, folder: Path) -> Any:
    """Read a file that is not damaged; None if its format is not read."""
    try:
        return iq.read_image(written(next(seed for seed in seeds() if seed.name == name), folder))
    except iq.IqmapsError:
        return None


def written(seed: Seed, folder: Path) -> Path:
    """Write a file that is not damaged."""
    path = folder / f"intact{seed.suffix}"
    path.write_bytes(seed.data)
    return path


# Records --------------------------------------------------------------------------------------------------------------


def of_record(rng: Rng, folder: Path) -> Attempt:
    """Damage a record, and do what reads it."""
    made: Callable[[Rng, Path], Attempt] = pick(rng, _RECORDS)
    return made(rng, folder)


@cache
def _map() -> Any:
    return iq.threshold_map(picture(), model="contrast")


def _matrix(rng: Rng, folder: Path) -> Attempt:
    path = iq.save_matrix(folder / "matrix.json", np.eye(3), moving_shape=(HEIGHT, WIDTH), fixed_shape=(HEIGHT, WIDTH),
                          method="ecc", transform="affine")  # fmt: skip
    path.write_bytes(json_changed(path.read_bytes(), rng))

    def call() -> str:
        record = iq.load_matrix(path)
        wrong = of_answer(record)
        if not wrong and max(record.fixed_shape or (0,)) < 5000:
            wrong = of_answer(record.apply(picture(), fixed_shape=record.fixed_shape or (HEIGHT, WIDTH)))
        return wrong

    return Attempt("load_matrix", "json", call)


def _matches(rng: Rng, folder: Path) -> Attempt:
    path = folder / "matches.csv"
    points = rng.uniform(0, 20, (12, 4)).round(2)
    if rng.random() < 0.5:
        shape = {"moving_shape": (HEIGHT, WIDTH), "fixed_shape": (HEIGHT, WIDTH)}
        iq.MatchTable.of(points[:, :2], points[:, 2:], **shape).to_csv(path)
        more: dict[str, Any] = {}
    else:
        path.write_text("\n".join(" ".join(map(str, (*row, 1.5, number))) for number, row in enumerate(points)))
        more = {"moving_shape": (HEIGHT, WIDTH), "fixed_shape": (HEIGHT, WIDTH)}
    path.write_bytes(text_changed(path.read_bytes(), rng))

    def call() -> str:
        table = iq.read_deepmatching(path, **more)
        wrong = of_answer(table)
        if not wrong and rng.random() < 0.3:
            wrong = of_answer(iq.register(picture(), picture(), method="matches", matches=table))
        return wrong

    return Attempt("read_deepmatching", "text", call)


def _map_file(rng: Rng, folder: Path) -> Attempt:
    path = iq.write_map(_map(), folder / "map.tif")
    _record_changed(path, rng)
    return Attempt("read_map", "json", lambda: of_answer(iq.read_map(path)))


def _record_changed(path: Path, rng: Rng) -> None:
    """Change the record in a map that was written as TIFF or PNG, the pixels staying."""
    if path.suffix == ".png":
        with Image.open(path) as drawn:
            drawn.load()
            text = PngImagePlugin.PngInfo()
            text.add_text("napari_iqmaps", _as_text(json_changed(drawn.info["napari_iqmaps"].encode(), rng)))
            drawn.save(path, "PNG", pnginfo=text)
        return
    with tifffile.TiffFile(path) as file:
        description, values = file.pages[0].description, file.asarray()
    changed = json_changed(description.encode(), rng).replace(b"\0", b"")
    tifffile.imwrite(path, values, description=changed, metadata=None, photometric="minisblack")


def _as_text(text: bytes) -> str:
    return text.decode("latin-1").replace("\0", "")


def _map_bytes(rng: Rng, folder: Path) -> Attempt:
    path = iq.write_map(_map(), folder / "map.tif")
    data, how = mutated(Seed("tiff map", ".tif", path.read_bytes()), rng)
    path.write_bytes(data)
    # Other bytes may be other values: only that it is a map is asked for.
    return Attempt("read_map", "+".join(how), lambda: broken((iq.read_map(path).values.ndim >= 2, "no map")))


def _weights(rng: Rng, folder: Path) -> Attempt:
    from napari_iqmaps.core.models import find

    whole = find("contrast", "contrast").path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    head, body = whole[8 : 8 + length], whole[8 + length :]
    if rng.random() < 0.7:
        head = json_changed(head, rng)
        data = len(head).to_bytes(8, "little") + head + body
    else:
        data = mutated(Seed("weights", "", whole), rng)[0]
    path = folder / f"w{rng.integers(10**9)}.safetensors"  # of another name each: the last ones stay loaded
    path.write_bytes(data)

    def call() -> str:
        try:
            return of_answer(iq.threshold_map(picture(), model="contrast", weights=path))
        finally:
            path.unlink()

    return Attempt("weights", "header", call)


def _manifest(rng: Rng, folder: Path) -> Attempt:
    from napari_iqmaps.training.databases.manifest import read_manifest

    for number in range(3):
        Image.fromarray(picture(seed=number)).save(folder / f"{number}.png")
    text = "# best: 0\n# worst: 100\nfile,reference,score,type\n1.png,0.png,10.5,noise\n2.png,0.png,60,blur#2\n"
    path = folder / "data.csv"
    path.write_bytes(text_changed(text.encode(), rng))

    def call() -> str:
        table = read_manifest(path, skip_missing=bool(rng.random() < 0.5)).table
        scores = table["impairment"].to_numpy(float)
        inside = [Path(name).resolve().is_relative_to(folder.resolve()) for name in table["file"]]
        return broken(
            (bool(((scores >= 0) & (scores <= 1)).all()), f"impairments {scores}"), (all(inside), "a file elsewhere")
        )

    return Attempt("read_manifest", "text", call)


def _pairs(rng: Rng, folder: Path) -> Attempt:
    from napari_iqmaps.core.comparison.compare import read_pairs

    path = folder / "pairs.csv"
    path.write_bytes(text_changed(b"moving,fixed\n1.png,0.png\n2.png,0.png\n", rng))
    return Attempt("read_pairs", "text", lambda: broken((len(read_pairs(path)) > 0, "no pairs")))


def _table(rng: Rng, folder: Path) -> Attempt:
    """Go on with a table of an earlier run that was damaged."""
    suffix = pick(rng, (".csv", ".json"))
    words = ("threshold", _plain(folder), "--model", "contrast", "--csv", folder / f"table{suffix}")
    words[-1].unlink(missing_ok=True)
    _command(*words)
    table = words[-1]
    table.write_bytes((json_changed if suffix == ".json" else text_changed)(table.read_bytes(), rng))
    return Attempt(f"table{suffix}", "text", lambda: _command(*words))


def _kept_map(rng: Rng, folder: Path) -> Attempt:
    """Go on with a map of an earlier run whose record was damaged."""
    suffix = pick(rng, (".tif", ".png"))
    words = ("threshold", _plain(folder), "--model", "contrast", "--out", folder / "maps", "--format", suffix[1:])
    kept = folder / "maps" / f"plain_threshold{suffix}"
    kept.unlink(missing_ok=True)
    _command(*words)
    if rng.random() < 0.7:
        _record_changed(kept, rng)
    else:
        kept.write_bytes(mutated(Seed("tiff" if suffix == ".tif" else "png", suffix, kept.read_bytes()), rng)[0])
    return Attempt(f"kept map{suffix}", "record", lambda: _command(*words, status=0))


def _plain(folder: Path) -> Path:
    path = folder / "plain.png"
    if not path.exists():
        Image.fromarray(picture()).save(path)
    return path


def _command(*words: Any, status: int | None = None) -> str:
    """Run the command line in this process."""
    from click.testing import CliRunner

    from napari_iqmaps.cli import main

    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    statuses = (0, 1, 2) if status is None else (status,)
    return broken((result.exit_code in statuses, f"exit {result.exit_code}: {result.output[-300:]}"))


_RECORDS = (
    *(_matrix,) * 4, *(_matches,) * 4, *(_map_file,) * 3, *(_map_bytes,) * 3, *(_weights,) * 3, *(_manifest,) * 3,
    *(_pairs,) * 2,
    _table, _kept_map,
)  # fmt: skip


# Calls ----------------------------------------------------------------------------------------------------------------


def of_call(rng: Rng, folder: Path) -> Attempt:
    """Call a public function with random arrays and options."""
    drawn = drawn_call(rng, folder)
    return Attempt(drawn.name, drawn.shown(), lambda: drawn.wrong(drawn.made()))


# Faults ---------------------------------------------------------------------------------------------------------------


def _warns() -> str:
    warnings.warn("of nothing", stacklevel=1)
    return ""


def _says(error: Exception) -> str:
    raise error


def _takes_memory() -> str:
    np.ones(2**28, np.uint64).sum()  # 2 GiB
    return ""


FAULTS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("answer", str),
    ("abort", lambda: str(os.abort())),
    ("printed", lambda: "" * os.write(2, b"libfault: of nothing")),
    ("warning", _warns),
    ("exception", lambda: _says(KeyError("of nothing"))),
    ("refused", lambda: _says(iq.InputError("of nothing"))),
    ("broken", lambda: _says(iq.InputError(""))),
    ("memory", _takes_memory),
    ("broken", lambda: "of nothing"),
    ("answer", str),
)
"""Outcomes that the harness has to tell, and what has them: the harness is tried, too."""


# What is tried --------------------------------------------------------------------------------------------------------

SUBJECTS: dict[str, Callable[[Rng, Path], Attempt]] = {"files": of_file, "records": of_record, "calls": of_call}
"""What is tried, by the name of its option."""


def attempt(subject: str, seed: int, number: int, folder: Path) -> Attempt:
    """Make one attempt; the same for the same numbers."""
    if subject == "faults":
        outcome, call = FAULTS[number]
        return Attempt(f"fault {outcome}", "", call)
    rng = np.random.default_rng([seed, list(SUBJECTS).index(subject), number])
    return SUBJECTS[subject](rng, folder)
