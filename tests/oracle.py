"""The rules in plain Python, slow and literal, for the kernels to agree with. Needs Unicode 14.0: Python 3.11."""

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


def quality(text: str) -> dict[str, float]:
    words, all_lines = text.split(), lines(text)
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


def repetition(text: str, repeats: bool = False) -> dict[str, float]:
    words = text.split()
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
    return "".join(c for c in text if unicodedata.category(c)[0] not in "PS").split()


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
