import csv
import gzip
import io
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters import classifier, hosts, safe_search, training
from massivetext.errors import OutputError, RecipeError, SourceError

PLAIN = "The committee met on Tuesday to talk about the new library and the road that leads to it. "


def test_words_for_people_are_not_seen_and_terms_are_marked():
    assert "is kind" == classifier.words("A @someone https://x.y/z &amp; Is lesbian, KIND").removeprefix("a ")
    assert "a blow job here zzsexual zzsexual zzsexual" == classifier.words("a blow job here")
    assert "" == classifier.words("!!! \n ...")


@pytest.mark.parametrize("text", ["\0" * 5000, "a" * 50_000_000, "\n" * 100_000, "\u200f\u202e" * 4000, "", None])
def test_hostile_text_gets_an_answer(text):
    columns = safe_search.measure(pa.array([text, PLAIN * 30], pa.large_string()))
    scores = columns.column("safe_search_score").to_pylist()

    assert 0 <= scores[0] < 0.5
    assert 0 <= scores[1] < 0.5


def test_parts_can_be_switched_off_and_evidence_names_them():
    texts = pa.array(["fuck you " * 30, PLAIN])
    urls = pa.array(["http://good.org/", "http://bad.com/page"])
    both = safe_search.measure(texts, urls, block_list=safe_search.BlockList(["bad.com"]))
    none = safe_search.measure(texts, urls, terms=(), model=False)
    evidence = [json.loads(found or "{}") for found in both.column("safe_search_evidence").to_pylist()]

    assert [0.0, 0.0] == none.column("safe_search_score").to_pylist()
    assert [None, None] == none.column("safe_search_evidence").to_pylist()
    assert both.column("safe_search_score")[0].as_py() > 0.9
    assert 1.0 == both.column("safe_search_score")[1].as_py()
    assert evidence[0]["classifier"]["offensive"] > 0.5
    assert 30 == evidence[0]["term_hits"]
    assert "bad.com" == evidence[1]["blocked"]


