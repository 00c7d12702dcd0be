"""``iqmaps diffdiff``: maps, verdicts, blocks and pictures of registrations that are given, moved or made."""

import csv

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.cli.diffdiff import Question
from napari_iqmaps.cli.jobs import Job
from napari_iqmaps.core.diffdiff import diff_diff_assess
from napari_iqmaps.core.io.map_file import read_record

MOTION = np.array([[1.01, 0.01, 4.0], [-0.008, 0.995, -3.0], [0.0, 0.0, 1.0]])


def moved(image, matrix, border=cv2.BORDER_CONSTANT):
    return cv2.warpPerspective(image, matrix, image.shape[1::-1], borderMode=border)


@pytest.fixture(scope="module")
def scene():
    return data.camera()[100:228, 150:310].copy()


@pytest.fixture
def trio(tmp_path, scene):
    """Two images before registration; good is registered well, bad is moved the wrong way."""
    for name in ("in", "done"):
        (tmp_path / name).mkdir()
    Image.fromarray(scene).save(tmp_path / "fixed.png")
    moving = moved(scene, np.linalg.inv(MOTION), cv2.BORDER_REFLECT)
    images = {}
    for name, matrix in (("good", MOTION), ("bad", np.linalg.inv(MOTION))):
        Image.fromarray(moving).save(tmp_path / "in" / f"{name}.png")
        images[name] = moved(moving, matrix)
        Image.fromarray(images[name]).save(tmp_path / "done" / f"{name}.png")
    return moving, images["good"], images["bad"]


GIVEN = ("diffdiff", "in", "--fixed", "fixed.png", "--registered", "done", "--valid", "border")


