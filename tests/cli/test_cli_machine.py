"""``iqmaps machine``: scores and maps of the core, and curves that are kept as they are made."""

import csv
import math

import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.core import distortions as bank
from napari_iqmaps.core import machine_curve as curves
from napari_iqmaps.core.io.map_file import read_record
from napari_iqmaps.core.io.score_table import read_scores
from napari_iqmaps.core.machine_curve import COLUMNS

COLOURS = np.random.default_rng(2).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """An untrained metrifier whose score falls with the contrast."""
    import torch

    from napari_iqmaps.core.networks.metrifier import Metrifier
    from napari_iqmaps.training.weights import write_weights

    path = tmp_path_factory.mktemp("weights") / "own.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = Metrifier()
    with torch.no_grad():
        network.uncertainty.knots[:] = torch.linspace(0, 1, len(network.uncertainty.knots))
        network.uncertainty.deviations.fill_(0.125)
    write_weights(path, "metrifier", network, {})
    return path


@pytest.fixture
def level(images, weights):
    """Give a level that the score of the first image crosses between two severities of a distortion."""

    def crossed(name):
        found = iq.machine_curve(iq.read_image(images / "a.png").array, name, weights=weights)
        return float((found.scores.min() + found.scores.max()) / 2)

    return crossed


def test_scores_are_those_of_the_core(rows, iqmaps, images, weights, tmp_path):
    Image.fromarray(COLOURS).save(images / "c.png")
    words = ("machine", "in", "--weights", weights, "--csv", "table.csv")
    status, found = rows(*words)
    assert (status, found["computed"]) == (0, 3)
    for row in found["rows"]:
        file = iq.read_image(tmp_path / row["file"])
        expected = iq.machine_quality(file.array, channel_axis=file.channel_axis, weights=weights)
        assert row["score"] == expected.value
        assert row["uncertainty"] == 0.125
        assert (row["kind"], row["unit"], row["scales"]) == ("machine_quality", "probability", [1])
    _, second = rows(*words)
    assert (second["kept"], second["rows"]) == (3, found["rows"])
    shown = iqmaps("machine", "in/a.png", "--weights", weights).stdout
    score = found["rows"][0]["score"]
    assert f"{score:.2f} of 1 (1 best, 0 worst), give or take 0.12" in " ".join(shown.split())


def test_maps_are_written_and_kept(rows, images, weights, tmp_path):
    words = ("machine", "in", "--weights", weights, "--out", "out", "--format", "both")
    _, first = rows(*words)
    found = iq.read_map(tmp_path / "out" / "a_machine_quality.tif")
    expected = iq.machine_quality_map(iq.read_image(images / "a.png").array, weights=weights)
    np.testing.assert_array_equal(found.values, expected.values)
    assert first["rows"][0]["score"] == found.score
    assert read_record(tmp_path / "out" / "a_machine_quality.png")["kind"] == "machine_quality"
    _, second = rows(*words)
    assert (second["kept"], second["rows"]) == (3, first["rows"])


def test_too_little_evidence_is_said(rows, iqmaps, images, weights):
    Image.new("L", (60, 60), 90).save(images / "a.png")
    Image.fromarray(COLOURS[:17]).save(images / "b.png")
    (images / "c.png").write_text("a text")
    status, found = rows("machine", "in", "--weights", weights)
    uniform, few, text = found["rows"]
    assert (status, uniform["score"]) == (1, None)
    assert uniform["not_enough_evidence"]
    assert isinstance(few["score"], float)
    assert few["not_enough_evidence"]
    assert "not an image" in text["error"]
    shown = iqmaps("machine", "in", "--weights", weights).stdout
    assert shown.count("not enough: ") == 2


