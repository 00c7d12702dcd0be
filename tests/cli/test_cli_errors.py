"""``iqmaps errors``: several maps of one look at an image, and a score."""

import os

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq

ALL = ("error", "reliability", "sensitivity", "perceptual_error")
RNG = np.random.default_rng(2)
GREY = RNG.integers(0, 256, (40, 56), dtype=np.uint8)


@pytest.fixture
def model(untrained):
    return ("--weights", untrained["deepbqa"])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_all_maps_are_those_of_the_core_and_the_row_has_the_score(rows, images, model, untrained, tmp_path):
    status, found = rows("errors", "in/a.png", *model, "--out", "out")
    assert status == 0
    expected = iq.assess(iq.read_image(images / "a.png").array, weights=untrained["deepbqa"])
    assert tuple(expected.maps) == ALL
    (row,) = found["rows"]
    assert row["outputs"] == [os.path.join("out", f"a_{kind}.tif") for kind in ALL]  # noqa: PTH118
    for kind in ALL:
        written = iq.read_map(tmp_path / "out" / f"a_{kind}.tif")
        np.testing.assert_array_equal(written.values, expected.maps[kind].values)
        assert written.kind == kind
        assert written.info["source"]["file"] == "a.png"
        assert row[f"mean_{kind}"] == pytest.approx(expected.maps[kind].score, rel=1e-6)
    assert row["score"] == expected.score.value
    assert (row["kind"], row["model"]) == ("quality", "deepbqa")
    assert row["not_enough_evidence"] == expected.score.reason
    assert "2240 valid pixels" in row["not_enough_evidence"]


def test_some_maps_in_both_formats(rows, images, model, tmp_path):
    status, found = rows(
        "errors", "in/a.png", *model, "--out", "out", "--maps", "reliability, error", "--format", "both"
    )
    assert status == 0
    assert names(tmp_path / "out") == ["a_error.png", "a_error.tif", "a_reliability.png", "a_reliability.tif"]
    assert [name for name in found["rows"][0] if name.startswith("mean_")] == ["mean_error", "mean_reliability"]
    assert iq.read_image(tmp_path / "out" / "a_error.png").array.shape[1] > 56


