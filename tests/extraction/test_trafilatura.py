"""The library behind its guard."""

from __future__ import annotations

import os

import pytest

from massivetext.errors import LimitError, RecordError, TimeLimitError
from massivetext.extraction import extract, trafilatura

SENTENCE = "The committee met on Tuesday to discuss the proposal, which had been delayed for several weeks. "
PAGE = (
    "<html><body><nav><a href=/>Home</a></nav><article><h1>Report</h1>"
    f"<p>{SENTENCE * 5}</p><p>{SENTENCE * 4}</p></article>"
)


@pytest.mark.parametrize("fast", [False, True])
def test_main_text(fast):
    text = extract(PAGE.encode(), engine="trafilatura", fast=fast)

    assert SENTENCE.strip() in text
    assert "Home" not in text


def test_the_header_names_the_encoding():
    page = PAGE.replace("Tuesday", "вторник").encode("cp1251")

    assert "вторник" in extract(page, engine="trafilatura", content_type="text/html; charset=windows-1251")


@pytest.mark.parametrize(
    "reference", ["&#0;", "&#1;", "&#11;", "&#xFFFE;", "&#65535", "&#xD800;", "&#x110000;", f"&#{'9' * 5000};"]
)
def test_a_reference_to_what_no_text_has_does_not_cost_the_page(reference):
    page = PAGE.replace("met on", f"met{reference} o&#000000110;")

    assert SENTENCE.strip() in extract(page.encode(), engine="trafilatura")


@pytest.mark.parametrize(
    "page", [b"a" * (trafilatura.MAX_BYTES + 1), b"<p>" * (trafilatura.MAX_TAGS + 1), b"<div>" * 100_000]
)
def test_limits_that_depend_on_the_page_alone(page):
    with pytest.raises(LimitError) as caught:
        extract(page, engine="trafilatura")

    assert not isinstance(caught.value, TimeLimitError)


def test_a_page_that_takes_too_long_is_ended_and_the_next_one_is_read(monkeypatch):
    extract(PAGE.encode(), engine="trafilatura")
    monkeypatch.setattr(trafilatura, "MAX_SECONDS", 0)
    with pytest.raises(TimeLimitError, match=r"page http://a/"):
        extract(PAGE.encode(), engine="trafilatura", url="http://a/")
    monkeypatch.undo()

    assert SENTENCE.strip() in extract(PAGE.encode(), engine="trafilatura")


def test_the_time_of_a_page_is_cpu_time_and_the_system_keeps_it(monkeypatch):
    trafilatura._helper().end()
    monkeypatch.setattr(trafilatura, "MAX_SECONDS", 1)
    with pytest.raises(TimeLimitError, match=r"^page http://a/ took trafilatura more than 1 s$"):
        extract(b"<p>A page of many words, all in vain. " * 120_000, engine="trafilatura", url="http://a/")
    monkeypatch.undo()
    trafilatura._helper().end()

    assert SENTENCE.strip() in extract(PAGE.encode(), engine="trafilatura")


def test_a_page_that_the_helper_dies_of_is_one_failed_record(monkeypatch):
    extract(PAGE.encode(), engine="trafilatura")
    process = trafilatura._helper().process
    write = os.write

    def kill_and_write(stream, data):
        process.kill()
        process.wait()
        return write(stream, data)

    monkeypatch.setattr(os, "write", kill_and_write)
    with pytest.raises(RecordError) as caught:
        extract(PAGE.encode(), engine="trafilatura")
    monkeypatch.undo()

    assert caught.value.reason == "trafilatura"
    assert SENTENCE.strip() in extract(PAGE.encode(), engine="trafilatura")


def test_memory_is_limited(monkeypatch):
    page = "".join(f"<div><p>{SENTENCE}</p></div>" for _ in range(70_000)).encode()
    monkeypatch.setattr(trafilatura, "MAX_MEMORY", 500 << 20)
    trafilatura._helper().end()
    with pytest.raises(LimitError, match="took trafilatura more than 500 MiB"):
        extract(page, engine="trafilatura")
    trafilatura._helper().end()


def test_wrong_engine():
    with pytest.raises(ValueError, match="no extraction engine is called 'lynx'"):
        extract(b"", engine="lynx")


def test_binary_is_a_failed_record():
    with pytest.raises(RecordError) as caught:
        extract(bytes(range(256)) * 16)

    assert caught.value.reason == "binary"
