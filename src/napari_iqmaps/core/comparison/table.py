"""Tables of a comparison for files: CSV for spreadsheets, Markdown for notes, LaTeX for reports."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ..bootstrap import Figure
from .summary import Summary

NO_DATA = "--"
"""What stands in a cell for which there is no number."""

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))


def flat(record: Any) -> dict[str, Any]:
    """Turn a record into plain cells.

    Parameters
    ----------
    record : dataclass instance
        Such as a `Summary`, or `napari_iqmaps.core.comparison.statistics.Paired`.

    Returns
    -------
    dict
        A figure ``soft`` becomes ``soft``, ``soft_low``, ``soft_high`` and, if it has one, ``soft_reason``; a sequence
        becomes a text; NaN becomes None.
    """
    cells: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Figure):
            parts = {"": value.value, "_low": value.low, "_high": value.high}
            cells |= {f"{field.name}{ending}": _known(part) for ending, part in parts.items()}
            if value.reason:
                cells[f"{field.name}_reason"] = value.reason
        else:
            cells[field.name] = " ".join(value) if isinstance(value, tuple) else _known(value)
    return cells


def as_csv(records: Sequence[Any]) -> str:
    """Write records as CSV.

    Parameters
    ----------
    records : sequence of dataclass instances
        All of one kind; see `flat`.

    Returns
    -------
    str
        A line of names, and a line a record; what is not known is an empty cell.
    """
    rows = [flat(record) for record in records]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def as_markdown(summaries: Sequence[Summary], names: Mapping[str, str] | None = None) -> str:
    """Write summaries as Markdown, a table for each scoring.

    Parameters
    ----------
    summaries : sequence of Summary
        In the order of the lines.
    names : mapping, optional
        What to call a method, by its name.

    Returns
    -------
    str
        With a line of explanation.
    """
    heads = (
        "method", "pairs", "better", "score of the better", "worse", "score of the worse", "tie", "unscored", "refused",
        "failed", "clearly better", "clearly worse", "soft (95 %)", "soft, refused as 0 (95 %)",
        "local correlation gained (95 %)",
    )  # fmt: skip
    parts = []
    for scoring in dict.fromkeys(one.scoring for one in summaries):
        lines = [f"Judged on images preprocessed by `{scoring}`:", "", _line(heads), "|" + "---|" * len(heads)]
        lines += [
            _line([(names or {}).get(one.method, one.method), *map(str, _cells(one))])
            for one in summaries
            if one.scoring == scoring
        ]
        parts.append("\n".join(lines))
    parts.append(
        "A pair is better if more of its changed pixels came closer to the fixed image than moved away from it, and "
        "clearly better if the verdict of diff-diff says so, which asks for more evidence. Scores are mean ± standard "
        "deviation over these pairs. Refused pairs were not registered; failed ones could not be used."
    )
    return "\n\n".join(parts) + "\n"


def as_latex(summaries: Sequence[Summary], names: Mapping[str, str] | None = None) -> str:
    r"""Write summaries as LaTeX, a table for each scoring; no package is needed.

    Parameters
    ----------
    summaries : sequence of Summary
        In the order of the lines.
    names : mapping, optional
        What to call a method, by its name; special characters are escaped here.

    Returns
    -------
    str
        ``tabular`` environments with, for each method, the pairs that got better :math:`n_s` and their score, those
        that got worse :math:`n_f` and theirs, ties :math:`n_t`, those unscored :math:`n_u`, refused :math:`n_r` and
        failed :math:`n_e`.
    """
    heads = ("", "$n_s$", "success score", "$n_f$", "fail score", "$n_t$", "$n_u$", "$n_r$", "$n_e$")
    parts = []
    for scoring in dict.fromkeys(one.scoring for one in summaries):
        lines = [
            f"% judged on images preprocessed by {scoring}",
            rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
            r"\hline",
            " & ".join(heads) + r" \\",
            r"\hline",
        ]
        for one in summaries:
            if one.scoring != scoring:
                continue
            name = _escaped((names or {}).get(one.method, one.method))
            spreads = [
                NO_DATA if math.isnan(mean) else rf"${mean:.2f} \pm {std:.2f}$"
                for mean, std in ((one.mean_better, one.std_better), (one.mean_worse, one.std_worse))
            ]
            cells = [one.better, spreads[0], one.worse, spreads[1], one.tie, one.unscored, one.refused, one.failed]
            lines.append(" & ".join([rf"\textbf{{{name}}}", *map(str, cells)]) + r" \\")
        parts.append("\n".join([*lines, r"\hline", r"\end{tabular}"]))
    return "\n\n".join(parts) + "\n"


def spread(mean: float, std: float) -> str:
    """Write a mean with its standard deviation, for people.

    Parameters
    ----------
    mean, std : float
        NaN where there is none.

    Returns
    -------
    str
        Two decimals each; `NO_DATA` for none.
    """
    return NO_DATA if math.isnan(mean) else f"{mean:.2f} ± {std:.2f}"


def figure_text(figure: Figure) -> str:
    """Write a figure with its interval, for people.

    Parameters
    ----------
    figure : Figure
        NaN where there is none.

    Returns
    -------
    str
        Three decimals; `NO_DATA` for none.
    """
    return NO_DATA if math.isnan(figure.value) else str(figure)


def _cells(one: Summary) -> list[Any]:
    return [
        one.pairs, one.better, spread(one.mean_better, one.std_better), one.worse,
        spread(one.mean_worse, one.std_worse), one.tie, one.unscored, one.refused, one.failed, one.clearly_better,
        one.clearly_worse, *map(figure_text, (one.soft, one.soft_or_unchanged, one.local_ncc_gain)),
    ]  # fmt: skip


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _LATEX[found.group()], text)


def _known(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.9g}") if math.isfinite(value) else None
