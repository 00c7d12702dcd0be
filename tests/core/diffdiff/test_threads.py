"""Threads change nothing but the time."""

import threading

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core import diffdiff
from napari_iqmaps.core.diffdiff import differences
from napari_iqmaps.core.diffdiff import differences as threads


@pytest.fixture
def many(monkeypatch):
    """Three threads, however small the images and the machine."""
    monkeypatch.setattr(threads, "_WORTH_IT", 0)
    monkeypatch.setattr(threads, "_processors", lambda: 3)


@pytest.mark.parametrize("light", ["none", "before", "each", "local"])
def test_the_map_and_the_score_are_the_same(monkeypatch, trio, light):
    one, plain = diffdiff.diff_diff_assess(*trio, illumination=light), iq.diff_diff(*trio, illumination=light)
    monkeypatch.setattr(threads, "_WORTH_IT", 0)
    monkeypatch.setattr(threads, "_processors", lambda: 3)
    monkeypatch.setattr(differences, "BYTES_TILE", 24)
    other = diffdiff.diff_diff_assess(*trio, illumination=light)
    assert np.array_equal(one.maps["diff_diff"].values, other.maps["diff_diff"].values)
    assert one.score.row() == other.score.row()
    assert np.array_equal(iq.diff_diff(*trio, illumination=light).values, plain.values)


def test_bytes_are_compared_as_numbers_are(trio):
    """What is taken for bytes without a copy gives what any other type gives."""
    for light in ("none", "before", "each"):
        quick, slow = (
            iq.diff_diff(*images, illumination=light, border=3)
            for images in (trio, [image.astype(np.uint16) * 257 for image in trio])
        )
        assert np.allclose(quick.values, slow.values, atol=1e-4, equal_nan=True)
        assert quick.score == pytest.approx(slow.score, abs=1e-6)


def test_answers_come_in_order_from_several_threads(many):
    meeting = threading.Barrier(3, timeout=20)  # is passed only when three are at work

    def work(part):
        if part < 3:
            meeting.wait()
        return part, threading.get_ident()

    found = list(threads.answers(work, range(20), 1))
    assert [part for part, _ in found] == list(range(20))
    assert threading.get_ident() not in {thread for _, thread in found}


def test_what_has_not_begun_is_not_done_after_a_stop(many, trio):
    begun = []
    first = threading.Event()

    def work(part):
        begun.append(part)
        if part:
            first.wait(20)  # until the first answer has been refused
        return part

    answers = threads.answers(work, range(50), 1)
    assert next(answers) == 0
    first.set()
    answers.close()
    assert len(begun) < 50

    def stop(done, total):
        if done:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        diffdiff.diff_diff_assess(*trio, progress=stop)


def test_an_error_of_a_part_is_raised(many):
    def work(part):
        raise iq.InputError(f"part {part}")

    with pytest.raises(iq.InputError, match="part 0"):
        list(threads.answers(work, range(5), 1))
