"""Whatever becomes of standard output and of the terminal, what was computed is kept; of the real command."""

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

from napari_iqmaps.core.names import unescaped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="streams and signals of Unix")

COMMAND = [sys.executable, "-c", "from napari_iqmaps.cli import main; main()"]
FAST = ("--model", "contrast")
CHINESE = "\u5199\u771f.png"


@pytest.fixture
def picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (24, 24), dtype=np.uint8)).save("a.png")
    return tmp_path / "a.png"


def shell(command, *words, **environment):
    """Run ``iqmaps`` in a shell, where ``$@`` stands for it and its words; gives the finished process."""
    return subprocess.run(
        ["sh", "-c", command, "sh", *COMMAND, *map(str, words)],
        capture_output=True, check=False, timeout=240, env={**os.environ, **environment},
    )  # fmt: skip


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:  # noqa: PTH123
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("command", "words", "status", "lines"),
    [
        ('"$@" >&-', ("quality", "a.png"), 1, 2),
        ('"$@" >/dev/full', ("quality", "a.png"), 1, 2),
        ('"$@" >&- 2>&-', ("threshold", "a.png", *FAST, "--out", "out"), 1, 0),
    ],
)
def test_the_table_is_there_when_a_stream_is_not(picture, command, words, status, lines):
    found = shell(command, *words, "--csv", "t.csv")
    assert found.returncode == status
    said = found.stderr.decode().splitlines()
    assert len(said) == lines, said
    if lines:
        assert said[-1].startswith("Error: Standard output could not be written (")
    assert [row["file"] for row in rows_of("t.csv")] == ["a.png"]
    if "--out" in words:
        assert os.listdir("out") == ["a_threshold.tif"]  # noqa: PTH208


def test_a_reader_that_goes_away_is_one_line(picture):
    command = '{ "$@"; echo "status $?" >&2; } | true'
    found = shell(command, "weights", "list", "--json")
    said = found.stderr.decode().splitlines()
    assert said[-1] in ("status 0", "status 1")  # it may be gone before or after
    assert len(said) <= 2
    assert "Traceback" not in found.stderr.decode()
    assert b"ignored" not in found.stderr


@pytest.mark.parametrize(("encoding", "words"), [("cp1252", ("quality",)), ("ascii", ("threshold", *FAST))])
def test_terminals_that_lack_characters(picture, encoding, words):
    picture.rename(CHINESE)
    Image.new("L", (24, 24)).save("\u00e9.png")
    words = (*words, CHINESE, "\u00e9.png", "--csv", "t.csv")
    found = shell('"$@"', *words, PYTHONIOENCODING=encoding)
    assert found.returncode == 0, found.stderr
    assert len(rows_of("t.csv")) == 2
    printed = found.stdout.decode(encoding)
    assert "\\u5199\\u771f.png" in printed
    assert ("\u00e9.png" in printed) == (encoding != "ascii")
    assert b"Traceback" not in found.stderr
    found = shell('"$@"', *words, "--json", PYTHONIOENCODING=encoding)
    assert [row["file"] for row in json.loads(found.stdout)["rows"]] == [CHINESE, "\u00e9.png"]


def test_names_that_are_no_characters_or_command_the_terminal(picture):
    names = [b"g\xff.png", b"n\nl\x1b[31m.png", "\u202egnp.png".encode()]
    for name in names:
        os.link(picture, os.path.join(os.fsencode(picture.parent), name))  # noqa: PTH118
    picture.unlink()
    words = ("threshold", ".", *FAST, "--csv", "t.csv", "--out", "out", "--format", "both")
    found = shell('"$@"', *words)
    assert found.returncode == 0, found.stderr
    shown = {"g\\xff.png", "n\\x0al\\x1b[31m.png", "\\u202egnp.png"}
    assert {row["file"] for row in rows_of("t.csv")} == shown
    for printed in (found.stdout, found.stderr):
        assert b"\x1b" not in printed
        assert "\u202e" not in printed.decode()
    assert all(name in found.stderr.decode() for name in shown)  # in the table they may be folded
    again = shell('"$@"', *words, "--json")
    answer = json.loads(again.stdout)
    assert answer["kept"] == 3
    # JSON has its own escape for the end of a line.
    assert {unescaped(row["file"]) for row in answer["rows"]} == set(map(unescaped, shown))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_end_a_batch_in_order(tmp_path, number, status):
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800), dtype=np.uint8)
    for index in range(200):
        tifffile.imwrite(tmp_path / f"{index:03}.tif", pixels)
    out, table = tmp_path / "out", tmp_path / "t.csv"
    words = ["threshold", str(tmp_path), *FAST, "--stride", "1", "--out", str(out), "--csv", str(table)]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        limit = time.monotonic() + 200
        while time.monotonic() < limit and run.poll() is None and not any(out.glob("*.tif")):
            time.sleep(0.05)
        if number == signal.SIGTERM:  # no second process writes the same table
            second = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
            assert second.returncode == 2
            assert f"t.csv is being written by another iqmaps (process {run.pid} on" in second.stderr
        run.send_signal(number)
        _, errors = run.communicate(timeout=100)
    assert run.returncode == status, errors
    assert "Traceback" not in errors
    assert "Interrupted: " in errors
    assert len(rows_of(table)) == len(list(out.iterdir())) >= 1
    assert not list(tmp_path.glob(".*"))


def test_the_table_of_a_batch_whose_maps_vouch_grows_as_well(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800), dtype=np.uint8)
    for index in range(200):
        tifffile.imwrite(tmp_path / f"{index:03}.tif", pixels)
    out, table = tmp_path / "out", tmp_path / "t.csv"
    words = ["threshold", str(tmp_path), *FAST, "--stride", "1", "--out", str(out), "--csv", str(table)]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        limit = time.monotonic() + 200
        while time.monotonic() < limit and run.poll() is None and not table.exists():
            time.sleep(0.05)
        run.kill()
        run.communicate()
    assert rows_of(table)
