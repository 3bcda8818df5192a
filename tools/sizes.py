"""Measure files and functions in `libs` and `packages`: `python tools/sizes.py`. `make contracts` runs it.

Files that are too long hide ideas; files that are too short spread one idea over many. Tests are not measured.
"""

import ast
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
MEDIAN_FILE = range(80, 131)
"""Lines that the median file may have."""
P95_FILE = 350
P95_FUNCTION = 25
_LONGEST_SHOWN = 5


def p95(sizes: Sequence[int]) -> int:
    """Return the size that 95 % of the sizes do not exceed."""
    return sorted(sizes)[max(0, -(-len(sizes) * 95 // 100) - 1)]


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Return each function's name and its lines, signature and docstring included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def main() -> int:
    """Print the sizes and what is longest; return 1 when a limit is missed."""
    files: dict[str, int] = {}
    bodies: dict[str, int] = {}
    for path in sorted(ROOT.glob("*/*/src/millrace_*/**/*.py")):
        text, name = path.read_text(), str(path.relative_to(ROOT))
        files[name] = len(text.splitlines())
        for function, lines in functions(ast.parse(text)):
            bodies[f"{name} {function}"] = lines
    median = statistics.median_low(files.values())
    figures = (
        ("median file", median, median in MEDIAN_FILE, f"{MEDIAN_FILE.start} to {MEDIAN_FILE.stop - 1}"),
        ("p95 file", p95([*files.values()]), p95([*files.values()]) <= P95_FILE, f"at most {P95_FILE}"),
        ("p95 function", p95([*bodies.values()]), p95([*bodies.values()]) <= P95_FUNCTION, f"at most {P95_FUNCTION}"),
    )
    for name, lines, is_good, limit in figures:
        sys.stdout.write(f"{name}: {lines} lines ({limit}){'' if is_good else ': MISSED'}\n")
    for sizes in (files, bodies):
        longest = sorted(sizes.items(), key=lambda item: -item[1])[:_LONGEST_SHOWN]
        sys.stdout.write(f"longest: {', '.join(f'{name} {lines}' for name, lines in longest)}\n")
    return 0 if all(is_good for _, _, is_good, _ in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
