"""The comparison whole: real registrations of a shaken photograph, judged on the same images."""

from inspect import signature

import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps import InputError
from napari_iqmaps.core.comparison import preprocessing
from napari_iqmaps.core.comparison.compare import (
    Comparison,
    FilePair,
    compare_registrations,
    drawn_pairs,
    favoured,
    methods_of,
    scorings_of,
)
from napari_iqmaps.core.registration.geometry import corner_error

METHODS = ("none", "downsample")


@pytest.fixture(scope="module")
def compared(shaken):
    pairs = drawn_pairs(shaken.paths)
    return compare_registrations(pairs, METHODS, registration="fast", scoring=("smooth", "none"))


def test_every_pair_method_and_scoring_has_an_outcome(compared, shaken):
    assert len(compared.outcomes) == 3 * 2 * 2
    assert {one.registration for one in compared.outcomes} == {"fast"}
    assert len({(one.pair, one.method, one.scoring) for one in compared.outcomes}) == 12
    assert {one.category for one in compared.outcomes} == {"better"}
    assert [(one.scoring, one.method, one.pairs, one.better) for one in compared.summaries] == [
        (scoring, name, 3, 3) for scoring in ("smooth", "none") for name in METHODS
    ]
    assert compared.baseline == "none"
    assert len(compared.rows()) == 12
    assert repr(compared) == "<Comparison of 2 methods on 3 pairs>"


def test_q25_matrices_come_back_to_the_size_of_the_images(compared, shaken):
    place = {str(path): number for number, path in enumerate(shaken.paths)}
    for one in compared.outcomes:
        true = shaken.motion(place[one.moving], place[one.fixed])
        # Left at half size, a motion would be short by 4 pixels and more.
        assert corner_error(one.homography, true, shaken.shape) < (0.6 if one.method == "none" else 1.2)


def test_the_judge_is_the_same_for_all_scorings(compared):
    by_scoring = {
        scoring: [one.matrix for one in compared.outcomes if one.scoring == scoring] for scoring in ("smooth", "none")
    }
    assert by_scoring["smooth"] == by_scoring["none"]  # registered once, judged twice
    assert [one.scoring for one in compared.sensitivity] == ["smooth", "none"]
    assert [one.sees_method for one in compared.sensitivity] == [(), ("none",)]


def test_paired_and_best_of_methods(compared):
    assert {(one.method, one.pairs) for one in compared.paired} == {("downsample", 3)}
    for choice in compared.best_of_methods:
        softs = {one.method: one.soft for one in compared.outcomes
                 if (one.pair, one.scoring) == ((choice.moving, choice.fixed), choice.scoring)}  # fmt: skip
        assert choice.method == max(softs, key=softs.get)
        assert choice.soft == max(softs.values())


def test_q20_what_goes_wrong_is_counted_apart_with_its_reason(shaken, tmp_path):
    good, flat, broken = shaken.paths[0], tmp_path / "flat.png", tmp_path / "broken.png"
    Image.fromarray(np.full(shaken.shape, 90, np.uint8)).save(flat)
    broken.write_bytes(good.read_bytes()[:200])
    pairs = [FilePair(shaken.paths[1], good), FilePair(flat, good), FilePair(good, broken), (tmp_path / "no.png", good)]
    found = compare_registrations(pairs, ["none"], registration="fast")
    assert [one.category for one in found.outcomes] == ["better", "refused", "failed", "failed"]
    assert found.outcomes[1].reason
    assert found.outcomes[1].homography == pytest.approx(np.eye(3))
    assert "broken.png is damaged" in found.outcomes[2].error
    assert "There is no file" in found.outcomes[3].error
    (summed,) = found.summaries
    assert (summed.pairs, summed.better, summed.refused, summed.failed) == (4, 1, 1, 2)
    assert summed.soft.value == found.outcomes[0].soft
    assert summed.soft_or_unchanged.value == pytest.approx(found.outcomes[0].soft / 2)


