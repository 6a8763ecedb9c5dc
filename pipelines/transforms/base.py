"""What every transform is made of: a coder for batches, counters, and a pure function applied to each batch."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import Coder, registry
from apache_beam.metrics import Metrics
from apache_beam.transforms.core import get_function_args_defaults

from massivetext import isolation
from massivetext.batches import map_documents, place_of
from massivetext.guarded import Guarded
from pipelines.stages import Stage
from pipelines.transforms.guard import Limits, apply_guarded, limits_of

__all__ = ["BatchCoder", "Counters", "PlainDoFn", "StageTransform", "spent"]


class BatchCoder(Coder):  # type: ignore[misc]
    """A RecordBatch as an Arrow IPC stream, with the metadata of its schema."""

    def encode(self, value: pa.RecordBatch) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_batch(value)
        return bytes(sink.getvalue())

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        with pa.ipc.open_stream(encoded) as reader:
            return next(iter(reader))

    def estimate_size(self, value: pa.RecordBatch) -> int:
        # Without this Beam encodes batches between fused transforms only to learn how large they are.
        return int(value.nbytes)

    def is_deterministic(self) -> bool:
        return True


registry.register_coder(pa.RecordBatch, BatchCoder)


class _Spent:
    """CPU seconds in this process. seconds: inside the functions of transforms; the rest is Beam's. loading: of models
    and kernels, once a process."""

    seconds = 0.0
    loading = 0.0


spent = _Spent()


class Counters:
    """A transform's counters, under its own name: documents in and out, bytes, milliseconds, outcomes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._counters: dict[str, Any] = {}

    def add(self, **amounts: int) -> None:
        """Add to the counters of these names; one that nothing was added to does not exist."""
        for name, amount in amounts.items():
            if amount:
                if name not in self._counters:
                    self._counters[name] = Metrics.counter(self._name, name)
                self._counters[name].inc(amount)

    def time(self, started: float) -> None:
        """Count the CPU time since `started` (`time.process_time()`)."""
        seconds = time.process_time() - started
        spent.seconds += seconds
        self.add(milliseconds=round(1000 * seconds))


Function = Callable[[pa.RecordBatch, Sequence[Stage]], pa.RecordBatch]


def _told(method: str) -> Callable[[Any], tuple[list[str], list[Any]]]:
    """A method that tells Beam what a method of a DoFn takes: the names of its arguments, and their defaults."""

    @functools.cache
    def of_class(kind: Any) -> tuple[list[str], list[Any]]:
        names, defaults = get_function_args_defaults(getattr(kind, method))
        return names[1:], defaults  # without self

    def arguments(dofn: Any) -> tuple[list[str], list[Any]]:
        kind: Any = type(dofn)
        names, defaults = of_class(kind)
        return names[:], defaults[:]

    return arguments


class PlainDoFn(beam.DoFn):  # type: ignore[misc]
    """A DoFn without Beam's state and timers.

    To find a state or a timer, Beam looks at the arguments of every method that `dir` names. A DoFn inherits two
    dozen of them, and Beam looks eight times: that was two fifths of the time of a pipeline of a few tasks.
    Only the methods named here can have such an argument. Beam asks for those of a method by `_inspect_<method>`, if
    there is one (`apache_beam.transforms.core.get_function_arguments`), and here they are worked out once a class.
    """

    def __dir__(self) -> list[str]:
        return ["finish_bundle", "process", "start_bundle"]

    _inspect_process, _inspect_start_bundle, _inspect_finish_bundle = map(
        _told, ("process", "start_bundle", "finish_bundle")
    )
    _inspect_setup, _inspect_teardown = map(_told, ("setup", "teardown"))


class _Apply(PlainDoFn):
    """Applies a function to the batches of the subsets that have stages for it; others pass as they are."""

    def __init__(
        self, name: str, step: str, function: Function, stages: Mapping[str, Sequence[Stage]], limits: Limits
    ) -> None:
        self.name, self.step, self.function, self.stages, self.limits = name, step, function, stages, limits

    def setup(self) -> None:
        self.counters, self.guarded = Counters(self.name), Guarded()
        self.loaded: set[tuple[str, int]] = set()

    def teardown(self) -> None:
        self.guarded.close()

    def process(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        stages = self._stages(batch)
        if stages is None or batch.num_rows == 0:
            yield batch
            return
        started = time.process_time()
        if any(stage.runs_user_code for stage in stages) and not isolation.is_watched():
            result = apply_guarded(self.guarded, self.function, stages, batch, self.step, self.limits)
        else:
            result = map_documents(lambda rows: self.function(rows, stages), batch, step=self.step)
        isolation.end()
        self.counters.time(started)
        self.counters.add(documents_in=batch.num_rows, documents_out=result.num_rows, bytes=batch.nbytes)
        yield result

    def _stages(self, batch: pa.RecordBatch) -> Sequence[Stage] | None:
        """The stages of the batch's subset, loaded: that is no document's time."""
        if "" in self.stages:
            subset = ""
        else:
            place = place_of(batch)
            subset = place.subset if place is not None else batch.column("subset")[0].as_py() if batch.num_rows else ""
        stages = self.stages.get(subset)
        for number, stage in enumerate(stages or ()):
            if (subset, number) not in self.loaded and stage.has_work(batch):
                started = time.process_time()
                stage.load()
                spent.loading += time.process_time() - started
                self.loaded.add((subset, number))
        return stages


class StageTransform(beam.PTransform):  # type: ignore[misc]
    """A transform of batches of documents that applies stages.

    Made with keyword settings it is for every batch; `of(recipe)` makes one that does for each subset what the
    recipe says, and lets the batches of other subsets pass.
    """

    stage_names: ClassVar[tuple[str, ...]] = ()
    step: ClassVar[str] = "measuring"
    limits: Limits = (isolation.SECONDS, isolation.MEMORY)

    def __init__(self, stages: Mapping[str, Sequence[Stage]] | None = None) -> None:
        super().__init__()
        self.stages: Mapping[str, Sequence[Stage]] = {} if stages is None else stages

    @classmethod
    def of(cls, recipe: Any, folder: str = "", subsets: Sequence[str] | None = None) -> Any:
        """Return the transform that a recipe asks for.

        Args:
            recipe: whose stages count.
            folder: the output folder, for what a run prepares there.
            subsets: those whose documents will come; all that have sources, if None.
        """
        transform = cls.__new__(cls)
        StageTransform.__init__(transform, _by_subset(recipe, cls.stage_names, folder, subsets))
        transform.limits = limits_of(recipe)
        return transform

    @staticmethod
    def function(batch: pa.RecordBatch, stages: Sequence[Stage]) -> pa.RecordBatch:
        """Return the batch after each of the stages in turn."""
        for stage in stages:
            batch = stage.apply(batch)
        return batch

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[pa.RecordBatch]:
        apply = _Apply(type(self).__name__, self.step, type(self).function, self.stages, self.limits)
        return batches | "Apply" >> beam.ParDo(apply).with_output_types(pa.RecordBatch)


def _by_subset(recipe: Any, names: Sequence[str], folder: str, subsets: Sequence[str] | None) -> dict[str, list[Stage]]:
    """The stages of these names that each subset goes through, bound; subsets without any are left out."""
    bound = {
        subset: [recipe.stage(subset, name, folder) for name in names if recipe.goes_through(subset, name)]
        for subset in (recipe.filled if subsets is None else subsets)
    }
    return {subset: stages for subset, stages in bound.items() if stages}
