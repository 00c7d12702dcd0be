"""``iqmaps register``: images on the fixed one's pixels, matrices, masks; refusals are results with reasons."""

import csv
import stat
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

import napari_iqmaps as iq
from napari_iqmaps.core.registration import search
from napari_iqmaps.core.registration.geometry import corner_error
from napari_iqmaps.core.registration.matrix_file import load_matrix
from napari_iqmaps.core.registration.series import register_series

MOTION = np.array([[1.01, 0.01, 4.0], [-0.008, 0.995, -3.0], [0.0, 0.0, 1.0]])
FAST = ("--method", "fast")


def shaken(image, matrix=MOTION, gain=0.9, offset=12):
    """Give the image before the motion, in another light."""
    size = image.shape[1::-1]
    moved = cv2.warpPerspective(image, np.linalg.inv(matrix), size, borderMode=cv2.BORDER_REFLECT)
    return np.rint(np.clip(gain * moved + offset, 0, 255)).astype(np.uint8)


@pytest.fixture(scope="module")
def scene():
    return data.camera()[100:228, 150:310].copy()


@pytest.fixture
def pair(tmp_path, scene):
    """A folder with a fixed image, two shaken ones and one of nothing but noise."""
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "fixed").mkdir()
    Image.fromarray(scene).save(tmp_path / "fixed" / "scene.png")
    Image.fromarray(shaken(scene)).save(folder / "a.png")
    Image.fromarray(shaken(scene, np.linalg.inv(MOTION))).save(folder / "b.png")
    return folder


@pytest.fixture
def noise(pair):
    pixels = np.random.default_rng(4).integers(0, 256, (128, 160), dtype=np.uint8)
    Image.fromarray(pixels).save(pair / "noise.png")
    return pair / "noise.png"


def test_images_masks_and_matrices(rows, pair, scene, tmp_path):
    before = {path: path.read_bytes() for path in pair.iterdir()}
    status, found = rows("register", "in", "--fixed", "fixed/scene.png", *FAST, "--out", "out", "--csv", "t.csv")
    assert (status, found["computed"]) == (0, 2)
    row = found["rows"][0]
    names = ("a_valid.png", "a_registered.png", "a_matrix.json")
    assert {f"out/{name}" for name in names} == set(row["outputs"])
    expected = iq.register(iq.read_image(pair / "a.png").array, scene, method="fast")
    np.testing.assert_array_equal(iq.read_image(tmp_path / "out" / "a_registered.png").array, expected.registered)
    np.testing.assert_array_equal(iq.read_image(tmp_path / "out" / "a_valid.png").array == 255, expected.valid)
    record = load_matrix(tmp_path / "out" / "a_matrix.json")
    np.testing.assert_array_equal(record.matrix, expected.matrix)
    assert corner_error(record.matrix, MOTION, scene.shape) < 0.5
    with (tmp_path / "t.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [line["accepted"] for line in table] == ["True", "True"]
    assert float(table[0]["local_ncc_after"]) == float(table[0]["score"]) > float(table[0]["local_ncc_before"])
    assert float(table[1]["h13"]) == pytest.approx(-4, abs=0.7)
    assert row["sentence"] == expected.sentence()
    assert {path: path.read_bytes() for path in pair.iterdir()} == before


def test_what_is_done_is_not_done_again(rows, pair, scene, tmp_path):
    words = ("register", "in", "--fixed", "fixed", *FAST, "--out", "out")
    for name in "ab":
        Image.fromarray(scene).save(tmp_path / "fixed" / f"{name}.png")
    first = rows(*words)[1]["rows"]
    found = rows(*words)[1]
    assert found["kept"] == 2
    assert found["rows"] == first
    (tmp_path / "out" / "a_valid.png").unlink()
    assert rows(*words)[1]["kept"] == 1
    assert rows(*words, "--transform", "affine")[1]["kept"] == 0
    assert rows(*words, "--transform", "affine", "--overwrite")[1]["kept"] == 0
    Image.fromarray(scene[::-1]).save(tmp_path / "fixed" / "a.png")
    assert rows(*words, "--transform", "affine")[1]["kept"] == 1


def test_a_refusal_is_a_result_with_a_reason(rows, iqmaps, pair, noise, tmp_path):
    words = ("register", "in", "--fixed", "fixed/scene.png", *FAST, "--out", "out")
    status, found = rows(*words)
    assert (status, found["failed"]) == (0, 0)
    row = found["rows"][2]
    assert (row["accepted"], row["score"]) == (False, None)
    assert row["not_enough_evidence"]
    assert row["outputs"] == ["out/noise_matrix.json"]
    assert not load_matrix(tmp_path / "out" / "noise_matrix.json").accepted
    result = iqmaps(*words, "--strict")
    assert result.exit_code == 1
    assert "3 kept" in result.stderr
    assert f"Refused, 1 of 3: in/noise.png: {row['not_enough_evidence'].rstrip('.')}.\n" in result.stderr


def test_an_image_that_is_refused_now_leaves_none_of_before(rows, pair, noise, scene, tmp_path):
    words = ("register", "in/noise.png", "--fixed", "fixed/scene.png", *FAST, "--out", "out", "--overlay")
    good = noise.read_bytes()
    Image.fromarray(shaken(scene)).save(noise)
    rows(*words)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "noise_registered.png", "noise_valid.png", "noise_overlay.png", "noise_matrix.json",
    }  # fmt: skip
    noise.write_bytes(good)
    assert rows(*words)[1]["rows"][0]["accepted"] is False
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["noise_matrix.json"]


