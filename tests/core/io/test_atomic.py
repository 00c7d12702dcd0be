"""Files that are written whole or not at all: what the system refuses, and what killed writers leave."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import napari_iqmaps as iq
from napari_iqmaps.core.io import atomic
from napari_iqmaps.core.io.atomic import Held, sweep, written_whole
from napari_iqmaps.core.registration.matrix_file import save_matrix

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="devices and signals of Unix")


@pytest.mark.parametrize("name", ["n" * 240 + ".tif", "é" * 125 + ".tif"])
def test_a_name_as_long_as_the_system_allows(tmp_path, name):
    with written_whole(tmp_path / name) as part:
        part.write_text("whole")
        assert len(os.fsencode(part.name)) < 60
    assert (tmp_path / name).read_text() == "whole"


@pytest.mark.parametrize("name", ["n" * 300 + ".tif", "nul\0.tif", "nowhere/a.tif", "."])
def test_whatever_the_system_refuses_is_an_input_error(tmp_path, name):
    with pytest.raises(iq.InputError), written_whole(tmp_path / name) as part:
        part.write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_public_writers_keep_that_promise(tmp_path):
    quality_map = iq.threshold_map(np.zeros((24, 24), np.uint8), model="contrast")
    for folder in (tmp_path / ("n" * 300), tmp_path / "nowhere"):
        with pytest.raises(iq.InputError):
            iq.write_map(quality_map, folder / "x.tif")
        with pytest.raises(iq.InputError):
            save_matrix(folder / "x.json", np.eye(3))


def test_a_folder_that_vanishes(tmp_path):
    (tmp_path / "out").mkdir()

    def write():
        with written_whole(tmp_path / "out" / "a.tif") as part:
            part.write_text("x")
            part.unlink()
            (tmp_path / "out").rmdir()

    with pytest.raises(iq.InputError, match="could not be written"):
        write()


@UNIX
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")  # noqa: PTH110
def test_a_full_disk_and_a_device_in_the_place_of_a_file(tmp_path):
    def write():
        with written_whole(tmp_path / "a.txt") as part, open("/dev/full", "w") as full:  # noqa: PTH123
            part.write_text("x")
            full.write("x")
            full.flush()

    with pytest.raises(iq.InputError, match="No space left"):
        write()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "full.csv").symlink_to("/dev/full")
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("full.csv", "pipe.csv"):
        with pytest.raises(iq.InputError, match="not a regular file"), written_whole(tmp_path / name):
            raise AssertionError
    with pytest.raises(iq.InputError), written_whole("/dev/full/a.csv"):
        raise AssertionError


# --- what killed writers leave

KILLED = """
import os, sys
from napari_iqmaps.core.io.atomic import written_whole
with written_whole(sys.argv[1]) as part:
    part.write_text("half")
    print("begun", flush=True)
    sys.stdin.read()
"""


@UNIX
def test_the_part_of_a_killed_writer_goes_and_that_of_a_running_one_stays(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "a.txt")]
    runs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for run in runs:
            assert run.stdout.readline() == "begun\n"
        assert len(list(tmp_path.iterdir())) == 2
        runs[0].kill()
        runs[0].wait()
        with written_whole(tmp_path / "b.txt") as part:
            part.write_text("whole")
        (left,) = tmp_path.glob(".*.part")
        assert f"-{runs[1].pid}-" in left.name
        runs[1].communicate("")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]
    finally:
        for run in runs:
            run.kill()
            run.communicate()


def test_parts_of_other_machines_go_when_they_are_old(tmp_path):
    young, old, other = (tmp_path / name for name in (
        ".iqmaps-0000abcd-1-00000001.part", ".iqmaps-0000abcd-1-00000002.part", ".somebody.part",
    ))  # fmt: skip
    for path in (young, old, other):
        path.touch()
    past = time.time() - 2 * atomic._ABANDONED
    os.utime(old, (past, past))
    os.utime(other, (past, past))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([young, other])


# --- one writer at a time


def test_one_process_holds_a_file_and_a_dead_one_does_not(tmp_path):
    path = tmp_path / "t.csv"
    hold = "import sys, time; from napari_iqmaps.core.io.atomic import Held; held = Held(sys.argv[1]); "
    command = [sys.executable, "-c", hold + "print('held', flush=True); sys.stdin.read()", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "held\n"
        with pytest.raises(iq.InputError, match=f"t.csv is being written by another iqmaps .process {run.pid} on"):
            Held(path)
        run.kill()
        run.wait()
        held = Held(path)  # the lock file of the dead one is still there
        held.release()
    assert list(tmp_path.iterdir()) == []
    Held(tmp_path / "nowhere" / "t.csv").release()  # what cannot be written shows when it is written
