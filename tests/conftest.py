"""Options and processes of all tests, and an orderly end of them: threads first, then the display, then the process."""

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


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Run the whole suite in two processes, a file in one of them; what is named on the command line in this one.

    An option of pytest-xdist says otherwise: ``-n 0``, ``-n 8``. Where it is not installed, there is one process.
    """
    options = config.option
    if not hasattr(options, "numprocesses") or "PYTEST_XDIST_WORKER" in os.environ:
        return
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if options.numprocesses is None and options.dist == "no" and not options.tx and whole and not options.usepdb:
        options.numprocesses = 2
    if options.numprocesses:
        if options.dist == "no":
            options.dist = "loadfile"
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes do not take each other's cores


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
