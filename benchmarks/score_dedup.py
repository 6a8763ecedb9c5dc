"""Near-duplicates of real texts against brute force over all pairs, beside datasketch's LSH.

    python benchmarks/score_dedup.py
    python benchmarks/score_dedup.py --git .      the versions of the files of a repository, from its history

For each set: pairs with J >= .8 and the share of them that are candidates; documents removed by us and by the rule over
all pairs, and every difference; precision and recall of datasketch's unverified LSH pairs on the same signatures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

DATA = Path(os.environ.get("MASSIVETEXT_DATA", Path(__file__).resolve().parents[2] / "shared/data"))


def load() -> dict[str, list[str]]:
    from tests.dedup import conftest

    def made(fixture: object) -> list[str]:
        return fixture.__wrapped__(DATA) if hasattr(fixture, "__wrapped__") else fixture._get_wrapped_function()(DATA)

    names = ("licences", "peps", "chapters", "windows", "pages")
    return {name: made(getattr(conftest, name)) for name in names}


def versions(repository: str, most: int = 3000) -> list[str]:
    """Different contents of text files (.md, .py, .rst, .txt) that the history of a git repository holds."""
    command = ["git", "-C", repository]
    listed = subprocess.run([*command, "rev-list", "--objects", "HEAD"], check=True, capture_output=True, text=True)
    names = [line.split(" ", 1) for line in listed.stdout.splitlines() if line.endswith((".md", ".py", ".rst", ".txt"))]
    blobs = sorted({name for name, _ in names})[:most]
    return [
        subprocess.run([*command, "cat-file", "blob", blob], check=True, capture_output=True).stdout.decode(
            "utf-8", "replace"
        )
        for blob in blobs
    ]


def score(name: str, texts: list[str]) -> None:
    from datasketch import MinHash, MinHashLSH

    from massivetext import dedup
    from massivetext.dedup.banding import band_hashes
    from massivetext.dedup.shingles import shingle_sets
    from tests.dedup import brute_force

    column = pa.array(texts, pa.large_string())
    hashes, bounds = shingle_sets(column)
    sets = [set(hashes[bounds[i] : bounds[i + 1]].tolist()) for i in range(len(texts))]
    common = np.array(brute_force.overlaps(sets))
    sizes = np.diff(bounds)
    total = sizes[:, None] + sizes[None, :] - common
    with np.errstate(invalid="ignore"):
        jaccard = np.where(total > 0, common / total, 0)
    upper = np.triu(np.ones_like(total, bool), 1)
    pairs = upper & (5 * common >= 4 * total) & (total > 0)
    above = upper & (5 * common > 4 * total) & (total > 0)
    banding = dedup.plan()
    bands = band_hashes(dedup.signatures(column, num_hashes=banding.num_hashes, seed=1), banding)
    candidates = np.zeros_like(upper)
    for band in range(banding.bands):
        candidates |= bands[:, band][:, None] == bands[:, band][None, :]
    candidates &= upper & (sizes > 0)[:, None] & (sizes > 0)[None, :]
    ids = [f"{name}-{i}" for i in range(len(texts))]
    rows = dedup.near_duplicates(column, ids).to_pylist()
    ours = {row["id"]: (row["partner_id"], row["jaccard"]) for row in rows if not row["kept"]}
    best = {key: (partner, float(j)) for key, (partner, j) in brute_force.near_duplicates(texts, ids).items()}
    differing = sorted(key for key in {*ours, *best} if ours.get(key) != best.get(key))

    signed = dedup.signatures(column, num_hashes=128, seed=1)
    lsh = MinHashLSH(threshold=0.8, num_perm=128)
    peers = [MinHash(hashvalues=row, seed=1, scheme="affine32") for row in signed]
    found = np.zeros_like(upper)
    for i, peer in enumerate(peers):
        for j in lsh.query(peer):
            found[j, i] = True
        lsh.insert(i, peer)
    hits = np.count_nonzero(found & above)
    print(f"{name}: {len(texts)} documents, {np.count_nonzero(pairs)} pairs with J >= .8")
    print(
        f"    candidates: {np.count_nonzero(candidates & pairs) / max(1, np.count_nonzero(pairs)):.4f} of them, ",
        end="",
    )
    print(f"{np.count_nonzero(candidates) / max(1, np.count_nonzero(pairs)):.2f} candidates a pair")
    print(f"    removed: {len(ours)}; by all pairs {len(best)}; different rows {len(differing)} {differing[:10]}")
    wrong = [key for key, (partner, j) in ours.items() if partner in ours or not j > 0.8]
    print(f"    removed without a kept partner at J > .8: {len(wrong)}")
    print(
        f"    datasketch LSH, unverified: precision {hits / max(1, np.count_nonzero(found)):.3f}, "
        f"recall {hits / max(1, np.count_nonzero(above)):.3f}"
    )
    assert jaccard.max(initial=0) <= 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--git", metavar="PATH", help="score the versions of a repository's files instead")
    arguments = parser.parse_args()
    if arguments.git:
        score("versions", versions(arguments.git))
        return
    for name, texts in load().items():
        score(name, texts)


if __name__ == "__main__":
    main()
