"""Token sequences on the fly: drawn by weights, in a seeded order, dealt to ranks, and resumed exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from massivetext.dealing import check_rank, compare_states, deal, own_state
from massivetext.errors import RecipeError
from massivetext.mixture.allotment import generator
from massivetext.packing.blocks import Barren, Block, Blocks, check, fingerprint
from massivetext.packing.documents import Mixture, open_mixture
from massivetext.tokenizers import read_tokenizer

__all__ = ["Sequences", "sequences"]

_DRAWS = 1024


def sequences(
    path: str,
    *,
    tokenizer: str,
    length: int = 2048,
    rank: int = 0,
    world_size: int = 1,
    seed: int = 0,
    epochs: float | None = 1,
    batch_size: int | None = None,
    weights: Mapping[str, float] | None = None,
    mixture: str | None = None,
    bos: str | None = None,
    eos: str | None = None,
    scratch: str | None = None,
) -> Sequences:
    """Sequences of `length` tokens from a mixture by spec section 10: an iterator of arrays [length], or
    [batch_size, length] (the last may be shorter), uint16 where the vocabulary allows, else int32.

    path: an output folder, a mixture in it, or a folder of Parquet with `text` and `subset`. tokenizer: a SentencePiece
    model or a `tokenizers` JSON file; bos, eos: its pieces to use, where it marks none. rank, world_size: this reader
    among those that share the sequences, none of which two get. epochs: of crops; the stream ends when a subset that is
    drawn has given that many crops of each of its documents; None never ends. weights: of subsets, by default the
    mixture's; mixture: its name, where the folder has several. scratch: a local folder, also of several ranks, to hold
    the texts by subset, as large as they are: each row group is then read and decoded once, not once an epoch of each
    subset. It is left behind.

    Raises RecipeError for weights that do not sum to 1 or name a subset without documents, and for a tokenizer without
    BOS or EOS; OutputError for shards that are not what the manifest says; LimitError for documents that fill no
    sequence.
    """
    check_rank(rank, world_size)
    if batch_size is not None and batch_size < 1:
        raise RecipeError(f"batch_size: {batch_size}; expected at least 1")
    if epochs is not None and epochs <= 0:
        raise RecipeError(f"epochs: {epochs}; expected more than 0, or None for no end")
    found = read_tokenizer(tokenizer, bos=bos, eos=eos)
    check(found, length)
    opened = open_mixture(path, mixture=mixture, weights=weights, scratch=scratch)
    made = {name: Blocks(opened, name, found, length=length, seed=seed) for name in opened.weights}
    mark = fingerprint(opened, found, length=length, seed=seed)
    return Sequences(opened, made, mark, rank=rank, world_size=world_size, epochs=epochs, batch_size=batch_size)


@dataclass
class _Place:
    """Where one rank is in one subset. pending: [block, sequences of it already given], the first being read; next:
    the first block not begun, from where on every world_size-th is this rank's."""

    pending: list[list[int]]
    next: int
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("crops", "tokens", "dropped"), 0))
    block: Block | None = None


