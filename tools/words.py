"""Find names that the glossary has replaced, and docstrings that open with "Give": `python tools/words.py`.

It reads identifiers and file names, not prose: a comment may use these words. Columns of the database keep their names.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("libs", "packages", "tests", "benchmarks", "examples")
REPLACED = {
    "batch": "haul hauls hauled hauling",
    "handler, handle": "shelf shelve shelves shelved shelving",
    "dead_letter": "bury buried buries burying grave graves",
    "summary, reported, latest": "told",
    "high_water_marks": "floors",
    "kind": "faces",
    "subscriber": "hearer hearers",
    "received, on_message": "heard",
    "disconnected": "deaf",
    "connection": "wire wires",
    "ResumePolicy": "resumption resumptions",
    "RequestConsumer": "reception receptions",
    "AccountExecutor, RequestRouter": "desk desks",
    "resolution rules": "evidence",
    "settlement window": "settling",
    "precision_errors": "misfit misfits",
    "classify, ErrorClassification": "meaning meanings",
    "maintenance": "upkeep",
    "order observations": "sighting sightings",
    "order history": "story stories",
    "HeartbeatSender": "pulse pulses",
}
_NEW = {old: new for new, olds in REPLACED.items() for old in olds.split()}
_WHOLE = {
    "Link": "ReconnectingConnection",
    "Silence": "Watchdog",
    "Recovery": "GapRecovery",
    "KnownOrders": "OrderCache",
    "merging": "order merger",
}
"""Replaced only where it is the whole name."""
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def replacement(name: str) -> str | None:
    """Return what a name should be called instead; None when it is fine."""
    parts = (part.lower() for part in _PART.findall(name))
    return _WHOLE.get(name) or next((_NEW[part] for part in parts if part in _NEW), None)


def findings(path: Path) -> Iterator[tuple[int, str]]:
    """Return the line and text of everything in a file that should be renamed or reworded."""
    if new := replacement(path.stem.removeprefix("test_")):
        yield 0, f"the file {path.name}: say {new}"
    text = path.read_text()
    seen: set[str] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string not in seen and (new := replacement(token.string)):
            seen.add(token.string)
            yield token.start[0], f"{token.string}: say {new}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node) or ""
            if re.match(r"Gives?\b(?! up)", docstring):
                yield getattr(node, "lineno", 1), f'the docstring opens with "Give": {docstring.splitlines()[0]}'


def main() -> int:
    """Print every finding; return 1 when there is one."""
    roots = [ROOT / folder for folder in FOLDERS] if len(sys.argv) < 2 else [Path(each) for each in sys.argv[1:]]
    count = 0
    for path in sorted(path for root in roots for path in root.rglob("*.py")):
        for line, text in findings(path):
            count += 1
            sys.stdout.write(f"{path.resolve().relative_to(ROOT)}:{line}: {text}\n")
    sys.stdout.write(f"{count} replaced words\n")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
