"""The text of a page that stands in its JSON-LD: articles, threads, questions and their answers."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from massivetext.extraction.html import parse
from massivetext.extraction.render import render

__all__ = ["structured_text"]

_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")
_BODIES = ("articleBody", "reviewBody", "text")
_POSTS = frozenset(
    (
        *("DiscussionForumPosting", "SocialMediaPosting", "Question", "Answer", "Comment", "QAPage", "FAQPage"),
        *("Conversation", "Message", "BlogPosting"),
    )
)
"""Types of which `text` is what somebody wrote. Elsewhere it is a caption or a notice."""
_TITLES = ("headline", "name")


def structured_text(page: bytes) -> str:
    """Return the longest text in the page's JSON-LD, "" if there is none: an article's body, or the posts of a thread
    in their order, each a paragraph, under its title."""
    longest = ""
    end = 0
    while (kind := page.find(b"application/ld+json", end)) >= 0:
        start = page.find(b">", kind) + 1
        end = page.find(b"</script", start)
        if start == 0 or end < 0:
            break
        try:
            value = json.loads(page[start:end].decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError):
            continue
        for candidate in _texts(value):
            if len(candidate) > len(longest):
                longest = candidate
    return longest


def _texts(value: Any) -> list[str]:
    """The body of each article in a JSON-LD value, and all posts of it as one text."""
    bodies: list[str] = []
    posts: list[str] = []
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(reversed(item))
        elif isinstance(item, dict):
            kinds = item.get("@type")
            is_post = not _POSTS.isdisjoint(map(str, kinds if isinstance(kinds, list) else [kinds]))
            for key in _BODIES:
                body = item.get(key)
                if not isinstance(body, str) or not body.strip():
                    continue
                body = _plain(body)
                if key != "text":
                    bodies.append(body)
                if is_post and body not in posts:
                    posts.append(body)
            if is_post:
                _add_title(item, posts)
            pending.extend(reversed(list(item.values())))
    return [*bodies, "\n\n".join(posts)]


def _add_title(item: dict[str, Any], posts: list[str]) -> None:
    """Put the title of a question or thread before its text."""
    title = next((item[key] for key in _TITLES if isinstance(item.get(key), str)), "")
    title = _plain(title).strip()
    if not title or any(post.startswith(title) for post in posts):
        return
    has_text = isinstance(item.get("text"), str) or isinstance(item.get("articleBody"), str)
    posts.insert(len(posts) - 1 if has_text and posts else len(posts), title)


def _plain(text: str) -> str:
    """A text without markup. Entities stay: the caller resolves them."""
    if not _MARKUP.search(text):
        return text.strip()
    inner = text.encode("utf-8", "replace")
    tree = parse(inner)
    return render(inner, tree, np.ones(len(tree.blocks), np.bool_)).decode("utf-8", "replace")
