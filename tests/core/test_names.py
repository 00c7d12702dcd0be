"""Names of files as texts: escaped so that they can be shown anywhere, and given back."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_iqmaps.core.names import LONGEST, composed, entry_of, escaped, file_name, folded, unescaped

ODD = st.text(st.sampled_from("\\xu0ae19fé写\n\t\x1b\x9b\x85\u202e\udcff\udc85\ud800 "), max_size=12)


@given(st.one_of(ODD, st.text(st.characters(), max_size=30)))
def test_what_is_escaped_is_given_back(text):
    shown = escaped(text)
    assert unescaped(shown) == text
    shown.encode("utf-8")
    assert shown == escaped(unescaped(shown))
    assert all(character.isprintable() or ord(character) >= 0xA0 for character in shown)
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029") & set(shown)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain é 写.png", "plain é 写.png"),
        ("C:\\pictures\\a.png", "C:\\pictures\\a.png"),
        ("g\udcff.png", "g\\xff.png"),
        ("a\nb\x1b[31m", "a\\x0ab\\x1b[31m"),
        ("\x9b\u202egnp.exe", "\\u009b\\u202egnp.exe"),
        ("written \\xff", "written \\\\xff"),
    ],
)
def test_how_names_are_shown(name, shown):
    assert escaped(name) == shown


def test_names_that_some_file_system_takes_for_one():
    assert folded("É.png") == folded("e\u0301.PNG") == folded("é.png")
    assert composed("e\u0301.png") == "é.png" != composed("É.png")


@pytest.mark.parametrize("name", ["n" * 236, "n" * 250, "é" * 125, "写" * 84, "g\udcff" * 80])
def test_names_are_cut_where_they_would_be_too_long(name):
    made = file_name(name, "_threshold.tif")
    assert len(os.fsencode(made)) <= LONGEST
    assert made.endswith("_threshold.tif")
    assert made == file_name(name, "_threshold.tif") != file_name(name + "x", "_threshold.tif")
    assert (made == name + "_threshold.tif") == (len(os.fsencode(name)) <= 241)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_an_entry_of_a_folder_is_one_whatever_the_way_to_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").touch()
    (tmp_path / "in" / "link").symlink_to("a")
    (tmp_path / "way").symlink_to("in")
    assert entry_of(Path("in/a")) == entry_of(Path("way/../in/a")) == entry_of(tmp_path / "way" / "a")
    assert entry_of(Path("in/link")) != entry_of(Path("in/a"))
