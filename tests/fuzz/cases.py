"""Check a folder of cases that are hard to read right: ``python -m tests.fuzz.cases FOLDER [ID...]``.

The folder holds ``files/``, what to give to the program, and ``truth/``,
what they hold; its own README says more. A line
a case is printed, and how many came out right. The exit status is 0 if all did.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

import napari_iqmaps as iq

from .process import IQMAPS, READ, Ended, run
from .promises import held

CONTRAST = ("--model", "contrast")


class Case(NamedTuple):
    """Where the files of the cases are, and an empty folder for what is made of them."""

    folder: Path
    work: Path

    def file(self, name: str) -> Path:
        """Give a file of the cases."""
        return self.folder / "files" / name

    def truth(self, name: str) -> Any:
        """Give an array of the truth."""
        return np.load(self.folder / "truth" / f"{name}.npy")

    def copied(self, name: str, to: str | bytes = "") -> Path:
        """Copy a file of the cases into the folder of work, under another name if one is given."""
        target = os.path.join(os.fsencode(self.work), os.fsencode(to or Path(name).name))  # noqa: PTH118 - bytes
        shutil.copyfile(self.file(name), target)
        os.chmod(target, 0o644)  # noqa: PTH101 - bytes
        return Path(os.fsdecode(target))

    def iqmaps(self, *words: str | Path, **more: Any) -> Ended:
        """Run the command line in the folder of work."""
        return run(*IQMAPS, *words, folder=self.work, **more)

    def rows(self, name: str = "t.csv") -> list[dict[str, str]]:
        """Read a table that was written."""
        path = self.work / name
        if not path.exists():
            return []
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


Check = Callable[[Case], str]
"""Checks a case; gives what is wrong, nothing where it is right."""


def fault(*checks: tuple[bool, str]) -> str:
    """Say which of several things do not hold."""
    return "; ".join(said for holds, said in checks if not holds)


# Reading ------------------------------------------------------------------------------------------------------------


def same(file: Any, truth: Any, white: float, channel_axis: int | None) -> str:
    """Compare a picture with the truth, and where its colours are."""
    if file.channel_axis not in (channel_axis, _counted(channel_axis, truth.ndim)):
        return f"channel_axis {file.channel_axis}, not {channel_axis}"
    return held(file, truth, white)


def _counted(axis: int | None, ndim: int) -> int | None:
    return None if axis is None else axis - ndim


def reads(
    name: str, truth: str, white: float = 255, channel_axis: int | None = None, *, note: str = "", flipped: bool = False
) -> Check:
    """Read a file as an array of the truth, with a note that names something if one is asked for."""

    def check(case: Case) -> str:
        file = iq.read_image(case.file(name))
        wrong = same(file, case.truth(truth), white, channel_axis)
        if wrong and flipped:
            wrong = same(file, case.truth(truth)[::-1], white, channel_axis)
        noted = not note or any(re.search(note, text, re.I) for text in file.notes)
        return wrong or fault((noted, f"no note of {note}: {file.notes}"))

    return check


def refused(name: str, reason: str) -> Check:
    """Refuse a file, and name the reason."""

    def check(case: Case) -> str:
        try:
            iq.read_image(case.file(name))
        except iq.InputError as error:
            return fault((bool(re.search(reason, str(error), re.I)), f"the reason is not named: {error}"))
        return "it was read"

    return check


def either(*checks: Check) -> Check:
    """Hold one of several answers to be right."""

    def check(case: Case) -> str:
        found: list[str] = []
        for one in checks:
            found.append(outcome(one, case))
            if not found[-1]:
                return ""
        return " / ".join(found)

    return check


def both(*checks: Check) -> Check:
    """Hold all of several things to be needed."""
    return lambda case: "; ".join(filter(None, (outcome(one, case) for one in checks)))


def outcome(check: Check, case: Case) -> str:
    """Make a check; an error that comes out is what is wrong."""
    try:
        return check(case)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def goes_on(name: str) -> Check:
    """Do the file in a batch together with a good one."""

    def check(case: Case) -> str:
        words = (case.copied(name), case.copied("plain.png"), *CONTRAST, "--csv", "t.csv")
        ended = case.iqmaps("threshold", *words)
        done = any(Path(row["file"]).name == "plain.png" and row["score"] for row in case.rows())
        return fault(*quiet(ended, 0, 1), (done, "plain.png has no row"))

    return check


def quiet(ended: Ended, *statuses: int) -> list[tuple[bool, str]]:
    """Ask of a program that it ended as it should, without a traceback."""
    right = ended.status in statuses
    return [(right, f"exit {ended.status}: {ended.tail}"), ("Traceback" not in ended.err, f"traceback: {ended.tail}")]


def within(name: str, check_there: Check, *, seconds: float, memory: float) -> Check:
    """Read a file by itself, within a time and a memory in bytes."""

    def check(case: Case) -> str:
        ended = run(*READ, case.work / name if (case.work / name).exists() else case.file(name), limit=seconds * 6)
        fits = ended.seconds <= seconds and ended.peak <= memory
        return fault((fits, f"{ended.seconds:.1f} s, {ended.peak / 1e6:.0f} MB")) or outcome(check_there, case)

    return check


# Recipes ------------------------------------------------------------------------------------------------------------


def static_pattern(case: Case) -> str:
    moving, fixed = (iq.read_image(case.file(f"static_{name}.png")).array for name in ("moving", "fixed"))
    found = iq.register(moving, fixed)
    if not found.accepted:
        return fault((bool(found.reason), "refused without a reason"))
    corners = np.array([[0, 0, 1], [255, 0, 1], [0, 255, 1], [255, 255, 1]]).T
    here, there = (matrix @ corners for matrix in (found.matrix, case.truth("04_matrix")))
    off = np.linalg.norm(here[:2] / here[2] - there[:2] / there[2], axis=0).max()
    return fault((bool(off <= 3), f"accepted, a corner is {off:.1f} pixels off"))


def name_not_utf8(case: Case) -> str:
    case.copied("plain.png", b"g\xff.png")
    ended = case.iqmaps("quality", *sorted(path.name for path in case.work.iterdir()), "--csv", "t.csv")
    rows = case.rows()
    told = len(rows) == 1 and rows[0]["file"].endswith(".png")
    return fault(*quiet(ended, 0), (told, f"{len(rows)} rows"))


def name_of_other_writing(case: Case) -> str:
    case.copied("plain.png", "写真.png")
    env = {"PYTHONIOENCODING": "cp1252"}
    ended = [case.iqmaps("threshold", "写真.png", *CONTRAST, *more, env=env) for more in ((), ("--json",))]
    return fault(*quiet(ended[0], 0), *quiet(ended[1], 0), ("png" in ended[1].out, "no name in the JSON"))


def two_links(case: Case) -> str:
    plain = case.copied("plain.png")
    for name in ("one.png", "two.png"):
        (case.work / name).symlink_to(plain.name)
    ended = case.iqmaps("threshold", "one.png", "two.png", *CONTRAST, "--csv", "t.csv")
    names = sorted(Path(row["file"]).name for row in case.rows())
    return fault(*quiet(ended, 0), (names == ["one.png", "two.png"], f"rows: {names}"))


def hash_in_a_type(case: Case) -> str:
    from napari_iqmaps.training.databases.manifest import read_manifest

    types = sorted(set(read_manifest(case.file("manifest_hash.csv")).table["type"]))
    return fault((types == ["noise#1", "noise#2"], f"types: {types}"))


def saved_by_a_spreadsheet(case: Case) -> str:
    words = ("quality", case.copied("plain.png").name, "--csv", "t.csv")
    first = case.iqmaps(*words)
    table = case.work / "t.csv"
    saved = b"\xef\xbb\xbf" + table.read_bytes().replace(b"\n", b"\r\n")
    table.write_bytes(saved)
    again = case.iqmaps(*words)
    kept = again.status == 0 and "1 kept from before" in again.out + again.err
    refused_it = again.status in (1, 2) and table.read_bytes() == saved and bool(again.err.strip())
    return fault(*quiet(first, 0), *quiet(again, 0, 1, 2), (kept or refused_it, f"neither: {again.tail}"))


def capital_and_small(case: Case) -> str:
    case.copied("plain.png", "A.png")
    case.copied("blurred.png", "a.png")
    ended = case.iqmaps("quality", "A.png", "a.png", "--csv", "t.csv")
    return fault(*quiet(ended, 0), (len(case.rows()) == 2, f"{len(case.rows())} rows"))


def brackets(case: Case) -> str:
    shutil.copytree(case.file("scan[1]"), case.work / "scan[1]")
    ended = case.iqmaps("threshold", "scan[1]/*.png", *CONTRAST, "--csv", "t.csv")
    return fault(*quiet(ended, 0), (len(case.rows()) == 2, f"{len(case.rows())} rows"))


def long_name(case: Case) -> str:
    plain = case.copied("plain.png", "n" * 236 + ".png")
    ended = case.iqmaps("threshold", plain.name, *CONTRAST, "--out", "maps")
    maps = list((case.work / "maps").glob("*")) if (case.work / "maps").is_dir() else []
    return fault(*quiet(ended, 0), (len(maps) == 1, f"maps: {len(maps)}"))


def pipe(case: Case) -> str:
    os.mkfifo(case.work / "pipe.png")
    case.copied("plain.png")
    words = ("pipe.png", "plain.png", *CONTRAST, "--csv", "t.csv")
    usual = case.iqmaps("threshold", "plain.png", *CONTRAST).seconds  # on a machine that does other things as well
    ended = case.iqmaps("threshold", *words, limit=usual + 30)
    rows = {Path(row["file"]).name: row for row in case.rows()}
    done = bool(rows.get("plain.png", {}).get("score"))
    told = "regular" in ended.err + ended.out + rows.get("pipe.png", {}).get("error", "")
    return fault(*quiet(ended, 1), (done, "plain.png has no row"), (told, "'no regular file' is not said"),
                 (ended.seconds <= usual + 10, f"{ended.seconds:.1f} s"))  # fmt: skip


def inflating(case: Case) -> str:
    run(sys.executable, case.copied("make_inflating.py"), folder=case.work)

    def zeros(case: Case) -> str:
        try:
            array = iq.read_image(case.work / "inflating.tif").array
        except iq.InputError:
            return ""
        return fault((array.shape == (64, 64) and not array.any(), f"read as {array.shape}"))

    return within("inflating.tif", zeros, seconds=10, memory=500e6)(case)


def record_is_a_list(case: Case) -> str:
    (case.work / "maps").mkdir()
    case.copied("plain_threshold.tif", "maps/plain_threshold.tif")
    plain = case.copied("plain.png")
    ended = case.iqmaps("threshold", plain.name, *CONTRAST, "--out", "maps")
    problem = fault(*quiet(ended, 0))
    return problem or fault((iq.read_map(case.work / "maps/plain_threshold.tif").values.shape == (80, 96), "no map"))


def deep_matrix(case: Case) -> str:
    return raises(lambda: iq.load_matrix(case.file("deep_matrix.json")))


def record_lacks(name: str) -> Check:
    return lambda case: raises(lambda: iq.read_map(case.file(f"map_without_{name}.tif")), name)


def raises(call: Callable[[], object], reason: str = "") -> str:
    """Ask for an InputError of a call, which names a reason."""
    try:
        call()
    except iq.InputError as error:
        return fault((reason in str(error), f"{reason} is not named: {error}"))
    return "no error"


def unwritable(case: Case) -> str:
    """Write where nothing can be written: a folder of the system that takes none, and too long a name."""
    quality_map = iq.threshold_map(np.zeros((32, 32), np.uint8), model="contrast")
    writers = ((".tif", partial(iq.write_map, quality_map)), (".png", partial(iq.write_map, quality_map)),
               (".json", lambda path: iq.save_matrix(path, np.eye(3))))  # fmt: skip
    places = [case.work / ("n" * 300), *(Path(name) / "x" for name in ("/sys", "/proc") if Path(name).is_dir())]
    with read_only(case.work) as folder:
        places += [folder / "x"] if folder else []
        found = [raises(partial(write, f"{path}{suffix}")) for path in places for suffix, write in writers]
    # 240 bytes before the suffix can be written, if what is made on the way has a name of its own.
    for suffix, write in writers:
        with suppress(iq.InputError):
            write(case.work / f"{'n' * 240}{suffix}")
    return "; ".join(filter(None, found))


@contextmanager
def read_only(folder: Path) -> Iterator[Path | None]:
    """Mount a folder that cannot be written to, where this is allowed."""
    place = folder / "ro"
    place.mkdir()
    mounted = shutil.which("mount") and run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place).status == 0
    try:
        yield place if mounted else None
    finally:
        if mounted:
            run("umount", place)


CASES: dict[str, Check] = {
    "02": reads("rgb_12bit.jp2", "02_rgb_12bit", 4095, 2),
    "03": either(
        reads("partial/first.ome.tif", "03_first_two_planes", note="second|missing|not there|lack|plane"),
        refused("partial/first.ome.tif", "second|missing|not there|lack"),
    ),
    "04": static_pattern,
    "05a": both(
        either(reads("grey_4bit_packed.tif", "05_grey_4bit", 15), refused("grey_4bit_packed.tif", r"\b4[ -]bit|bits")),
        goes_on("grey_4bit_packed.tif"),
    ),
    "05b": both(
        either(reads("grey_12bit_packed.tif", "05_grey_12bit", 4095), refused("grey_12bit_packed.tif",
        "12[ -]bit|bits")),
        goes_on("grey_12bit_packed.tif"),
    ),
    "06": both(either(reads("zstd.tif", "06_zstd"), refused("zstd.tif", "zstd|imagecodecs")), goes_on("zstd.tif")),
    "08a": name_not_utf8,
    "08b": name_of_other_writing,
    "09": either(
        reads("orientation_6.jpg", "09_upright", 255, 2),
        reads("orientation_6.jpg", "09_stored", 255, 2, note="orientation"),
    ),
    "10": two_links,
    "11": reads("four_planes.tif", "11_four_planes"),
    "12a": reads("long_comment_12bit.pgm", "12_pgm", 4095),
    "12b": reads("long_comment_16bit.ppm", "12_ppm", 65535, 2),
    "14a": reads("significant_bits_12.ome.tif", "14_grey_12bit", 4095),
    "14b": reads("max_sample_value_4095.tif", "14_grey_12bit", 4095),
    "16": either(
        reads("unsigned_16bit.fits", "16_fits", 65535, flipped=True), refused("unsigned_16bit.fits", "BZERO|FITS")
    ),
    "17": hash_in_a_type,
    "18": saved_by_a_spreadsheet,
    "19": capital_and_small,
    "20": brackets,
    "22": long_name,
    "24": either(
        reads("nodata_-9999.tif", "24_nodata", 1), lambda case: noted(case, "nodata_-9999.tif", "no.?data")
    ),
    "25a": reads("transparent.png", "25_transparent", 255, 2, note="transparen"),
    "25b": reads("gamma_1.png", "25_grey", note="gamma"),
    "25c": reads("one_colour_transparent.png", "25_grey", note="transparen"),
    "26a": both(refused("width_0.tif", "damaged|width|size"), goes_on("width_0.tif")),
    "26b": refused("byte_count_0.tif", "damaged|cut short"),
    "26c": both(
        either(reads("deep_description.tif", "26_grey"), refused("deep_description.tif",
        "deep|description|JSON|nested")),
        goes_on("deep_description.tif"),
    ),
    "27": pipe,
    "28a": within("states_40000.tif", refused("states_40000.tif", "40000"), seconds=10, memory=1e9),
    "28b": inflating,
    "30a": record_is_a_list,
    "30b": deep_matrix,
    "30c": both(record_lacks("info"), record_lacks("score")),
    "31": unwritable,
}  # fmt: skip
"""How each case is checked, by its number in ``cases.csv``."""


def noted(case: Case, name: str, note: str) -> str:
    """Ask for a note alone."""
    notes = iq.read_image(case.file(name)).notes
    return fault((any(re.search(note, text, re.I) for text in notes), f"no note of {note}: {notes}"))


def main(folder: Path, wanted: list[str]) -> int:
    """Check the cases of a folder, and print how each came out."""
    unknown = set(wanted) - set(CASES)
    if unknown or not (folder / "files").is_dir():
        click.echo(f"no such case: {sorted(unknown)}" if unknown else f"{folder} holds no files/", err=True)
        return 2
    right = 0
    chosen = {number: check for number, check in CASES.items() if not wanted or number in wanted}
    for number, check in chosen.items():
        with tempfile.TemporaryDirectory() as work:
            wrong = outcome(check, Case(folder.resolve(), Path(work)))
        right += not wrong
        click.echo(f"{number:4} {'ok' if not wrong else 'WRONG ' + ' '.join(wrong.split())[:300]}")
    click.echo(f"{right} of {len(chosen)}")
    return 0 if right == len(chosen) else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Give the folder of the cases.")
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
