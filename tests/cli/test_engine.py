"""The one batch: nothing that one file raises stops the others, whichever command goes over the files."""

import logging

import click
import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq
from napari_iqmaps.cli import engine, inputs
from napari_iqmaps.cli.engine import Plan, run
from napari_iqmaps.cli.jobs import Job
from napari_iqmaps.cli.report import Layout, Report

COMMANDS = {
    "threshold": ("threshold", "in", "--model", "contrast"),
    "threshold with maps": ("threshold", "in", "--model", "contrast", "--out", "out"),
    "visibility": ("visibility", "in", "--reference", "fixed.png", "--model", "contrast"),
    "errors": ("errors", "in", "--model", "diqa"),
    "quality": ("quality", "in", "--model", "diqa"),
    "hide": ("hide", "in", "--text", "iq", "--text-height", 6, "--model", "contrast", "--out", "out"),
    "machine": ("machine", "in"),
    "curves": ("machine", "in", "--curve", "haze", "--severity", 0),
    "register": ("register", "in", "--fixed", "fixed.png", "--method", "phase"),
    "diffdiff": ("diffdiff", "in", "--fixed", "fixed.png", "--registered", "fixed.png"),
    "distort": ("distort", "in", "--distortion", "haze", "--severity", 1, "--out", "out"),
    "compare": ("compare", "pairs.csv", "--method", "none", "--register", "phase", "--no-pictures", "--out", "out"),
}


@pytest.fixture
def files(images, tmp_path):
    pixels = np.random.default_rng(2).integers(0, 256, (40, 56), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "fixed.png")
    lines = (f"in/{name}.png,fixed.png" for name in "abc")
    (tmp_path / "pairs.csv").write_text("\n".join(["moving,fixed", *lines]))


@pytest.mark.parametrize("raised", [ValueError("the tables\nof the codec are odd"), MemoryError(), ZeroDivisionError()])
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_one_bad_file_never_stops_the_rest(rows, iqmaps, files, monkeypatch, words, raised):
    def odd(path, **options):
        if path.name == "b.png":
            raise raised
        return iq.read_image(path, **options)

    monkeypatch.setattr(inputs, "read_image", odd)
    status, found = rows(*words)
    assert status == 1
    assert found["failed"] == 1
    assert {row["file"] for row in found["rows"] if not row.get("error")} == {"in/a.png", "in/c.png"}
    (bad,) = [row for row in found["rows"] if row.get("error")]
    assert bad["file"] == "in/b.png"
    assert "\n" not in bad["error"]
    if isinstance(raised, MemoryError):
        assert "Not enough memory for in/b.png" in bad["error"] or bad["error"] == "MemoryError"
    else:
        assert type(raised).__name__ in bad["error"]
    result = iqmaps(*words, "--overwrite")
    assert result.exit_code == 1
    assert sum(line.startswith("Error: ") for line in result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr
    assert "in/b.png" in result.stderr


def plan_of(work, **more):
    given = {"out": None, "table": None, "resume": True, "request": {}, **more}
    return Plan(kind="test", work=work, layout=Layout("", (), lambda row: ""), columns=(), **given)


@pytest.fixture
def jobs(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [Job(tmp_path / "in" / f"{name}.png", name) for name in "abc"]


def test_what_stopped_a_job_can_be_looked_up(jobs, caplog):
    def work(job, turn):
        raise RuntimeError

    with caplog.at_level(logging.DEBUG, engine.__name__):
        batch = run(plan_of(work), jobs[:1], Report("test", as_json=True))
    assert batch.rows[0]["error"] == "Unexpected RuntimeError"
    assert caplog.records[0].exc_info[0] is RuntimeError


def test_parts_that_fail_are_counted_and_the_same_is_said_once(jobs, capsys):
    def work(job, turn):
        yield {"file": str(job.path), "score": 1.0}
        yield {"file": str(job.path), "score": None, "error": "no colours"}
        yield {"file": str(job.path), "score": None, "error": "no colours"}

    batch = run(plan_of(work, each=4), jobs, Report("test", as_json=True))
    assert batch.counts == {"computed": 3, "kept": 0, "failed": 6, "not_reached": 0}
    assert capsys.readouterr().err.count("no colours") == 3  # once for each file


def test_rows_before_the_failure_stay(jobs):
    def work(job, turn):
        yield {"file": str(job.path), "score": 1.0}
        if job.name == "b":
            raise KeyError("gone")

    batch = run(plan_of(work), jobs, Report("test", as_json=True))
    assert [row.get("error", "") for row in batch.rows] == ["", "", "Unexpected KeyError: 'gone'", ""]
    assert batch.status == 1


def test_wrong_use_that_shows_late_is_no_fault_of_a_file(jobs):
    def work(job, turn):
        raise click.UsageError("no such thing")

    with pytest.raises(click.UsageError):
        run(plan_of(work), jobs, Report("test", as_json=True))


def test_interrupted_it_ends_in_order(jobs, tmp_path):
    def work(job, turn):
        if job.name == "b":
            raise KeyboardInterrupt
        yield {"file": str(job.path), "kind": "test", "score": 1.0, **turn.vouch()}

    batch = run(plan_of(work, table=tmp_path / "t.csv"), jobs, Report("test", as_json=True))
    assert (batch.status, batch.interrupted, batch.counts["not_reached"]) == (130, True, 2)
    assert (tmp_path / "t.csv").read_text().count("a.png") == 1


@pytest.mark.parametrize("name", ["b.png", "B.PNG"])
def test_no_input_is_overwritten_and_no_output_written_twice(jobs, tmp_path, name):
    folder = tmp_path / "in"
    with pytest.raises(click.UsageError, match="is an input and would be overwritten. Choose another --out"):
        run(plan_of(lambda *_: [], out=folder, outputs=lambda job: [folder / name]), jobs[1:2],
            Report("test", as_json=True))  # fmt: skip
    with pytest.raises(click.UsageError, match="A map of .*b.png and one of .*a.png would both be"):
        run(plan_of(lambda *_: [], outputs=lambda job: [tmp_path / "one.tif"]), jobs, Report("test", as_json=True))
    (tmp_path / "link.tif").symlink_to(folder / "b.png")
    with pytest.raises(click.UsageError, match="Choose another name"):
        run(plan_of(lambda *_: [], further=[tmp_path / "link.tif"]), jobs, Report("test", as_json=True))
    (tmp_path / "table.csv").touch()
    with pytest.raises(click.UsageError, match="table.csv is an input"):
        run(plan_of(lambda *_: [], table=tmp_path / "table.csv"), [Job(tmp_path / "table.csv", "t")],
            Report("test", as_json=True))  # fmt: skip
