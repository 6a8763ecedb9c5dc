"""Pages of the site that are made from the code."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from mkdocs.structure.files import File, Files


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made from the code."""
    # MkDocs takes a hook's folder off the path again once it has loaded the hook.
    sys.path.insert(0, os.path.dirname(__file__))
    from pages import pages

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put tables that are made from the code where a page asks for them."""
    from pages import tables

    return re.sub(r"<!-- made: (\w+) -->", lambda found: tables()[found[1]], markdown)
