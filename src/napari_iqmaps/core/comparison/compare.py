"""Compare ways to register: which images are compared with which, every method on every pair, and what follows."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ... import __version__
from ..arguments import check_fields, checked, shown
from ..diffdiff.options import Illumination
from ..errors import InputError
from ..io.records import read_table
from ..progress import Progress, Steps
from ..value_range import DataRange
from .outcome import Outcome, Rules, judged
from .preprocessing import Frames, Method, Preprocessing, method, preprocessing
from .summary import Choice, Order, Paired, Summary, best_of_methods, paired, sensitivity, summaries

_ALL_IN_MEMORY = 1_000_000
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class FilePair:
    """Two image files: the image to be registered, and the one to register it to."""

    moving: Path
    fixed: Path

    def __post_init__(self) -> None:
        check_fields(self)

    def __str__(self) -> str:
        return f"{self.moving.name} to {self.fixed.name}"


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Sort files by the numbers in their names: ``2.png`` before ``10.png``, however a system lists its folders."""

    def key(path: Path) -> tuple[Any, ...]:
        # Words stand at even places and numbers at odd ones, so that like is compared with like.
        parts = _DIGITS.split(path.name)
        return (tuple(int(part) if part.isdigit() else part for part in parts), str(path))

    return sorted(paths, key=key)


def against_first(paths: Sequence[Path]) -> list[FilePair]:
    """Pair each image with the first, which is the fixed one of all; they are sorted here."""
    ordered = _enough(in_order(paths))
    return [FilePair(path, ordered[0]) for path in ordered[1:]]


def drawn_pairs(paths: Sequence[Path], count: int | None = None, *, seed: int = 0) -> list[FilePair]:
    """Draw pairs from all those of some images, sorted here: no image with itself, and no two images twice.

    The one that comes first in the order is the moving one. All pairs are given in their order, not shuffled. Of up to
    a million, the list is shuffled by Python's generator and cut, as the notebook does, so that its seed 123 gives its
    own pairs wherever its folder was listed in the order of the numbers. Of more, indices are drawn.
    """
    ordered = _enough(in_order(paths))
    if count is not None and count < 1:
        raise InputError(f"{count} pairs were asked for; ask for 1 or more.")
    total = len(ordered) * (len(ordered) - 1) // 2
    if count is None or (count >= total and total > _ALL_IN_MEMORY):
        return list(itertools.starmap(FilePair, itertools.combinations(ordered, 2)))
    # Not for secrets: the notebook's own generator, whose draws are the same everywhere.
    generator = random.Random(seed)
    if total > _ALL_IN_MEMORY:
        return [_pair_at(ordered, index) for index in generator.sample(range(total), count)]
    pairs = list(itertools.starmap(FilePair, itertools.combinations(ordered, 2)))
    if count < total:
        generator.shuffle(pairs)
    return pairs[:count]


def read_pairs(path: str | Path) -> list[FilePair]:
    """Read a list of pairs: CSV with the columns ``moving`` and ``fixed``, beside which others may stand.

    Names of files are relative to its folder; whether the images are there is seen when they are read.
    """
    path = Path(path)
    table = read_table(path, ("moving", "fixed"))
    if not table.rows:
        raise InputError(f"{path} names no pair. Give a line 'moving,fixed' and a line a pair below it.")
    pairs: dict[FilePair, int] = {}
    for row in table.rows:
        for name in ("moving", "fixed"):
            if not row.cells[name]:
                table.refuse(row, name, "the name of an image")
        pair = FilePair(*(path.parent / row.cells[name] for name in ("moving", "fixed")))
        if (before := pairs.setdefault(pair, row.line)) != row.line:
            raise InputError(f"Lines {before} and {row.line} of {path} name the same pair ({pair}). Keep one.")
    return list(pairs)


def _enough(ordered: list[Path]) -> list[Path]:
    if len(ordered) < 2:
        raise InputError(f"A pair needs two images, and there {'is 1' if ordered else 'are none'}. Give more images.")
    return ordered


def _pair_at(ordered: Sequence[Path], index: int) -> FilePair:
    """Give one of all pairs by its place among them, as `itertools.combinations` orders them."""
    first = 0
    while index >= len(ordered) - 1 - first:
        index -= len(ordered) - 1 - first
        first += 1
    return FilePair(ordered[first], ordered[first + 1 + index])


METHODS = ("none", "downsample", "clahe-light", "clahe-heavy")
"""What is compared if nothing is said."""

