"""``iqmaps compare``: rows that are kept, tables and pictures that follow from them, and what goes wrong by name."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from skimage import data, transform

from napari_iqmaps.cli import compare
from napari_iqmaps.core.comparison.compare import outcome_of
from napari_iqmaps.core.io.map_file import read_record

QUICK = ("--register", "fast", "--no-pictures")
FAST = (*QUICK, "--method", "none,downsample")
TABLES = ("pairs.csv", "summary.csv", "summary.md", "summary.tex", "paired.csv", "best_of_methods.csv", "scorings.csv")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Three frames of a shaken photograph under changing light; the numbers in their names are out of order."""
    folder = tmp_path_factory.mktemp("view")
    photograph = data.camera() / 255
    for number, turn, right, down, light in ((2, 0, 0, 0, 0), (9, 0.02, 3, -2, 25), (10, -0.01, -4, 2, -20)):
        moved = transform.SimilarityTransform(rotation=turn, translation=(230 + right, 130 + down))
        image = 255 * transform.warp(photograph, moved, output_shape=(144, 176), order=3)
        image = image * np.linspace(1, 1 + light / 100, 176) + light
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def frames(photographs, tmp_path):
    """A copy that a test may break."""
    return shutil.copytree(photographs, tmp_path / "view")


def read_table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_compared(iqmaps, frames, tmp_path):
    result = iqmaps("compare", "view", *FAST, "--out", "out")
    assert result.exit_code == 0, result.stderr
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == set(TABLES)
    rows = read_table(out / "pairs.csv")
    named = [(row["file"], row["fixed"], row["method"]) for row in rows]
    assert named == [
        (f"view/{moving}.png", f"view/{fixed}.png", name)
        for moving, fixed in ((2, 9), (2, 10), (9, 10)) for name in ("none", "downsample")
    ]  # fmt: skip
    assert {(row["category"], row["registration"], row["scoring"]) for row in rows} == {("better", "fast", "smooth")}
    assert [(row["method"], row["better"]) for row in read_table(out / "summary.csv")] == [
        ("none", "3"), ("downsample", "3"),
    ]  # fmt: skip
    assert r"\textbf{downsample} & 3" in (out / "summary.tex").read_text(encoding="utf-8")
    assert "| downsample | 3 | 3 |" in (out / "summary.md").read_text(encoding="utf-8")
    assert {row["baseline"] for row in read_table(out / "paired.csv")} == {"none"}
    assert "Pairs that got better or worse, judged on 'smooth'" in result.stdout
    assert re.search(r"downsample against none: .* on 3 pairs", result.stdout)
    assert "[1/6] view/2.png: to 9.png by none: better, score" in result.stderr
    assert "6 judgements computed; all in out." in result.stderr


def test_the_best_and_the_worst_pair_are_shown(iqmaps, frames, tmp_path):
    result = iqmaps("compare", "view", "--register", "fast", "--method", "none", "--out", "out")
    assert result.exit_code == 0, result.stderr
    out = tmp_path / "out"
    rows = sorted(read_table(out / "pairs.csv"), key=lambda row: float(row["score"]))
    for word, row in (("worst", rows[0]), ("best", rows[-1])):
        record = read_record(out / f"{word}_none.png")
        names = [row[name].removeprefix("view/") for name in ("file", "fixed")]
        assert record["title"] == f"{names[0]} to {names[1]} by none, judged on smooth"
        assert record["info"]["score"] == pytest.approx(float(row["score"]), abs=1e-6)
    assert {path.name for path in out.glob("*.png")} == {"best_none.png", "worst_none.png"}


def test_what_is_done_is_kept_until_it_changes(rows, frames, tmp_path):
    words = ("compare", "view", *QUICK, "--out", "out", "--pairs", "first")

    def run(*more):
        status, found = rows(*words, *more)
        return status, found["computed"], found["kept"]

    assert run("--method", "none") == (0, 2, 0)
    before = (tmp_path / "out" / "pairs.csv").read_text()
    assert run("--method", "none") == (0, 0, 2)
    assert (tmp_path / "out" / "pairs.csv").read_text() == before
    # A method more, a scoring more: only these are computed, and the registrations are not done again.
    assert run("--method", "none,downsample") == (0, 2, 2)
    assert run("--method", "none,downsample", "--scoring", "smooth,none") == (0, 4, 4)
    assert run("--method", "none", "--overwrite") == (0, 2, 0)
    # Another option, or another image under an old name, is not the same.
    assert run("--method", "none", "--tol", "9") == (0, 2, 0)
    assert run("--method", "none", "--tol", "9") == (0, 0, 2)
    shutil.copy(frames / "9.png", frames / "10.png")
    assert run("--method", "none", "--tol", "9") == (0, 1, 1)


