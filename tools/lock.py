"""Write `requirements.lock`: every third-party package of the workspace, pinned with hashes.

The members' own `pyproject.toml` files say what they need; the root's adds pins and the tools of development.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def third_party() -> list[str]:
    """Return what the members ask for, without the members themselves, sorted."""
    wanted = set()
    for file in ROOT.glob("*/*/pyproject.toml"):
        wanted.update(tomllib.loads(file.read_text())["project"]["dependencies"])
    return sorted(name for name in wanted if not name.startswith("millrace-"))


def main() -> int:
    """Resolve for every platform and Python that we support, without naming where a file was downloaded."""
    command = [
        *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet", "--upgrade"),
        *("--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"),
        *("--no-header", "--no-annotate", "--group", "dev"),
        *("pyproject.toml", "-", "--output-file", "requirements.lock"),
    ]
    return subprocess.run(command, input="\n".join(third_party()), text=True, cwd=ROOT, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
