"""Does the diff-diff tell which alignment is better, and which blocks became worse? Beside NCC, MI, SSIM, a notebook.

python benchmarks/judging.py
python benchmarks/judging.py --images FOLDER --start 100 --count 100
python benchmarks/judging.py --images FOLDER --count 40 --pairs 40 --search

Synthetic registrations whose error is known at each pixel; by default of scikit-image's photographs, on which nothing
was chosen. Two tables:

Frames: alignments of which one has a smaller mean error than the other, by a factor of 1.08 to 1.65, under changing
light. AUC of each judge, over all and over those under hard light (strong gain, gamma and noise; shadows); share of
right decisions by the sign. Then our verdict: decisions taken, and right ones among them.

Blocks: registrations that are good in most places and shifted by 1 to 4 pixels in some. Which of 5 x 5 blocks became
worse? A block is worse (better) if its mean error rose (fell) by over a quarter of a pixel; those between are left
out, and those of which less than half is valid. AUC, and the share of the worse blocks found where 5 % and 1 % of the
better ones are called worse.

Intervals are of 95 %, of a bootstrap over scenes; "apart" is ours minus the judge, paired. A judge marked "smoothed"
sees the images smoothed as ours are, which is not how it is usually used. --search prints instead what each way to
treat light, each smoothing and each statistic of the diff-diff is worth: the defaults were chosen by such figures, on
80 photographs of BSDS500, and are for frames and blocks alike (frames alone would take more smoothing).
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from blind_common import print_table
from judging_cases import HARD, Array, Bytes, Case, Mask, decisions, planted
from judging_judges import NOTEBOOK, OURS, Assessment, assessed, block_judges, evidence, frame_judges, over_blocks
from judging_statistics import auc, found, right, scene_draws
from registration_pairs import scenes

from napari_iqmaps.core.bootstrap import interval
from napari_iqmaps.core.diffdiff import VERDICTS

FALSE_ALARMS = (0.05, 0.01)
LEAST_CHANGE = 0.25
"""Change of a block's mean error from which on it is better or worse, in pixels."""
LIGHTS = ("none", "before", "each", "local")
SMOOTHINGS = (0.0, 1.0, 1.5, 2.5)

Photographs = list[tuple[str, Bytes]]


@click.command(help=__doc__)
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of photographs.")
@click.option("--start", default=0, help="First photograph of the folder, in the order of names.")
@click.option("--count", type=int, help="How many photographs of the folder.")
@click.option("--pairs", default=130, help="Pairs of images, four decisions each; as many registrations with blocks.")
@click.option("--side", default=256, help="Pixels to the side.")
@click.option("--seed", default=0)
@click.option("--quick", is_flag=True, help="Few and small: to see that it runs.")
@click.option("--search", is_flag=True, help="Compare the ways of the diff-diff.")
def main(
    images: Path | None, start: int, count: int | None, pairs: int, side: int, seed: int, quick: bool, search: bool
) -> None:
    cv2.setNumThreads(1)
    began = time.process_time()
    pairs, side, draws = (12, 160, 50) if quick else (pairs, side, 500)
    photographs = scenes(images, start=start, count=count)
    if search:
        print_search(photographs, pairs, seed, side)
    else:
        print_frames(photographs, pairs, seed, side, draws)
        print_blocks(photographs, pairs, seed, side, draws)
    print(f"\n{time.process_time() - began:.0f} s of one processor")


def print_frames(photographs: Photographs, pairs: int, seed: int, side: int, draws: int) -> None:
    said, names, levels, truth, verdicts = defaultdict(list), [], [], [], []
    for case in decisions(photographs, pairs=pairs, seed=seed, side=side):
        ours = assessed(case)
        for judge, value in frame_judges(case, ours).items():
            said[judge].append(value)
        names.append(case.scene)
        levels.append(case.level)
        truth.append(is_better(case))
        verdicts.append(ours.score.verdict)
    better, hard = np.array(truth), np.isin(levels, HARD)
    print(f"\nFrames: {better.size} decisions, {hard.sum()} under hard light, {len(set(names))} scenes\n")
    columns = {
        judge: (f"{auc(values[hard], better[hard]):.3f}", f"{100 * right(values, better):.1f} %")
        for judge, values in arrays(said).items()
    }
    print_ranking(arrays(said), better, names, draws, seed, ("AUC, hard light", "right"), columns)
    told = np.array(verdicts)
    decided = np.isin(told, ("better", "worse"))
    correct = (told == "better") == better
    counts = ", ".join(f"{n} {verdict}" for verdict in VERDICTS if (n := int((told == verdict).sum())))
    print(f"\nOur verdict: {counts}; {100 * decided.mean():.1f} % decided, ", end="")
    print(f"{100 * correct[decided].mean():.1f} % of them right")
    print(f"The notebook's score by blocks is 0.5 in {100 * (np.array(said[NOTEBOOK]) == 0).mean():.1f} %")


