"""The benchmarks are run by hand; that they still begin is tested here."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import benchmarks


def test_every_module_of_the_benchmarks_can_be_imported() -> None:
    """What they import from the members has not moved."""
    names = [module.name for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")]
    assert "benchmarks.feed" in names
    for name in names:
        if not name.endswith("__main__") and ".strategies." not in name:
            import_module(name)


def test_the_benchmarks_list_their_parts() -> None:
    """As the Makefile calls them."""
    listed = subprocess.run([sys.executable, "-m", "benchmarks", "--help"], capture_output=True, text=True, check=True)
    assert "isolation" in listed.stdout
