"""Blocks: runs of groups of one subset, the unit in which sequences are made, shuffled, dealt to ranks and resumed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from massivetext.errors import LimitError, RecipeError
from massivetext.mixture.allotment import generator
from massivetext.packing.crops import CROPS_A_GROUP, Crops, crop, sequences_of_group
from massivetext.packing.documents import Mixture, SubsetReader
from massivetext.tokenizers import TOKENS_VERSION, Tokenizer

__all__ = ["Barren", "Block", "Blocks", "check", "fingerprint"]

_GROUPS_A_BLOCK = 32
_BLOCKS_AN_EPOCH = 64


@dataclass(frozen=True)
class Block:
    """sequences: [n, length], in the block's own seeded order; crops: how many made them; tokens: of all crops with
    BOS and EOS; dropped: those of the groups' rests."""

    sequences: np.ndarray
    crops: int
    tokens: int
    dropped: int


def check(tokenizer: Tokenizer, length: int) -> None:
    """Raises RecipeError for a tokenizer without BOS or EOS and for a length below 1."""
    for name, found in (("BOS", tokenizer.bos), ("EOS", tokenizer.eos)):
        several = tokenizer.candidates.get(name.lower())
        if found is None and several:
            raise RecipeError(
                f"tokenizer: {tokenizer.path}: several of its pieces could be the {name} token: {', '.join(several)}; "
                f"name the one to use ({name.lower()}=...), or put its tokenizer_config.json beside it"
            )
        if found is None:
            raise RecipeError(
                f"tokenizer: {tokenizer.path}: has no {name} token, which stands where a document begins or ends; name "
                f"the piece to use ({name.lower()}=...), or train one with `massivetext tokenizer train`"
            )
    if length < 1:
        raise RecipeError(f"length: {length}; expected at least 1")


class Blocks:
    """Block f of a subset has the crops at the positions f P to (f + 1) P - 1, P being `positions`; crops at positions
    of one epoch are of all its documents once. The same for the same mixture, tokenizer, length and seed."""

    def __init__(self, mixture: Mixture, subset: str, tokenizer: Tokenizer, *, length: int, seed: object) -> None:
        self.reader = SubsetReader(mixture, subset, seed=seed)
        self.tokenizer, self.length, self.seed, self.subset = tokenizer, length, seed, subset
        groups = self.reader.n_documents // (CROPS_A_GROUP * _BLOCKS_AN_EPOCH)
        # Small subsets have small blocks, so that several ranks find some.
        self.positions = CROPS_A_GROUP * min(max(groups, 1), _GROUPS_A_BLOCK)

    def block(self, number: int, *, limit: int | None = None) -> Block:
        """limit: the position behind the last that is to be used."""
        first = number * self.positions
        last = first + self.positions if limit is None else min(first + self.positions, limit)
        random = generator("block", self.seed, self.subset, number)
        # Drawn for the whole block, also where it ends early: what is there does not depend on the limit.
        crops = self._crops(first, last, random.random(self.positions))
        ids = self.tokenizer.encode(crops.texts)
        assert self.tokenizer.bos is not None
        assert self.tokenizer.eos is not None
        pieces, dropped = [], 0
        for at in range(0, len(crops), CROPS_A_GROUP):
            group = slice(at, at + CROPS_A_GROUP)
            sequences, rest = sequences_of_group(
                ids[group],
                crops.first[group].tolist(),
                crops.last[group].tolist(),
                bos=self.tokenizer.bos,
                eos=self.tokenizer.eos,
                length=self.length,
                dtype=self.tokenizer.dtype,
            )
            pieces.append(sequences)
            dropped += rest
        made = np.concatenate(pieces)
        made = made[random.permutation(len(made))]
        return Block(made, len(crops), made.size + dropped, dropped)

    def _crops(self, first: int, last: int, uniform: np.ndarray) -> Crops:
        found: list[Crops] = []
        at = 0
        for texts, rows in self.reader.pieces(first, last):
            found.append(crop(texts, uniform[at : at + len(rows)], length=self.length, rows=rows))
            at += len(rows)
        return Crops(
            [text for piece in found for text in piece.texts],
            np.concatenate([piece.first for piece in found]),
            np.concatenate([piece.last for piece in found]),
        )


class Barren:
    """Notices a subset whose documents are too short to fill a sequence, which would be searched for ever."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks, self._crops = blocks, 0

    def see(self, block: Block) -> None:
        """Raises LimitError once an epoch of crops, or 1,000, gave no sequence."""
        self._crops = 0 if len(block.sequences) else self._crops + block.crops
        enough = min(self._blocks.reader.n_documents, 1000)
        if self._crops >= enough:
            raise LimitError(
                f"{self._blocks.subset}: {self._crops} crops in a row, {CROPS_A_GROUP} a group, fill no sequence of "
                f"{self._blocks.length} tokens: its documents are too short; take a smaller length, or weight 0 for it"
            )


def fingerprint(mixture: Mixture, tokenizer: Tokenizer, *, length: int, seed: int) -> dict[str, object]:
    """What sequences are a function of, for comparing two states: a JSON object."""
    weights = hashlib.blake2b(repr(sorted(mixture.weights.items())).encode(), digest_size=8).hexdigest()
    pieces = [tokenizer.digest, tokenizer.bos, tokenizer.eos]
    if tokenizer.kind == "tokenizers":
        pieces.append(f"tokens-{TOKENS_VERSION}")
    return {"mixture": mixture.digest, "weights": weights, "tokenizer": pieces, "length": length, "seed": seed}
