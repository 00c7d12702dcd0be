"""The public interface is a file; changing it is a decision."""

import difflib
from pathlib import Path

import napari_iqmaps as iq

from .public_signatures import HEADER, public_lines

FILE = Path(__file__).with_name("public_names.txt")
COMMAND = "python tests/packaging/public_signatures.py > tests/packaging/public_names.txt"


def test_every_public_name_is_there_and_documented():
    assert len(set(iq.__all__)) == len(iq.__all__)
    assert set(iq.__all__) <= set(dir(iq))
    for name in iq.__all__:
        assert name.isupper() or getattr(iq, name).__doc__, name


def test_the_signatures_are_the_promised_ones():
    text = FILE.read_text(encoding="utf-8")
    assert text.startswith(HEADER), f"The comment at the top is another. Write the file anew with: {COMMAND}"
    promised = text.removeprefix(HEADER).splitlines()
    changed = [line for line in difflib.ndiff(promised, public_lines()) if line[0] in "-+"]
    assert not changed, "\n".join(
        [
            "The public interface is not the promised one (- promised, + found):",
            *changed,
            f"If that is meant, write the file anew with: {COMMAND}",
        ]
    )


def test_a_name_that_is_not_there_says_so():
    assert not hasattr(iq, "beauty_map")
