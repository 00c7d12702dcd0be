"""Two buttons that copy what makes a result again: as Python, and as a command."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from ..core.call import Call
from .parts import Flow, button


class CopyButtons(QWidget):
    """Copies the call of a result to the clipboard; `call`: gives it, or None while there is no result."""

    def __init__(self, call: Callable[[], Call | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._call = call
        self.python = button("Copy as Python", "Copy the lines of Python that make the same result again.")
        self.command = button("Copy as command", "Copy the command that makes the same result of the same files.")
        for part in (self.python, self.command):
            part.setStyleSheet("padding: 2px 4px;")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(Flow((self.python, self.command)))
        self.python.clicked.connect(lambda: self._copy(Call.python))
        self.command.clicked.connect(lambda: self._copy(_command))

    def _copy(self, text: Callable[[Call], str]) -> None:
        call = self._call()
        clipboard = QApplication.clipboard()
        if call is not None and clipboard is not None:
            clipboard.setText(text(call))


def _command(call: Call) -> str:
    from ..cli.line import command_of  # the command line takes a while to import

    return command_of(call)
