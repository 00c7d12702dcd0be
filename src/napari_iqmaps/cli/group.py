"""A click group that knows its commands by name and imports them late, and that ends every error in one line."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from .. import __version__
from ..core.errors import IqmapsError
from .streams import Streams, echo, listen, status_of

# Before click 8.2 there was no such error, and help was printed in its place.
_NO_WORDS: type[click.UsageError] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())

_RANGE = "--data-range"
_IN_OPTIONS = {
    "most_pixels": "--most-pixels NUMBER",
    "data_range": f"{_RANGE} BLACK WHITE",
    "channel_axis": "--channel-axis NUMBER",
    "Leave luminance": "--luminance code",
    "peak_luminance": "--peak CD/M2",
    "black_level": "--black CD/M2",
    "weights=": "--weights PATH",
    "device=": "--device NAME",
}


class LazyCommand(NamedTuple):
    """Where a command is, and what the list of commands says of it.

    `target`: module in the package of the group, and name in the module: ``"demo:demo"``.
    """

    target: str
    short_help: str
    extra: str = ""
    needs: tuple[str, ...] = ()


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called.

    `lazy`: name to `LazyCommand`, in the order of the list.
    """

    def __init__(self, *, package: str, lazy: Mapping[str, LazyCommand], **attributes: Any) -> None:
        attributes.setdefault("context_settings", {"help_option_names": ["-h", "--help"]})
        super().__init__(**attributes)
        self._package = package
        self._lazy = lazy
        click.version_option(__version__, prog_name="iqmaps")(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of a first visit."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._lazy:
            return None
        entry = self._lazy[cmd_name]
        module, _, name = entry.target.partition(":")
        command = getattr(import_module(f".{module}", self._package), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.short_help) for name, entry in self._lazy.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; turn what was raised on purpose into one line and an exit status."""
        run: Any = super().main
        args = _with_both(sys.argv[1:] if args is None else args)
        if not standalone_mode:
            return run(args, prog_name, complete_var, False, windows_expand_args, **extra)
        streams = Streams()
        listen()
        status = self._status(lambda: run(args, prog_name, complete_var, False, windows_expand_args, **extra))
        if failure := streams.failure():
            echo(f"Error: {failure}", err=True)
            status = status or 1
        leave_unheard(status)
        sys.exit(status)

    def _status(self, run: Callable[[], Any]) -> int:
        """Run, say in one line what was wrong, and give the exit status."""
        try:
            status = run()
        except _NO_WORDS as error:  # a group by itself: its help, as it is
            error.show()
            return error.exit_code
        except click.ClickException as error:
            # click's own form of a usage error has four lines.
            context = error.ctx if isinstance(error, click.UsageError) else None
            more = f" See '{context.command_path} --help'." if context else ""
            echo(f"Error: {in_one_line(error.format_message())}{more}", err=True)
            return error.exit_code
        except IqmapsError as error:
            echo(f"Error: {in_one_line(error)}", err=True)
            return 2
        except ModuleNotFoundError as error:
            echo(f"Error: {self._remedy(error)}", err=True)
            return 2
        except (click.Abort, KeyboardInterrupt) as error:
            echo("Interrupted.", err=True)
            return status_of(error)
        return status if isinstance(status, int) else 0

    def _remedy(self, error: ModuleNotFoundError) -> str:
        """Say how to install what a command needs; a module that no extra brings is a bug."""
        missing = (error.name or "").partition(".")[0]
        extra = next((entry.extra for entry in self._lazy.values() if missing in entry.needs), None)
        if extra is None:
            raise error
        return f'This needs {missing}, which is not installed. Install it: pip install "napari-iqmaps[{extra}]"'


def _with_both(args: Sequence[str]) -> list[str]:
    """Say twice the one word that may stand for both numbers of a range: an option takes as many words as it takes."""
    if not any(word.startswith(_RANGE) for word in args):
        return list(args)
    from ..core.value_range import RULES  # late: it takes numpy

    given: list[str] = []
    for word in args:
        name, equals, value = word.partition("=")
        before = given[-1] if given else ""
        given.append(word)
        if "--" in given:
            continue
        if (before == _RANGE and word in RULES) or (name == _RANGE and equals and value in RULES):
            given.append(value or word)
    return given


def in_one_line(error: BaseException | str) -> str:
    """Say an error of the core in one line and in the words of the command line."""
    message = " ".join(str(error).split()) or type(error).__name__
    options = [option for word, option in _IN_OPTIONS.items() if word in message]
    return f"{message} (Here: {', '.join(options)}.)" if options else message


def leave_unheard(status: int) -> None:
    """End the program here if a library's call that was interrupted goes on in a thread.

    The interpreter's own end would stop that thread in the midst of C++ code, which aborts the process.
    """
    unheard = sys.modules.get("napari_iqmaps.core.progress")
    if unheard is not None and any(thread.name == unheard.UNHEARD for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
