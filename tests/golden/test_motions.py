"""Motions: found, searched for, matched, judged, kept in files; and ways of finding them compared."""

from __future__ import annotations

import stat
from typing import Any

import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq

from .pictures import MOTION, cat, moved, moved_by

SEARCHED = {
    "corners": 0.02, "napari_affine": 0.02, "largest_shift": 0.02, "drift": 0.02, "doubt": 0.02, "rival": 0.002,
    "local_ncc_before": 0.002, "local_ncc_after": 0.0005, "correlation": 0.0005, "share": 0.02, "overlap": 0.0005,
    "valid_fraction": 0.0005, "area_ratio": 0.0005, "response": 0.01, "soft": 0.002, "inliers": 3, "matches": 3,
    "agreeing_candidates": 1, "blocks": 1, "found": 1, "agree": 1, "block_means": 0.05, "mean": 0.02, "min": 2.0,
    "max": 2.0,
}  # fmt: skip
"""How far what an optimiser of features or light finds may be off on another processor: a fiftieth of a pixel."""
WANDERED = SEARCHED | {
    "corners": 0.3, "napari_affine": 0.3, "largest_shift": 0.3, "soft": 0.005, "evaluations": 400, "drift": 0.1,
    "doubt": 0.05, "block_means": 1.0, "local_ncc_after": 0.005, "correlation": 0.005, "rival": 0.02, "mean": 0.3,
    "min": 10.0, "max": 10.0, "tol": 0.1,
}  # fmt: skip
"""The same for a search by drawn samples: what it draws next hangs on every comparison before."""


def corners(matrix: Any, shape: tuple[int, int]) -> list[list[float]]:
    """Say a motion in pixels: where it brings the corners."""
    height, width = shape
    ends = np.array([(0, 0, 1), (width - 1, 0, 1), (0, height - 1, 1), (width - 1, height - 1, 1)], np.float64)
    brought = ends @ np.asarray(matrix, np.float64).T
    return (brought[:, :2] / brought[:, 2:]).tolist()


def without_matrices(value: Any, shape: tuple[int, int]) -> Any:
    """Say the motions of candidates in pixels too."""
    if isinstance(value, dict):
        return {
            "corners" if name == "matrix" else name: without_matrices(entry, shape)
            for name, entry in value.items()
            if name != "version"
        }
    if isinstance(value, list) and np.shape(value) == (3, 3):
        return corners(value, shape)
    return [without_matrices(entry, shape) for entry in value] if isinstance(value, list | tuple) else value


def affine_of(found: iq.Registration) -> Any:
    """The affine of a layer, or why there is none."""
    try:
        return found.as_napari_affine()
    except iq.InputError as refusal:
        return str(refusal).partition(" by ")[0]


def told(found: iq.Registration) -> dict[str, Any]:
    return {
        "method": found.method,
        "accepted": found.accepted,
        "reason": found.reason,
        "inliers": found.inliers,
        "corners": corners(found.matrix, found.moving_shape),
        "napari_affine": affine_of(found),
        "largest_shift": found.largest_shift,
        "valid_fraction": found.valid_fraction,
        "registered": found.registered,
        "valid": found.valid,
        "info": without_matrices(dict(found.info), found.moving_shape),
        "row": list(found.row()),
    }


@pytest.mark.parametrize("method", ["auto", "fast", "flow", "features", "ecc", "phase"])
def test_registrations(frozen, method):
    frozen(f"register_{method}", told(iq.register(moved(), cat(), method=method)), slack=SEARCHED)


@pytest.mark.parametrize("transform", ["affine", "euclidean", "translation"])
def test_registrations_by_transform(frozen, transform):
    shift = np.array([(1, 0, 3.25), (0, 1, -2.5), (0, 0, 1.0)])
    moving = moved_by(cat(), shift)
    result = {
        method: told(iq.register(moving, cat(), method=method, transform=transform)) for method in ("ecc", "fast")
    }
    result["sentence"] = iq.register(moving, cat(), method="ecc", transform=transform).sentence()
    frozen(f"register_{transform}", result, slack=SEARCHED)


def test_registrations_of_whole_pixels(frozen):
    moving, fixed = data.chelsea()[65:185, 106:266, 1], cat()
    result = {
        "translation": told(iq.register(moving, fixed, method="translation", transform="translation")),
        "larger": told(iq.register(data.chelsea()[60:196, 106:280, 1], fixed, method="ecc")),
        "colour": told(iq.register(data.chelsea()[65:185, 106:266], fixed, method="phase", channel_axis=-1)),
        "float": told(iq.register(moving / 255, fixed / np.float32(255), method="phase", data_range=1)),
    }
    frozen("register_whole_pixels", result, slack=SEARCHED | {"tol": 0.05})


