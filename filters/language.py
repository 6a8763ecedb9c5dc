"""Which language a text is in: fastText lid.176 on a sample of the extracted text.

The sample is that of `massivetext.fasttext.sample`: head, middle and tail of the text, lower-cased if most of its
letters are capitals. A text of whitespace alone is `und` with score 0.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import fasttext
from massivetext.errors import RecipeError
from massivetext.fasttext.kernels import make_scratch, mean_row
from massivetext.fasttext.labels import top_labels
from massivetext.fasttext.sample import make_buffers, sample
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.letters import cased_letters
from massivetext.text.unicode import tables

__all__ = ["LANGUAGES", "MODEL", "VERSION", "broken", "load", "measure", "samples"]

VERSION = 2
"""Of the definition of these columns: 1 did not lower-case samples that are written in capitals."""
MODEL = Path(__file__).parent.parent / "massivetext" / "data" / "lid.176.ftz"
TOP = 3
_CODES = """
    af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da de
    diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id ie
    ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr
    mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah
    sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu
    xal xmf yi yo yue zh und
"""
CODES = frozenset(_CODES.split())
"""The languages that the packaged model knows, and `und` of an empty text."""
LANGUAGES = pa.list_(pa.struct([("language", pa.string()), ("score", pa.float64())]))


@njit(cache=True, nogil=True)
def _sample_one(data, words, shift, start, end, space, cased, lower):
    size, lowered = sample(data, words, shift, start, end, space, cased, lower)
    return (space.lowered if lowered else space.sample)[1:size]


@njit(cache=True, nogil=True)
def _identify(data, words, shift, offsets, space, cased, lower, network, k, scratch, ids, scores):
    """Write the best k labels of each text to `ids` and their scores to `scores`."""
    hashes = np.empty(len(space.lowered), np.int32)
    for i in range(len(offsets) - 1):
        size, lowered = sample(data, words, shift, offsets[i], offsets[i + 1], space, cased, lower)
        text = space.lowered if lowered else space.sample
        if size > 1 and mean_row(text, np.int64(1), size, network, scratch, hashes):
            for j in range(top_labels(network.last, scratch.mean, scratch, k)):
                ids[i, j], scores[i, j] = scratch.ids[j], scratch.scores[j]


def _arguments(texts: Texts) -> tuple[Any, ...]:
    """What the kernels take of a column: (data, its 8-byte words, where the first begins, offsets, buffers, tables)."""
    data, offsets = buffers(texts)
    shift = min(-data.ctypes.data % 8, len(data))
    words = data[shift : shift + (len(data) - shift) // 8 * 8].view(np.uint64)
    lower = tables().lower.view()
    lower.flags.writeable = False
    space = make_buffers(int(np.diff(offsets).max(initial=0)))
    return data, words, shift, offsets, space, cased_letters(), lower


def samples(texts: Texts) -> list[str]:
    """What the model sees of each text; nulls are empty, whitespace alone too."""
    data, words, shift, offsets, *rest = _arguments(texts)
    pairs = itertools.pairwise(offsets)
    return [_sample_one(data, words, shift, *pair, *rest).tobytes().decode("utf-8", "replace") for pair in pairs]


def load(path: str) -> fasttext.Model:
    """Return the model of a file. Raises RecipeError, with the recipe's key, for one that cannot be used."""
    try:
        return fasttext.load(path)
    except FileNotFoundError:
        raise RecipeError(
            f"language.model: no file at {path!r}; expected a fastText model (.bin or .ftz) on this machine's disk; "
            "without the key the packaged lid.176.ftz is used"
        ) from None
    except (ValueError, OSError) as error:
        raise RecipeError(f"language.model: {path}: not a fastText model ({error}); expected .bin or .ftz") from error


def measure(texts: Texts, *, model: str | Path | None = None) -> pa.RecordBatch:
    """Columns language, language_score (0-1, 4 decimals) and languages (the top three), one row per text."""
    loaded = load(str(model or MODEL))
    arguments = _arguments(texts)
    rows, k = len(arguments[3]) - 1, min(TOP, len(loaded.labels))
    ids, scores = np.full((rows, k), -1, np.int32), np.zeros((rows, k), np.float32)
    kernel: Any = _identify
    kernel(*arguments, loaded.network, k, make_scratch(loaded.network, k), ids, scores)
    # Exact: a float32 times 10,000 has a double of its own, and what is half-way is rounded to even, as `round` does.
    rounded = np.rint(np.minimum(scores, 1).astype(np.float64) * 10_000) / 10_000
    names = pa.array([*loaded.labels, "und"], pa.string())
    first = names.take(pa.array(np.where(ids[:, 0] < 0, len(loaded.labels), ids[:, 0])))
    answered = ids >= 0
    ends = np.concatenate([[0], np.cumsum(answered.sum(axis=1))]).astype(np.int32)
    entries = pa.StructArray.from_arrays(
        [names.take(pa.array(ids[answered])), pa.array(rounded[answered])], names=["language", "score"]
    )
    return pa.RecordBatch.from_arrays(
        [first, pa.array(rounded[:, 0]), pa.ListArray.from_arrays(pa.array(ends), entries).cast(LANGUAGES)],
        names=["language", "language_score", "languages"],
    )


def broken(columns: pa.RecordBatch, keep: dict[str, float]) -> dict[str, np.ndarray]:
    """Reason -> mask of rows: the top language is not kept, or its score is below that language's limit."""
    names, scores = columns.column("language"), columns.column("language_score").to_numpy(zero_copy_only=False)
    other = np.ones(len(names), bool)
    low = np.zeros(len(names), bool)
    for name, least in keep.items():
        spoken = pc.fill_null(pc.equal(names, name), False).to_numpy(zero_copy_only=False)
        other &= ~spoken
        low |= spoken & (scores < least)
    return {"language.language": other, "language.language_score": low}
