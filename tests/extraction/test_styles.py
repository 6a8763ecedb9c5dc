"""Style attributes that hide their element, and those that do not."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from massivetext.extraction.styles import style_hides
from tests.checked import checked_environment


def hides(style: str) -> bool:
    page = f'x"{style}"y:none'.encode()
    return bool(style_hides(np.frombuffer(page, np.uint8), 2, len(page) - 7))


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "/* x */ display:none",
        "/**/display/**/:/* ; */none/**/",
        "display:/**/none",
        "color:red /* ; */; display: none",
        "display:none/* never closed",
        "display:none!important;display:block",
        "display:none ! /**/ IMPORTANT;display:block",
        "display:block!important;display:none!important",
        "visibility:hidden !important;visibility:visible",
        "font-size:0!important;font-size:12px",
        "display:none;color:red!important",
        "background:url(//a/*.png);display:none",
        "background:url(data:image/png;base64,AAAA);display:none",
        "left:-1000%",
        "margin-left: -5000%",
        "text-indent:100%",
        "-webkit-clip-path:inset(50%)",
        "-WEBKIT-CLIP-PATH: circle(0)",
        "overflow:clip;height:0",
        "max-height:0;overflow-y:clip",
    ],
)
def test_a_style_that_hides(style: str) -> None:
    assert hides(style)


@pytest.mark.parametrize(
    "style",
    [
        "",
        "display:block",
        "/* display:none */",
        "/* display:none; */ color:red",
        "/* never closed; display:none",
        "display:none;display:block",
        "display:none!important;display:block!important",
        "display:block!important;display:none",
        "visibility:visible!important;visibility:hidden",
        "display:none!imported;display:block",
        "display:no/**/ne",
        "left:-999%",
        "left:1000%",
        "text-indent:99%",
        "-webkit-clip-path:inset(49%)",
        "clip-path:inset(0)",
        "overflow:clip;height:9px",
        "overflow:auto;height:0",
        "!",
        "/",
        "/*",
        "a:/",
        "a:!/*",
    ],
)
def test_a_style_that_does_not_hide(style: str) -> None:
    assert not hides(style)


PROGRAM = """
import random
import numpy as np
from massivetext.extraction.styles import style_hides
pieces = ["/", "*", "/*", "*/", ":", ";", "!", "important", "(", ")", " ", "-", ".", "9", "%", "px", "none",
    "display", "left", "clip", "clip-path", "-webkit-clip-path", "font-size", "height", "width", "overflow",
    "inset", "rect"]
random.seed(1)
for _ in range(20_000):
    page = np.frombuffer("".join(random.choices(pieces, k=random.randint(0, 12))).encode(), np.uint8)
    style_hides(page, 0, len(page))
print("done")
"""


def test_styles_at_the_end_of_a_page_are_read_within_it() -> None:
    """With numba's bounds checks on."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=checked_environment(), capture_output=True, text=True, timeout=500
    )

    assert "done\n" == result.stdout, result.stderr[-2000:]
