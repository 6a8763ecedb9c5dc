"""Token sequences on the fly: drawn by weights, in a seeded order, dealt to ranks, and resumed exactly."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from massivetext.dealing import (
    all_ended,
    check_rank,
    check_uneven,
    checked_states,
    deal,
    own_state,
    same_epoch,
    whole_number,
)
from massivetext.errors import LimitError, RecipeError
from massivetext.mixture.allotment import generator
from massivetext.mixture.plan import Available, plan
from massivetext.packing.blocks import Barren, Block, Blocks, check, fingerprint
from massivetext.packing.documents import Mixture, open_mixture
from massivetext.tokenizers import Tokenizer, read_tokenizer

__all__ = ["Sequences", "sequences"]

_DRAWS = 1024


def sequences(
    path: str | os.PathLike[str],
    *,
    tokenizer: str | os.PathLike[str],
    length: int = 2048,
    rank: int = 0,
    world_size: int = 1,
    seed: int = 0,
    tokens: int | None = None,
    epochs: float | str | None = "mixture",
    batch_size: int | None = None,
    weights: Mapping[str, float] | None = None,
    mixture: str | None = None,
    max_epochs: float = 4,
    uneven: str = "keep",
    dtype: str | None = None,
    bos: str | None = None,
    eos: str | None = None,
    scratch: str | os.PathLike[str] | None = None,
) -> Sequences:
    """Make sequences of `length` tokens from a mixture by spec section 10.

    Each `for` over the result is a pass. By default a pass has as many tokens as the mixture, as `massivetext pack`
    writes them; each pass has other crops in another order.

    Args:
        path: An output folder, a mixture in it, or a folder of Parquet with `text` and `subset`.
        tokenizer: A SentencePiece model, a `tokenizers` JSON file, a tiktoken file, or a folder with one of them.
        length: Tokens of a sequence.
        rank, world_size: This reader among those that share the sequences, none of which two get.
        seed: Crops and their order are a function of it and of the pass.
        tokens: Of a pass, over all ranks; by default those of the mixture.
        epochs: "mixture" ends a pass by tokens. A number ends it when one subset that is drawn has given that many
            crops of each of its documents, which may be soon: a warning says so. None never ends.
        batch_size: Gives arrays [batch_size, length] (the last may be shorter), else [length].
        weights: Of subsets, by default the mixture's.
        mixture: Its name, where the folder has several.
        max_epochs: Of a subset's tokens in a pass, above which LimitError names the largest number of tokens.
        uneven: Where the ranks cannot have equally many sequences: "keep" gives the first ranks one more, "drop" leaves
            the rest out, "pad" gives each one more, "error" refuses.
        dtype: Of the tokens; by default uint16 where the vocabulary allows, else int32.
        bos, eos: Pieces of the tokenizer to use, where it does not say which.
        scratch: A local folder, also of several ranks, to hold the texts by subset, as large as they are: each row
            group is then read and decoded once, not once an epoch of each subset. It is left behind.

    Raises:
        RecipeError: For weights that do not sum to 1 or name a subset without documents, and for a tokenizer without
            BOS or EOS.
        OutputError: For shards that are not what the manifest says.
        LimitError: For documents that fill no sequence, and tokens above `max_epochs`.
    """
    rank, world_size = check_rank(rank, world_size)
    check_uneven(uneven)
    seed, length = whole_number("seed", seed), whole_number("length", length, 1)
    batch_size = None if batch_size is None else whole_number("batch_size", batch_size, 1)
    tokens = None if tokens is None else whole_number("tokens", tokens, 1)
    if tokens is not None and tokens < length:
        raise RecipeError(f"tokens: {tokens}; expected at least those of one sequence, {length}")
    by_tokens = epochs == "mixture"
    if not by_tokens and (isinstance(epochs, str) or (epochs is not None and epochs <= 0)):
        raise RecipeError(f"epochs: {epochs!r}; expected 'mixture', a number above 0, or None for no end")
    if not by_tokens and (tokens is not None or uneven != "keep"):
        raise RecipeError(f"epochs: {epochs!r} does not go with tokens or uneven, which end a pass by its tokens")
    found = read_tokenizer(tokenizer, bos=bos, eos=eos)
    check(found, length)
    for note in found.notes:
        warnings.warn(note, stacklevel=2)
    if dtype is not None and np.iinfo(dtype).max < found.vocabulary - 1:
        raise RecipeError(f"dtype: {dtype} does not hold {found.vocabulary:,} ids")
    opened = open_mixture(path, mixture=mixture, weights=weights, scratch=scratch)
    total = None
    if by_tokens:
        available = {name: Available(opened.n_documents(name), max(1, opened.tokens[name])) for name in opened.weights}
        every = sum(share.tokens for share in available.values())
        # The mixture's own weights and tokens were planned when it was made.
        most = max_epochs if weights is not None or tokens is not None else float("inf")
        total = plan(available, opened.weights, tokens=tokens or every, max_epochs=most).tokens // length
        if not total:
            raise LimitError(
                f"length: {length:,}; the mixture's {every:,} tokens fill no sequence; take a smaller length"
            )
    return Sequences(
        opened,
        found,
        length=length,
        seed=seed,
        rank=rank,
        world_size=world_size,
        epochs=None if by_tokens else epochs,  # type: ignore[arg-type]
        total=total,
        batch_size=batch_size,
        uneven=uneven,
        dtype=dtype,
    )


@dataclass
class _Place:
    """Where one rank is in one subset. pending: [block, sequences of it already given], the first being read; next:
    the first block not begun, from where on every world_size-th is this rank's."""

    pending: list[list[int]]
    next: int
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("crops", "tokens", "dropped"), 0))
    block: Block | None = None