def labelled(folder: Path) -> str:
    path = folder / "labelled.jsonl"
    rows = [{"text": f"buy pills cheap offer {i % 5}", "label": "spam"} for i in range(40)]
    rows += [{"text": f"a quiet walk by the river {i % 5}", "label": "ok"} for i in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


TERMS = ((1.0, r"(?i)\b(?:fuck\w*|arse)\b"), (0.3, r"(?i)\b(?:tit|tits)\b"), (0.7, r"(?i)\b(?:a{2,3}|x*)\b"))


@pytest.mark.parametrize("terms", [(), TERMS[:1], TERMS[:2], TERMS[1:2]])
def test_terms_are_counted_as_pythons_patterns_find_them(terms):
    texts = ["", "no term", "Fucking tits, fuck", "titan arsenal", "no", "TIT tit\nARSE", "\u0444 tit"] * 3
    counts = np.array([[len(re.findall(pattern, text, re.ASCII)) for text in texts] for _, pattern in terms])
    expected = sum((weight * row for (weight, _), row in zip(terms, counts)), np.zeros(len(texts)))

    weighted, hits = safe_search._count_terms(pa.array(texts, pa.large_string()), terms)

    np.testing.assert_array_equal(expected, weighted)
    np.testing.assert_array_equal(counts.sum(axis=0) if terms else np.zeros(len(texts)), hits)


def test_terms_that_are_too_many_for_one_search_are_counted_all_the_same(monkeypatch):
    texts = pa.array(["an arse", "none", "tits, a tit"], pa.large_string())
    together = safe_search._count_terms(texts, TERMS)

    def refuse(*_):
        raise pa.ArrowInvalid("pattern too large")

    monkeypatch.setattr(safe_search.pc, "match_substring_regex", refuse)
    one_by_one = safe_search._count_terms(texts, TERMS)

    assert one_by_one[1].any()
    np.testing.assert_array_equal(together, one_by_one)


def test_a_model_of_ones_own_is_trained_to_the_same_bytes_and_judges(tmp_path):
    plan = training.read_plan([labelled(tmp_path)])
    first, second = str(tmp_path / "a.ftz"), str(tmp_path / "b.ftz")
    plan["model"] = {"bucket": 2000}

    assert {"spam": 40, "ok": 40} == training.train(plan, first)
    training.train(plan, second)
    assert Path(first).read_bytes() == Path(second).read_bytes()
    texts = pa.array(["cheap pills offer buy " * 3, "a walk by the quiet river " * 3])
    scores = safe_search.measure(texts, model=first).column("safe_search_score").to_pylist()
    assert scores[0] > 0.5 > scores[1]


def test_what_cannot_be_trained_is_named(tmp_path):
    (tmp_path / "plan.yaml").write_text("sources: [{path: x.csv, lable: y}]")
    with pytest.raises(RecipeError, match=r"sources\[0\]\.lable: unknown key"):
        training.read_plan([str(tmp_path / "plan.yaml")])
    (tmp_path / "x.csv").write_text("text,label\nhello,\n")
    (tmp_path / "y.csv").write_text("body,label\nhello,ok\n")
    with pytest.raises(SourceError, match=r"y\.csv: .* has no text under 'text'"):
        training.train(training.read_plan([str(tmp_path / "y.csv")]), str(tmp_path / "m.ftz"))
    with pytest.raises(RecipeError, match="documents labelled 'ok' and of a category"):
        training.train({"sources": [{"path": str(tmp_path / "x.csv"), "is": "ok"}]}, str(tmp_path / "m.ftz"))


def test_a_missing_model_is_named():
    with pytest.raises(RecipeError, match=r"safe_search\.model: no file at '/absent\.ftz'"):
        safe_search.measure(pa.array(["text"]), model="/absent.ftz")


def test_hosts_share_evidence(tmp_path):
    (tmp_path / "ledger" / "massiveweb").mkdir(parents=True)
    urls = [
        "http://www.a.com/1",
        "https://a.com/2",
        "a.com/3",
        "http://b.org/1",
        "http://b.org/2",
        "http://b.org/3",
        None,
    ]
    table = pa.table({"url": urls, "safe_search_score": [0.9, 0.6, 0.2, 0.6, 0.5, None, 0.9]})
    pq.write_table(table, tmp_path / "ledger" / "massiveweb" / "part-0.parquet")

    assert [{"host": "a.com", "pages": 3, "unsafe": 2, "mean": 0.5667}] == hosts.unsafe_hosts(str(tmp_path))
    assert ["a.com", "b.org"] == [row["host"] for row in hosts.unsafe_hosts(str(tmp_path), least=2)]
    with pytest.raises(OutputError, match="no page with a URL"):
        hosts.unsafe_hosts(str(tmp_path / "absent"))


def test_doubt_of_one_classifier_and_of_two():
    assert 0.0 == safe_search.doubt({})
    assert pytest.approx(0.7) == safe_search.doubt({"ok": 0.3, "sexual": 0.1})
    assert 1.0 == safe_search.doubt({"ok": 0.0}, {"ok": 0.0, "sexual": 1.0})
    # Where one opinion is sure that a text is harmless, it still counts as a doubt of 1 in 10,000.
    assert pytest.approx(1e-4**0.08) == safe_search.doubt({"ok": 0.0}, {"ok": 1.0, "sexual": 1.0})
    assert pytest.approx(1e-4**0.6) == safe_search.doubt({"ok": 1.0}, {"ok": 0.0, "sexual": 1.0})
    assert 0.0 == safe_search.doubt({"ok": 0.0}, {"ok": 0.0, "sexual": 0.0})
    # .7 to the power .6, and (.5 to the power .2 by .4 to the power .8) to the power .4.
    assert pytest.approx(0.7**0.6 * (0.5**0.2 * 0.4**0.8) ** 0.4) == safe_search.doubt(
        {"ok": 0.3}, {"ok": 0.5, "sexual": 0.4, "hate": 0.1}
    )


def test_terms_raise_the_score_only_as_far_as_the_classifier_doubts():
    doubts = np.array([0.0, 0.25, 0.25, 1.0, 1.0])
    by_terms = np.array([0.9, 0.0, 0.8, 0.0, 1.0])
    scores = safe_search.combined(doubts, by_terms)

    assert [0.0, 0.25, 0.55, 1.0, 1.0] == pytest.approx(scores.tolist())
    # Without a classifier they decide by themselves: three hits in a hundred words, weight 1.
    text = "porn " * 3 + "word " * 97
    alone = safe_search.measure(pa.array([text, "porn " * 2 + "word " * 98]), model=False)
    assert [0.75, 0.0] == alone.column("safe_search_score").to_pylist()


HARMLESS = Path(training.PLAN).parent / "harmless.jsonl"


def test_harmless_texts_that_were_not_trained_on_are_kept():
    rows = [json.loads(line) for line in HARMLESS.read_text("utf-8").splitlines()]
    plan = training.read_plan([str(training.EVERYDAY_PLAN)])
    (source,) = [source for source in plan["sources"] if source["path"] == "package:harmless.jsonl"]
    texts = [row["text"] for row in rows if training.is_held_out(row["text"], source["held_out"])]
    scores = np.array(safe_search.measure(pa.array(texts)).column("safe_search_score"))

    assert len({row["text"] for row in rows}) == len(rows) >= 300
    assert len({row["topic"] for row in rows}) >= 90
    assert len(texts) >= 150
    assert (scores > 0.5).mean() <= 0.02


@pytest.mark.parametrize(
    "text",
    [
        "Chicken breasts and thighs stay moist if you rub them with salt the night before, and roast them slowly.",
        "Great tits and blue tits came to the feeder; a pair of boobies dived off the cliff; the cock crowed. An ass "
        "brayed in the field while the bitch nursed her pups.",
        "Your breast screening appointment takes ten minutes. The mammogram shows the breast tissue, and most lumps in "
        "the breast are not cancer.",
        "The nudes in his late paintings are pale. A naked woman lies on a couch, one hand on her thigh.",
    ],
)
def test_harmless_pages_of_public_reports_are_kept(text):
    assert safe_search.measure(pa.array([text])).column("safe_search_score")[0].as_py() <= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "free porn videos xxx hot sluts fucking big cocks live sex cams horny milf blowjob cumshot " * 3,
        "i will kill you, you worthless piece of shit, you fucking bitch, go die in a hole you stupid cunt",
        "watch horny naked girls suck cock and get their wet pussy fucked in our hardcore porn movies",
    ],
)
def test_unsafe_pages_are_still_removed(text):
    assert safe_search.measure(pa.array([text])).column("safe_search_score")[0].as_py() > 0.5


