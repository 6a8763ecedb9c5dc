"""What other per-document limits would keep, from the ledger of a run alone.

The verdict is the recipe's own (`RecipeView.broken_rules`), the same that the pass over the text uses, on the columns
that the pass wrote. What the later stages would do with a document that they have not seen is not known: such a
document is `unknown`, and so is a duplicate whose kept partner the new limits remove.

Limits on what stands elsewhere (`spans`, `host_lines`) are applied to the values that the run has measured. Shares
(`keep`, `buckets`) are of the documents that pass the rules and these limits, and that the run did not remove as
duplicates; their limits are found anew. What test sets would do with a document that comes back is in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.ledger import ledger_files
from massivetext.looking.forecast import planned_mixture
from massivetext.looking.quantiles import Weighted, best_share_limits, weighted
from massivetext.looking.recipe_view import RecipeView
from massivetext.mixture import weights_with_sources
from massivetext.parquet import open_parquet
from massivetext.quantiles import Search, bucket_of
from massivetext.report.samples import texts, visible
from massivetext.sql import Engine

__all__ = ["PARTNER_LOST", "SNIPPET", "Place", "Shares", "WhatIf", "verdicts", "what_if"]

SNIPPET = 300
"""Characters of a text that an example shows."""

_DOCUMENTS = pa.array(["kept", "rejected", "duplicate", "outranked", "contaminated"])
"""Outcomes of documents: rows with text, on which the rules have a verdict."""

_UNITS = ("documents", "bytes", "tokens")
UNKNOWN = "unknown"
PARTNER_LOST = "duplicate of a removed document"
"""The `reason` of an unknown outcome that was `duplicate`."""

Key = tuple[str, str | None]
"""Outcome and reason."""

Move = tuple[Key, Key]
"""What a document is, and what it would be."""


@dataclass
class WhatIf:
    """What would become of the documents of a run.

    Attributes:
        changes: Of the recipe, one line each, by subset.
        later: The later stages of each subset, which have not seen newly kept documents.
        moves: By subset, then move: documents, bytes, tokens.
        examples: Documents of each move, with what decides.
        shares: By subset, then signal: the share that is kept with its limit, and buckets with their lowest values,
            documents and tokens.
        mixture: The plan of a mixture by the new recipe, of the documents that would be kept; None where the recipe
            compares no documents.
    """

    changes: list[str]
    later: dict[str, list[str]]
    moves: dict[str, dict[Move, list[int]]] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)
    shares: dict[str, dict[str, Any]] = field(default_factory=dict)
    mixture: dict[str, Any] | None = None

    def sums(self, subset: str, which: int) -> dict[Key, list[int]]:
        """Return documents, bytes and tokens by outcome and reason; which: 0 before, 1 after."""
        totals: dict[Key, list[int]] = {}
        for move, sums in self.moves[subset].items():
            total = totals.get(move[which], [0, 0, 0])
            totals[move[which]] = [a + b for a, b in zip(total, sums)]
        return totals

    def as_data(self) -> dict[str, Any]:
        """Return plain data: documents, bytes and tokens before and after by subset, outcome and reason; `passing`
        counts those that pass the per-document rules; moves, largest first; examples."""
        subsets = {}
        for subset in sorted(self.moves):
            before, after = self.sums(subset, 0), self.sums(subset, 1)
            passing = [
                [sum(sums[k] for key, sums in side.items() if key[0] != "rejected") for k in range(3)]
                for side in (before, after)
            ]
            subsets[subset] = {
                "passing": {"before": passing[0], "after": passing[1]},
                "outcomes": [
                    {
                        "outcome": key[0],
                        "reason": key[1],
                        "before": before.get(key, [0, 0, 0]),
                        "after": after.get(key, [0, 0, 0]),
                    }
                    for key in sorted({**before, **after}, key=str)
                ],
                "later_stages": self.later[subset],
            }
        moves = [
            {"subset": subset, "from": _key(move[0]), "to": _key(move[1]), **dict(zip(_UNITS, sums))}
            for subset, moves_of in sorted(self.moves.items())
            for move, sums in sorted(moves_of.items(), key=lambda item: (-item[1][0], str(item[0])))
            if move[0] != move[1]
        ]
        data = {"changes": self.changes, "subsets": subsets, "moves": moves, "examples": self.examples}
        data |= {"shares": self.shares} if self.shares else {}
        return data if self.mixture is None else {**data, "mixture": self.mixture}


@dataclass(frozen=True, order=True)
class Place:
    """A row group of a part of the ledger."""

    path: str
    subset: str
    group: int

    @property
    def part(self) -> str:
        return self.path.rpartition("/")[2].removesuffix(".parquet")


def verdicts(
    folder: str, recipe: RecipeView, columns: Sequence[str] = (), *, only: str | None = None
) -> Iterator[tuple[Place, pa.RecordBatch, pa.DictionaryArray]]:
    """Judge the documents of a ledger by a recipe's per-document rules, a row group at a time.

    Args:
        folder: A run's output folder.
        recipe: What judges. Subsets that it does not have are left out.
        columns: Further columns of the ledger to read.
        only: The subset to read; None for all.

    Yields:
        The row group's place, its documents (rows with text), and the reason for which each would be rejected, null
        for those that would not.

    Raises:
        OutputError: If the ledger has no column that a rule needs.
    """
    for path in ledger_files(folder):
        subset = path.split("/")[-2]
        if subset not in recipe.subsets or only not in (None, subset):
            continue
        names = list(dict.fromkeys([*recipe.judged_columns(subset), "outcome", "reason", *columns]))
        with storage.open_input(path) as stream, open_parquet(stream) as file:
            missing = sorted(set(names) - set(file.schema_arrow.names))
            if missing:
                raise OutputError(
                    f"{path}: has no column {', '.join(missing)}; `massivetext verify {folder}` checks it"
                )
            for group in range(file.metadata.num_row_groups):
                table = file.read_row_group(group, columns=names)
                # What was taken out by its owner's wish comes back by no limit.
                removed = pc.fill_null(pc.starts_with(table.column("reason"), "removed."), False)
                judged = pc.and_not(pc.is_in(table.column("outcome"), value_set=_DOCUMENTS), removed)
                table = table.filter(judged).combine_chunks()
                for batch in table.to_batches():
                    yield Place(path, subset, group), batch, recipe.deciding_reasons(batch, subset)


def what_if(folder: str, run_recipe: RecipeView, recipe: RecipeView, *, examples: int = 2) -> WhatIf:
    """Return what other per-document limits would keep of a run. Memory does not grow with the ledger.

    Args:
        folder: The run's output folder.
        run_recipe: The recipe that made it.
        recipe: The recipe to judge by, over the same sources.
        examples: Documents to show for each move.

    Raises:
        RecipeError: If the recipes differ in more than per-document limits.
    """
    result = WhatIf(
        run_recipe.answerable_changes(recipe),
        {
            name: [stage for stage in recipe.later_stages if recipe.goes_through(name, stage)]
            for name in run_recipe.filled
        },
    )
    chosen: dict[Move, list[tuple[str, Place]]] = {}
    shares = {subset: Shares.find(folder, recipe, subset) for subset in run_recipe.filled}
    names = ["id", "reason", "reasons", "n_bytes", "n_tokens", "partner_id"]
    names += sorted({name for share in shares.values() for name in (*share.spec, *share.compared)})
    with _Partners() as partners:
        for place, batch, reason in verdicts(folder, recipe, names):
            moved = _moved(batch, reason, bool(result.later[place.subset]), shares[place.subset])
            _add(result.moves.setdefault(place.subset, {}), moved)
            _choose(chosen, moved, place, examples)
            partners.add(place, moved)
        partners.settle(result, chosen, examples)
    result.shares = {subset: share.as_data() for subset, share in shares.items() if share.spec}
    is_mixed = any(recipe.mixture.weights.get(name, 0) > 0 for name in shares)
    if is_mixed and any(share.spec or share.compared for share in shares.values()):
        result.mixture = _mixture(result, recipe, shares)
    result.examples = _examples(folder, run_recipe, recipe, chosen)
    return result


def _mixture(result: WhatIf, recipe: RecipeView, shares: Mapping[str, Shares]) -> dict[str, Any]:
    """Return the plan of a mixture of the documents that would be kept, by bucket where the recipe repeats buckets."""
    weights, is_scaled = weights_with_sources(recipe.mixture.weights, shares)
    subsets: dict[str, Any] = {}
    for name in weights:
        block = recipe.mixture.buckets.get(name)
        if block is None:
            documents, n_bytes, tokens = (
                result.sums(name, 1).get(("kept", None), [0, 0, 0]) if name in result.moves else [0] * 3
            )
            sizes = [[documents, tokens, n_bytes]]
        else:
            sizes = shares[name].sums[block.score].tolist()
        subsets[name] = {"remaining": [dict(zip(("documents", "tokens", "bytes"), row)) for row in sizes]}
    return planned_mixture(recipe.mixture, (weights, is_scaled), subsets)


_KNOWN = pa.array(["kept", "outranked", "contaminated"])
"""Outcomes of documents that rules and deduplication left."""


@dataclass
class Shares:
    """What a recipe removes of the documents of one subset by comparing them, and which buckets it divides them into.

    First go those over a limit on what stands elsewhere (`spans`, `host_lines`), then all but the best shares.

    Attributes:
        broken: From a batch of the ledger to who breaks which limit on what stands elsewhere, by reason.
        compared: The columns that it reads.
        spec: By signal: `keep`, `by`, `buckets`, as `RecipeView.shares` has them.
        reasons: By signal, the reason of a document that is below the best share.
        is_marked_only: Whether documents with test items stay.
        is_deduplicated: Whether the subset goes through deduplication, which has not seen rejected documents.
        keep: By signal, the least value that is kept; None where all are.
        buckets: By signal, the least value of each bucket but the first.
        sums: By signal, documents, tokens and bytes of each bucket: those that would be kept.
    """

    broken: Callable[[pa.RecordBatch], Mapping[str, np.ndarray]]
    compared: Sequence[str]
    spec: Mapping[str, Any]
    reasons: Mapping[str, str]
    is_marked_only: bool = False
    is_deduplicated: bool = True
    keep: dict[str, float | None] = field(default_factory=dict)
    buckets: dict[str, list[float | None]] = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def find(cls, folder: str, recipe: RecipeView, subset: str) -> Shares:
        """Find the limits of a recipe's shares of a subset of a run, reading its ledger twice for each signal."""
        spec = recipe.shares(subset)
        remove = getattr(recipe.block(subset, "contamination"), "remove", None)
        reasons = {name: recipe.share_reason(subset, name) for name in spec}
        compared = recipe.compared_columns(subset)

        def broken(batch: pa.RecordBatch) -> Mapping[str, np.ndarray]:
            return recipe.broken_by_comparison(batch, subset) if compared else {}

        is_deduplicated = recipe.goes_through(subset, "deduplication")
        shares = cls(broken, compared, spec, reasons, remove == "mark", is_deduplicated)
        for name, one in spec.items():
            searches = [] if one.keep is None else [Search.of(one.keep)]
            searches += [Search(1 - Search.of(end).share) for end in one.buckets]

            def read(name: str = name, unit: Any = one.by) -> Iterator[Weighted]:
                for _, batch, reason in verdicts(folder, recipe, (name, *compared, "n_tokens"), only=subset):
                    is_ranked = shares.is_compared(batch, reason).to_numpy(zero_copy_only=False)
                    for mask in broken(batch).values():
                        is_ranked = is_ranked & ~mask
                    rows = batch.filter(pa.array(is_ranked))
                    yield weighted(rows[name], rows["n_tokens"], unit)

            limits = best_share_limits(read, searches)
            shares.keep[name] = None if one.keep is None else limits[0]
            shares.buckets[name] = limits[0 if one.keep is None else 1 :]
            shares.sums[name] = np.zeros((len(one.buckets) + 1, 3), np.int64)
        return shares

    def is_compared(self, batch: pa.RecordBatch, reason: pa.DictionaryArray) -> pa.Array:
        """Return which documents shares are of: those that pass the rules, and of which the run knows that they are no
        duplicates."""
        known = _KNOWN if self.is_deduplicated else pa.concat_arrays([_KNOWN, pa.array(["rejected"])])
        return pc.and_(reason.is_null(), pc.is_in(batch.column("outcome"), value_set=known))

    def judged(self, batch: pa.RecordBatch, moved: pa.Table, reason: pa.DictionaryArray) -> pa.Table:
        """Return documents with `to` and `to_reason` as these shares have them.

        Args:
            batch: of the ledger.
            moved: what becomes of its documents by the rules.
            reason: for which rules reject them; null for none.
        """
        if not self.spec and not self.compared and not pc.any(pc.equal(batch["outcome"], "outranked")).as_py():
            return moved
        compared = self.is_compared(batch, reason).to_numpy(zero_copy_only=False)
        outcomes, reasons = moved["to"].to_pylist(), moved["to_reason"].to_pylist()
        for i in np.flatnonzero(compared & (np.array(outcomes, object) == "outranked")).tolist():
            test = next((one for one in batch["reasons"][i].as_py() if one.startswith("contamination.")), None)
            is_kept = test is None or self.is_marked_only
            outcomes[i], reasons[i] = ("kept", None) if is_kept else ("contaminated", test)
        values = {name: weighted(batch[name], batch["n_tokens"], "documents")[0] for name in self.spec}
        broken = dict(self.broken(batch))
        broken |= {self.reasons[name]: values[name] < least for name, least in self.keep.items() if least is not None}
        for outranked, mask in reversed(broken.items()):
            for i in np.flatnonzero(compared & mask).tolist():
                outcomes[i], reasons[i] = "outranked", outranked
        is_kept_now = np.array([outcome == "kept" for outcome in outcomes], bool)
        tokens, n_bytes = (
            pc.fill_null(batch[name], 0).to_numpy(zero_copy_only=False).astype(np.int64)
            for name in ("n_tokens", "n_bytes")
        )
        for name, limits in self.buckets.items():
            numbers = bucket_of(values[name], limits)[is_kept_now]
            sizes = [np.ones(len(numbers), np.int64), tokens[is_kept_now], n_bytes[is_kept_now]]
            np.add.at(self.sums[name], numbers, np.stack(sizes, 1))
        columns = {"to": pa.array(outcomes, pa.string()), "to_reason": pa.array(reasons, pa.string())}
        return pa.table({**dict(zip(moved.column_names, moved.columns)), **columns})

    def as_data(self) -> dict[str, Any]:
        """Return by signal the share that is kept with its limit, and the buckets from the worst."""
        data = {}
        for name, one in self.spec.items():
            least = [None, *self.buckets[name]]
            buckets = [
                {"min": low, "documents": int(sums[0]), "tokens": int(sums[1])}
                for low, sums in zip(least, self.sums[name])
            ]
            data[name] = {"keep": one.keep, "by": one.by, "min": self.keep[name]}
            data[name] |= {"buckets": buckets} if one.buckets else {}
        return data