def test_maps_and_verdicts_are_the_cores(rows, trio, scene, tmp_path):
    status, found = rows(*GIVEN, "--out", "out", "--format", "both", "--csv", "t.csv")
    assert status == 0
    bad, good = found["rows"]
    assert (good["verdict"], bad["verdict"]) == ("better", "worse")
    expected = diff_diff_assess(trio[0], trio[1], scene, valid="border")
    written = iq.read_map(tmp_path / "out" / "good_diff_diff.tif")
    np.testing.assert_array_equal(written.values, expected.maps["diff_diff"].values)
    assert written.info["request"]["finds_border"] is True
    row = expected.score.row()
    assert {name: good[name] for name in row} == row
    assert good["sentence"] == expected.score.sentence()
    with (tmp_path / "t.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [line["verdict"] for line in table] == ["worse", "better"]
    assert read_record(tmp_path / "out" / "good_diff_diff.png")["info"]["judged"]["verdict"] == "better"


def test_what_is_done_is_not_done_again(rows, trio, tmp_path):
    words = (*GIVEN, "--out", "out", "--blocks", "b.csv")
    first = rows(*words)[1]["rows"]
    blocks = (tmp_path / "b.csv").read_bytes()
    (tmp_path / "b.csv").unlink()
    found = rows(*words)[1]
    assert (found["kept"], found["rows"]) == (2, first)
    assert (tmp_path / "b.csv").read_bytes() == blocks
    assert rows(*words, "--border", 3)[1]["kept"] == 0
    Image.fromarray(trio[2]).save(tmp_path / "done" / "good.png")
    found = rows(*words, "--border", 3)[1]
    assert (found["kept"], found["rows"][1]["verdict"]) == (1, "worse")


def test_a_black_border_does_not_count_where_it_is_known(rows, trio):
    counts = {valid: rows(*GIVEN[:-1], valid)[1]["rows"][1] for valid in ("border", "none", "auto")}
    assert counts["none"]["worse"] > counts["border"]["worse"] + 150
    assert counts["auto"] == counts["none"]
    assert "at its edge, is black and counts; see --valid" in counts["none"]["notes"][0]
    assert "notes" not in counts["border"]
    assert counts["none"]["valid_fraction"] == 1 > counts["border"]["valid_fraction"]


def test_register_then_judge_by_image_or_by_matrix(rows, trio, tmp_path):
    rows("register", "in/good.png", "--fixed", "fixed.png", "--method", "fast", "--out", "reg")
    words = ("diffdiff", "in/good.png", "--fixed", "fixed.png")
    by_image = rows(*words, "--registered", "reg")[1]["rows"][0]
    assert by_image["registered"] == "reg/good_registered.png"
    assert by_image["valid"] == "reg/good_valid.png"
    by_matrix = rows(*words, "--matrix", "reg", "--out", "out")[1]["rows"][0]
    at_once = rows(*words, "--register", "fast")[1]["rows"][0]
    for row in (by_image, by_matrix, at_once):
        assert row["verdict"] == "better"
        assert (row["count"], row["n_valid"]) == (by_image["count"], by_image["n_valid"])
    info = iq.read_map(tmp_path / "out" / "good_diff_diff.tif").info
    np.testing.assert_allclose(np.asarray(info["matrix"]), MOTION, atol=0.2)


def test_a_refused_registration_cannot_be_judged(rows, trio, tmp_path):
    pixels = np.random.default_rng(4).integers(0, 256, (128, 160), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in" / "noise.png")
    status, found = rows("diffdiff", "in", "--fixed", "fixed.png", "--register", "fast", "--out", "out")
    assert (status, found["failed"], found["computed"]) == (1, 1, 2)
    assert found["rows"][2]["error"].startswith("There is no registration to judge: ")
    rows("register", "in/noise.png", "--fixed", "fixed.png", "--method", "fast", "--out", "reg")
    status, found = rows("diffdiff", "in/noise.png", "--fixed", "fixed.png", "--matrix", "reg")
    assert status == 1
    assert "the registration was refused (" in found["rows"][0]["error"]
    status, found = rows("diffdiff", "in/noise.png", "--fixed", "fixed.png", "--registered", "reg")
    assert status == 1
    assert found["rows"][0]["error"].startswith("noise.png was not registered: ")


def test_a_matrix_is_of_its_own_fixed_image(rows, trio, scene, tmp_path):
    rows("register", "in/good.png", "--fixed", "fixed.png", "--method", "fast", "--out", "reg")
    Image.fromarray(scene[:100]).save(tmp_path / "small.png")
    status, found = rows("diffdiff", "in/good.png", "--fixed", "small.png", "--matrix", "reg/good_matrix.json")
    assert status == 1
    assert "fixed image of 128x160 pixels; this one has 100x160" in found["rows"][0]["error"]


def test_options_reach_the_core(rows, trio, scene):
    options = {"border": 7, "tol": 12.5, "grid": (3, 4), "illumination": "each", "smooth": 1.0, "median": 3}
    region = np.zeros(scene.shape, bool)
    region[20:100, 30:] = True
    score = diff_diff_assess(*trio[:2], scene, valid="border", region=region, **options).score
    words = ("--border", 7, "--tol", 12.5, "--grid", "3x4", "--illumination", "each", "--smooth", 1, "--median", 3)
    row = rows(*GIVEN, *words, "--region", "20:100,30:")[1]["rows"][1]
    assert {name: row[name] for name in score.row()} == score.row()
    whole = diff_diff_assess(*trio[:2], scene, valid="border", grid=None).score
    row = rows(*GIVEN, "--grid", "none", "--tol", "auto")[1]["rows"][1]
    assert {name: row[name] for name in whole.row()} == whole.row()


@pytest.mark.parametrize(("grid", "expected"), [("none", None), ("5x5", (5, 5))])
def test_the_notebooks_numbers(rows, trio, scene, grid, expected):
    score = iq.diff_diff_score(*trio[:2], scene, compat="notebook", border=20, grid=expected)
    words = ("diffdiff", "in/good.png", "--fixed", "fixed.png", "--registered", "done", "--compat", "notebook")
    row = rows(*words, "--border", 20, "--grid", grid)[1]["rows"][0]
    assert (row["score"], row["count"], row["tol"]) == (pytest.approx(score.score, abs=1e-8), score.count, 50)
    unscored = rows(*words, "--tol", 255)[1]["rows"][0]
    assert (unscored["score"], unscored["count"]) == (0.5, 0)


def test_blocks_as_a_table(rows, trio, scene, tmp_path):
    rows(*GIVEN, "--grid", "2x3", "--blocks", "b.csv")
    with (tmp_path / "b.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [(line["file"], line["row"], line["column"]) for line in table][::5] == [
        ("in/bad.png", "0", "0"), ("in/bad.png", "1", "2"), ("in/good.png", "1", "1"),
    ]  # fmt: skip
    assert sum(int(line["width"]) for line in table[:3]) == 160
    expected = diff_diff_assess(*trio[:2], scene, valid="border", grid=(2, 3)).score.blocks
    assert [line["verdict"] for line in table[6:]] == [block.verdict for block in expected]
    assert [float(line["evidence"]) for line in table[6:]] == [block.features()["evidence"] for block in expected]


def test_pictures_of_one_and_of_several(rows, trio, tmp_path):
    one = (*GIVEN[:1], "in/bad.png", *GIVEN[2:])
    rows(*one, "--sheet", "s.png", "--ladder", "l.png", "--out", "out")
    assert read_record(tmp_path / "s.png")["info"]["verdict"] == "worse"
    assert read_record(tmp_path / "s.png")["title"] == "bad.png on fixed.png, registered as given"
    assert read_record(tmp_path / "l.png")["info"]["tolerances"][0] == 10
    found = rows(*one, "--sheet", "s.png", "--ladder", "l.png", "--out", "out")[1]
    assert (found["kept"], found["rows"][0]["outputs"]) == (1, ["s.png", "l.png", "out/bad_diff_diff.tif"])


def test_all_may_lie_in_a_folder_that_is_not_there_yet(iqmaps, trio, tmp_path):
    files = ("--sheet", "new/s.png", "--ladder", "new/l.png", "--blocks", "new/b.csv", "--csv", "new/t.csv")
    result = iqmaps(*GIVEN, *files, "--out", "new")
    assert result.exit_code == 0
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names >= {"s_good.png", "l_bad.png", "b.csv", "t.csv", "good_diff_diff.tif"}
    assert "in/good.png: better" in result.stderr
    assert iqmaps(*GIVEN, "--sheet", "other/s.png", "--out", "new").exit_code == 2


def test_a_picture_of_one_of_several_bears_its_name(tmp_path):
    options = {"judging": {}, "motion": None, "region": None, "finds_border": False, "blocks": None}
    question = Question(**options, pictures={"sheet": tmp_path / "s.v2.png"}, names_pictures=True)
    assert question.picture("sheet", Job(tmp_path / "a.tif", "a")) == tmp_path / "s.v2_a.png"


def test_without_a_folder_nothing_vouches_for_pictures(rows, trio, tmp_path):
    words = (*GIVEN[:1], "in/bad.png", *GIVEN[2:], "--csv", "t.csv")
    rows(*words, "--ladder", "l.png")
    (tmp_path / "l.png").unlink()
    assert rows(*words, "--ladder", "l.png")[1]["kept"] == 0
    assert (tmp_path / "l.png").exists()
    assert [rows(*words)[1]["kept"] for _ in range(2)] == [0, 1]


def test_a_stack_is_judged_plane_by_plane(rows, trio, scene, tmp_path):
    moving = np.stack([trio[0]] * 2)
    tifffile.imwrite(tmp_path / "moving.tif", moving, photometric="minisblack", metadata={"axes": "TYX"})
    tifffile.imwrite(tmp_path / "after.tif", np.stack(trio[1:]), photometric="minisblack", metadata={"axes": "TYX"})
    words = ("diffdiff", "moving.tif", "--fixed", "fixed.png", "--registered", "after.tif", "--valid", "border")
    status, found = rows(*words, "--out", "out", "--ladder", "s.png")
    assert status == 0
    row = found["rows"][0]
    assert row["planes_verdict"] == "better; worse"
    expected = diff_diff_assess(moving, np.stack(trio[1:]), scene, valid="border").score
    assert row["planes"] == [plane.score for plane in expected.planes]
    assert read_record(tmp_path / "s.png")["title"].endswith("plane 1, the worst of 2")
    assert iq.read_map(tmp_path / "out" / "moving_diff_diff.tif").values.shape == moving.shape


def test_a_series_is_registered_then_judged(rows, trio, scene, tmp_path):
    noise = np.random.default_rng(4).integers(0, 256, scene.shape, dtype=np.uint8)
    frames = np.stack([trio[0], noise])
    tifffile.imwrite(tmp_path / "frames.tif", frames, photometric="minisblack", metadata={"axes": "TYX"})
    status, found = rows("diffdiff", "frames.tif", "--fixed", "fixed.png", "--register", "fast")
    assert (status, found["rows"][0]["planes_verdict"]) == (0, "better; unchanged")
    assert found["rows"][0]["notes"] == ["registration was refused for frame 1"]


def test_a_series_of_another_size_is_judged_where_it_lies(rows, trio, scene, tmp_path):
    frames = np.stack([trio[0], scene])[:, :120, :150]
    tifffile.imwrite(tmp_path / "s.tif", frames, photometric="minisblack", metadata={"axes": "TYX"})
    status, found = rows("diffdiff", "s.tif", "--fixed", "fixed.png", "--register", "fast", "--out", "out")
    assert status == 0
    assert found["rows"][0]["planes_verdict"] == "better; unchanged"
    values = iq.read_map(tmp_path / "out" / "s_diff_diff.tif").values
    assert values.shape == (2, *scene.shape)
    assert np.isnan(values[:, 120:]).all()
    assert np.isnan(values[:, :, 150:]).all()


def test_colours_beside_grey_and_a_moving_image_of_another_size(rows, trio, scene, tmp_path):
    Image.fromarray(np.stack([scene] * 3, axis=-1)).save(tmp_path / "rgb.png")
    plain = rows(*GIVEN[:1], "in/good.png", *GIVEN[2:])[1]["rows"][0]
    status, found = rows("diffdiff", "in/good.png", "--fixed", "rgb.png", *GIVEN[4:])
    assert status == 0
    assert found["rows"][0]["count"] == pytest.approx(plain["count"], rel=0.01)
    Image.fromarray(trio[0][:120]).save(tmp_path / "low.png")
    status, found = rows("diffdiff", "low.png", "--fixed", "fixed.png", "--register", "fast")
    assert (status, found["rows"][0]["verdict"]) == (0, "better")
    assert found["rows"][0]["n_valid"] <= 120 * 160
    words = ("--registered", "done/good.png", "--valid", "border")
    status, found = rows("diffdiff", "low.png", "--fixed", "fixed.png", *words)
    assert status == 1
    assert "differ in size" in found["rows"][0]["error"]


def test_the_table_gives_the_verdict_first(iqmaps, trio):
    result = iqmaps(*GIVEN[:1], "in/good.png", *GIVEN[2:])
    assert result.exit_code == 0
    head = next(line for line in result.stdout.splitlines() if "verdict" in line)
    assert head.index("verdict") < head.index("score") < head.index("correlation")
    assert "Better: " in result.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "one of --registered, --matrix and --register"),
        (("--registered", "done", "--register", "fast"), "one of --registered, --matrix and --register"),
        (("--registered", "done", "--seed", 1), "--seed belongs to --register"),
        (("--register", "fast", "--valid", "border"), "--valid belongs to --registered"),
        (("--registered", "done", "--tol", -1), "neither 'auto' nor a number"),
        (("--registered", "done", "--tol", "nan"), "neither 'auto' nor a number"),
        (("--registered", "done", "--grid", "5"), "neither ROWSxCOLUMNS"),
        (("--registered", "done", "--grid", "0x3"), "neither ROWSxCOLUMNS"),
        (("--registered", "done", "--median", "4"), "'0', '3', '5'"),
        (("--registered", "done", "--region", "1:2"), "TOP:BOTTOM,LEFT:RIGHT"),
        (("--registered", "done", "--region", "1:2,3:x"), "TOP:BOTTOM,LEFT:RIGHT"),
        (("--registered", "done", "--sheet", "s.jpg"), "should end in .png"),
        (("--registered", "done", "--blocks", "no/b.csv"), "does not exist"),
        (("--registered", "done", "--blocks", "b.txt"), "should end in .csv or .json"),
        (("--registered", "done", "--compat", "notebook", "--out", "out"), "--compat gives scores alone"),
        (("--registered", "done", "--valid", "nowhere"), "'nowhere'"),
    ],
)
def test_wrong_use(iqmaps, trio, words, says):
    result = iqmaps("diffdiff", "in", "--fixed", "fixed.png", *words)
    assert result.exit_code == 2
    assert says in result.stderr


def test_no_input_is_overwritten(iqmaps, trio, tmp_path):
    before = (tmp_path / "fixed.png").read_bytes()
    result = iqmaps(*GIVEN[:1], "in/good.png", *GIVEN[2:], "--sheet", "fixed.png")
    assert result.exit_code == 2
    assert "is an input and would be overwritten" in result.stderr
    assert (tmp_path / "fixed.png").read_bytes() == before


def test_a_region_outside_the_image_is_an_error_of_that_image(rows, trio):
    status, found = rows(*GIVEN, "--region", "500:600,0:10")
    assert (status, found["failed"]) == (1, 2)
    assert "no pixel in an image of 128 x 160" in found["rows"][0]["error"]