def test_refused_registrations(frozen):
    noise = np.random.default_rng(1).integers(0, 256, (96, 96)).astype(np.uint8)
    found = {
        "nothing in common": iq.register(noise, cat()[:96, :96], method="fast"),
        "too far": iq.register(moved(), cat(), method="ecc", max_shift=2),
        "flat": iq.register(np.full((64, 64), 100, np.uint8), cat()[:64, :64], method="phase"),
    }
    result = {name: [one.accepted, one.method, one.sentence(), one.registered] for name, one in found.items()}
    frozen("register_refused", result, slack={"block_means": 0.0})


def test_a_registration_by_diff_diff(frozen):
    found = iq.register(moved()[:80, :96], cat()[:80, :96], method="dd", transform="euclidean", seed=3)
    frozen("register_dd", told(found), slack=WANDERED)


def test_a_registration_by_pystackreg(frozen):
    pytest.importorskip("pystackreg")
    frozen(
        "register_stackreg", told(iq.register(moved(), cat(), method="stackreg", transform="affine")), slack=SEARCHED
    )


@pytest.mark.parametrize("to", ["first", "previous"])
def test_series(frozen, to):
    half = np.array([(1.005, 0.01, 1.5), (-0.0075, 0.995, -2.0), (0, 0, 1.0)])
    frames = np.stack([cat(), moved_by(cat(), half), np.full_like(cat(), 90), moved()])
    found = iq.register_series(frames, to=to, method="ecc")
    shape = cat().shape
    result = {
        "frames": [told(frame) for frame in found.frames],
        "corners": [corners(matrix, shape) for matrix in found.matrices],
        "accepted": found.accepted,
        "registered": found.registered,
        "valid": found.valid,
        "info": without_matrices(dict(found.info), shape),
        "sentence": found.sentence(),
        "rows": [[row["frame"], row["method"], row["accepted"], row["reason"]] for row in found.rows()],
    }
    if to == "first":
        onto = iq.register_series(np.stack([moved(), cat()]), cat()[4:, 5:], method="phase", transform="affine")
        result["onto another"] = [corners(matrix, shape) for matrix in onto.matrices]
    frozen(f"series_{to}", result, slack=SEARCHED)


def test_searches_for_a_translation(frozen):
    moving, fixed = data.chelsea()[63:183, 105:265, 1], cat()
    given = {
        **{objective: {"objective": objective} for objective in ("gain", "soft", "ratio")},
        **{light: {"illumination": light} for light in ("before", "none", "frame", "local")},
        **{compat: {"compat": compat} for compat in ("notebook-scatter", "notebook-search")},
        "tol": {"tol": 12.0, "radius": 5},
        "overlap": {"min_overlap": 0.98},
    }
    result = {}
    for name, more in given.items():
        found = iq.search_translation(moving, fixed, **{"radius": 8} | more)
        whole = name in ("soft", "none", "notebook-scatter", "notebook-search")
        result[name] = told(found) if whole else [found.accepted, found.reason, corners(found.matrix, fixed.shape)]
    counted = {"block_means": 0.05, "better": 2, "worse": 2, "count": 3, "counts": 2, "ratio": 0.002}
    frozen("search_translation", result, slack=counted)


def test_local_optima(frozen):
    given = {
        "at the motion": {"matrix": np.linalg.inv(MOTION)},
        "beside it": {"matrix": np.array([(1, 0, 1.0), (0, 1, 0), (0, 0, 1)]), "step": 2.0},
        "nowhere": {"illumination": "frame", "margin": 0.2},
        "before, tol": {"illumination": "before", "tol": 10},
        "none": {"illumination": "none"},
    }
    result = {}
    for name, options in given.items():
        found = iq.local_optimum(moved(), cat(), **options)
        result[name] = {"found": found, "gains": found.gains, "is": found.is_optimum, "best": found.best_move}
        result[name]["sentence"] = found.sentence()
    frozen("local_optimum", result)


def listed(table: iq.MatchTable) -> dict[str, Any]:
    return {"number": len(table.score), "table": table}