def _moved(batch: pa.RecordBatch, reason: pa.DictionaryArray, later: bool, shares: Shares) -> pa.Table:
    """Return the batch's documents with `to` and `to_reason`, their outcome and reason under the new limits."""
    before = batch.column("outcome")
    passes, passed = reason.is_null(), pc.not_equal(before, "rejected")
    still = pc.if_else(passed, before, pa.scalar(UNKNOWN if later else "kept"))
    columns = {name: batch.column(name) for name in ("id", "outcome", "reason", "n_bytes", "n_tokens", "partner_id")}
    columns["to"] = pc.if_else(passes, still, "rejected")
    kept_reason = pc.if_else(passed, batch.column("reason"), pa.scalar(None, pa.string()))
    columns["to_reason"] = pc.if_else(passes, kept_reason, reason.cast(pa.string()))
    return shares.judged(batch, pa.table(columns), reason)


def _add(moves: dict[Move, list[int]], moved: pa.Table) -> None:
    """Add a batch's documents, bytes and tokens to the sums of their moves."""
    names = ["outcome", "reason", "to", "to_reason"]
    sums = moved.group_by(names).aggregate([("id", "count"), ("n_bytes", "sum"), ("n_tokens", "sum")])
    for row in sums.to_pylist():
        key = ((row["outcome"], row["reason"]), (row["to"], row["to_reason"]))
        added = [row["id_count"], row["n_bytes_sum"] or 0, row["n_tokens_sum"] or 0]
        moves[key] = [a + b for a, b in zip(moves.get(key, [0, 0, 0]), added)]


