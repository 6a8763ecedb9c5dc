"""CPU seconds of datatrove's Gopher filters and MinHash signature (13-grams, 128 hashes) on a JSON list of texts.

Runs in .venv-peers, called by bench_rules.py.
"""

import json
import sys
import tempfile
import time

from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        texts = json.load(file)
    documents = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
    signer = MinhashDedupSignature(tempfile.mkdtemp(), MinhashConfig(n_grams=13, num_buckets=16, hashes_per_bucket=8))

    def sign(document: Document) -> None:
        shingles = signer.get_shingles(document.text)
        if len(shingles):
            signer.get_signature(shingles)

    spent = {}
    steps = {
        "quality": GopherQualityFilter().filter,
        "repetition": GopherRepetitionFilter().filter,
        "signature (128)": sign,
    }
    for name, step in steps.items():
        step(documents[0])
        started = time.process_time()
        for document in documents:
            step(document)
        spent[name] = time.process_time() - started
    print(json.dumps(spent))


if __name__ == "__main__":
    main()