def test_matches(frozen, tmp_path):
    dense = iq.quasi_dense_matches(moved(), cat())
    few = iq.quasi_dense_matches(moved(), cat(), step=24, max_inconsistency=0.5, min_score=0.9)
    middle = (dense.fixed_points - dense.moving_points).mean(axis=0)
    result: dict[str, Any] = {
        "dense": {"number": len(dense.score), "mean_motion": middle, "mean_score": float(dense.score.mean())},
        "few": {"number": len(few.score), "mean_score": float(few.score.mean())},
    }
    known = np.array([(x, y) for y in range(8, 120, 16) for x in range(8, 160, 16)], np.float64)
    brought = np.column_stack([known, np.ones(len(known))]) @ np.linalg.inv(MOTION).T
    table = iq.MatchTable.of(brought[:, :2] / brought[:, 2:], known, moving_shape=(120, 160), fixed_shape=(120, 160))
    result["by points"] = told(iq.register(cat(), moved(), method="matches", matches=table))
    result["rescaled"] = listed(table.rescaled(moving_shape=(60, 80), fixed_shape=(240, 320)))
    kept = table.to_csv(tmp_path / "points.csv")
    result["csv"] = kept.read_text().splitlines()[:4]
    result["read"] = listed(iq.MatchTable.read(kept))
    text = "".join(f"{x} {y} {x + 3} {y - 2} {0.5 + x / 100} {y}\n" for x, y in [(8, 8), (24, 8), (8, 40), (72, 56)])
    (tmp_path / "printed.txt").write_text(text)
    shapes = {"moving_shape": (120, 160), "fixed_shape": (120, 160)}
    result["deepmatching"] = listed(iq.read_deepmatching(tmp_path / "printed.txt", **shapes))
    program = tmp_path / "deepmatching"
    program.write_text(f"#!/bin/sh\ncat '{tmp_path / 'printed.txt'}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    result["run"] = listed(iq.run_deepmatching(program, moved(), cat()))
    frozen("matches", result, slack=SEARCHED | {"number": 3, "mean_motion": 0.01, "mean_score": 0.002})


def test_matrix_files(frozen, tmp_path):
    shapes = {"moving_shape": (120, 160), "fixed_shape": (120, 160)}
    result = {}
    for suffix in ("json", "csv", "npy", "txt"):
        kept = iq.save_matrix(tmp_path / f"m.{suffix}", MOTION, method="by hand", transform="homography", **shapes)
        record = iq.load_matrix(kept)
        applied = record.apply(cat(), fixed_shape=(120, 160))
        result[suffix] = {"record": record, "applied": told(applied)}
    frozen("matrix_files", result)


def test_a_comparison_of_registrations(frozen):
    """Its pairs are shifted by whole pixels; the methods see them through different preprocessings."""
    photograph = data.chelsea()[..., 1]
    pairs = []
    for number in range(6):
        top, left = 40 + 12 * number, 90 + 20 * number
        moving = photograph[top + 2 : top + 98, left - 3 : left + 109]
        pairs.append((moving, photograph[top : top + 96, left : left + 112]))
    pairs.append((np.full((96, 112), 128, np.uint8), pairs[0][1]))
    pairs.append((np.zeros((8, 8), np.uint8), pairs[0][1]))
    found = iq.compare_registrations(
        pairs, ("none", "clahe-heavy@phase"), registration="ecc", scoring=("smooth", "none"), transform="euclidean"
    )
    rows = []
    for row in found.rows():
        entries = [row.pop(f"h{number}") for number in (11, 12, 13, 21, 22, 23, 31, 32, 33) if f"h{number}" in row]
        place = np.array(entries).reshape(3, 3) if len(entries) == 9 else None
        rows.append(row | {"corners": None if place is None else corners(place, (96, 112))})
    result = {
        "rows": rows,
        "baseline": found.baseline,
        "info": {name: value for name, value in found.info.items() if name != "version"},
        "summaries": found.summaries,
        "paired": found.paired,
        "best": found.best_of_methods,
        "sensitivity": found.sensitivity,
    }
    counted = dict.fromkeys(("better", "worse", "count", "n_valid"), 30)
    shares = dict.fromkeys(("score", "score_low", "score_high", "gain", "evidence", "value", "low", "high"), 0.005)
    figures = {"difference": 0.005, "median": 0.005, "mean_better": 0.005, "std_better": 0.005, "tol": 0.02}
    frozen("comparison", result, slack=SEARCHED | counted | shares | figures)