def _choose(chosen: dict[Move, list[tuple[str, Place]]], moved: pa.Table, place: Place, n: int) -> None:
    """Keep the n smallest ids of each move: ids are digests, so these are a sample that every run agrees on."""
    out = pa.array(["rejected", "outranked"])
    changed = moved.filter(pc.xor(pc.is_in(moved["outcome"], value_set=out), pc.is_in(moved["to"], value_set=out)))
    if n == 0 or changed.num_rows == 0:
        return
    parts = [changed[name].combine_chunks() for name in ("outcome", "reason", "to", "to_reason")]
    key = pc.binary_join_element_wise(*parts, " ", null_handling="replace", null_replacement="")
    encoded = key.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    for code in range(len(encoded.dictionary)):
        rows = changed.take(np.flatnonzero(codes == code))
        for row in rows.take(pc.sort_indices(rows["id"])[:n]).to_pylist():
            move = ((row["outcome"], row["reason"]), (row["to"], row["to_reason"]))
            chosen[move] = sorted([*chosen.get(move, []), (row["id"], place)])[:n]


class _Partners(Engine):
    """Duplicates that stay, and documents that the new limits remove in whose favour some were removed."""

    def __enter__(self) -> _Partners:
        super().__enter__()
        self.query("CREATE TABLE lost (id VARCHAR)")
        self.query(
            "CREATE TABLE duplicates (subset VARCHAR, path VARCHAR, part INTEGER, reason VARCHAR, id VARCHAR, "
            "partner_id VARCHAR, n_bytes BIGINT, n_tokens BIGINT)"
        )
        return self

    def add(self, place: Place, moved: pa.Table) -> None:
        survived = pc.is_in(moved["outcome"], value_set=pa.array(["kept", "outranked", "contaminated"]))
        lost = moved.filter(pc.and_(survived, pc.equal(moved["to"], "rejected"))).select(["id"])
        self._insert("lost", "id", lost)
        stay = moved.filter(pc.equal(moved["to"], "duplicate"))
        self._insert("duplicates", "?, ?, ?, reason, id, partner_id, n_bytes, n_tokens", stay, place)

    def _insert(self, table: str, columns: str, rows: pa.Table, place: Place | None = None) -> None:
        if rows.num_rows:
            self.connection.register("new_rows", rows)
            values = [] if place is None else [place.subset, place.path, place.group]
            self.query(f"INSERT INTO {table} SELECT {columns} FROM new_rows", values)
            self.connection.unregister("new_rows")

    def settle(self, result: WhatIf, chosen: dict[Move, list[tuple[str, Place]]], n: int) -> None:
        """Move the duplicates whose partner is lost to `unknown`, in the sums and among the examples."""
        for subset, reason, *sums in self.query(
            "SELECT subset, reason, count(*), coalesce(sum(n_bytes), 0)::BIGINT, coalesce(sum(n_tokens), 0)::BIGINT "
            "FROM duplicates WHERE partner_id IN (SELECT id FROM lost) GROUP BY ALL ORDER BY ALL"
        ):
            before: Key = ("duplicate", reason)
            moves = result.moves[subset]
            moves[before, before] = [a - b for a, b in zip(moves[before, before], sums)]
            moves[before, (UNKNOWN, PARTNER_LOST)] = sums
            if moves[before, before][0] == 0:
                del moves[before, before]
        for reason, rows in self.query(
            f"SELECT reason, min(struct_pack(id, path, subset, part), {int(n)}) FROM duplicates "
            "WHERE partner_id IN (SELECT id FROM lost) GROUP BY reason"
            if n
            else "SELECT 1 WHERE false"
        ):
            move = (("duplicate", reason), (UNKNOWN, PARTNER_LOST))
            chosen[move] = [(row["id"], Place(row["path"], row["subset"], row["part"])) for row in rows]


