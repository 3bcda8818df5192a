"""Write the table of the API's routes: `python tools/api_reference.py`. A test checks that it was done."""

from pathlib import Path
from typing import Any, cast

from millrace_api.app import make_app
from millrace_api.reference import markdown_table

PAGE = Path(__file__).parent.parent / "docs" / "api-reference.md"
_INTRODUCTION = """# The API's routes

Made from the code by `tools/api_reference.py`. How to use them is in [api.md](api.md). A running API shows the same at
`/docs`, with the fields of every body.

"""


def page() -> str:
    """Return the page as the code has it."""
    # Routes are only described, so nothing asks for a service.
    return _INTRODUCTION + markdown_table(cast("dict[str, Any]", make_app(cast("Any", None)).openapi_schema))


if __name__ == "__main__":
    PAGE.write_text(page())
