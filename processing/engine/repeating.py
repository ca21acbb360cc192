"""Compare what a replay has written with the old result, beside the data."""

from collections.abc import Iterator
from pathlib import Path

from catalogue.storage.local import hash_file
from processing.recipes.comparison import MOST_DIFFERENCES, compare
from processing.ticket import Deviation, Original, Outcome, OutputFile, Repetition, TicketFile

# From the best to the worst: the worst of all files is the verdict.
_GRADES = ("identical-bytes", "identical-content", "equal-within-tolerance", "different")

_Judged = tuple[str, list[Deviation]]


def judge(original: Original, folder: Path, outcome: Outcome) -> Outcome:
    """
    Grade the outputs of a replay; nothing of them is kept.

    Parameters
    ----------
    original : Original
        The files of the old result, and what may differ.
    folder : Path
        Where the replay's outputs lie.
    outcome : Outcome
        Of the recipe, with its outputs.

    Returns
    -------
    Outcome
        With size and sha256 of its outputs, and its ``repetition``.
    """
    made = [_measure(folder, file) for file in outcome.outputs]
    judged = list(_judge_all(original, folder, made))
    verdict = max((grade for grade, _ in judged), key=_GRADES.index, default="different")
    found = [deviation for _, deviations in judged for deviation in deviations]
    repetition = Repetition(verdict=verdict, deviations=tuple(found[:MOST_DIFFERENCES]))
    return outcome.model_copy(
        update={"outputs": tuple(made), "preview": None, "repetition": repetition}
    )


def _measure(folder: Path, file: OutputFile) -> OutputFile:
    path = folder / file.path
    return file.model_copy(update={"size": path.stat().st_size, "sha256": hash_file(path)})


def _judge_all(original: Original, folder: Path, made: list[OutputFile]) -> Iterator[_Judged]:
    old = {(role, file.path): file for role, files in original.files.items() for file in files}
    new = {(file.role, file.path): file for file in made}
    for role, path in sorted(old.keys() ^ new.keys()):
        where = "original" if (role, path) in old else "replay"
        yield "different", [Deviation(path=path, detail=f"only the {where} has this {role}")]
    for place in sorted(old.keys() & new.keys()):
        yield _judge(original, old[place], new[place], folder)


def _judge(original: Original, old: TicketFile, new: OutputFile, folder: Path) -> _Judged:
    if old.sha256 == new.sha256:
        return "identical-bytes", []
    found = compare(
        old.location,
        folder / new.path,
        tolerance=original.tolerance,
        volatile=original.volatile,
    )
    name = "" if found.verdict == "identical-content" else f"{new.path}:"
    return found.verdict, [
        Deviation(path=f"{name}{one.path}", detail=one.detail, deviation=one.deviation)
        for one in found.differences
    ]
