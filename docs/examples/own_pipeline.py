"""From web archives to a Parquet mixture in a pipeline of one's own: python own_pipeline.py 'crawl/*.warc.gz' out"""

import sys

import apache_beam as beam

from pipelines import (
    CountTokens,
    Extract,
    FindDuplicates,
    IdentifyLanguage,
    Judge,
    MeasureText,
    ReadDocuments,
    ScoreSafety,
    SettleLedger,
    WriteMixture,
    WriteParts,
    read,
)


def curate(archives: str, output: str) -> None:
    source = f"subsets.massiveweb.sources=[{{format: warc, path: '{archives}'}}]"
    recipe = read("gopher", [source, "mixture.weights={massiveweb: 1}"])
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        _ = (
            pipeline
            | ReadDocuments(archives, format="warc", subset="massiveweb")
            | Extract()
            | CountTokens()
            | IdentifyLanguage()
            | ScoreSafety()
            | MeasureText()
            | Judge()
            | WriteParts(output, recipe)
            | FindDuplicates(output, recipe)
            | SettleLedger(output, recipe)
            | WriteMixture(output, recipe)
        )


if __name__ == "__main__":
    curate(*sys.argv[1:])