NEUTRAL = "smooth"
"""On what is judged if nothing is said: none of the methods sees these images."""

_STEPS = 100  # of progress, for each registration


@dataclass(frozen=True, eq=False)
class Comparison:
    """Ways to register, compared.

    Attributes
    ----------
    outcomes : tuple
        What became of each pair by each method, judged on each scoring; `rows` gives them as a table.
    baseline : str
        The method with which the others are compared.
    info : mapping
        Options and version.
    """

    outcomes: tuple[Outcome, ...]
    baseline: str
    info: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_fields(self)

    @cached_property
    def summaries(self) -> list[Summary]:
        """What became of the pairs, by scoring and method."""
        return summaries(self.outcomes, seed=int(self.info.get("seed", 0)))

    @cached_property
    def paired(self) -> list[Paired]:
        """Every method against the baseline on the same pairs, by scoring, method and measure."""
        return paired(self.outcomes, self.baseline, seed=int(self.info.get("seed", 0)))

    @cached_property
    def best_of_methods(self) -> list[Choice]:
        """The best method for each pair, or none."""
        return best_of_methods(self.outcomes)

    @cached_property
    def sensitivity(self) -> list[Order]:
        """The order of the methods, by scoring."""
        return sensitivity(self.outcomes)

    def rows(self) -> list[dict[str, Any]]:
        """Give the outcomes as rows of a table.

        Returns
        -------
        list of dict
            For each pair, method and scoring the two images, what became of them, the numbers of `DiffDiffScore.row`,
            and the nine entries of the matrix; None where a number is not known.
        """
        return [outcome.row() for outcome in self.outcomes]

    def __repr__(self) -> str:
        pairs, methods = (len({getattr(one, name) for one in self.outcomes}) for name in ("pair", "method"))
        return f"<Comparison of {methods} methods on {pairs} pairs>"


