"""The rules in plain Python, slow and literal, for the kernels to agree with.

It knows characters as the Python that runs it does; the program does as Unicode 14.0, that of Python 3.11. On other
versions it is asked about characters that all of them know alike (tests/strategies.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
BULLETS = tuple("•‣⁃◦●○■□▪▫▶►◀·")


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def paragraphs(text: str) -> list[str]:
    return [piece.strip() for piece in re.split(r"\n\s*\n", text) if piece.strip()]


def lower(text: str) -> str:
    return "".join(c.lower() for c in text)


def _stripped(word: str) -> str:
    while word and not word[0].isalnum():
        word = word[1:]
    while word and not word[-1].isalnum():
        word = word[:-1]
    return word


def _is_bullet(line: str) -> bool:
    return line.startswith(BULLETS) or (len(line) > 1 and line[0] in "-*+–" and line[1].isspace())


_RANGES = (
    "[\u2e80-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufa6d"
    "\ufa70-\ufad9\U00016fe2-\U00016fe3\U00016ff0-\U00016ff1\U00020000-\U0002a6df\U0002a700-\U0002b738"
    "\U0002b740-\U0002b81d\U0002b820-\U0002cea1\U0002ceb0-\U0002ebe0\U0002f800-\U0002fa1d\U00030000-\U0003134a"
    "\u3041-\u3096\u309d-\u309f\U0001b001-\U0001b11f\U0001b150-\U0001b152\U0001f200"
    "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u32d0-\u32fe\u3300-\u3357\uff66-\uff9f\U0001aff0-\U0001aff3"
    "\U0001aff5-\U0001affb\U0001affd-\U0001affe\U0001b000\U0001b120-\U0001b122\U0001b164-\U0001b167"
    "\u02ea-\u02eb\u3105-\u312f\u31a0-\u31bf\u0e01-\u0e3a\u0e40-\u0e5b"
    "\u0e81-\u0e82\u0e84\u0e86-\u0e8a\u0e8c-\u0ea3\u0ea5\u0ea7-\u0ebd\u0ec0-\u0ec4\u0ec6\u0ec8-\u0ecd\u0ed0-\u0ed9"
    "\u0edc-\u0edf\u1780-\u17dd\u17e0-\u17e9\u17f0-\u17f9\u19e0-\u19ff\u1000-\u109f\ua9e0-\ua9fe\uaa60-\uaa7f"
    "\u0f00-\u0f47\u0f49-\u0f6c\u0f71-\u0f97\u0f99-\u0fbc\u0fbe-\u0fcc\u0fce-\u0fd4\u0fd9-\u0fda"
    "\u1a20-\u1a5e\u1a60-\u1a7c\u1a7f-\u1a89\u1a90-\u1a99\u1aa0-\u1aad\u1980-\u19ab\u19b0-\u19c9\u19d0-\u19da"
    "\u19de-\u19df\ua000-\ua48c\ua490-\ua4c6]"
)
_UNSPACED = re.compile(_RANGES)


def is_unspaced(c: str) -> bool:
    return _UNSPACED.match(c) is not None


def written_words(text: str) -> list[str]:
    """Words, but each code point of a script without spaces is one, with the marks after it."""
    words: list[str] = []
    for run in text.split():
        new = True
        for c in run:
            marks = unicodedata.category(c).startswith("M")
            if new or (is_unspaced(words[-1][0]) and not marks) or (is_unspaced(c) and not is_unspaced(words[-1][0])):
                words.append("")
            words[-1] += c
            new = False
    return words


def quality(text: str, written: bool = False) -> dict[str, float]:
    words, all_lines = written_words(text) if written else text.split(), lines(text)
    n, m = max(1, len(words)), max(1, len(all_lines))
    return {
        "word_count": len(words),
        "mean_word_length": sum(map(len, words)) / n,
        "hash_ratio": text.count("#") / n if words else 0.0,
        "ellipsis_ratio": (text.count("...") + text.count("…")) / n,
        "bullet_line_fraction": sum(map(_is_bullet, all_lines)) / m,
        "ellipsis_line_fraction": sum(line.endswith(("...", "…")) for line in all_lines) / m,
        "alphabetic_word_fraction": sum(any(c.isalpha() for c in word) for word in words) / n,
        "stop_word_count": len(STOP_WORDS & {_stripped(lower(word)) for word in words}),
    }


def _duplicates(pieces: list[str], repeats: bool) -> tuple[float, float]:
    counts, seen = Counter(pieces), set()
    n = points = 0
    for piece in pieces:
        if counts[piece] > 1 and not (repeats and piece not in seen):
            n += 1
            points += len(piece)
        seen.add(piece)
    return (n / len(pieces), points / sum(map(len, pieces))) if pieces else (0.0, 0.0)


def _covered(words: list[str], n: int, chosen: set[tuple[str, ...]], repeats: bool) -> float:
    marked, seen = set(), set()
    for i in range(len(words) - n + 1):
        gram = tuple(words[i : i + n])
        if gram in chosen and not (repeats and gram not in seen):
            marked.update(range(i, i + n))
        seen.add(gram)
    return sum(len(words[i]) for i in marked) / max(1, sum(map(len, words)))


def repetition(text: str, repeats: bool = False, written: bool = False) -> dict[str, float]:
    words = written_words(text) if written else text.split()
    line, line_chars = _duplicates(lines(text), repeats)
    paragraph, paragraph_chars = _duplicates(paragraphs(text), repeats)
    values = {
        "duplicate_line_fraction": line,
        "duplicate_paragraph_fraction": paragraph,
        "duplicate_line_character_fraction": line_chars,
        "duplicate_paragraph_character_fraction": paragraph_chars,
    }
    for n in range(2, 11):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        counts = Counter(grams)
        often = {gram for gram, count in counts.items() if count > 1}
        if n <= 4:
            order = {gram: i for i, gram in reversed(list(enumerate(grams)))}
            top = sorted(often, key=lambda g: (-counts[g], -sum(map(len, g)), order[g]))[:1]
            values[f"top_{n}gram_character_fraction"] = _covered(words, n, set(top), repeats)
        else:
            values[f"duplicate_{n}gram_character_fraction"] = _covered(words, n, often, repeats)
    return values


def normalised_words(text: str) -> list[str]:
    text = lower(unicodedata.normalize("NFC", text))
    return written_words(
        "".join(c for c in text if unicodedata.category(c)[0] not in "PS" and unicodedata.category(c) != "Cf")
    )


def shingles(text: str) -> set[tuple[str, ...]]:
    words = normalised_words(text)
    if not words:
        return set()
    width = min(13, len(words))
    return {tuple(words[i : i + width]) for i in range(len(words) - width + 1)}


MASK = 2**64 - 1


def fmix(h: int) -> int:
    h ^= h >> 33
    h = h * 0xFF51AFD7ED558CCD & MASK
    h ^= h >> 33
    h = h * 0xC4CEB9FE1A85EC53 & MASK
    return h ^ h >> 33


def shingle_hash(words: tuple[str, ...]) -> int:
    g = 0
    for word in words:
        h = 0xCBF29CE484222325
        for c in word:
            h = (h ^ ord(c)) * 0x9E3779B97F4A7C15 & MASK
        g = (g * 0xD1342543DE82EF95 + fmix(h)) & MASK
    return fmix(g)
