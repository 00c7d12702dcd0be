"""``iqmaps compare``: which preprocessing, or which registration, makes most pairs of images better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..core.comparison.compare import (
    METHODS,
    NEUTRAL,
    FilePair,
    against_first,
    baseline_of,
    drawn_pairs,
    favoured,
    methods_of,
    read_pairs,
    scorings_of,
)
from ..core.comparison.outcome import Rules
from ..core.comparison.preprocessing import REGISTRATIONS, STEPS, Method, matched
from ..core.errors import InputError
from .bank import words_of
from .comparing import Order, compare_all
from .inputs import SUFFIXES
from .options import image_options, json_option
from .registering import motion_options
from .report import Report, print_json, print_table
from .scoring import score_options, scoring_of
from .subjects import found_inputs, read

FIRST, ALL, DRAWN = "first", "all", 100


def _pairs(_ctx: click.Context, _param: click.Parameter, value: str) -> str | int:
    if value in (FIRST, ALL):
        return value
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise click.BadParameter(f"{value!r} is neither {FIRST!r} nor {ALL!r} nor a number of pairs.")


@click.command()
@click.argument("images", nargs=-1, metavar="FOLDER|IMAGES...|PAIRS.csv")
@click.option(
    "--pairs",
    "wanted",
    default=str(DRAWN),
    show_default=True,
    metavar="NUMBER|all|first",
    callback=_pairs,
    help="Draw so many of all pairs, take all, or pair each image with the first. Not for a list of pairs.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME,NAME...",
    help="What is done to the images before they are registered; '+' joins steps, '@' names another registration: "
    f"none,downsample:4+clahe-heavy,none@fast; --list tells the steps.  [{','.join(METHODS)}]",
)
@click.option(
    "--matches",
    "matched_elsewhere",
    multiple=True,
    metavar="NAME=FOLDER",
    help="One more method: points that another program matched, a table MOVING_to_FIXED.csv a pair, as DeepMatching "
    "gives them. May be given several times; then there are no methods but those named.",
)
@click.option(
    "--register",
    "registration",
    type=click.Choice(REGISTRATIONS),
    default="auto",
    show_default=True,
    help="How they are registered.",
)
@click.option(
    "--scoring",
    "scorings",
    multiple=True,
    default=(NEUTRAL,),
    metavar="NAME,NAME...",
    help="What is done to the images on which all methods are judged; should be none of the methods. Several show how "
    f"far the conclusion rests on it.  [{NEUTRAL}]",
)
@click.option("--baseline", metavar="NAME", help="The method with which the others are compared.  [the first]")
@motion_options
@score_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Where everything is written (made if missing).",
)
@image_options
@click.option(
    "--pictures/--no-pictures",
    "draws",
    default=True,
    show_default=True,
    help="Show the best and the worst pair of each method, on the images of the first --scoring.",
)
@click.option("--list", "lists", is_flag=True, help="Tell the steps of preprocessings.")
@json_option
@click.option("--strict", is_flag=True, help="Take a registration that is refused for a failure: exit status 1.")
@click.option(
    "--resume/--overwrite",
    default=True,
    show_default=True,
    help="Keep what the same files and options gave, or compute all anew.",
)
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    images: tuple[str, ...],
    wanted: str | int,
    methods: tuple[str, ...],
    matched_elsewhere: tuple[str, ...],
    registration: str,
    scorings: tuple[str, ...],
    baseline: str | None,
    out: Path | None,
    data_range: tuple[float, float] | None,
    channel_axis: int | str,
    draws: bool,
    lists: bool,
    as_json: bool,
    strict: bool,
    resume: bool,
    **options: Any,
) -> None:
    """Compare ways to register, on the same pairs of images and by one judge.

    Give a folder or images, of which pairs are drawn, or a CSV file with the columns moving and fixed. Every pair is
    registered by every method, and every registration judged by diff-diff on the same kind of images. The folder
    --out gets pairs.csv, a row a pair and method, which grows, so that the same command goes on where it was stopped;
    summaries as CSV, Markdown and LaTeX; differences to the baseline, pair by pair, with 95 % intervals and a sign
    test; and the best and the worst pair of each method as pictures.
    """
    if lists:
        _list(as_json=as_json)
        return
    if not images:
        raise click.UsageError("Say which images to compare on: a folder, images, or a list of pairs (CSV).")
    if out is None:
        raise click.UsageError("Say where to write the results: --out FOLDER.")
    report = Report("compare", as_json=as_json)
    try:
        chosen = _methods_of(words_of(methods), matched_elsewhere, registration)
        judges = scorings_of(words_of(scorings))
        first = baseline_of(baseline, chosen, registration)
        pairs = _pairs_of(images, wanted, options["seed"], report)
    except InputError as error:
        raise click.UsageError(str(error), ctx) from None
    for name, scoring in favoured(chosen, judges):
        report.say(
            f"{name} is judged on the very images that it registers ({scoring}), which favours it. "
            f"Judge on {NEUTRAL!r}, or compare several --scoring."
        )
    order = Order(
        pairs=pairs, methods=chosen, scorings=judges, baseline=first,
        rules=Rules(**scoring_of(options), **options),
        data_range=data_range, channel_axis=channel_axis, read=lambda path: read(path, channel_axis), out=out,
        resume=resume, strict=strict, draws=draws,
    )  # fmt: skip
    ctx.exit(compare_all(order, report))


def _methods_of(names: Sequence[str], matched_elsewhere: Sequence[str], registration: str) -> list[Method]:
    if not names and not matched_elsewhere:
        names = METHODS
    further = []
    for one in matched_elsewhere:
        name, equals, folder = one.partition("=")
        if not equals:
            raise InputError(f"--matches {one!r} names no folder. Say NAME=FOLDER.")
        further.append(matched(name, Path(folder)))
    return methods_of([*names, *further], registration)


def _pairs_of(words: Sequence[str], wanted: str | int, seed: int, report: Report) -> list[FilePair]:
    lists = [word for word in words if Path(word).suffix.lower() == ".csv"]
    if lists:
        if len(words) > 1:
            raise InputError(f"{lists[0]} is a list of pairs; give it alone.")
        return read_pairs(lists[0])
    paths = found_inputs(words, report)
    if len(paths) == 1 and paths[0].is_dir():
        raise InputError(f"{paths[0]} holds no images ({', '.join(SUFFIXES[:4])} ...).")
    if wanted == FIRST:
        return against_first(paths)
    pairs = drawn_pairs(paths, None if wanted == ALL else int(wanted), seed=seed)
    total = len(paths) * (len(paths) - 1) // 2
    if len(pairs) < total:
        report.say(f"Drew {len(pairs)} of {total} pairs of {len(paths)} images (seed {seed}).")
    return pairs


def _list(*, as_json: bool) -> None:
    if as_json:
        print_json([{"name": step.name, "number": step.number, "meaning": step.meaning} for step in STEPS.values()])
        return
    rows = [[step.name if step.number is None else f"{step.name}[:{step.number}]", step.meaning]
            for step in STEPS.values()]  # fmt: skip
    print_table("Steps of preprocessings; '+' joins them", ["name", "what is done"], rows)
