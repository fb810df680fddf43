"""Small files of every language, and what is found in them, one line each; `python tests/core/goldens.py` rewrites that."""

from __future__ import annotations

from pathlib import Path

from sightline.core import chunking, grammars

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.sample"))


def name_of(sample: Path) -> str:
    """The file name that the sample stands for; its own would be taken for a part of the project."""
    return sample.name.removesuffix(".sample")


def outline_of(sample: Path) -> str:
    """The language, and for each definition its kind, name, lines, signature and documentation."""
    syntax = chunking.parse(name_of(sample), sample.read_bytes())
    lines = [f"{syntax.language}"]
    for each in (definition for chunk in syntax.chunks for definition in chunk.definitions):
        name = f"{each.container}.{each.name}" if each.container else each.name
        place = f"{each.start_line + 1}-{each.end_line + 1}"
        doc = f" — {each.doc}" if each.doc else ""
        lines.append(f"{'  ' * each.depth}{each.kind} {name} {place}: {each.signature}{doc}")
    return "\n".join(lines) + "\n"


def golden_of(sample: Path) -> Path:
    """Where the expected outline is; a newer grammar's own one comes first, where it has one."""
    golden = sample.with_suffix(".outline")
    newer = golden.with_suffix(".pack.outline")
    return newer if grammars.pack() and newer.exists() else golden


if __name__ == "__main__":
    for each in SAMPLES:
        golden_of(each).write_text(outline_of(each), encoding="utf-8")
