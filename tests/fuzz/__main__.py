"""Try damaged files, damaged records and random calls, and print what came of them.

``python -m tests.fuzz`` makes a long run, in the folder of the repository; ``--files``, ``--records``, ``--calls`` and
``--seed`` say how long and which. A finding is made again by ``python -m tests.fuzz --again calls 17 --seed 1``.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import click

from .engine import Ended, Figures, run, work


@click.command(help=__doc__)
@click.option("--files", default=30_000, show_default=True, help="Damaged files to read.")
@click.option("--records", default=5_000, show_default=True, help="Damaged records to read.")
@click.option("--calls", default=10_000, show_default=True, help="Random calls of public functions.")
@click.option("--seed", default=1, show_default=True, help="Of all that is drawn.")
@click.option("--workers", default=1, show_default=True, help="Processes at once.")
@click.option("--bombs/--no-bombs", default=True, help="Measure what files take that state or hold too much.")
@click.option(
    "--again", nargs=2, type=(click.Choice(["files", "records", "calls"]), int), help="Make one attempt again, here."
)
@click.option("--keep", type=click.Path(path_type=Path), help="With --again: the folder in which its files are left.")
@click.option("--work", "part", nargs=4, type=(str, int, int, int), hidden=True)
def main(files, records, calls, seed, workers, bombs, again, keep, part):
    if part:
        work(*part)
    if again:
        sys.exit(_again(*again, seed, keep))
    figures, begun = Figures(), time.monotonic()
    try:
        run({"files": files, "records": records, "calls": calls}, seed, figures, workers=workers)
    except KeyboardInterrupt:
        click.echo("interrupted; so far:")
    for line in figures.lines():
        click.echo(line)
    kinds = list(figures.kinds())
    click.echo(f"seed {seed}, {time.monotonic() - begun:.0f} s, {len(figures.findings)} findings of {len(kinds)} kinds")
    for count, first in kinds:
        click.echo(_told(count, first, seed))
    if bombs:
        from .bombs import report

        report()
    sys.stdout.flush()
    os._exit(1 if figures.findings else 0)  # threads may wait for processes still


def _told(count: int, first: Ended, seed: int) -> str:
    again = f"--again {first.subject} {first.number} --seed {seed}"
    return (
        f"{count:5} {first.outcome:9} {first.what}: {' '.join(first.detail.split())}\n"
        f"      {again}  {' '.join(first.how.split())[:200]}"
    )


def _again(subject: str, number: int, seed: int, keep: Path | None) -> int:
    """Make one attempt in this process, with its traceback if one comes."""
    from .attempts import attempt

    with tempfile.TemporaryDirectory() as name:
        folder = keep.resolve() if keep else Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        made = attempt(subject, seed, number, folder)
        click.echo(f"{made.what} {made.how}")
        click.echo(made.call() or "its promises are kept")
        os.chdir("/")
    return 0


if __name__ == "__main__":
    main()
