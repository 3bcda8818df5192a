"""Find handlers that do not know every way in which a decoder fails: `python tools/decoders.py`, or `make contracts`.

Bytes from outside may be no UTF-8, or nested deeper than Python can recurse. Whoever catches only msgspec's own errors
ends with the first such message. So its errors are named in one place, `millrace_core.json_problems.UNREADABLE`; the
simulator, which does not import core, names `RecursionError` beside them.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = "json_problems.py"
_ERRORS = frozenset({"MsgspecError", "DecodeError", "ValidationError"})


def incomplete_handlers(source: str) -> Iterator[int]:
    """Yield the line of each handler that catches errors of msgspec without `RecursionError`."""
    tree = ast.parse(source)
    names = set(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            caught = {ast.unparse(each) for each in ast.walk(node.type) if isinstance(each, ast.Name | ast.Attribute)}
            if caught & names and "RecursionError" not in caught:
                yield node.lineno


def _imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names that msgspec's errors have in a module."""
    yield from (f"msgspec.{error}" for error in _ERRORS)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "msgspec":
            yield from (alias.asname or alias.name for alias in node.names if alias.name in _ERRORS)


def main() -> int:
    """Print every such handler of the workspace; return 1 when there is one."""
    files = [file for file in sorted(ROOT.glob("*/*/src/**/*.py")) if file.name != HOME]
    found = [(file, line) for file in files for line in incomplete_handlers(file.read_text())]
    for file, line in found:
        sys.stdout.write(f"{file.relative_to(ROOT)}:{line}: catch millrace_core.json_problems.UNREADABLE instead\n")
    sys.stdout.write(f"{len(found)} incomplete handlers around decoders in {len(files)} files\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
