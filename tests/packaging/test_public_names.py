"""The public interface is a file; changing it is a decision."""

import inspect
from pathlib import Path

import napari_iqmaps as iq

FILE = Path(__file__).with_name("public_names.txt")
LINES = [line for line in FILE.read_text().splitlines() if not line.startswith("#")]


def test_the_public_names_are_the_promised_ones():
    assert sorted(line.partition("(")[0] for line in LINES) == sorted(iq.__all__)
    assert set(iq.__all__) <= set(dir(iq))
    for name in iq.__all__:
        assert name.isupper() or getattr(iq, name).__doc__, name


def test_the_options_are_the_promised_ones():
    for line in LINES:
        name, _, promised = line.partition("(")
        if promised:
            parameters = inspect.signature(getattr(iq, name)).parameters.values()
            names = [parameter.name for parameter in parameters]
            positional = [parameter for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
            names.insert(len(positional), "*")
            assert ", ".join(names) + ")" == promised


def test_a_name_that_is_not_there_says_so():
    assert not hasattr(iq, "beauty_map")
