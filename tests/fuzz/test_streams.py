"""Wherever the words of a command go, and whatever they can be written in, the table is there."""

import csv

import numpy as np
import pytest
from PIL import Image

from .process import IQMAPS, run

NAME = "写真.png"


@pytest.fixture
def quality(tmp_path):
    """Run ``iqmaps quality`` on a picture whose name few encodings have; gives how it ended, and the table."""
    noise = np.random.default_rng(1).integers(0, 256, (48, 56), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / NAME)

    def call(*before, **more):
        ended = run(*before, *IQMAPS, "quality", NAME, "--csv", "t.csv", folder=tmp_path, **more)
        table = tmp_path / "t.csv"
        with table.open(encoding="utf-8-sig", newline="") as file:
            return ended, list(csv.DictReader(file))

    return call


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_that_lacks_the_letters(quality, encoding):
    ended, rows = quality(env={"PYTHONIOENCODING": encoding})
    assert (ended.status, len(rows)) == (0, 1), ended.err
    assert rows[0]["file"] == NAME
    assert rows[0]["score"]
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("stream", ["1>&-", "1>/dev/full"])
def test_a_stream_that_takes_nothing(quality, stream):
    """It is closed, or what it leads to is full."""
    ended, rows = quality("sh", "-c", f'exec "$@" {stream}', "sh")
    assert len(rows) == 1
    assert rows[0]["score"]
    assert ended.status in (0, 1)
    assert "Traceback" not in ended.err
    assert "Exception ignored" not in ended.err