def print_blocks(photographs: Photographs, pairs: int, seed: int, side: int, draws: int) -> None:
    said, names, verdicts, truth = defaultdict(list), [], [], []
    for case in planted(photographs, pairs=pairs, seed=seed, side=side):
        ours = assessed(case)
        rose, counts = block_truth(case, ours)
        for judge, values in block_judges(case, ours).items():
            said[judge].extend(-values[counts])  # more is worse
        names += [case.scene] * int(counts.sum())
        truth.extend(rose[counts] > 0)
        verdicts.extend(np.array([block.verdict for block in ours.score.blocks])[counts])
    worse, called = np.array(truth), np.array(verdicts) == "worse"
    print(f"\nBlocks: {worse.size}, {worse.sum()} of them worse, {len(set(names))} scenes\n")
    columns = {
        judge: tuple(f"{100 * found(values, worse, share):.0f} %" for share in FALSE_ALARMS)
        for judge, values in arrays(said).items()
    }
    headings = [f"found at {100 * share:.0f} %" for share in FALSE_ALARMS]
    print_ranking(arrays(said), worse, names, draws, seed, headings, columns)
    print(f"\nBlocks that our verdict calls worse: {100 * called[worse].mean():.1f} % of the worse, ", end="")
    print(f"{100 * called[~worse].mean():.1f} % of the better; {100 * worse[called].mean():.1f} % of them are worse")


def print_ranking(
    said: Mapping[str, Array],
    truth: Mask,
    names: Sequence[str],
    draws: int,
    seed: int,
    headings: Sequence[str],
    columns: Mapping[str, Sequence[str]],
) -> None:
    """Print all judges, the best AUC first, with intervals over scenes."""
    sampled = scene_draws(names, draws, seed)
    bootstrapped = {judge: np.array([auc(v[draw], truth[draw]) for draw in sampled]) for judge, v in said.items()}
    rows = []
    for judge in sorted(said, key=lambda judge: -auc(said[judge], truth)):
        low, high = interval(bootstrapped[judge])
        below, above = interval(bootstrapped[OURS] - bootstrapped[judge])
        area = f"{auc(said[judge], truth):.3f} ({low:.3f} to {high:.3f})"
        apart = "" if judge == OURS else f"{below:+.3f} to {above:+.3f}"
        rows.append((judge, area, *columns[judge], apart))
    print_table(("judge", "AUC", *headings, "apart"), rows)


def print_search(photographs: Photographs, pairs: int, seed: int, side: int) -> None:
    """Print what each way of the diff-diff is worth, for frames and for blocks."""
    frames, blocks, better, worse = defaultdict(list), defaultdict(list), [], []
    ways = list(itertools.product(LIGHTS, SMOOTHINGS))
    for case in decisions(photographs, pairs=pairs, seed=seed, side=side):
        better.append(is_better(case))
        for way in ways:
            for statistic, value in frame_statistics(case, assessed(case, *way)).items():
                frames[*way, statistic].append(value)
    for case in planted(photographs, pairs=pairs, seed=seed, side=side):
        for way in ways:
            ours = assessed(case, *way)
            rose, counts = block_truth(case, ours)
            for statistic, values in block_statistics(case, ours).items():
                blocks[*way, statistic].extend(-values[counts])
        worse.extend(rose[counts] > 0)
    print(f"\n{len(better)} decisions, {len(worse)} blocks\n")
    rows = [
        (*way, f"{auc(of_frames, np.array(better)):.4f}", f"{auc(of_blocks, np.array(worse)):.4f}", f"{share:.1f} %")
        for way in frames
        for of_frames, of_blocks in [(np.array(frames[way]), np.array(blocks[way]))]
        for share in [100 * found(of_blocks, np.array(worse), FALSE_ALARMS[0])]
    ]
    rows.sort(key=lambda row: row[4], reverse=True)
    print_table(("light", "smooth", "statistic", "AUC of frames", "AUC of blocks", "found at 5 %"), rows)


def frame_statistics(case: Case, ours: Assessment) -> dict[str, float]:
    """Read the statistics of a map; where there is no score, it says neither."""
    score, values = ours.score, ours.maps["diff_diff"].values[case.valid]
    return {
        "evidence": float(evidence(values.mean(), np.square(values).mean())),
        "soft": score.soft,
        "gain": score.gain,
        "score": score.score if score.scored else 0.5,
    }


def block_statistics(case: Case, ours: Assessment) -> dict[str, Array]:
    """Read the statistics of the blocks of a map; where there is no score, it says neither."""
    values, told = ours.maps["diff_diff"].values, ours.score.blocks
    return {
        "evidence": evidence(over_blocks(values, case, ours), over_blocks(np.square(values), case, ours)),
        "soft": np.array([block.soft for block in told]),
        "gain": np.array([block.gain for block in told]),
        "score": np.array([block.score if block.scored else 0.5 for block in told]),
    }


def block_truth(case: Case, ours: Assessment) -> tuple[Array, Mask]:
    """Give by how much the mean error of each block rose, and which blocks are to be judged."""
    rose = over_blocks(case.after - case.before, case, ours)
    enough = np.array([block.n_valid >= 0.5 * block.height * block.width for block in ours.score.blocks])
    return rose, enough & (np.abs(np.nan_to_num(rose)) > LEAST_CHANGE)


def is_better(case: Case) -> bool:
    """Say whether the second alignment has the smaller mean error."""
    return bool(case.after[case.valid].mean() < case.before[case.valid].mean())


def arrays(said: Mapping[str, Sequence[float]]) -> dict[str, Array]:
    return {judge: np.array(values) for judge, values in said.items()}


if __name__ == "__main__":
    main()
