"""Find modules that import one another in a circle: `python tools/circles.py`. `make contracts` runs it.

Imports below `if TYPE_CHECKING:` count too: a circle that only the type checker sees is still two modules that cannot
be understood one after the other.
"""

import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Return each largest set of modules that all import each other, directly or through others."""
    found = {
        frozenset({module} | (graph.find_upstream_modules(module) & graph.find_downstream_modules(module)))
        for module in graph.modules
    }
    return sorted(sorted(circle) for circle in found if len(circle) > 1)


def main() -> int:
    """Print every circle of the workspace; return 1 when there is one."""
    packages = sorted(folder.name for folder in ROOT.glob("*/*/src/millrace_*"))
    found = circles(grimp.build_graph(*packages, cache_dir=None))
    for circle in found:
        sys.stdout.write(f"circle of {len(circle)} modules: {', '.join(circle)}\n")
    sys.stdout.write(f"{len(found)} import circles in {len(packages)} packages\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