def test_curves_are_those_of_the_core(rows, iqmaps, images, weights, level, tmp_path):
    Image.fromarray(COLOURS).save(images / "c.png")
    limit = level("contrast_loss")
    words = ("machine", "in/a.png", "in/c.png", "--curve", "contrast_loss,gaussian_noise", "--weights", weights,
             "--seed", 4, "--fails-below", limit, "--csv", "t.csv")  # fmt: skip
    status, found = rows(*words)
    assert (status, found["computed"]) == (0, 24)
    for name in ("contrast_loss", "gaussian_noise"):
        for path in ("in/a.png", "in/c.png"):
            file = iq.read_image(tmp_path / path)
            expected = iq.machine_curve(
                file.array, name, seed=4, fails_below=limit, channel_axis=file.channel_axis, weights=weights
            )
            of_curve = [row for row in found["rows"] if (row["file"], row["distortion"]) == (path, name)]
            assert [row["severity"] for row in of_curve] == [0, 1, 2, 3, 4, 5]
            assert [row["score"] for row in of_curve] == expected.scores.tolist()
            fails_at = expected.fails_at if math.isfinite(expected.fails_at) else None
            assert {row["fails_at"] for row in of_curve} == {fails_at}
            assert [row["strength"] for row in of_curve] == [row["strength"] for row in expected.rows()]
    first = found["rows"][:6]
    assert 0 <= first[0]["fails_at"] < 5
    with (tmp_path / "t.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [float(row["score"]) for row in cells] == [row["score"] for row in found["rows"]]
    shown = iqmaps(*words, "--curve", "contrast_loss").stdout
    line = next(line for line in shown.splitlines() if "a.png" in line)
    texts = [cell.strip() for cell in line.split("│")]
    assert texts[3:9] == [f"{row['score']:.2f}" for row in first]
    assert texts[9] == f"{first[0]['fails_at']:.2g}"


def test_one_curve_is_said_in_words(iqmaps, images, weights):
    words = ("machine", "in/a.png", "--curve", "jpeg", "--severity", "5,0", "--weights", weights)
    said = " ".join(iqmaps(*words, "--fails-below", 0.001).stdout.split())
    expected = iq.machine_curve(
        iq.read_image(images / "a.png").array, "jpeg", severities=(0, 5), fails_below=0.001, weights=weights
    )
    assert expected.sentence() in said
    assert "does not fall below 0.001" in said


@pytest.mark.parametrize("table", ["t.csv", "t.json"])
def test_curves_in_the_table_are_not_made_again(rows, images, weights, tmp_path, table):
    words = ("machine", "in", "--curve", "jpeg,darkening", "--severity", "0,2", "--weights", weights, "--csv", table)
    _, first = rows(*words)
    before = (tmp_path / table).read_bytes()
    _, second = rows(*words, "--tile", 32)
    assert (second["computed"], second["kept"]) == (0, 12)
    assert second["rows"] == first["rows"]
    assert (tmp_path / table).read_bytes() == before
    Image.fromarray(COLOURS[..., 0]).save(images / "b.png")
    _, third = rows(*words, "--curve", "haze")
    assert (third["computed"], third["kept"]) == (10, 8)
    assert rows(*words, "--seed", 1)[1]["kept"] == 0
    assert rows(*words, "--seed", 1, "--overwrite")[1]["kept"] == 0


def test_interrupted_curves_go_on(rows, iqmaps, images, weights, monkeypatch):
    words = ("machine", "in", "--curve", "jpeg,haze", "--severity", "0,2", "--weights", weights, "--csv", "t.csv")

    def interrupted_after(count):
        made = []

        def stop(*args, **options):
            if len(made) == count:
                raise KeyboardInterrupt
            made.append(args)
            return iq.machine_curve(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(curves, "machine_curve", stop)
            return iqmaps(*words, "--plot", "p.png")

    result = interrupted_after(3)
    assert result.exit_code == 130
    assert "Interrupted: 6 of 12 not done. The rows in the table are kept" in result.stderr
    # One stopped earlier than the first forgets nothing, a file's other curves neither.
    Image.fromarray(COLOURS[..., 0]).save(images / "a.png")
    assert interrupted_after(1).exit_code == 130
    kept = [(row["file"], row["distortion"]) for row in read_scores("t.csv", COLUMNS)]
    assert kept == [("in/a.png", "jpeg")] * 2 + [("in/a.png", "haze")] * 2 + [("in/b.png", "jpeg")] * 2
    status, found = rows(*words)
    assert (status, found["kept"], found["computed"]) == (0, 4, 8)


def test_colours_are_left_out_of_all_and_wrong_by_name(rows, images, weights, monkeypatch):
    monkeypatch.setattr(bank, "distortions", lambda: ("haze", "colour_cast"))
    Image.fromarray(COLOURS).save(images / "c.png")
    (images / "d.png").write_text("a text")
    words = ("machine", "in", "--severity", 3, "--weights", weights, "--curve")
    status, found = rows(*words, "all")
    assert (status, found["computed"], found["failed"], found["not_reached"]) == (1, 4, 1, 0)
    assert [row["distortion"] for row in found["rows"][:4]] == ["haze", "haze", "haze", "colour_cast"]
    status, found = rows(*words, "colour_cast,haze")
    assert (status, found["computed"], found["failed"], found["not_reached"]) == (1, 4, 3, 0)
    assert "is grey, and colour_cast changes only colours" in found["rows"][0]["error"]


def test_plots_of_all_and_of_each_are_no_inputs(rows, iqmaps, images, weights, tmp_path):
    (images / "c.png").unlink()
    words = ("machine", "in", "--curve", "jpeg", "--severity", "0,3", "--weights", weights, "--csv", "t.csv")
    result = iqmaps(*words, "--out", "in", "--plot", "all.png")
    assert (result.exit_code, "Plotted in all.png." in result.stderr) == (0, True)
    assert read_record(tmp_path / "all.png")["info"]["images"] == ["a", "b"]
    record = read_record(images / "b_machine_curve.png")
    assert (record["kind"], record["info"]["images"]) == ("machine_curve", ["b"])
    status, found = rows(*words)
    assert (status, found["kept"], len(found["rows"])) == (0, 4, 4)
    # Of kept rows the plot is drawn as well, and is the same.
    before = (tmp_path / "all.png").read_bytes()
    iqmaps(*words, "--plot", "again.png")
    assert (tmp_path / "again.png").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--plot", "p.png"), "--plot belongs to --curve"),
        (("--severity", 3), "--severity belongs to --curve"),
        (("--curve", "jpg"), "Did you mean jpeg"),
        (("--curve", "jpeg", "--severity", "0.5"), "or 0 for the image itself"),
        (("--curve", "jpeg", "--fails-below", 1), "0<x<1"),
        (("--curve", "jpeg", "--plot", "in/a.png"), "would be overwritten"),
        (("--curve", "jpeg", "--plot", "p.pdf"), "should end in .png"),
        (("--curve", "jpeg", "--device", "abacus"), "abacus"),
        (("--weights", "nothing"), "nothing"),
    ],
)
def test_wrong_use_is_told_in_one_line(iqmaps, images, weights, tmp_path, words, says):
    given = words if "--weights" in words else (*words, "--weights", weights)
    result = iqmaps("machine", "in", *given, "--csv", "t.csv")
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "t.csv").exists()