def test_a_known_registration_is_judged_anew_without_registering(rows, frames, tmp_path, monkeypatch):
    words = ("compare", "view", *QUICK, "--method", "none", "--out", "out", "--pairs", "first")
    first = rows(*words)[1]["rows"]
    monkeypatch.setattr(compare, "outcome_of", None)  # nothing can be registered any more
    status, found = rows(*words, "--scoring", "smooth,bilateral")
    assert (status, found["computed"], found["kept"]) == (0, 2, 2)
    kept = [row for row in found["rows"] if row["scoring"] == "smooth"]
    assert kept == first
    matrices = {row["scoring"]: [row[name] for name in ("h11", "h13", "h32")] for row in found["rows"][:2]}
    assert matrices["smooth"] == matrices["bilateral"]
    assert {row["registration"] for row in found["rows"]} == {"fast"}


def test_interrupted_and_started_again(rows, iqmaps, frames, tmp_path, monkeypatch):
    words = ("compare", "view", *FAST, "--pairs", "first", "--out", "out")
    done = []

    def stop_at_the_third(*args, **options):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(outcome_of(*args, **options))
        return done[-1]

    with monkeypatch.context() as patch:
        patch.setattr(compare, "outcome_of", stop_at_the_third)
        result = iqmaps(*words)
    assert result.exit_code == 130
    assert "Interrupted: 2 of 4 not done. The rows in out/pairs.csv are kept" in result.stderr
    assert len(read_table(tmp_path / "out" / "pairs.csv")) == 2
    assert [row["pairs"] for row in read_table(tmp_path / "out" / "summary.csv")] == ["1", "1"]
    status, found = rows(*words)
    assert (status, found["computed"], found["kept"], found["not_reached"]) == (0, 2, 2, 0)
    rows(*words, "--out", "whole")
    whole, resumed = (read_table(tmp_path / name / "pairs.csv") for name in ("whole", "out"))
    assert whole == resumed


def test_what_goes_wrong_is_counted_apart_and_named(rows, iqmaps, frames, tmp_path):
    (frames / "11.png").write_bytes((frames / "2.png").read_bytes()[:300])
    Image.fromarray(np.full((144, 176), 90, np.uint8)).save(frames / "12.png")
    words = ("compare", "view", *QUICK, "--method", "none,none@phase", "--out", "out", "--pairs", "first")
    result = iqmaps(*words)
    assert result.exit_code == 1
    assert result.stderr.count("view/11.png is damaged") == 1  # not once for each method
    status, found = rows(*words)
    assert (status, found["failed"], found["refused"], found["kept"]) == (1, 2, 2, 6)
    by_name = {(row["file"], row["method"]): row for row in found["rows"]}
    assert "is damaged" in by_name["view/11.png", "none"]["error"]
    assert by_name["view/11.png", "none"]["score"] is None
    refused = by_name["view/12.png", "none@phase"]
    assert (refused["category"], refused["error"]) == ("refused", "")
    assert refused["reason"] == refused["not_enough_evidence"]
    assert [(row["better"], row["refused"], row["failed"]) for row in found["summary"]] == [(2, 1, 1)] * 2
    # A refusal is a result, and a failure only where it was said so.
    (frames / "11.png").unlink()
    assert iqmaps(*words).exit_code == 0
    assert iqmaps(*words, "--strict").exit_code == 1


def test_a_list_of_pairs_with_a_file_that_is_not_there(rows, frames, tmp_path):
    path = frames / "list.csv"
    path.write_text("moving,fixed\n10.png,2.png\n9.png,gone.png\n")
    status, found = rows("compare", path, *FAST, "--out", "out", "--baseline", "downsample")
    assert (status, found["failed"], found["computed"], found["baseline"]) == (1, 2, 2, "downsample")
    assert "There is no file" in found["rows"][2]["error"]
    assert {(one["method"], one["pairs"]) for one in found["paired"]} == {("none", 1)}