def test_colours_and_bits_are_kept(rows, pair, scene, tmp_path):
    moving = shaken(scene)
    colours = np.stack([moving, moving // 2, 255 - moving], axis=-1)
    Image.fromarray(colours).save(pair / "photo.jpg", quality=95, icc_profile=b"a profile")
    tifffile.imwrite(pair / "deep.tif", moving.astype(np.uint16) * 257)
    Image.fromarray(np.stack([scene] * 3, axis=-1)).save(tmp_path / "rgb.png")
    status, found = rows("register", "in/photo.jpg", "in/deep.tif", "--fixed", "rgb.png", *FAST, "--out", "out")
    assert (status, [row["accepted"] for row in found["rows"]]) == (0, [True, True])
    photo = iq.read_image(tmp_path / "out" / "photo_registered.png")
    assert (photo.array.dtype, photo.array.shape) == (np.uint8, (*scene.shape, 3))
    deep = iq.read_image(tmp_path / "out" / "deep_registered.tif")
    assert (deep.array.dtype, deep.array.shape, deep.channel_axis) == (np.uint16, scene.shape, None)
    with Image.open(tmp_path / "out" / "photo_registered.png") as picture:
        assert picture.info["icc_profile"] == b"a profile"


def test_frames_of_a_stack_go_onto_the_first(rows, scene, tmp_path):
    shift = np.array([[1, 0, 3], [0, 1, 2], [0, 0, 1.0]])
    frames = np.stack([scene, shaken(scene, shift), np.random.default_rng(1).integers(0, 256, scene.shape, np.uint8)])
    tifffile.imwrite(tmp_path / "shaking.tif", frames, photometric="minisblack", metadata={"axes": "TYX"})
    words = ("register", "shaking.tif", *FAST, "--transform", "translation", "--out", "out")
    status, found = rows(*words)
    row = found["rows"][0]
    assert (status, row["frames"], row["frames_accepted"], row["accepted"]) == (0, 3, 2, False)
    assert row["not_enough_evidence"].startswith("frame 2 (")
    assert row["planes"][2] is None
    written = iq.read_image(tmp_path / "out" / "shaking_registered.tif")
    assert (written.array.shape, written.axes) == (frames.shape, "TYX")
    np.testing.assert_array_equal(written.array[0], scene)
    expected = register_series(frames, method="fast", transform="translation")
    np.testing.assert_array_equal(written.array, expected.registered)
    with (tmp_path / "out" / "shaking_frames.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [line["accepted"] for line in table] == ["True", "True", "False"]
    assert float(table[1]["h13"]) == pytest.approx(3, abs=0.2)
    kept = rows(*words)[1]
    assert (kept["kept"], kept["rows"]) == (1, found["rows"])


def test_a_single_image_beside_a_series_needs_a_fixed_one(rows, pair, scene, tmp_path):
    tifffile.imwrite(pair / "s.tif", np.stack([scene, scene]), photometric="minisblack", metadata={"axes": "TYX"})
    status, found = rows("register", "in/a.png", "in/s.tif", "--method", "phase")
    assert (status, found["failed"]) == (1, 1)
    assert "Say what it is to be registered to: --fixed FILE." in found["rows"][0]["error"]


def test_a_folder_of_fixed_images_may_lack_one(rows, pair, scene, tmp_path):
    Image.fromarray(scene).save(tmp_path / "fixed" / "a.tif")
    status, found = rows("register", "in", "--fixed", "fixed", *FAST)
    assert status == 1
    assert found["rows"][0]["fixed"] == "fixed/a.tif"
    assert "no b.*" in found["rows"][1]["error"]
    status, found = rows("register", "in/a.png", "--fixed", "in", *FAST)
    assert status == 1
    assert found["rows"][0]["error"] == "in is where a.png itself is. Give other images."


def test_floating_point_needs_a_range_that_holds_for_all(rows, pair, scene, tmp_path):
    for folder, image in (("in", shaken(scene)), ("fixed", scene)):
        tifffile.imwrite(tmp_path / folder / "float.tif", image.astype(np.float32) / 255)
    words = ("register", "in/float.tif", *FAST)
    status, found = rows(*words, "--fixed", "fixed/float.tif")
    assert status == 1
    assert found["rows"][0]["error"].endswith("(Here: --data-range BLACK WHITE.)")
    status, found = rows(*words, "--fixed", "fixed/scene.png", "--data-range", 0, 1)
    assert status == 1
    assert "float.tif and scene.png are float32 and uint8" in found["rows"][0]["error"]
    status, found = rows(*words, "--fixed", "fixed/float.tif", "--data-range", 0, 1, "--out", "out")
    assert (status, found["rows"][0]["accepted"]) == (0, True)
    written = iq.read_image(tmp_path / "out" / "float_registered.tif").array
    valid = iq.read_image(tmp_path / "out" / "float_valid.png").array > 0
    assert written.dtype == np.float32
    np.testing.assert_array_equal(np.isfinite(written), valid)


def matches_of(shape, matrix):
    """Give a grid of true matches as DeepMatching prints them."""
    y, x = np.mgrid[8 : shape[0] : 16, 8 : shape[1] : 16].reshape(2, -1)
    after = matrix @ np.stack([x, y, np.ones_like(x)])
    points = np.stack([x, y, *after[:2] / after[2]], axis=-1)
    return [f"{a:g} {b:g} {c:.3f} {d:.3f} 1.5 {number}" for number, (a, b, c, d) in enumerate(points)]


def test_matches_from_a_file(rows, pair, scene, tmp_path):
    (tmp_path / "m.txt").write_text("\n".join(matches_of(scene.shape, MOTION)))
    status, found = rows("register", "in/a.png", "--fixed", "fixed/scene.png", "--matches", "m.txt")
    row = found["rows"][0]
    assert (status, row["method"], row["accepted"], row["matches"]) == (0, "matches", True, "m.txt")
    assert row["inliers"] > 60
    matrix = np.array([[row[f"h{i}{j}"] for j in (1, 2, 3)] for i in (1, 2, 3)])
    assert corner_error(matrix, MOTION, scene.shape) < 0.5


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_matches_from_a_program(rows, pair, scene, tmp_path):
    program = tmp_path / "match"
    lines = "\n".join(matches_of(scene.shape, MOTION))
    program.write_text(f"#!{sys.executable}\nprint({lines!r})\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    status, found = rows("register", "in/a.png", "--fixed", "fixed/scene.png", "--deepmatching", program)
    assert (status, found["rows"][0]["accepted"]) == (0, True)
    program.write_text(f"#!{sys.executable}\nraise SystemExit('no memory')\n")
    status, found = rows("register", "in/a.png", "--fixed", "fixed/scene.png", "--deepmatching", program)
    assert status == 1
    assert "no memory" in found["rows"][0]["error"]


def test_rows_alone_are_kept_in_the_table(rows, pair, scene):
    words = ("register", "in", "--fixed", "fixed/scene.png", *FAST, "--csv", "t.csv")
    first = rows(*words)[1]
    found = rows(*words)[1]
    assert (first["computed"], found["kept"]) == (2, 2)
    assert found["rows"][0]["score"] == first["rows"][0]["score"]


def test_an_interrupted_batch_goes_on(iqmaps, rows, pair, monkeypatch):
    words = ("register", "in", "--fixed", "fixed/scene.png", *FAST, "--out", "out")
    made = []

    def stop(*args, **options):
        if made:
            raise KeyboardInterrupt
        made.append(args)
        return iq.register(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(search, "register", stop)
        result = iqmaps(*words)
    assert result.exit_code == 130
    assert "Interrupted: 1 of 2 not done. Images in --out are kept" in result.stderr
    assert rows(*words)[1]["kept"] == 1


def test_the_table_says_it_in_words(iqmaps, pair):
    result = iqmaps("register", "in/a.png", "--fixed", "fixed/scene.png", *FAST)
    assert result.exit_code == 0
    said = " ".join(result.stdout.split())
    assert "Registered by" in said
    assert "yes" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--method", "magic"), "'auto', 'fast'"),
        (("--max-shift", 0), "x>0"),
        (("--min-overlap", 2), "0<=x<=1"),
        (("--matches", "in", "--deepmatching", "dm"), "Drop one of the two"),
        (("--matches", "in", *FAST), "for --method matches, not fast"),
        (("--method", "matches"), "needs --matches FILE or --deepmatching"),
        (("--matches", "in/a.png"), "Give a folder of NAME_matches.csv"),
        (("--overlay",), "--overlay goes into --out FOLDER"),
        (("--fixed", "nowhere"), "does not exist"),
    ],
)
def test_wrong_use(iqmaps, pair, words, says):
    result = iqmaps("register", "in", "--fixed", "fixed/scene.png", *words)
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("register", "in", "--fixed", "fixed/scene.png", "--method", "stackreg"),
        ("diffdiff", "in", "--fixed", "fixed/scene.png", "--register", "stackreg"),
        ("compare", "in", "--method", "none@stackreg", "--out", "out"),
    ],
)
def test_a_missing_package_is_told_once(iqmaps, pair, monkeypatch, words):
    monkeypatch.setitem(sys.modules, "pystackreg", None)
    result = iqmaps(*words)
    assert result.exit_code == 2
    assert result.stderr.count("needs the package pystackreg. Install it: pip install") == 1


def test_what_to_register_to_is_asked_for_once(iqmaps, rows, pair, scene, tmp_path):
    (pair / "broken.png").write_text("no image")
    result = iqmaps("register", "in", "--out", "out")
    assert result.exit_code == 2
    assert result.stderr.count("--fixed FILE") == 1
    assert "All 2 images have one plane" in result.stderr
    assert not (tmp_path / "out").exists()
    result = iqmaps("register", "in/a.png")
    assert result.exit_code == 2
    assert "in/a.png has one plane" in result.stderr
    assert rows("register", "in/broken.png")[1]["failed"] == 1


def test_an_interrupted_call_of_a_library_does_not_abort_the_program():
    program = (
        "import threading, time\n"
        "from napari_iqmaps.cli.group import leave_unheard\n"
        "from napari_iqmaps.core.progress import UNHEARD\n"
        "threading.Thread(target=time.sleep, args=(60,), name=UNHEARD).start()\n"
        "print('said', end='')\n"
        "leave_unheard(130)\n"
        "print('not here')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stdout) == (130, "said")


def test_its_own_outputs_are_no_inputs_and_overwrite_none(rows, iqmaps, pair, scene):
    words = ("register", "in", "--fixed", "fixed/scene.png", *FAST, "--out", "in", "--overlay")
    rows(*words)
    assert rows(*words)[1]["kept"] == 2
    Image.fromarray(scene).save(pair / "c.png")
    Image.fromarray(scene).save(pair / "c_registered.png")
    result = iqmaps(*words)
    assert result.exit_code == 2
    assert "c_registered.png is an input and would be overwritten" in result.stderr
