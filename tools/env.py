"""Make `.env` of `.env.example`, with random passwords and keys: `python tools/env.py`. `make env` runs it.

It needs nothing but Python, so that a machine that only runs containers needs no `.venv`.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BYTES = 32


def filled(example: str) -> str:
    """Return an example with a random value of its own in place of each `<random>` and `<random key>`."""
    lines = []
    for line in example.splitlines():
        name, _, value = line.partition("=")
        if value == "<random>":
            # Hexadecimal, since passwords stand in URLs.
            value = secrets.token_hex(_BYTES)
        elif value == "<random key>":
            value = base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()
        lines.append(line if line.startswith("#") or "=" not in line else f"{name}={value}")
    return "\n".join(lines) + "\n"


def main(folder: Path = ROOT) -> int:
    """Write `.env` for its owner alone; one that exists is left as it is."""
    path = folder / ".env"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stdout.write(f"{path} exists and is left as it is\n")
        return 0
    with os.fdopen(file, "w") as written:
        written.write(filled((folder / ".env.example").read_text()))
    sys.stdout.write(f"{path}: new passwords and keys\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