def test_depth_colour_and_stack(rows, model, untrained, tmp_path):
    colour = RNG.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    stack = np.stack([GREY, GREY // 2, np.full_like(GREY, 90)])
    Image.fromarray(colour).save(tmp_path / "colour.png")
    tifffile.imwrite(tmp_path / "deep.tif", GREY.astype(np.uint16) * 257)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    words = ("errors", "colour.png", "deep.tif", "stack.tif", *model, "--out", "out", "--maps", "error")
    status, found = rows(*words)
    assert status == 0
    weights = {"weights": untrained["deepbqa"], "maps": ["error"]}
    expected = {
        "colour": iq.assess(colour, channel_axis=-1, **weights),
        "deep": iq.assess(GREY, **weights),
        "stack": iq.assess(stack, **weights),
    }
    for row, (name, assessed) in zip(found["rows"], expected.items(), strict=True):
        written = iq.read_map(tmp_path / "out" / f"{name}_error.tif")
        np.testing.assert_allclose(written.values, assessed.maps["error"].values, rtol=1e-4, atol=1e-6)
        assert row["score"] == pytest.approx(assessed.score.value, rel=1e-5)
    third = found["rows"][2]
    assert third["planes"][:2] == list(expected["stack"].score.planes[:2])
    assert third["planes"][2] is None
    assert third["planes_enough_evidence"] == [False, False, False]  # small, small, uniform
    assert "nearly uniform" in third["not_enough_evidence"]
    assert rows(*words)[1] == {**found, "computed": 0, "kept": 3}


def test_a_reference_adds_the_real_error(rows, images, model, tmp_path):
    references = tmp_path / "ref"
    references.mkdir()
    clean = iq.read_image(images / "b.png").array
    Image.fromarray(clean).convert("RGB").save(references / "a.png")  # as colours, against a grey test
    Image.fromarray(clean).save(references / "b.tif")
    words = ("errors", "in", "--reference", "ref", *model, "--out", "out", "--maps", "error,objective_error")
    status, found = rows(*words)
    assert status == 1
    assert names(tmp_path / "out") == [
        "a_error.tif", "a_objective_error.tif", "b_error.tif", "b_objective_error.tif"
    ]  # fmt: skip
    first, second, third = found["rows"]
    expected = iq.objective_error_map(iq.read_image(images / "a.png").array, clean).score
    assert first["mean_objective_error"] == pytest.approx(expected, rel=1e-3)
    assert second["mean_objective_error"] == 0
    assert "no reference for c.png" in third["error"]
    assert second["reference"] == os.path.join("ref", "b.tif")  # noqa: PTH118
    # Another reference is other work; the same one is none.
    assert rows(*words)[1]["kept"] == 2
    Image.fromarray(255 - clean).save(references / "a.png")
    again = rows(*words)[1]
    assert (again["computed"], again["kept"]) == (1, 1)
    assert again["rows"][0]["mean_objective_error"] != first["mean_objective_error"]


def test_a_bad_file_in_the_middle(rows, iqmaps, images, model, tmp_path):
    (images / "aa.png").write_text("a text")
    status, found = rows("errors", "in", *model, "--out", "out", "--maps", "error", "--csv", "table.csv")
    assert (status, found["computed"], found["failed"]) == (1, 3, 1)
    assert "not an image" in found["rows"][1]["error"]
    assert names(tmp_path / "out") == ["a_error.tif", "b_error.tif", "c_error.tif"]
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 5


def test_a_job_is_done_when_all_its_maps_are_there(rows, images, model, untrained, tmp_path):
    words = ("errors", "in", *model, "--out", "out", "--csv", "table.csv")
    _, first = rows(*words)
    table = (tmp_path / "table.csv").read_bytes()
    assert first["computed"] == 3
    assert rows(*words)[1] == {**first, "computed": 0, "kept": 3}
    assert (tmp_path / "table.csv").read_bytes() == table
    # Some of the maps are there already; the others of them do not matter.
    fewer = rows(*words, "--maps", "sensitivity,error")[1]
    assert fewer["kept"] == 3
    assert fewer["rows"][0]["score"] == first["rows"][0]["score"]
    (tmp_path / "out" / "b_sensitivity.tif").unlink()
    (tmp_path / "out" / "c_error.tif").write_text("damaged")
    assert rows(*words, "--maps", "reliability")[1]["kept"] == 3
    again = rows(*words)[1]
    assert (again["computed"], again["kept"]) == (2, 1)
    assert again["rows"] == first["rows"]
    assert rows(*words, "--data-range", 0, 200)[1]["kept"] == 0
    assert rows(*words, "--data-range", 0, 200, "--overwrite")[1]["kept"] == 0
    other = rows("errors", "in", "--model", "diqa", "--weights", untrained["diqa"], "--out", "out")[1]
    assert (other["kept"], len(other["rows"][0]["outputs"])) == (0, 2)


def test_interrupted_between_two_maps_and_started_again(rows, iqmaps, images, model, tmp_path, monkeypatch):
    words = ("errors", "in", *model, "--out", "out", "--csv", "table.csv")
    written = []

    def stop_in_the_second_job(*args, _write_map=iq.write_map):
        written.append(1)
        if len(written) == 6:
            raise KeyboardInterrupt
        return _write_map(*args)

    with monkeypatch.context() as patch:
        patch.setattr("napari_iqmaps.core.io.write_map", stop_in_the_second_job)
        result = iqmaps(*words)
    assert result.exit_code == 130
    assert "2 of 3 not done. Maps in --out are kept" in result.stderr
    assert names(tmp_path / "out") == sorted([*(f"a_{kind}.tif" for kind in ALL), "b_error.tif"])
    status, found = rows(*words)
    assert (status, found["computed"], found["kept"]) == (0, 2, 1)
    assert len(names(tmp_path / "out")) == 12


def test_the_screen_says_score_evidence_and_where_the_maps_are(iqmaps, images, model):
    result = iqmaps("errors", "in/a.png", *model, "--out", "out")
    said = " ".join(result.stdout.split())
    assert os.path.join("out", "a_*.tif") in said  # noqa: PTH118
    assert "not enough:" in said
    assert "of 100 (0 best, 100 worst)" in said
    assert "Not enough evidence: it has about 2240 valid pixels" in said
    result = iqmaps("errors", "in/a.png", *model, "--out", "out", "--maps", "error")
    assert os.path.join("out", "a_error.tif") in result.stdout  # noqa: PTH118


def test_maps_are_no_inputs_of_the_next_run(iqmaps, rows, images, model):
    rows("errors", "in", *model, "--out", "in")
    result = iqmaps("errors", "in", *model, "--out", "in")
    assert "Left out 12 files that are maps" in result.stderr
    assert "3 kept" in result.stderr


def test_names_that_would_be_one_file_are_refused(iqmaps, images, model):
    (images / "a.png").rename(images / "b_objective.png")
    words = ("errors", "in/b.png", "in/b_objective.png", "--reference", "in/c.png", *model)
    result = iqmaps(*words, "--out", "out")
    assert result.exit_code == 2
    assert "b_objective_error.tif. Rename one image" in " ".join(result.stderr.split())
    assert iqmaps("errors", "in/b.png", "in/b_objective.png", *model, "--out", "out").exit_code == 0
    tifffile.imwrite(images / "b_error.tif", GREY)  # an image, not a map
    result = iqmaps("errors", "in/b.png", "in/b_error.tif", *model, "--out", "in")
    assert result.exit_code == 2
    assert "is an input and would be overwritten" in result.stderr


def test_linear_light_is_refused(rows, images, model, tmp_path):
    (tmp_path / "light.pfm").write_bytes(b"Pf\n56 40\n-1.0\n" + GREY.astype("<f4").tobytes())
    status, found = rows("errors", "light.pfm", "in/a.png", *model)
    assert (status, found["computed"]) == (1, 1)
    assert "linear light" in found["rows"][0]["error"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--maps", "error,threshold"), "'threshold' is none of objective_error, error"),
        (("--maps", ""), "'' is none of"),
        (("--maps", "objective_error"), "needs --reference"),
        (("--maps", "error", "--reference", "in/a.png"), "--maps leaves out"),
        (("--model", "diqa", "--maps", "sensitivity"), "diqa gives error, reliability, and no sensitivity"),
        (("--model", "pnet"), "'pnet' is not one of"),
        (("--model", "diqa"), "holds weights of the network 'deepbqa'"),
        (("--weights", "nothing"), "There are no weights 'nothing'"),
        (("--device", "abacus"), "abacus"),
    ],
)
def test_wrong_use_is_said_once_before_any_image(iqmaps, images, model, words, says):
    result = iqmaps("errors", "in", *model, *words)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert says in line
