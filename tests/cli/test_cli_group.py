"""The frame of the command line: help at once, errors in a line, exit statuses."""

import subprocess
import sys
import textwrap

import click
import pytest
from click.testing import CliRunner

import napari_iqmaps as iq
from napari_iqmaps.cli.group import LazyCommand, LazyGroup, in_one_line


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = """
        import sys
        from napari_iqmaps.cli import main
        try:
            main(["--help"])
        finally:
            heavy = ("torch", "numpy", "scipy", "matplotlib", "rich", "tifffile", "cv2", "lightning", "napari")
            print("heavy:", [name for name in heavy if name in sys.modules])
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "heavy: []" in found.stdout
    for name in ("demo", "threshold", "visibility", "errors", "quality", "weights", "train", "evaluate"):
        assert f"\n  {name} " in found.stdout


@pytest.mark.parametrize("command", ["threshold", "visibility", "errors", "quality", "weights", "demo"])
def test_help_of_a_command_loads_no_torch(command):
    code = f"""
        import sys
        from napari_iqmaps.cli import main
        try:
            main([{command!r}, "--help"])
        finally:
            print("heavy:", [name for name in ("torch", "matplotlib", "napari") if name in sys.modules])
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "heavy: []" in found.stdout


def test_version(iqmaps):
    assert iq.__version__ in iqmaps("--version").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["threshold"], "Missing argument"),
        (["threshold", "a.png", "--model", "magic"], "'magic' is not one of"),
        (["threshold", "a.png", "--stride", "3"], "'3' is not one of"),
        (["threshold", "a.png", "--tile", "0"], "0 is not in the range"),
        (["threshold", "a.png", "--data-range", "5", "1"], "white (1) must lie above black (5)"),
        (["threshold", "a.png", "--data-range", "nan", "1"], "must lie above"),
        (["threshold", "a.png", "--channel-axis", "last"], "neither the number of an axis"),
        (["threshold", "a.png", "--csv", "table.txt"], ".csv or .json"),
        (["threshold", "a.png", "--csv", "nowhere/table.csv"], "does not exist"),
        (["threshold", "a.png", "--weights", "nothing"], "There are no weights 'nothing'"),
        (["visibility", "a.png"], "Missing option '--reference'"),
        (["visibility", "a.png", "--reference", "nothing.png"], "nothing.png"),
        (["weights", "show", "nothing"], "There are no weights 'nothing'"),
    ],
)
def test_wrong_use_is_status_2_and_one_line(iqmaps, words, said):
    result = iqmaps(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert said in line


def test_as_a_program(program):
    found = program("threshold", "nothing.png", "--model", "contrast")
    assert found.returncode == 1
    assert "There is no file nothing.png" in found.stderr
    assert "Traceback" not in found.stderr
    found = program("--nonsense")
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1


@pytest.fixture
def little_group(tmp_path, monkeypatch):
    """A group whose commands end in different ways."""
    (tmp_path / "littlecommands").mkdir()
    (tmp_path / "littlecommands" / "__init__.py").touch()
    (tmp_path / "littlecommands" / "ends.py").write_text(
        textwrap.dedent("""
            import click
            from napari_iqmaps.core.errors import InputError
            @click.command()
            def stopped():
                raise KeyboardInterrupt
            @click.command()
            def refused():
                raise InputError("Say data_range=(black, white).\\nPlease.")
            @click.command()
            def broken():
                raise RuntimeError("a bug")
        """)
    )
    (tmp_path / "littlecommands" / "needy.py").write_text("import a_missing_package")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("littlecommands")]:
        monkeypatch.delitem(sys.modules, name)  # of the test before
    names = ("stopped", "refused", "broken")
    lazy = {name: LazyCommand(f"ends:{name}", "") for name in names}
    lazy["needy"] = LazyCommand("needy:needy", "", "train", ("a_missing_package",))
    return LazyGroup(name="little", package="littlecommands", lazy=lazy)


def test_ctrl_c_is_130(little_group):
    result = CliRunner().invoke(little_group, ["stopped"])
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted."


def test_errors_of_the_core_are_one_line_in_the_words_of_the_command_line(little_group):
    result = CliRunner().invoke(little_group, ["refused"])
    assert result.exit_code == 2
    assert result.stderr == "Error: Say data_range=(black, white). Please. (Here: --data-range BLACK WHITE.)\n"
    assert in_one_line(ValueError()) == "ValueError"


def test_a_bug_is_not_swallowed(little_group):
    assert isinstance(CliRunner().invoke(little_group, ["broken"]).exception, RuntimeError)


def test_a_missing_extra_is_named_with_the_command_that_installs_it(little_group):
    result = CliRunner().invoke(little_group, ["needy"])
    assert result.exit_code == 2
    assert "a_missing_package" in result.stderr
    assert 'pip install "napari-iqmaps[train]"' in result.stderr


def test_a_missing_module_that_no_extra_brings_is_a_bug(little_group, tmp_path):
    (tmp_path / "littlecommands" / "needy.py").write_text("import another_missing_package")
    assert isinstance(CliRunner().invoke(little_group, ["needy"]).exception, ModuleNotFoundError)


def test_without_a_command_the_help_is_shown(iqmaps):
    result = iqmaps()
    assert result.output.count("\n  threshold ") == 1
    assert "Error" not in result.output


def test_a_group_can_still_be_called_from_python(little_group):
    with pytest.raises(click.UsageError):
        little_group.main(["nonsense"], standalone_mode=False)