class Sequences:
    """What `sequences` returns.

    Iterating resumes where it stands, so also after `load_state_dict`; after the end of a pass it begins the next one.
    `epoch` is the number of the pass, `total` its sequences over all ranks, and `ended` says what ended the last one.
    """

    def __init__(
        self,
        mixture: Mixture,
        tokenizer: Tokenizer,
        *,
        length: int,
        seed: int,
        rank: int,
        world_size: int,
        epochs: float | None,
        total: int | None,
        batch_size: int | None,
        uneven: str = "keep",
        dtype: str | None = None,
    ) -> None:
        self.mixture, self.tokenizer, self.length, self.seed = mixture, tokenizer, length, seed
        self.rank, self.world_size, self.epochs, self.batch_size = rank, world_size, epochs, batch_size
        self.total, self.uneven, self.dtype = total, uneven, dtype
        self._mark = fingerprint(mixture, tokenizer, length=length, seed=seed)
        self._begin(0)
        if total is not None:
            if uneven == "error" and total % world_size:
                raise LimitError(
                    f"uneven: {total:,} sequences are no multiple of {world_size} ranks; take 'drop' or 'pad'"
                )
            if uneven == "drop" and total < world_size:
                raise LimitError(
                    f"uneven: 'drop' leaves nothing: there are {total:,} sequences for {world_size} ranks; take fewer "
                    "ranks"
                )
            if not self._quota():
                warnings.warn(
                    f"rank {rank} of {world_size} gets no sequence: there are {total:,}; take fewer ranks, or "
                    "epochs=None",
                    stacklevel=3,
                )

    def _begin(self, epoch: int) -> None:
        """Stand at the beginning of a pass, of which the crops have a seed of their own."""
        self.epoch = epoch
        self._seed: object = self.seed if epoch == 0 else f"{self.seed} pass {epoch}"
        self.blocks = {
            name: Blocks(self.mixture, name, self.tokenizer, length=self.length, seed=self._seed)
            for name in self.mixture.weights
        }
        self._places = {name: _Place([], self.rank) for name in self.blocks}
        self._barren = {name: Barren(found) for name, found in self.blocks.items()}
        self._base = self._drawn = 0
        self.ended: str | None = None
        self._draws: tuple[int, np.ndarray] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Stand at the beginning of pass `epoch`, from 0 on; within it already, nothing changes, so that a pass that
        was resumed goes on."""
        epoch = whole_number("epoch", epoch, 0)
        if epoch != self.epoch or self.ended is not None:
            counts = {name: place.counts for name, place in self._places.items()}
            self._begin(int(epoch))
            for name, place in self._places.items():
                place.counts = counts[name]

    def _quota(self) -> int:
        """Sequences that this rank gives from where the ranks were last dealt anew to the end of the pass."""
        rest = max(0, int(self.total or 0) - self._base)
        extra = {"keep": self.rank < rest % self.world_size, "drop": False, "pad": rest % self.world_size > 0}
        return rest // self.world_size + extra.get(self.uneven, False)

    def __len__(self) -> int:
        """Sequences, or batches, of this rank's pass. Raises TypeError where a pass has no known end."""
        if self.total is None:
            raise TypeError("a pass that does not end by tokens has no length")
        return -(-self._quota() // (self.batch_size or 1))

    def __iter__(self) -> Iterator[np.ndarray]:
        if self.ended is not None:
            self.set_epoch(self.epoch + 1)
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
        if self.ended is not None:
            raise StopIteration
        if self.total is not None and self._drawn >= self._quota():
            self.ended = f"all {self.total:,} sequences of the pass were given"
            raise StopIteration
        name = self._draw(self._drawn)
        place = self._places[name]
        while place.block is None or place.pending[0][1] >= len(place.block.sequences):
            if place.block is not None:
                place.pending.pop(0)
                place.block = None
            if not self._load(name, place):
                self._end(name)
                raise StopIteration
        sequence = place.block.sequences[place.pending[0][1]]
        place.pending[0][1] += 1
        self._drawn += 1
        return sequence.astype(self.dtype or sequence.dtype)

    def _end(self, name: str) -> None:
        """Say what ended a pass by epochs, loudly where most of the mixture was not given."""
        n_documents = self.blocks[name].reader.n_documents
        self.ended = f"{name} has given {self.epochs:g} crops of each of its {n_documents:,} documents"
        given = self._drawn * self.length * self.world_size
        every = sum(self.mixture.tokens[one] for one in self.mixture.weights)
        if len(self.mixture.weights) > 1 and given < every / 2:
            warnings.warn(
                f"the pass ended since {self.ended}; it gave about {given:,} of the mixture's {every:,} tokens. "
                'epochs="mixture" gives as many as it has',
                stacklevel=4,
            )

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
            random = generator("draw", self._seed, self._base, self.world_size, self.rank, chunk)
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
            "epoch": self.epoch,
            "ended": self.ended is not None,
            "total": self.total,
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

        Raises OutputError for states of another mixture, tokenizer, length, seed or weights, for states that are not
        those of all ranks, and for what is no state.
        """
        states = checked_states(state, self._mark, subsets=self.blocks, of_rank=("base", "drawn"), of_place=("next",))
        own = own_state(states, rank=self.rank, world_size=self.world_size)
        if own is not None:
            epoch, begun, has_ended = own["epoch"], [own], all_ended(states)
        else:
            epoch, begun, has_ended = same_epoch(states)
        self._begin(epoch)
        if own is not None:
            self._base, self._drawn = own["base"], own["drawn"]
            positions = {name: (place["pending"], place["next"]) for name, place in own["subsets"].items()}
        else:
            self._base = max(one["base"] for one in begun) + sum(one["drawn"] for one in begun)
            positions = {}
            for name in self._places:
                fresh = [{"pending": [], "next": one["rank"]} for one in states]
                places = [one["subsets"][name] if one in begun else start for one, start in zip(states, fresh)]
                positions[name] = deal(places, rank=self.rank, world_size=self.world_size)
        self._places = {name: _Place(*place) for name, place in positions.items()}
        self.ended = "the pass had ended when the state was saved" if has_ended else None