def _examples(
    folder: str, run_recipe: RecipeView, recipe: RecipeView, chosen: Mapping[Move, Sequence[tuple[str, Place]]]
) -> list[dict[str, Any]]:
    """Return the chosen documents by move, each with where it is from, what decides, and the beginning of its text."""
    wanted: dict[Place, set[str]] = {}
    outranked: dict[str, set[str]] = {}
    for (_, (outcome, reason)), documents in chosen.items():
        for name, place in documents:
            wanted.setdefault(place, set()).add(name)
            if outcome == "outranked" and reason is not None:
                outranked.setdefault(name, set()).add(reason)
    rows: dict[str, dict[str, Any]] = {}
    for place, names in sorted(wanted.items()):
        with storage.open_input(place.path) as stream, open_parquet(stream) as file:
            table = file.read_row_group(place.group)
        table = table.filter(pc.is_in(table.column("id"), value_set=pa.array(sorted(names)))).combine_chunks()
        for i, row in enumerate(table.to_pylist()):
            broken = recipe.broken_rules(table.slice(i, 1).to_batches()[0], place.subset)
            after = [reason for reason, mask in broken.items() if mask[0]]
            after += [reason for reason in outranked.get(row["id"], ()) if reason not in after]
            rows[row["id"]] = {**row, "part": place.part, "rules": _rules(row, run_recipe, recipe, after)}
    quotes = texts(folder, rows.values())
    return [
        {
            **{name: rows[one][name] for name in ("id", "subset", "url", "source", "offset", "partner_id", "rules")},
            "from": _key(before),
            "to": _key(after),
            "text": visible(quotes[one][:SNIPPET]) if one in quotes else None,
        }
        for (before, after), documents in sorted(chosen.items(), key=str)
        for one, _ in documents
    ]


def _rules(
    row: Mapping[str, Any], run_recipe: RecipeView, recipe: RecipeView, after: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the per-document rules that the document breaks before or after, in the order of verdicts."""
    subset = row["subset"]
    before = [reason for reason in row["reasons"] if reason.partition(".")[0] in run_recipe.judging_stages]
    if row["outcome"] == "outranked" and row["reason"] not in before:
        before.append(row["reason"])
    return [
        {
            "rule": rule,
            "value": recipe.value_of(row, rule),
            "limit": {
                "from": run_recipe.limit_in_words(subset, rule, row["language"]),
                "to": recipe.limit_in_words(subset, rule, row["language"]),
            },
            "broken": {"from": rule in before, "to": rule in after},
        }
        for rule in dict.fromkeys([*before, *after])
    ]


def _key(key: Key) -> str:
    return key[0] if key[1] is None else f"{key[0]} {key[1]}"