@checked
def compare_registrations(
    pairs: Sequence[Any],
    methods: Sequence[str | Method] = METHODS,
    *,
    registration: str = "auto",
    scoring: str | Sequence[str] = NEUTRAL,
    baseline: str | None = None,
    transform: str = Rules.transform,
    max_shift: float | None = Rules.max_shift,
    min_overlap: float = Rules.min_overlap,
    min_inliers: int = Rules.min_inliers,
    seed: int = Rules.seed,
    tol: float | Literal["auto"] = Rules.tol,
    grid: tuple[int, int] | None = Rules.grid,
    illumination: Illumination = Rules.illumination,
    smooth: float | None = Rules.smooth,
    median: int = Rules.median,
    border: int = Rules.border,
    data_range: DataRange = None,
    channel_axis: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Register the same pairs in several ways, and judge all of them alike.

    Parameters
    ----------
    pairs : sequence
        Two images each, moving and fixed: paths, or arrays ``(height, width)``, with `channel_axis` in colours.
    methods : sequence of str
        What is done to the images before they are registered, such as ``"none"`` or ``"downsample+clahe-heavy"``;
        ``"none@fast"`` names another registration than `registration`. ``iqmaps compare --list`` tells the steps.
    registration : str
        A ``method`` of `napari_iqmaps.register`.
    scoring : str or sequence of str
        On what the registrations are judged: one preprocessing for all methods, which should be none of theirs.
        Several show how far the conclusion rests on it.
    baseline : str, optional
        The method with which the others are compared; the first if left out.
    transform, max_shift, min_overlap, min_inliers, seed
        As for `napari_iqmaps.register`, the same for all methods; `max_shift` in pixels of the images as they came.
    tol, grid, illumination, smooth, median, border
        As for `napari_iqmaps.diff_diff_score`, the same for all methods.
    data_range, channel_axis
        As for `napari_iqmaps.register`, of arrays; a file says itself, but for the range of floating point and for one
        that is found in the values, which every pair has of its own.
    progress : callable, optional
        Called as ``progress(done, total)``; may raise `napari_iqmaps.Cancelled`.

    Returns
    -------
    Comparison
        An outcome for each pair, method and scoring. A pair that cannot be used is one with an error, and a
        registration that is refused one with a reason; neither is left out.

    Raises
    ------
    InputError
        If there is no pair, or a method, a scoring or the baseline is unknown.

    Notes
    -----
    Matching and judging are kept apart: methods differ in the images on which they find the matrix, and are judged on
    one kind of images. Matrices are found on preprocessed images and brought back to the size of the images before
    they are judged. Each method is judged on the pixels that its own registration covers.
    """
    chosen = methods_of(methods, registration)
    scorings = scorings_of([scoring] if isinstance(scoring, str) else scoring)
    first = baseline_of(baseline, chosen, registration)
    if not len(pairs):
        raise InputError("There is no pair to compare on. Give at least one, of a moving and a fixed image.")
    rules = Rules(
        transform=transform,
        max_shift=max_shift,
        min_overlap=min_overlap,
        min_inliers=min_inliers,
        seed=seed,
        tol=tol,
        grid=grid,
        illumination=illumination,
        smooth=smooth,
        median=median,
        border=border,
    )
    frames = Frames(data_range=data_range, channel_axis=channel_axis)
    outcomes: list[Outcome] = []
    tasks = len(pairs) * len(chosen)
    steps = Steps(progress, total=tasks * _STEPS)
    for number, pair in enumerate(pairs):
        images, names = _sources(pair, number)
        for place, one in enumerate(chosen):
            begun = number * len(chosen) + place
            steps.reach(begun / tasks)
            own = steps.part(begun / tasks, (begun + 1) / tasks).progress
            outcomes += outcome_of(frames, images, names, one, scorings, rules, own)
    steps.reach(1.0)
    info = {
        **asdict(rules),
        "registration": registration, "scorings": [one.name for one in scorings], "version": __version__,
    }  # fmt: skip
    return Comparison(tuple(outcomes), first, info)


def outcome_of(
    frames: Frames,
    images: tuple[Any, Any],
    names: tuple[str, str],
    one: Method,
    scorings: Sequence[Preprocessing],
    rules: Rules,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Register and judge one pair; what is wrong with its images becomes an outcome of each scoring."""
    try:
        return judged(frames, images, names, one, scorings, rules, progress=progress)
    except (InputError, OSError, MemoryError) as error:
        failed = Outcome(*names, one.name, "", one.registration, error=str(error) or type(error).__name__)
        return [replace(failed, scoring=scoring.name) for scoring in scorings]


def methods_of(names: Sequence[str | Method], registration: str) -> list[Method]:
    """Find methods by their names; `registration` is that of those that name none."""
    found: dict[str, Method] = {}
    for name in names:
        one = name if isinstance(name, Method) else method(name, registration)
        if found.setdefault(one.name, one) != one:
            raise InputError(f"Two methods are called {one.name!r}. Give one of them another name.")
    if not found:
        raise InputError("There is no method to compare. Name at least one, such as 'none'.")
    return list(found.values())


def scorings_of(names: Sequence[str]) -> list[Preprocessing]:
    """Find the preprocessings on which is judged; see `methods_of`."""
    found = {one.name: one for one in map(preprocessing, names)}
    if not found:
        raise InputError(f"There is nothing to judge on. Name at least one preprocessing, such as {NEUTRAL!r}.")
    return list(found.values())


def baseline_of(name: str | None, chosen: Sequence[Method], registration: str) -> str:
    """Find the method with which the others are compared; None is the first."""
    if name is None:
        return chosen[0].name
    names = {one.name for one in chosen}
    wanted = name if name in names else method(name, registration).name
    if wanted not in names:
        raise InputError(
            f"The baseline {name!r} is none of the methods compared: {', '.join(one.name for one in chosen)}."
        )
    return wanted


def favoured(chosen: Sequence[Method], scorings: Sequence[Preprocessing]) -> list[tuple[str, str]]:
    """Find the methods that are judged on the very images which they registered."""
    return [
        (one.name, scoring.name)
        for scoring in scorings for one in chosen if one.preprocessing == scoring and one.matches is None
    ]  # fmt: skip


def _sources(pair: Any, number: int) -> tuple[tuple[Any, Any], tuple[str, str]]:
    if isinstance(pair, FilePair):
        pair = (pair.moving, pair.fixed)
    if isinstance(pair, str) or not isinstance(pair, Collection) or not hasattr(pair, "__getitem__"):
        raise InputError(f"Pair {number} is {shown(pair)}; give two images, moving and fixed.")
    if len(pair) != 2:
        raise InputError(f"Pair {number} has {len(pair)} images; give two, moving and fixed.")
    images = tuple(Path(image) if isinstance(image, str) else image for image in pair)
    names = [
        str(image) if isinstance(image, Path) else f"pair {number} {role}"
        for image, role in zip(images, ("moving", "fixed"), strict=True)
    ]
    return (images[0], images[1]), (names[0], names[1])