class Sequences:
    """What `sequences` returns. Iterating goes on where it stands; so it does after `load_state_dict`."""

    def __init__(
        self,
        mixture: Mixture,
        blocks: Mapping[str, Blocks],
        mark: dict[str, object],
        *,
        rank: int,
        world_size: int,
        epochs: float | None,
        batch_size: int | None,
    ) -> None:
        self.mixture, self.blocks = mixture, dict(blocks)
        self.rank, self.world_size, self.epochs, self.batch_size = rank, world_size, epochs, batch_size
        self._mark = mark
        self._places = {name: _Place([], rank) for name in self.blocks}
        self._barren = {name: Barren(found) for name, found in self.blocks.items()}
        self._base = self._drawn = 0
        self._ended = False
        self._draws: tuple[int, np.ndarray] | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        if self.batch_size is None:
            return self._one()
        rows: list[np.ndarray] = []
        while len(rows) < self.batch_size:
            try:
                rows.append(self._one())
            except StopIteration:
                break
        if not rows:
            raise StopIteration
        return np.stack(rows)

    def _one(self) -> np.ndarray:
        if self._ended:
            raise StopIteration
        name = self._draw(self._drawn)
        place = self._places[name]
        while place.block is None or place.pending[0][1] >= len(place.block.sequences):
            if place.block is not None:
                place.pending.pop(0)
                place.block = None
            if not self._load(name, place):
                self._ended = True
                raise StopIteration
        sequence = place.block.sequences[place.pending[0][1]]
        place.pending[0][1] += 1
        self._drawn += 1
        return sequence.copy()

    def _load(self, name: str, place: _Place) -> bool:
        """Make the next block of a subset; False if there is none within the epochs."""
        blocks = self.blocks[name]
        limit = None if self.epochs is None else round(self.epochs * blocks.reader.n_documents)
        end = None if limit is None else -(-limit // blocks.positions)
        # Dealt anew, a rank may hold blocks beyond the end, which were never anyone's.
        place.pending = [pair for pair in place.pending if end is None or pair[0] < end]
        if not place.pending:
            if end is not None and place.next >= end:
                return False
            place.pending.append([place.next, 0])
            place.next += self.world_size
        place.block = blocks.block(place.pending[0][0], limit=limit)
        self._barren[name].see(place.block)
        for key in place.counts:
            place.counts[key] += getattr(place.block, key)
        return True

    def _draw(self, number: int) -> str:
        """The subset of this rank's sequence of that number: by the weights, and by nothing read so far."""
        names = list(self.mixture.weights)
        chunk, at = divmod(number, _DRAWS)
        if self._draws is None or self._draws[0] != chunk:
            seed = self._mark["seed"]
            random = generator("draw", seed, self._base, self.world_size, self.rank, chunk)
            edges = np.cumsum([self.mixture.weights[name] for name in names])
            drawn = np.searchsorted(edges, random.random(_DRAWS) * edges[-1], side="right")
            self._draws = (chunk, np.minimum(drawn, len(names) - 1))
        return names[self._draws[1][at]]

    def counts(self) -> dict[str, dict[str, float]]:
        """Of each subset what this object has made so far, blocks made again after a resume included: crops, tokens,
        dropped (tokens of rests), crop_epochs (crops / documents) and token_epochs (tokens / the mixture's tokens)."""
        found: dict[str, dict[str, float]] = {}
        for name, place in self._places.items():
            available = self.mixture.tokens[name]
            found[name] = {
                **place.counts,
                "crop_epochs": place.counts["crops"] / self.blocks[name].reader.n_documents,
                "token_epochs": place.counts["tokens"] / available if available else float("nan"),
            }
        return found

    def state_dict(self) -> dict[str, Any]:
        """Where this rank stands, as JSON can hold it: a few numbers for each subset."""
        return {
            "version": 1,
            "of": dict(self._mark),
            "rank": self.rank,
            "world_size": self.world_size,
            "base": self._base,
            "drawn": self._drawn,
            "subsets": {
                name: {"pending": [list(pair) for pair in place.pending], "next": place.next}
                for name, place in self._places.items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Go on from a state of this rank, or from the states of all ranks, in any order, of any world size: then what
        none of them has given is dealt anew, and no sequence is given twice. Makes one block for each subset again.

        Raises OutputError for states of another mixture, tokenizer, length, seed or weights, and for states that are
        not those of all ranks.
        """
        states = [state] if isinstance(state, Mapping) else list(state)
        compare_states(states, self._mark)
        own = own_state(states, rank=self.rank, world_size=self.world_size)
        if own is not None:
            self._base, self._drawn = int(own["base"]), int(own["drawn"])
            held = {
                name: ([list(pair) for pair in place["pending"]], int(place["next"]))
                for name, place in own["subsets"].items()
            }
        else:
            self._base = max(int(one["base"]) for one in states) + sum(int(one["drawn"]) for one in states)
            self._drawn = 0
            held = {
                name: deal([one["subsets"][name] for one in states], rank=self.rank, world_size=self.world_size)
                for name in self._places
            }
        self._places = {name: _Place(*place) for name, place in held.items()}
        self._ended, self._draws = False, None
        self._barren = {name: Barren(found) for name, found in self.blocks.items()}
