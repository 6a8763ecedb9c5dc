import json

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

from filters import classifier, safe_search
from massivetext.cli.safesearch import safesearch


def test_train_writes_a_model_that_a_recipe_can_name(tmp_path):
    lines = [f"__label__bad wicked words here {i % 3}\n__label__ok calm words there {i % 3}\n" for i in range(30)]
    (tmp_path / "labelled.txt").write_text("".join(lines))
    model = str(tmp_path / "model.ftz")
    result = CliRunner().invoke(safesearch, ["train", str(tmp_path / "labelled.txt"), "--output", model])

    assert 0 == result.exit_code, result.output
    assert "bad: 30 documents" in result.output
    assert {"bad", "ok"} == set(classifier.measure(pa.array(["wicked words"]), model=model)[0])


def test_hosts_prints_and_writes_a_block_list(tmp_path):
    (tmp_path / "ledger").mkdir()
    table = pa.table({"url": [f"http://x.com/{i}" for i in range(4)], "safe_search_score": [0.9, 0.8, 0.7, 0.1]})
    pq.write_table(table, tmp_path / "ledger" / "part.parquet")
    path = str(tmp_path / "hosts.txt")
    result = CliRunner().invoke(safesearch, ["hosts", str(tmp_path), "--block-list", path, "--json"])

    assert [{"host": "x.com", "pages": 4, "unsafe": 3, "mean": 0.625}] == json.loads(result.output)
    assert "x.com" == safe_search.BlockList.read([path]).match("https://www.x.com/5")
