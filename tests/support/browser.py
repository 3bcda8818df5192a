"""The browser of the console's tests: one that is installed, or Debian's, installed now."""

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_INSTALL = ("apt-get", "install", "-y", "--no-install-recommends", "chromium")


class NoBrowser(Exception):
    """There is no browser, and none can be installed; the text says what to do."""


def executable() -> str:
    """Return the path of a Chromium: MILLRACE_BROWSER, or the first on PATH.

    Raises:
        NoBrowser: there is none.
    """
    found = os.environ.get("MILLRACE_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        raise NoBrowser("the console's tests need Chromium: install it, or set MILLRACE_BROWSER to its path")
    return found


def install() -> None:
    """Install Debian's Chromium if there is no browser and this is a Debian of which we are the administrator."""
    try:
        executable()
    except NoBrowser as error:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            print(f"{error}. Without it those tests are skipped.")  # noqa: T201
            return
        print("Setting up: installing Chromium for the console's tests (half a minute) …", flush=True)  # noqa: T201
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        if subprocess.run(_INSTALL, env=environment, capture_output=True, check=False).returncode:
            subprocess.run(("apt-get", "update"), env=environment, capture_output=True, check=False)  # noqa: S607
            subprocess.run(_INSTALL, env=environment, capture_output=True, check=False)


if __name__ == "__main__":
    install()