def test_arrays_give_what_files_give(compared, shaken):
    arrays = [np.array(Image.open(path)) for path in shaken.paths[:2]]
    coloured = [np.repeat(array[..., np.newaxis], 3, axis=-1) for array in arrays]
    sixteen = [array.astype(np.uint16) * 257 for array in arrays]
    wanted = next(one for one in compared.outcomes if one.pair == tuple(map(str, shaken.paths[:2])))
    for images, more in ((arrays, {}), (coloured, {"channel_axis": -1}), (sixteen, {})):
        (one,) = compare_registrations([images], ["none"], registration="fast", **more).outcomes
        assert one.pair == ("pair 0 moving", "pair 0 fixed")
        assert corner_error(one.homography, wanted.homography, shaken.shape) < 0.01
        assert one.soft == pytest.approx(wanted.soft, abs=1e-3)


def test_options_reach_the_registration_and_the_judge(shaken):
    pair = shaken.paths[:2]
    for options in ({"max_shift": 0.5}, {"min_overlap": 1}):
        (one,) = compare_registrations([pair], ["downsample"], registration="fast", **options).outcomes
        assert one.category == "refused"
        assert one.reason
    (one,) = compare_registrations(
        [pair], ["none"], registration="fast", tol=12.5, grid=(2, 3), border=20, transform="translation"
    ).outcomes
    assert one.tol == 12.5
    assert one.n_valid <= (shaken.shape[0] - 40) * (shaken.shape[1] - 40)
    assert one.blocks_better + one.blocks_worse <= 6
    assert one.homography[:2, :2] == pytest.approx(np.eye(2))


def test_a_frame_of_which_nothing_is_left_is_a_failure_with_its_numbers(shaken):
    found = compare_registrations([shaken.paths[:2]], ["none"], registration="fast", border=72)
    assert found.outcomes[0].category == "failed"
    assert "72" in found.outcomes[0].error


def test_points_matched_elsewhere_are_of_files_by_name(shaken, tmp_path):
    matches = preprocessing.matched("deep", tmp_path)
    arrays = [np.array(Image.open(path)) for path in shaken.paths[:2]]
    for pair, says in ((arrays, "give files, no arrays"), (shaken.paths[:2], "holds no 1_to_2.csv")):
        (one,) = compare_registrations([pair], [matches]).outcomes
        assert says in one.error
    (tmp_path / "1_to_2.csv").write_text("x_1,y_1\nno,numbers\n")
    (one,) = compare_registrations([shaken.paths[:2]], [matches]).outcomes
    assert "1_to_2.csv" in one.error
    with pytest.raises(InputError, match="Say NAME=FOLDER"):
        preprocessing.matched("deep", tmp_path / "none")


def test_progress_rises_to_its_end_and_cancels(shaken):
    seen = []
    compare_registrations([shaken.paths[:2]], METHODS, registration="fast", progress=lambda *at: seen.append(at))
    assert {total for _, total in seen} == {200}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[0] == (0, 200)
    assert seen[-1] == (200, 200)

    def cancel(done, total):
        if done >= 100:
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        compare_registrations([shaken.paths[:2]], METHODS, registration="fast", progress=cancel)


def test_what_cannot_be_compared(shaken):
    pairs = [shaken.paths[:2]]
    for call, says in (
        (lambda: compare_registrations([]), "no pair to compare"),
        (lambda: compare_registrations(pairs, []), "no method to compare"),
        (lambda: compare_registrations(pairs, ["blur"]), "no preprocessing 'blur'"),
        (lambda: compare_registrations(pairs, scoring=[]), "nothing to judge on"),
        (lambda: compare_registrations(pairs, registration="matches"), "no registration 'matches'"),
        (lambda: compare_registrations(pairs, METHODS, baseline="smooth"), "'smooth' is none of the methods compared"),
        (lambda: compare_registrations([shaken.paths]), "Pair 0 has 3 images"),
    ):
        with pytest.raises(InputError, match=says):
            call()


def test_q31_the_default_judge_favours_no_default_method():
    defaults = {name: one.default for name, one in signature(compare_registrations).parameters.items()}
    chosen = methods_of(defaults["methods"], defaults["registration"])
    assert favoured(chosen, scorings_of([defaults["scoring"]])) == []
    assert favoured(chosen, scorings_of(["clahe-heavy"])) == [("clahe-heavy", "clahe-heavy")]
    assert Comparison((), "none", {}).summaries == []
