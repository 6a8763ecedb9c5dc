"""Near-duplicates of texts in memory: the rule of the main job, for a notebook, a test or a small corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from massivetext.dedup.banding import band_hashes, plan
from massivetext.dedup.digests import exact_digests, set_digests
from massivetext.dedup.evidence import SIGNATURE_SEED
from massivetext.dedup.grouping import ALONE, connect, find_roots, star_edges
from massivetext.dedup.removal import decide, exact_threshold
from massivetext.dedup.shingles import shingle_sets, signed_sets
from massivetext.kernels import njit
from massivetext.text import Texts
from massivetext.text.hashing import HASH_VERSION

__all__ = ["near_duplicates", "random_ranks", "take_sets"]

RESULT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("partner_id", pa.string()),
        pa.field("jaccard", pa.float64()),
    ],
    metadata={"massivetext.hash_version": str(HASH_VERSION)},
)


def random_ranks(ids: Iterable[bytes], seed: int) -> np.ndarray:
    """uint64[n, 2]: the random rank of each id (UTF-8), BLAKE2b-128 keyed with the seed, big-endian."""
    key = seed.to_bytes(8, "little")
    data = b"".join(hashlib.blake2b(name, digest_size=16, key=key).digest() for name in ids)
    return np.frombuffer(data, ">u8").reshape(-1, 2).astype(np.uint64)


@njit(cache=True, nogil=True)
def _gather(hashes, bounds, chosen, out):
    n = 0
    for i in range(len(chosen)):
        for j in range(bounds[chosen[i]], bounds[chosen[i] + 1]):
            out[n] = hashes[j]
            n += 1


def take_sets(
    hashes: np.ndarray, bounds: np.ndarray, chosen: np.ndarray, *others: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Sets `chosen` (int64[k]) of many, as hashes and bounds of their own; those of `others`, each with hashes, bounds
    and chosen, come after them."""
    sources = [(hashes, bounds, chosen), *others]
    sizes = np.concatenate([(ends[1:] - ends[:-1])[taken] for _, ends, taken in sources])
    new = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=new[1:])
    out = np.empty(new[-1], np.uint64)
    done = 0
    for values, ends, taken in sources:
        _gather(values, ends, taken, out[new[done] :])
        done += len(taken)
    return out, new


def near_duplicates(
    texts: Texts, ids: Iterable[str] | pa.Array, *, threshold: float = 0.8, recall: float = 0.99, seed: int = 0
) -> pa.Table:
    """Which of the texts are kept, and which kept one each other one duplicates.

    Columns: id; kept; partner_id, the best-ranked kept text with J > threshold, null if kept; jaccard, J with the
    partner, 1 for exact duplicates, null if kept. One row per text, in the order given; a null text is empty. Texts are
    ranked at random by id and seed, the best-ranked one is kept unless it duplicates a better one (the rule:
    docs/deduplication.md). `recall` is that of finding a pair at the threshold; what is removed is always verified.
    """
    names = [str(name) for name in (ids.to_pylist() if isinstance(ids, (pa.Array, pa.ChunkedArray)) else ids)]
    if len(names) != len(texts):
        raise ValueError(f"{len(texts)} texts but {len(names)} ids")
    ratio = exact_threshold(threshold)
    banding = plan(threshold, recall)
    hashes, bounds = shingle_sets(texts)
    exact, _ = exact_digests(texts)
    digests = set_digests(hashes, bounds)
    sizes = np.diff(bounds)
    # A text without shingles has the exact rule only: it stands in a class of its exact text.
    digests[sizes == 0] = exact[sizes == 0] ^ np.uint64(1)

    encoded = [name.encode("utf-8", "surrogatepass") for name in names]
    ranks = random_ranks(encoded, seed)
    by_id = np.array(sorted(range(len(names)), key=encoded.__getitem__), np.int64)
    order_of_id = np.empty(len(names), np.int64)
    order_of_id[by_id] = np.arange(len(names))
    order = np.lexsort((order_of_id, ranks[:, 1], ranks[:, 0]))
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))

    # Equal sets have equal neighbours: the best-ranked one stands for all.
    best = np.arange(len(names))
    ordered = np.lexsort((place, digests[:, 1], digests[:, 0]))
    if len(ordered):
        new = np.r_[True, np.any(digests[ordered[1:]] != digests[ordered[:-1]], axis=1)]
        best[ordered] = ordered[np.flatnonzero(new)][np.cumsum(new) - 1]

    chosen = np.flatnonzero((best == np.arange(len(names))) & (sizes > 0))
    bands = band_hashes(signed_sets(texts, banding.num_hashes, SIGNATURE_SEED)[0], banding)
    parent = np.full(len(names), ALONE, np.uint32)
    connect(parent, star_edges(bands[chosen].ravel(), np.repeat(chosen.astype(np.uint32), banding.bands)))
    find_roots(parent)
    candidates = np.flatnonzero(parent != ALONE)
    candidates = candidates[np.lexsort((place[candidates], parent[candidates]))]
    removals = decide(
        *take_sets(hashes, bounds, candidates),
        bands[candidates],
        parent[candidates],
        np.zeros(len(candidates), bool),
        ratio,
    )

    partner = np.full(len(names), -1, np.int64)
    jaccard = np.full(len(names), np.nan)
    gone = np.flatnonzero(removals.partner >= 0)
    documents, partners = candidates[gone], candidates[removals.partner[gone]]
    common = removals.overlap[gone]
    partner[documents] = partners
    jaccard[documents] = common / (sizes[documents] + sizes[partners] - common)
    copies = np.flatnonzero(best != np.arange(len(names)))
    stands_for = best[copies]
    removed = partner[stands_for] >= 0
    partner[copies] = np.where(removed, partner[stands_for], stands_for)
    jaccard[copies] = np.where(removed, jaccard[stands_for], 1.0)
    kept = partner < 0
    partner_ids = [None if k < 0 else names[k] for k in partner.tolist()]
    columns = [names, kept, partner_ids, pa.array(jaccard, mask=kept)]
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, RESULT)], schema=RESULT)