def test_the_plan_may_name_a_packaged_file():
    texts = [text for text, labels in training.documents({"path": "package:harmless.jsonl", "is": "ok"}, "/absent")]

    assert len(texts) >= 300


def test_identities_score_no_further_apart_than_the_noise_of_the_template(shared_data):
    with gzip.open(Path(shared_data, "safesearch", "identity-templates-77k.csv.gz")) as stream:
        rows = list(csv.DictReader(io.StringIO(stream.read().decode("utf-8"), newline="")))
    neutral = [row for row in rows if row["Label"] == "NOT_BAD"]
    scores = safe_search.measure(pa.array([row["Text"] for row in neutral])).column("safe_search_score").to_pylist()
    found = defaultdict(lambda: defaultdict(list))
    for row, score in zip(neutral, scores):
        words = row["Text"].strip(".").split()
        last = words[1] if row["Template"] == "being_adj" else words[-1]
        found[row["Template"]][last.lower()].append(score)
    for template, identities in found.items():
        means = [np.mean(values) for values in identities.values()]
        noise = np.mean([np.std(values) for values in identities.values()])
        assert np.ptp(means) <= noise + 1e-4, template


def test_no_ordinary_document_that_was_not_trained_on_is_unsafe(shared_data):
    plan = training.read_plan([str(training.PLAN)])
    for source in [source for source in plan["sources"] if source.get("is") == "ok"]:
        texts = [
            t for t, _ in training.documents(source, str(shared_data)) if training.is_held_out(t, source["held_out"])
        ]
        scores = np.array(safe_search.measure(pa.array(texts, pa.large_string())).column("safe_search_score"))

        assert len(scores) >= 5
        assert (scores > 0.5).mean() <= 0.01
