"""A scene that moves behind a pattern that does not: never the pattern's motion for the scene's, and nothing honest
refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.registration.candidates import Options
from napari_iqmaps.core.registration.evidence import judge

from .scenes_for_registration import as_pair_of

SIDE = 256
SHIFT = (14, 9)


def window(scene: str, dx: int = 0, dy: int = 0) -> np.ndarray:
    """A part of a photograph, moved by some pixels."""
    image = getattr(data, scene)()
    image = image if image.ndim == 2 else image[..., 1]
    top, left = 100 - dy, 130 - dx
    return image[top : top + SIDE, left : left + SIDE].astype(np.float64)


def unit(pattern: np.ndarray) -> np.ndarray:
    return (pattern - pattern.mean()) / pattern.std()


def grain() -> np.ndarray:
    return unit(cv2.GaussianBlur(np.random.default_rng(4).standard_normal((SIDE, SIDE)), (0, 0), 1.2))


def columns() -> np.ndarray:
    return unit(np.tile(np.random.default_rng(5).standard_normal(SIDE), (SIDE, 1)))


def dirt() -> np.ndarray:
    rng, drawn = np.random.default_rng(6), np.zeros((SIDE, SIDE))
    for _ in range(150):
        cv2.circle(drawn, tuple(map(int, rng.integers(0, SIDE, 2))), int(rng.integers(2, 7)), -rng.uniform(0.5, 1), -1)
    return unit(cv2.GaussianBlur(drawn, (0, 0), 1.0))


def watermark() -> np.ndarray:
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    for row in range(20, SIDE, 32):
        cv2.putText(drawn, "PROOF SAMPLE PROOF", (row % 50 - 40, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255.0,), 2)
    return unit(drawn.astype(np.float64))


PATTERNS = {"grain": grain, "columns": columns, "dirt": dirt, "watermark": watermark}


def pair_behind(pattern: np.ndarray, contrast: float, scene: str, shift: tuple[int, int]) -> list[np.ndarray]:
    """The moving and the fixed image, both behind the pattern."""
    moving, fixed = window(scene), window(scene, *shift)
    over = contrast * fixed.std() * pattern
    rng = np.random.default_rng(8)
    return [
        np.clip(np.rint(one + over + rng.normal(0, 1, one.shape)), 0, 255).astype(np.uint8) for one in (moving, fixed)
    ]


def error(matrix: np.ndarray, shift: tuple[int, int]) -> float:
    truth = np.array([(1, 0, shift[0]), (0, 1, shift[1]), (0, 0, 1.0)])
    ends = np.array([(0, 0, 1), (SIDE - 1, 0, 1), (0, SIDE - 1, 1), (SIDE - 1, SIDE - 1, 1.0)]).T
    first, second = ((there := one @ ends)[:2] / there[2] for one in (matrix, truth))
    return float(np.hypot(*(first - second)).max())


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("scene", "contrast"), [("camera", 0.38), ("coffee", 0.55), ("astronaut", 0.2)])
def test_no_motion_is_refused_where_the_scene_moved_behind_a_pattern(pattern, scene, contrast):
    moving, fixed = pair_behind(PATTERNS[pattern](), contrast, scene, SHIFT)
    assert judge(as_pair_of(moving, fixed), np.eye(3), Options()).evidence.objection(Options())


def test_two_motions_are_named():
    moving, fixed = pair_behind(grain(), 0.38, "camera", SHIFT)
    judged = judge(as_pair_of(moving, fixed), np.eye(3), Options()).evidence
    assert judged.second > 0.5
    assert "two motions" in judged.objection(Options())
    found = iq.register(moving, fixed)
    assert error(found.matrix, SHIFT) <= 3 if found.accepted else "two motions" in found.reason


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_motion_of_a_scene_behind_a_faint_pattern_is_found(pattern):
    moving, fixed = pair_behind(PATTERNS[pattern](), 0.15, "astronaut", SHIFT)
    found = iq.register(moving, fixed, method="fast")
    assert error(found.matrix, SHIFT) <= 3 if found.accepted else "two motions" in found.reason
    assert found.accepted or pattern in ("watermark", "dirt")


def test_a_turned_scene_behind_a_pattern_is_a_second_motion_as_well():
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 4.0, 1.0)
    scene = window("camera")
    turned = cv2.warpAffine(scene, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    over = 0.45 * scene.std() * grain()
    moving, fixed = (np.clip(np.rint(one + over), 0, 255).astype(np.uint8) for one in (scene, turned))
    assert judge(as_pair_of(moving, fixed), np.eye(3), Options()).evidence.objection(Options())


@pytest.mark.parametrize("scene", ["camera", "brick", "grass", "page", "moon"])
@pytest.mark.parametrize(
    "change", [lambda image: image, lambda image: 0.6 * image + 20, lambda image: 255 * (image / 255) ** 1.6]
)
def test_two_exposures_of_a_scene_that_did_not_move_are_accepted(scene, change):
    image = getattr(data, scene)()[-200:, -200:].astype(np.float64)
    rng = np.random.default_rng(9)
    taken = [np.clip(np.rint(one + rng.normal(0, 3, one.shape)), 0, 255) for one in (change(image), image)]
    moving, fixed = (one.astype(np.uint8) for one in taken)
    judged = judge(as_pair_of(moving, fixed), np.eye(3), Options()).evidence
    assert judged.second < 0.1
    if scene == "camera":
        found = iq.register(moving, fixed)
        assert found.accepted
        assert np.abs(found.matrix - np.eye(3)).max() < 0.5


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_over_a_scene_that_stands_still_too_changes_nothing(pattern):
    moving, fixed = pair_behind(PATTERNS[pattern](), 0.5, "camera", (0, 0))
    judged = judge(as_pair_of(moving, fixed), np.eye(3), Options()).evidence
    assert judged.objection(Options()) == ""
    assert judged.second < 0.1


def test_noise_leaves_no_second_motion():
    rng = np.random.default_rng(10)
    scene = window("astronaut")
    moving, fixed = (np.clip(scene + rng.normal(0, 20, scene.shape), 0, 255).astype(np.uint8) for _ in range(2))
    assert judge(as_pair_of(moving, fixed), np.eye(3), Options()).evidence.second < 0.15
