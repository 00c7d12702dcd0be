"""``iqmaps threshold``: files in, maps and a table out; the frame of every batch is tested here."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.cli import jobs
from napari_iqmaps.cli.inputs import output_names

FAST = ("--model", "contrast")


def scores(path):
    with path.open(newline="", encoding="utf-8") as file:
        return {os.path.basename(row["file"]): row for row in csv.DictReader(file)}  # noqa: PTH119


def test_the_map_is_that_of_the_core(iqmaps, images, tmp_path):
    result = iqmaps("threshold", images / "a.png", *FAST, "--stride", "2", "--out", "out", "--format", "both")
    assert result.exit_code == 0
    written = iq.read_map(tmp_path / "out" / "a_threshold.tif")
    expected = iq.threshold_map(iq.read_image(images / "a.png").array, model="contrast", stride=2)
    np.testing.assert_array_equal(written.values, expected.values)
    assert written.info["source"]["file"] == "a.png"
    assert len(written.info["source"]["sha256"]) == 64
    assert written.info["request"]["stride"] == 2
    assert iq.read_image(tmp_path / "out" / "a_threshold.png").array.shape[1] > 56
    assert f"{expected.score:.3g}" in result.stdout
    assert "code values" in result.stdout


@pytest.mark.parametrize(("words", "percents"), [("data", (0, 100)), ("percentiles", (0.1, 99.9))])
def test_files_of_16_bits_each_by_their_own_values(iqmaps, rows, tmp_path, words, percents):
    rows_of, columns_of = np.mgrid[:48, :56]
    pictures = {}
    for name, high in (("dim", 1200), ("bright", 30000)):
        values = np.sin(rows_of / 5) + np.cos(columns_of / 7)
        pictures[name] = np.rint(188 + (high - 188) * (values - values.min()) / np.ptp(values)).astype(np.uint16)
        tifffile.imwrite(tmp_path / f"{name}.tif", pictures[name])
    plain = iqmaps("threshold", "dim.tif", "bright.tif", *FAST, "--csv", "plain.csv")
    assert plain.exit_code == 0
    found = scores(tmp_path / "plain.csv")
    assert float(found["dim.tif"]["span"]) == pytest.approx(1012 / 65535)
    assert not found["bright.tif"]["span"]
    assert "the values span 1.5 % of black to white (188 to 1200 in 0 to 65535)" in found["dim.tif"]["notes"]
    assert "span 1.5 %" in " ".join(plain.output.split())
    command = ("threshold", "dim.tif", "bright.tif", *FAST, "--data-range", words, "--csv", "own.csv")
    assert iqmaps(*command).exit_code == 0
    for name, row in scores(tmp_path / "own.csv").items():
        image = pictures[name.removesuffix(".tif")]
        used = tuple(np.percentile(image, percents))
        assert tuple(map(float, row["data_range"].split())) == pytest.approx(used)
        assert row["range_rule"] == words
        assert "span" not in row
        expected = iq.threshold_map(image, model="contrast", data_range=used).score
        assert float(row["score"]) == pytest.approx(expected, rel=1e-5)
        assert float(row["own_score"]) == pytest.approx(expected * (used[1] - used[0]) / 255, rel=1e-5)
    assert rows(*command)[1]["kept"] == 2
    # Another word is another request, and so are numbers.
    for others in (("data",) if words == "percentiles" else ("percentiles",), ("188", "1200")):
        assert rows(*command[:6], *others, "--csv", "own.csv")[1]["kept"] == 0
    said = iqmaps("threshold", "dim.tif", *FAST, f"--data-range={words}").stdout
    assert "counts of the image" in " ".join(said.split())


def test_a_range_is_two_numbers_or_a_word(iqmaps, images):
    for given in (("5", "5"), ("dat", "1"), ("data", "--observer")):
        result = iqmaps("threshold", images / "a.png", *FAST, "--data-range", *given)
        assert result.exit_code == 2
    assert (
        "'dat' is neither a number nor 'data' nor 'percentiles'"
        in iqmaps("threshold", images / "a.png", *FAST, "--data-range", "dat", "1").output
    )
    refused = iqmaps("threshold", images / "a.png", *FAST, "--data-range", "data", "--luminance", "absolute")
    assert "unit says what is white" in " ".join(refused.output.split())


def test_another_observer_is_another_request(rows, images, tmp_path):
    words = ("threshold", "in/a.png", *FAST, "--out", "out")
    usual = rows(*words)[1]["rows"][0]
    status, found = rows(*words, "--observer", "practised")
    assert (status, found["kept"]) == (0, 0)
    assert (usual["observer"], found["rows"][0]["observer"]) == ("everyday", "practised")
    image = iq.read_image(images / "a.png").array
    assert found["rows"][0]["score"] == iq.threshold_map(image, model="contrast", observer="practised").score
    assert iq.read_map(tmp_path / "out" / "a_threshold.tif").info["request"]["observer"] == "practised"
    assert rows(*words, "--observer", "practised")[1]["kept"] == 1


def test_files_patterns_and_folders_each_once(rows, images, monkeypatch):
    for words in (["in/*.png"], ["in"], ["in/a.png", "in/?.png"], ["in/a.png", "in/b.png", "in/c.png", "in"]):
        status, found = rows("threshold", *words, *FAST)
        assert status == 0
        assert [os.path.basename(row["file"]) for row in found["rows"]] == ["a.png", "b.png", "c.png"]  # noqa: PTH119
    (images / "deep").mkdir()
    Image.new("L", (40, 40)).save(images / "deep" / "d.png")
    assert len(rows("threshold", "in/**/*.png", *FAST)[1]["rows"]) == 4
    Image.new("L", (40, 40)).save(images / "img[1].png")
    assert rows("threshold", "in/img[1].png", *FAST)[0] == 0


def test_a_bad_file_does_not_stop_the_rest(iqmaps, rows, images, tmp_path):
    (images / "aa.png").write_text("a text")
    status, found = rows("threshold", "in", "in/nothing.png", *FAST, "--csv", "table.csv")
    assert status == 1
    assert (found["computed"], found["failed"], found["kept"], found["not_reached"]) == (3, 2, 0, 0)
    table = scores(tmp_path / "table.csv")
    assert list(table) == ["a.png", "aa.png", "b.png", "c.png", "nothing.png"]
    assert "not an image" in table["aa.png"]["error"]
    assert "There is no file" in table["nothing.png"]["error"]
    assert table["aa.png"]["score"] == ""
    assert float(table["c.png"]["score"]) > 0
    result = iqmaps("threshold", "in", *FAST)
    assert result.exit_code == 1
    assert "not an image" in result.stderr
    assert "3 computed, 1 failed" in result.stderr


def test_json_is_all_there_is_on_standard_output(rows, images, tmp_path):
    tifffile.imwrite(images / "holes.tif", np.full((40, 40), np.nan, np.float32))
    status, found = rows("threshold", "in/holes.tif", "in/a.png", *FAST, "--data-range", 0, 255, "--out", "out")
    assert status == 0
    holes, good = found["rows"]
    assert holes["score"] is None
    assert "no valid pixel" in holes["not_enough_evidence"]
    assert good["score"] > 0
    assert good["data_range"] == [0, 255]
    assert good["outputs"] == [os.path.join("out", "a_threshold.tif")]  # noqa: PTH118
    assert found["command"] == "threshold"
    assert found["version"] == iq.__version__


def test_float_needs_a_range_and_the_message_names_the_option(iqmaps, rows, tmp_path):
    image = np.random.default_rng(0).random((40, 50), dtype=np.float32)
    tifffile.imwrite(tmp_path / "float.tif", image)
    result = iqmaps("threshold", "float.tif", *FAST)
    assert result.exit_code == 1
    assert "--data-range BLACK WHITE" in result.stderr
    status, found = rows("threshold", "float.tif", *FAST, "--data-range", 0, 1)
    assert status == 0
    assert found["rows"][0]["score"] == pytest.approx(iq.threshold_map(image, data_range=1, model="contrast").score)


def test_channel_axis(rows, tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "rgb.png")
    expected = iq.threshold_map(rgb, channel_axis=-1, model="contrast").score
    for axis in ("auto", "-1", "2"):
        assert rows("threshold", "rgb.png", *FAST, "--channel-axis", axis)[1]["rows"][0]["score"] == expected
    status, found = rows("threshold", "rgb.png", *FAST, "--channel-axis", "none")
    assert status == 1
    assert "--channel-axis" in found["rows"][0]["error"]


def test_a_stack_has_a_score_a_plane(rows, tmp_path):
    stack = np.random.default_rng(0).integers(0, 256, (4, 40, 50), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack", metadata={"axes": "TYX"})
    _, found = rows("threshold", "stack.tif", *FAST, "--out", "out", "--format", "both")
    (row,) = found["rows"]
    np.testing.assert_allclose(row["planes"], iq.threshold_map(stack, model="contrast").score)
    assert iq.read_map(tmp_path / "out" / "stack_threshold.tif").values.shape == (4, 40, 50)


def test_pgm_of_12_bits_is_read_with_its_own_white(rows, tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (40, 50)).astype(">u2")
    (tmp_path / "deep.pgm").write_bytes(b"P5\n50 40\n4095\n" + values.tobytes())
    _, found = rows("threshold", "deep.pgm", *FAST)
    assert found["rows"][0]["data_range"] == [0, 4095]


def test_what_reading_brought_up_stands_in_the_table(rows, iqmaps, images, tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        for shape in ((40, 50), (9, 9)):
            writer.write(np.zeros(shape, np.uint8), photometric="minisblack")
    words = ("threshold", "two.tif", "in/a.png", *FAST, "--out", "out", "--csv", "table.csv")
    for found in (rows(*words)[1], rows(*words)[1]):
        (note,) = found["rows"][0]["notes"]
        assert "2 images" in note
        assert "notes" not in found["rows"][1]
    assert "2 images" in scores(tmp_path / "table.csv")["two.tif"]["notes"]
    assert "2 images" in iqmaps(*words).stdout


# --- resume


def test_finished_maps_are_kept_and_stand_in_the_table(rows, images, tmp_path):
    words = ("threshold", "in", *FAST, "--out", "out", "--format", "both", "--csv", "table.csv")
    _, first = rows(*words)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    table = (tmp_path / "table.csv").read_bytes()
    assert len(times) == 6
    status, second = rows(*words)
    assert (status, second["computed"], second["kept"]) == (0, 0, 3)
    assert second["rows"] == first["rows"]
    assert (tmp_path / "table.csv").read_bytes() == table
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == times
    assert rows(*words, "--overwrite")[1]["computed"] == 3


def test_a_map_is_kept_only_for_the_same_file_and_options(rows, images, tmp_path):
    words = ("threshold", "in", *FAST, "--out", "out")
    rows(*words)
    assert rows(*words, "--stride", 8)[1]["computed"] == 3
    assert rows(*words, "--stride", 8, "--tile", 64)[1]["kept"] == 3  # no value depends on the tile
    assert rows(*words, "--stride", 8, "--data-range", 0, 200)[1]["computed"] == 3
    Image.new("L", (40, 40), 9).save(images / "b.png")
    found = rows(*words, "--stride", 8, "--data-range", 0, 200)[1]
    assert (found["computed"], found["kept"]) == (1, 2)
    (tmp_path / "out" / "c_threshold.tif").write_text("damaged")
    assert rows(*words, "--stride", 8, "--data-range", 0, 200)[1]["computed"] == 1
    # Of two formats, both must be there.
    assert rows(*words, "--stride", 8, "--data-range", 0, 200, "--format", "both")[1]["computed"] == 3


def test_interrupted_and_started_again(rows, iqmaps, images, tmp_path, monkeypatch):
    words = ("threshold", "in", *FAST, "--out", "out", "--csv", "table.csv")
    computed = []

    def stop_at_the_second(*args, _threshold_map=iq.threshold_map, **options):
        computed.append(1)
        if len(computed) == 2:
            raise KeyboardInterrupt
        return _threshold_map(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr("napari_iqmaps.core.visibility.threshold_map", stop_at_the_second)
        result = iqmaps(*words)
    assert result.exit_code == 130
    assert "2 of 3 not done" in result.stderr
    assert list(scores(tmp_path / "table.csv")) == ["a.png"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_threshold.tif"]
    status, found = rows(*words)
    assert (status, found["computed"], found["kept"]) == (0, 2, 1)
    assert list(scores(tmp_path / "table.csv")) == ["a.png", "b.png", "c.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_ends_a_real_batch_cleanly(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800), dtype=np.uint8)
    for number in range(300):
        tifffile.imwrite(tmp_path / f"{number:03}.tif", pixels)
    out = tmp_path / "out"
    # A shell starts its background jobs with SIGINT ignored, and what they start inherits it.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = listening + "import sys; from napari_iqmaps.cli import main; sys.exit(main())"
    words = ["threshold", str(tmp_path), *FAST, "--stride", "1", "--out", str(out), "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        limit = time.monotonic() + 90
        while time.monotonic() < limit and run.poll() is None and not any(out.glob("*.tif")):
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        printed, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    assert "Traceback" not in errors
    found = json.loads(printed)
    assert found["computed"] >= 1
    assert found["not_reached"] >= 1
    assert not list(out.glob(".*"))
    assert len(list(out.glob("*.tif"))) == found["computed"]


# --- names of outputs


def test_maps_are_no_inputs_of_the_next_run(iqmaps, rows, images):
    rows("threshold", "in", *FAST, "--out", "in", "--format", "both")
    result = iqmaps("threshold", "in", *FAST, "--out", "in", "--format", "both")
    assert result.exit_code == 0
    assert "Left out 6 files that are maps" in result.stderr
    assert "3 kept" in result.stderr
    result = iqmaps("threshold", "in/a_threshold.tif", *FAST)
    assert result.exit_code == 2
    assert "nothing left to do" in result.stderr


def test_inputs_that_share_a_stem_get_different_names(rows, images, tmp_path):
    Image.open(images / "a.png").save(images / "a.bmp")
    (tmp_path / "more").mkdir()
    Image.open(images / "a.png").save(tmp_path / "more" / "a.png")
    status, _ = rows("threshold", "in", "more", *FAST, "--out", "out")
    assert status == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "b_threshold.tif", "c_threshold.tif", "in_a-bmp_threshold.tif", "in_a-png_threshold.tif",
        "more_a-png_threshold.tif",
    ]  # fmt: skip


def test_names_that_would_clash_get_a_digest_of_the_path(rows, tmp_path):
    for folder, name in (("x", "y_a.png"), ("x_y", "a.png"), ("z", "a.png"), ("z", "y_a.png")):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("L", (40, 40)).save(tmp_path / folder / name)
    words = ("threshold", "x", "x_y", "z", *FAST, "--out", "out")
    assert rows(*words)[0] == 0
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert rows(*words)[1]["kept"] == 4


def test_names_ignore_case_as_some_file_systems_do(tmp_path):
    assert output_names([tmp_path / "A.png", tmp_path / "a.jpg"]) == ["A-png", "a-jpg"]


def test_what_is_wrong_for_all_is_said_once(iqmaps, images, monkeypatch):
    result = iqmaps("threshold", "in", *FAST, "--device", "abacus")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "abacus" in result.stderr


def test_no_memory_for_one_file_is_that_files_problem(rows, images, monkeypatch):
    def too_large(path, **options):
        if path.name == "b.png":
            raise MemoryError("Unable to allocate 99 GiB")
        return iq.read_image(path, **options)

    monkeypatch.setattr("napari_iqmaps.cli.inputs.read_image", too_large)
    status, found = rows("threshold", "in", *FAST)
    assert (status, found["computed"], found["failed"]) == (1, 2, 1)
    assert "Not enough memory" in found["rows"][1]["error"]


def test_a_file_changed_under_the_same_name_is_another(tmp_path):
    path = tmp_path / "a.png"
    Image.new("L", (4, 4), 1).save(path)
    first = jobs.identity(path)
    Image.new("L", (4, 4), 2).save(path)
    assert jobs.identity(path) != first
