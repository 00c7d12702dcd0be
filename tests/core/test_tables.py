"""Tables and pictures show names as they are, whatever signs are in them."""

import re
from dataclasses import dataclass

import numpy as np
import pytest
from rich.console import Console

from napari_iqmaps.core import tables
from napari_iqmaps.core.comparison.outcome import Outcome
from napari_iqmaps.core.comparison.summary import as_latex, as_markdown, best_of_methods, summaries
from napari_iqmaps.core.io.curve_plot import NamedCurve, write_curves
from napari_iqmaps.core.io.sheet import Panel, Sheet, drawable, new_plot, write_figure
from napari_iqmaps.core.machine_curve import machine_curve

NAMES = [
    "a$b_{c}^%.png",
    "x|y*",
    r"\input{x}",
    "`rm -rf`",
    "<b>bold</b>",
    "[link](http://x.org)",
    "[/red]",
    "[bold]x",
    "_under_ and __more__",
    "*star* **stars**",
    "~~gone~~ $x_1$ $$",
    "&amp; &lt; & #1 100 %",
    "a\\|b\\",
    "--- en--dash ?` !` ''",
    "写真 ä €",
    "in_the_middle",
]
HIDDEN = ["a\nb", "tab\there", "\x1b[31mred\x07", "g\udcff.png", "\u202egnp.exe", "line\u2028end", "\x00"]


def one_column(text):
    return [tables.Column("name", lambda row: row, is_text=True)], [text]


@pytest.mark.parametrize("name", [*NAMES, *HIDDEN])
def test_markdown_shows_a_cell_as_it_is(name):
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    (cell,) = [
        token
        for token in parser.parse(tables.markdown(*one_column(name)))
        if token.type == "inline" and token.content != "name"
    ]
    assert {child.type for child in cell.children} <= {"text", "text_special"}
    shown = "".join(child.content for child in cell.children)
    assert shown == tables.names.escaped(name).strip()


def unescaped(text):
    """What LaTeX prints for a text that has no command but those for single signs."""
    signs = {
        "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">",
        "textbar": "|", "textasciigrave": "`",
    }  # fmt: skip
    plain = re.sub(r"\\(text\w+)\{\}", lambda found: f"\\{ord(signs[found[1]])};", text)
    plain = plain.replace("{}", "")
    assert not re.search(r"(?<!\\)[&%$#_{}~^]", plain)
    assert "--" not in text
    assert not re.search(r"\\[a-z]", plain)
    plain = re.sub(r"\\([&%$#_{}])", r"\1", plain)
    return re.sub(r"\\(\d+);", lambda found: chr(int(found[1])), plain)


@pytest.mark.parametrize("name", [*NAMES, *HIDDEN])
def test_latex_prints_a_text_as_it_is(name):
    assert unescaped(tables.escaped(name)) == tables.names.escaped(name)
    assert "\n" not in tables.escaped(name)


def test_a_row_of_latex_does_not_begin_with_an_argument_of_the_line_before():
    text = tables.latex(*one_column("[1pt]"))
    assert "\n{}[1pt]" in text
    assert "\n{}*" in tables.latex(*one_column("*"))


@pytest.mark.parametrize("name", [*NAMES, *HIDDEN])
def test_a_terminal_shows_a_cell_as_it_is(name):
    console = Console(width=300, force_terminal=False)
    with console.capture() as caught:
        console.print(tables.for_screen(*one_column(name)[:1], [[name]], f"of {name}", f"about {name}"))
    shown = caught.get()
    assert shown.count(tables.names.escaped(name)) >= 1
    assert "".join(shown.split()).count("".join(tables.names.escaped(name).split())) == 3  # the caption may be broken
    assert not set(shown) & set("\x1b\x07\x00\udcff\u202e")


@pytest.mark.parametrize("name", ["a$b.png", "100 %", "写真.png", "g\udcff.png", "a\nb.png"])
def test_the_tables_of_a_comparison_take_any_name(name):
    outcomes = [Outcome(name, f"fixed {name}", name, "smooth", accepted=True, scored=True, score=0.7)]
    for text in (
        as_markdown(summaries(outcomes)),
        as_latex(summaries(outcomes)),
        tables.as_csv(best_of_methods(outcomes)),
    ):
        text.encode()
        assert "\udcff" not in text
    assert as_latex(summaries(outcomes)).count("\n") == 8


@dataclass
class Record:
    name: str


def test_csv_holds_no_text_that_cannot_be_written():
    assert tables.as_csv([Record("g\udcff")]) == "name\ng\\xff\n"


# --- pictures


@pytest.mark.parametrize("name", [*NAMES, *HIDDEN])
def test_pictures_take_any_name(name, tmp_path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    sheet = Sheet([Panel(pixels, name, f"caption {name}")], title=f"{name} on {name}", caption=name, footer=name)
    assert sheet.write(tmp_path / "sheet.png").is_file()
    with new_plot(3, 2, layout="constrained") as figure:
        figure.suptitle(drawable(name))
        axes = figure.add_subplot()
        axes.plot([0, 1], label=drawable(f"x{name}"))
        axes.set_title(drawable(name))
        axes.legend()
        assert write_figure(figure, tmp_path / "plot.png").is_file()


def test_what_a_picture_can_show_is_shown_as_it_is():
    assert drawable("a$b_{c}^% ± → ä.png") == "a$b_{c}^% ± → ä.png"
    assert drawable("写\n\udcff") == "\\u5199\\x0a\\xff"


def test_curves_take_any_name(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    curve = machine_curve(image, "gaussian_blur", severities=(0, 3))
    for name in ("a$b$.png", "_x^{2}.png", "写真\n.png", "g\udcff.png"):
        for curves in ([NamedCurve(name, curve)], [NamedCurve(name, curve), NamedCurve(f"other {name}", curve)]):
            assert write_curves(curves, tmp_path / "c.png").is_file()