def test_points_matched_elsewhere_are_a_method(rows, frames, tmp_path):
    # As DeepMatching prints them for 9.png and 2.png: the true motion of the fixture, on a grid of points.
    (tmp_path / "deep").mkdir()
    turn = transform.SimilarityTransform(rotation=0.02, translation=(233, 128))
    points = np.stack(np.meshgrid(np.arange(8, 170, 8), np.arange(8, 140, 8)), axis=-1).reshape(-1, 2)
    there = turn(points) - [230, 130]
    lines = [f"{x} {y} {u:.2f} {v:.2f} 2.5 {n}" for n, ((x, y), (u, v)) in enumerate(zip(points, there, strict=True))]
    (tmp_path / "deep" / "9_to_2.csv").write_text("\n".join(lines) + "\n")
    words = ("compare", "view", "--pairs", "first", "--no-pictures", "--out", "out", "--matches", "deep=deep")
    status, found = rows(*words)
    assert (status, [row["method"] for row in found["rows"]]) == (1, ["deep", "deep"])
    assert [row["category"] for row in found["rows"]] == ["better", "failed"]
    assert found["rows"][0]["score"] > 0.9
    assert "deep holds no 10_to_2.csv" in found["rows"][1]["error"]
    # Other points are another method.
    assert rows(*words)[1]["kept"] == 1
    (tmp_path / "deep" / "9_to_2.csv").write_text("\n".join(lines[::2]) + "\n")
    assert rows(*words)[1]["kept"] == 0


def test_methods_may_differ_in_the_registration(rows, frames):
    words = (*QUICK, "--method", "none", "--method", "none@phase,downsample@phase", "--pairs", 1)
    status, found = rows("compare", "view", *words, "--out", "out", "--seed", 4)
    assert status == 0
    assert [row["method"] for row in found["summary"]] == ["none", "none@phase", "downsample@phase"]
    assert {row["registration"] for row in found["rows"]} == {"fast", "phase"}


def test_the_judge_that_favours_a_method_is_named(iqmaps, frames):
    words = ("compare", "view", *QUICK, "--pairs", "first", "--out", "out", "--method")
    result = iqmaps(*words, "bilateral", "--scoring", "bilateral,smooth")
    assert "bilateral is judged on the very images that it registers" in result.stderr
    assert "Judging on 'smooth' gives the same order of methods as judging on 'bilateral'" in result.stdout
    (frames / "10.png").unlink()
    assert "favours" not in iqmaps(*words, "none").stderr


def test_steps_are_listed(iqmaps):
    assert "downsample[:2]" in iqmaps("compare", "--list").stdout
    names = {step["name"] for step in json.loads(iqmaps("compare", "--list", "--json").stdout)}
    assert {"none", "downsample", "clahe-light", "clahe-heavy", "bilateral", "nlmeans"} <= names


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Say which images to compare on"),
        (("view",), "Say where to write the results"),
        (("view", "--out", "view"), "view holds the images"),
        (("view/2.png", "--out", "out"), "A pair needs two images, and there is 1"),
        (("empty", "--out", "out"), "empty holds no images"),
        (("view", "--out", "out", "--method", "blur"), "There is no preprocessing 'blur'"),
        (("view", "--out", "out", "--method", "none@magic"), "There is no registration 'magic'"),
        (("view", "--out", "out", "--scoring", "downsample:99"), "a whole number from 2 to 16"),
        (("view", "--out", "out", "--baseline", "smooth"), "'smooth' is none of the methods compared"),
        (("view", "--out", "out", "--matches", "deep"), "Say NAME=FOLDER"),
        (("view", "--out", "out", "--method", "none", "--matches", "none=view"), "Two methods are called 'none'"),
        (("view", "--out", "out", "--pairs", "some"), "neither 'first' nor 'all' nor a number of pairs"),
        (("view", "--out", "out", "--tol", "-1"), "neither 'auto' nor a number of grey levels"),
        (("view", "--out", "out", "--grid", "5"), "neither ROWSxCOLUMNS"),
        (("view", "--out", "out", "--illumination", "magic"), "'magic' is not one of"),
        (("list.csv", "view", "--out", "out"), "give it alone"),
        (("none.csv", "--out", "out"), "There is no file none.csv"),
    ],
)
def test_wrong_use(iqmaps, frames, tmp_path, words, says):
    (tmp_path / "empty").mkdir()
    result = iqmaps("compare", *words)
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
