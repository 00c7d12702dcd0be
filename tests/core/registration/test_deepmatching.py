"""Running DeepMatching: a stand-in program speaks its format, since the real one is another's."""

import os
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_iqmaps as iq

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a script with a shebang")

RNG = np.random.default_rng(0)
MOVING = RNG.integers(0, 256, (40, 60)).astype(np.uint8)
FIXED = RNG.integers(0, 256, (40, 60)).astype(np.uint8)

TALKING = """
from PIL import Image
first, second = (Image.open(path) for path in sys.argv[1:3])
print(3, 4, first.getpixel((3, 4)), second.getpixel((3, 4)), 1.5, 0)
print(first.width, first.height, len(sys.argv), sys.argv[3:].count('-nt'), 0.25, 1)
"""


@pytest.fixture
def stand_in(tmp_path):
    def make(body, name="deep matching"):
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\nimport sys, os, time\n{body}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


def test_images_and_options_arrive_and_points_come_back(stand_in):
    calls = []
    table = iq.run_deepmatching(
        stand_in(TALKING), MOVING, FIXED, options=("-nt", "2"), progress=lambda *step: calls.append(step)
    )
    assert table.moving_points.tolist() == [[3, 4], [60, 40]]
    assert table.fixed_points.tolist() == [[MOVING[4, 3], FIXED[4, 3]], [5, 1]]
    assert table.score.tolist() == [1.5, 0.25]
    assert (table.moving_shape, table.fixed_shape) == ((40, 60), (40, 60))
    assert calls[-1] == (1, 1)


def test_files_are_read(stand_in, tmp_path):
    paths = [tmp_path / "one picture.png", tmp_path / "two.png"]  # a blank in a name split the notebook's command
    for path, image in zip(paths, (MOVING, FIXED), strict=True):
        Image.fromarray(image).save(path)
    table = iq.run_deepmatching(stand_in(TALKING), *map(str, paths))
    assert table.fixed_points[0].tolist() == [MOVING[4, 3], FIXED[4, 3]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('no file', file=sys.stderr); sys.exit(3)", "failed with status 3: no file"),
        ("os.kill(os.getpid(), 9)", "failed with status -9: it says nothing"),
        ("print('too dark', file=sys.stderr)", "found no match: too dark"),
        ("print('1 2 3 4 5 6'); print('1 2 3')", "DeepMatching's output, line 2, has 3 values"),
        ("time.sleep(60)", r"did not finish in 0.3 s. Give a longer timeout"),
    ],
    ids=["status", "killed", "empty", "malformed", "timeout"],
)
def test_what_goes_wrong_is_said(stand_in, body, message):
    with pytest.raises(iq.InputError, match=message):
        iq.run_deepmatching(stand_in(body), MOVING, FIXED, timeout=0.3 if "sleep" in body else 60)


def test_a_program_that_is_none(tmp_path, stand_in):
    with pytest.raises(iq.InputError, match="There is no program"):
        iq.run_deepmatching(tmp_path / "missing", MOVING, FIXED)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(iq.InputError, match="may be run"):
        iq.run_deepmatching(tmp_path / "text", MOVING, FIXED)
    broken = stand_in("", name="broken")
    broken.write_bytes(b"\x7fELF nothing")
    with pytest.raises(iq.InputError, match="could not be started"):
        iq.run_deepmatching(broken, MOVING, FIXED)


def test_cancelling_stops_the_program_and_what_it_started(stand_in, tmp_path):
    body = f"""
import subprocess
child = subprocess.Popen(['sleep', '60'])
open({str(tmp_path / "pids")!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} ')
time.sleep(60)
"""

    def stop(done, total):
        if Path(tmp_path / "pids").exists() and Path(tmp_path / "pids").read_text().endswith(" "):
            raise iq.Cancelled

    with pytest.raises(iq.Cancelled):
        iq.run_deepmatching(stand_in(body), MOVING, FIXED, progress=stop)
    own, child = map(int, (tmp_path / "pids").read_text().split())
    assert not Path(f"/proc/{own}").exists() or not Path("/proc").exists()
    end = time.monotonic() + 10
    while _runs(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] not in "ZX"
    except OSError:
        return False


def test_resize_needs_one_size(stand_in):
    with pytest.raises(iq.InputError, match="-resize needs two images of one size; these have 40x60 and 40x50"):
        iq.run_deepmatching(stand_in(TALKING), MOVING, FIXED[:, :50], options=("-resize", "500", "500"))


def test_stacks_are_refused(stand_in):
    with pytest.raises(iq.InputError, match="is a stack"):
        iq.run_deepmatching(stand_in(TALKING), np.stack([MOVING] * 2), FIXED)
