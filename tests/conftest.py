"""Options of all tests, and an orderly end of them: threads first, then the display, then the process."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

# What whoever runs the tests has set in napari's preferences is not read, and not written.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="napari-iqmaps-tests-")) / "settings.yaml")

_status = pytest.StashKey[int]()


def pytest_addoption(parser):
    """Options of tests/golden; here, since pytest takes options only from the conftest of the folder it starts in."""
    group = parser.getgroup("golden")
    group.addoption("--freeze", action="store_true", help="write the frozen outputs of tests/golden anew")
    group.addoption("--golden-strict", action="store_true", help="compare the outputs of tests/golden within 1e-6")


def pytest_sessionfinish(session, exitstatus):
    session.config.stash[_status] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Leave with pytest's status, without the interpreter's own teardown, where pytest-xvfb runs the display.

    With Qt, OpenGL and torch loaded, that teardown crashed once in nine runs, when every result had been written. No
    test is about it, and no result can be lost: all of them are out when this hook is called.
    """
    xvfb = getattr(sys.modules.get("pytest_xvfb"), "xvfb_instance", None)
    if xvfb is None or "qtpy.QtCore" not in sys.modules or _status not in config.stash:
        return
    from qtpy.QtCore import QThreadPool

    QThreadPool.globalInstance().waitForDone(30_000)
    xvfb.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.stash[_status])
