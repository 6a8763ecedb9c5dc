"""Which licence a licence file is, told by its whole text: the clauses in their order with nothing of weight between,
before or after them. A text with a clause more, less or changed is another licence, and is not recognised.

Knows the eight licences of the code subset; every other text is None.
"""

from __future__ import annotations

import html
import re

from massivetext.leading_comments import COMMENTS

__all__ = ["identify", "is_licence_file", "is_notice", "is_of_reuse"]

_LICENCE_NAME = re.compile(
    r"(?:[\w+-]+[-_.])?(?:un)?licen[cs]es?(?:[-_.][\w.+-]+)?\Z|copying(?:[-_.][\w.+-]+)?\Z", re.IGNORECASE
)
_NO_TEXT = (".py", ".c", ".h", ".js", ".ts", ".java", ".go", ".rs", ".rb", ".json", ".xml", ".yml", ".yaml")
_LONGEST = 1 << 16
_COPYRIGHT_NAME = re.compile(r"copyrights?(?:[-_.][\w.+-]+)?\Z|notice(?:\.(?:txt|md))?\Z", re.IGNORECASE)
_REUSE = re.compile(r"(?:.*/)?licen[cs]es/[^/]+?(?:\.(?:txt|md|rst|html?))?\Z", re.IGNORECASE)
_PAGE = re.compile(
    r"\s*" + COMMENTS + r"<(?:!doctype\s|\?xml|html|head|body|pre|h[1-6]|p|div)\b", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(
    r"<(?:script|style|title)\b.*?</(?:script|style|title)>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL
)

_NOTICE = re.compile(
    r"^[^\w\n]*(?:(?:portions? )?copyright\b[^\n]*?(?:\(c\)|©|\d{4}|[<\[{])[^\n]*"
    r"|\(c\)[ \t]*(?:copyright|\d{4})[^\n]*|©[^\n]*|all rights reserved[^\w\n]*|spdx-license-identifier:[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_WORD = re.compile(r"[a-z]+")
_DOUBT = frozenset(
    """
    additional addendum agpl alterations bundled commercial commons condition conditions copyleft derived
    except exception exceptions excluding files following however includes incorporates lgpl gpl gnu
    military must noncommercial not nuclear only otherwise parts party patent patents portions prohibited
    proprietary provided require required requires restricted restriction restrictions shall unless
    """.split()  # noqa: SIM905
)
"""Words that a title, a list of authors or a pointer to a web page does not have, and a further condition does."""


def _gap(least: int, most: int) -> str:
    return rf"(?:[a-z]+ ){{{least},{most}}}?"


_AS_IS = (
    "the software is provided as is without warranty of any kind express or implied including but not limited to the "
    "warranties of merchantability fitness for a particular purpose and (?:non ?infringement|noninfringement) in no "
    "event shall "
    + _gap(1, 20)
    + "be liable for any claim damages or other liability whether in an action of contract tort or otherwise arising "
    "from out of or in connection with the software or the use or other dealings in the software "
)
_BSD_CONDITIONS = (
    "redistribution and use in source and binary forms with or without modification are permitted provided that the "
    "following conditions are met "
    + _gap(0, 1)
    + "redistributions of source code must retain the above copyright notice this list of conditions and the following "
    "disclaimer "
    + _gap(0, 2)
    + "redistributions in binary form must reproduce the above copyright notice this list of conditions and the "
    "following "
    "disclaimer in the documentation and or other materials provided with the distribution "
)
_BSD_NAME = (
    _gap(0, 2)
    + "(?:neither the names? of "
    + _gap(1, 25)
    + "nor the names? of "
    + _gap(1, 15)
    + "may be used|the names? of "
    + _gap(1, 20)
    + "may not be used) to endorse or promote products derived from this software without specific prior written "
    "permission "
)
_BSD_DISCLAIMER = (
    "this software is provided by "
    + _gap(1, 20)
    + "as is and any express or implied warranties including but not limited to the implied warranties of "
    "merchantability "
    "and fitness for a particular purpose are disclaimed in no event shall "
    + _gap(1, 20)
    + "be liable for any direct indirect incidental special exemplary or consequential damages including but not "
    "limited to "
    "procurement of substitute goods or services loss of use data or profits or business interruption however caused "
    "and on "
    "any theory of liability whether in contract strict liability or tort including negligence or otherwise arising "
    "in any "
    "way out of the use of this software even if advised of the possibility of such damage "
)

_TEXTS = {
    "MIT": "permission is hereby granted free of charge to any person obtaining a copy of this software and associated "
    "documentation files the software to deal in the software without restriction including without limitation the "
    "rights to "
    "use copy modify merge publish distribute sublicense and or sell copies of the software and to permit persons to "
    "whom "
    "the software is furnished to do so subject to the following conditions the above copyright notice and this "
    "permission "
    "notice (?:including the next paragraph )?shall be included in all copies or substantial portions of the software "
    + _AS_IS,
    "ISC": "permission to use copy modify and (?:or )?distribute this software for any purpose with or without fee "
    "is hereby "
    "granted provided that the above copyright notice and this permission notice appear in all copies the software is "
    "provided as is and "
    + _gap(1, 15)
    + "disclaims? all warranties with regard to this software including all implied warranties of merchantability "
    "and fitness "
    "in no event shall "
    + _gap(1, 15)
    + "be liable for any special direct indirect or consequential damages or any damages whatsoever resulting from "
    "loss of "
    "use data or profits whether in an action of contract negligence or other tortious action arising out of or in "
    "connection with the use or performance of this software ",
    "BSD-2-Clause": _BSD_CONDITIONS + _BSD_DISCLAIMER,
    "BSD-3-Clause": _BSD_CONDITIONS + _BSD_NAME + _BSD_DISCLAIMER,
    "Unlicense": "this is free and unencumbered software released into the public domain anyone is free to copy modify "
    "publish use compile sell or distribute this software either in source code form or as a compiled binary for any "
    "purpose "
    "commercial or non ?commercial and by any means in jurisdictions that recognize copyright laws the author or "
    "authors of "
    "this software dedicate any and all copyright interest in the software to the public domain we make this "
    "dedication for "
    "the benefit of the public at large and to the detriment of our heirs and successors we intend this dedication "
    "to be an "
    "overt act of relinquishment in perpetuity of all present and future rights to this software under copyright law "
    + _AS_IS,
}
_PATTERNS = {name: re.compile(r"(?<![a-z])" + text) for name, text in _TEXTS.items()}


class _Long:
    """A long licence: how it begins and ends, headings in between in their order, and its number of words."""

    def __init__(self, first: str, headings: list[str], last: str, words: int) -> None:
        self.first, self.headings, self.last, self.words = first + " ", headings, last + " ", words

    def span(self, words: str) -> tuple[int, int] | None:
        begin = words.find(self.first)
        at = begin
        for landmark in [*self.headings, self.last]:
            at = words.find(landmark, at)
            if at < 0:
                return None
        end = at + len(self.last)
        n = words.count(" ", begin, end)
        return (begin, end) if begin >= 0 and abs(n - self.words) <= 12 else None


_LONG = {
    "Apache-2.0": _Long(
        "terms and conditions for use reproduction and distribution definitions",
        [
            "grant of copyright license subject to the terms and conditions of this license",
            "grant of patent license subject to the terms and conditions of this license",
            "if you institute patent litigation against any entity",
            "redistribution you may reproduce and distribute copies of the work",
            "submission of contributions unless you explicitly state otherwise",
            "trademarks this license does not grant permission to use the trade names trademarks service marks or "
            "product names "
            "of the licensor except as required for reasonable and customary use in describing the origin of the "
            "work and "
            "reproducing the content of the notice file disclaimer of warranty",
            "limitation of liability in no event and under no legal theory",
            "accepting warranty or additional liability while redistributing the work",
        ],
        "by reason of your accepting any such warranty or additional liability",
        1402,
    ),
    "CC0-1.0": _Long(
        "the laws of most jurisdictions throughout the world automatically confer exclusive copyright and related "
        "rights",
        [
            "a work made available under cc may be protected by copyright and related or neighboring rights",
            "waiver to the greatest extent permitted by but not in contravention of applicable law",
            "public license fallback should any part of the waiver",
            "no trademark or patent rights held by affirmer are waived",
            "affirmer disclaims responsibility for clearing rights of other persons",
        ],
        "has no duty or obligation with respect to this cc or use of the work",
        996,
    ),
    "Artistic-2.0": _Long(
        "this license establishes the terms under which a given free software package may be copied modified "
        "distributed "
        "and or redistributed",
        [
            "you are permitted to use the standard version and create and use modified versions for any purpose",
            "you may distribute verbatim copies of the source form of the standard version",
            "distribution of modified versions of the package as source",
            "you may distribute compiled forms of the standard version without the source",
            "you may aggregate the package",
            "items that are not considered part of a modified version",
            "this license includes the non exclusive worldwide free of charge patent license",
            "disclaimer of warranty the package is provided by the copyright holder and contributors as is",
        ],
        "arising in any way out of the use of the package even if advised of the possibility of such damage",
        1336,
    ),
}
_APPENDIX = re.compile(
    r"^(?:end of terms and conditions )?(?:(?:appendix )?how to apply the apache license to your work to apply the "
    r"apache "
    r"license to your work attach the following boilerplate notice "
    + _gap(0, 110)
    + r"(?=copyright|licensed under))?(?:copyright "
    + _gap(0, 15)
    + r"(?=licensed under))?(?:licensed under the apache license version the license you may not use this "
    + _gap(1, 3)
    + r"except in compliance with the license "
    + _gap(0, 60)
    + r"limitations under the license )?"
)
_CC0_HEAD = re.compile(
    r"(?:creative commons legal code )?(?:cc )?(?:universal )?(?:creative commons corporation is not a law firm "
    r".{0,700}?(?=statement of purpose))?"
)
_ARTISTIC_HEAD = re.compile(
    r"everyone is permitted to copy and distribute verbatim copies of this license document but changing it is not "
    r"allowed "
)
_MORE_INFORMATION = re.compile(r"(?:for more information )?please refer to https? ?unlicense org ")


def is_licence_file(name: str) -> bool:
    """Whether a file of this name (without folders) holds a licence: LICENSE, LICENCE.txt, LICENSE.html, COPYING,
    COPYRIGHT, MIT-LICENSE, ..."""
    is_named = _LICENCE_NAME.match(name) or _COPYRIGHT_NAME.match(name)
    return is_named is not None and not name.lower().endswith(_NO_TEXT)


def is_of_reuse(path: str) -> bool:
    """Whether a path is a licence in the folder that the REUSE specification keeps them in: LICENSES/MIT.txt."""
    return _REUSE.match(path) is not None


def is_notice(name: str, text: str) -> bool:
    """Whether a file called COPYRIGHT or NOTICE says who holds the rights, and adds no condition: it is no licence."""
    words = " ".join(_WORD.findall(_NOTICE.sub(" ", text).lower()))
    return _COPYRIGHT_NAME.match(name) is not None and _is_idle(words)


def identify(text: str) -> str | None:
    """The SPDX id of a licence file's text, or None if it is not, or not only, one of the eight. A page counts as the
    text that it shows."""
    if len(text) > _LONGEST:
        return None
    if _PAGE.match(text):
        text = html.unescape(_TAG.sub(" ", text))
    words = " ".join(_WORD.findall(_NOTICE.sub(" ", text).lower())) + " "
    for name, pattern in _PATTERNS.items():
        found = pattern.search(words)
        if found:
            rest = words[found.end() :]
            return name if _is_idle(words[: found.start()]) and _is_idle(_MORE_INFORMATION.sub("", rest)) else None
    for name, long in _LONG.items():
        span = long.span(words)
        if span:
            head, rest = words[: span[0]], words[span[1] :]
            head = _ARTISTIC_HEAD.sub("", _CC0_HEAD.sub("", head, count=1))
            return name if _is_idle(head) and _is_idle(_APPENDIX.sub("", rest)) else None
    return None


def _is_idle(words: str) -> bool:
    """Whether words beside a licence add nothing to it: few, and none that a condition is made of."""
    listed = words.split()
    return len(listed) <= 60 and not _DOUBT.intersection(listed)
