"""The local correlation in the record of a registration is the one that the diff-diff states."""

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.registration.search import judgement

from .scenes_for_registration import TRUTH, as_pair_of, photograph, seen_by


def test_it_rises_with_alignment_and_ignores_light():
    moving, fixed = seen_by(photograph(), TRUTH)
    found = judgement(as_pair_of(moving, fixed), TRUTH)
    assert found["local_ncc_after"] > 0.9 > found["local_ncc_before"] + 0.2
    assert found["verdict"] == "better"
    darker = (fixed * 0.5 + 30).astype(np.uint8)
    again = judgement(as_pair_of(moving, darker), TRUTH)
    assert again["local_ncc_after"] == pytest.approx(found["local_ncc_after"], abs=0.05)


def test_both_commands_say_the_same():
    moving, fixed = seen_by(photograph(), TRUTH)
    found = iq.register(moving, fixed)
    judged = iq.diff_diff_score(moving, found.registered, fixed, valid=found.valid)
    assert found.info["local_ncc_before"] == pytest.approx(judged.local_ncc_before, abs=1e-3)
    assert found.info["local_ncc_after"] == pytest.approx(judged.local_ncc_after, abs=1e-3)
    assert found.info["verdict"] == judged.verdict == "better"


def test_where_there_is_no_detail_there_is_no_number():
    found = judgement(as_pair_of(np.full((64, 64), 9, np.uint8), photograph(64)), np.eye(3))
    assert found["local_ncc_before"] is None
    assert found["local_ncc_after"] is None
