"""What a comparison says, for people: a table for each scoring, and sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from ..core.comparison.compare import Comparison
from ..core.comparison.summary import Paired, figure_text, spread
from .report import console, print_table

_MEASURE = "soft_or_unchanged"
_CLEAR = 0.05
_LITTLE = 0.005  # of a scale from -1 to 1: nobody sees it


def print_comparison(comparison: Comparison) -> None:
    """Print what a comparison says on standard output.

    Parameters
    ----------
    comparison : Comparison
        With at least one outcome.
    """
    summed = comparison.summaries
    for scoring in dict.fromkeys(one.scoring for one in summed):
        lines = [one for one in summed if one.scoring == scoring]
        heads: dict[str, list[Any]] = {
            "method": [one.method for one in lines],
            "pairs": [one.pairs for one in lines],
            "better (score)": [_with_score(one.better, one.mean_better, one.std_better) for one in lines],
            "worse (score)": [_with_score(one.worse, one.mean_worse, one.std_worse) for one in lines],
            "tie": [one.tie for one in lines],
            "unscored": [one.unscored for one in lines],
            "refused": [one.refused for one in lines],
            "failed": [one.failed for one in lines],
            "soft gain (95 %)": [figure_text(one.soft_or_unchanged) for one in lines],
        }
        # What happened to no pair needs no column.
        shown = {head: cells for head, cells in heads.items() if head not in ("tie", "refused", "failed") or any(cells)}
        print_table(
            f"Pairs that got better or worse, judged on {scoring!r}",
            list(shown),
            list(zip(*shown.values(), strict=True)),
            numbers=list(shown)[1:],
        )
    out = console()
    for sentence in sentences(comparison):
        out.print(Text(sentence), soft_wrap=True)


def sentences(comparison: Comparison) -> Iterator[str]:
    """Say what follows from a comparison."""
    several = len({one.scoring for one in comparison.outcomes}) > 1
    for one in comparison.paired:
        if one.measure == _MEASURE and one.pairs:
            yield _against(one, several=several)
    if len({one.method for one in comparison.outcomes}) > 1:
        for scoring in dict.fromkeys(one.scoring for one in comparison.best_of_methods):
            chosen = Counter(one.method for one in comparison.best_of_methods if one.scoring == scoring)
            none = chosen.pop("", 0)
            where = f"Judged on {scoring!r}, the" if several else "The"
            counts = ", ".join(f"{method} {count}" for method, count in chosen.most_common()) or "none"
            rest = f"; on {none} none made it better" if none else ""
            yield f"{where} best method, pair by pair: {counts}{rest}."
    orders = comparison.sensitivity
    for order in orders[1:]:
        same = "the same order of methods as" if order.methods == orders[0].methods else "another order of methods than"
        tau = "" if math.isnan(order.agreement) else f" (Kendall's tau {order.agreement:.2f})"
        ranks = ", ".join(order.methods)
        yield f"Judging on {order.scoring!r} gives {same} judging on {orders[0].scoring!r}{tau}: {ranks}."


def _with_score(count: int, mean: float, std: float) -> str:
    return f"{count} ({spread(mean, std)})" if count else "0"


def _against(one: Paired, *, several: bool) -> str:
    where = f" (judged on {one.scoring!r})" if several else ""
    figure = one.difference
    if one.higher == one.lower == 0:
        return f"{one.method} against {one.baseline}{where}: no difference on any of {one.pairs} pairs."
    interval = "" if math.isnan(figure.low) else f" (95 %: {figure.low:+.2g} to {figure.high:+.2g})"
    excludes = not math.isnan(figure.low) and (figure.low > 0 or figure.high < 0)
    is_clear = excludes and one.p_value < _CLEAR
    says = ("better" if figure.value > 0 else "worse") if is_clear else "not shown to differ"
    if is_clear and abs(figure.value) < _LITTLE:
        says += ", but by very little"
    return (
        f"{one.method} against {one.baseline}{where}: {says}; soft gain {figure.value:+.2g}{interval} on {one.pairs} "
        f"pairs, higher on {one.higher}, lower on {one.lower} (sign test p = {one.p_value:.2g})."
    )
