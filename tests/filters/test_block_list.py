import gzip

import pyarrow as pa
import pytest

from filters.block_list import BlockList
from massivetext.errors import RecipeError


@pytest.mark.parametrize(
    ("entry", "url", "expected"),
    [
        ("bad.com", "http://bad.com/", "bad.com"),
        ("bad.com", "https://WWW.a.Bad.com:8080/x?y#z", "bad.com"),
        ("bad.com", "https://notbad.com/", None),
        ("bad.com", "https://com/", None),
        ("bad.com", "https://good.com/bad.com", None),
        ("bad.com", "https://user:word@bad.com/", "bad.com"),
        ("bad.com", "bad.com.", "bad.com"),
        ("a.bad.com", "https://bad.com/", None),
        ("https://www.Site.org/Dir/", "http://site.org/dir/page", "site.org/dir"),
        ("site.org/dir", "http://x.site.org/dir", "site.org/dir"),
        ("site.org/dir", "http://site.org/direct", None),
        ("site.org/dir", "http://site.org/", None),
        ("site.org/p?id=1", "http://site.org/p?id=1&b=2", "site.org/p?id=1"),
        ("site.org/p?id=1", "http://site.org/p?id=2", None),
        ("0.0.0.0 bad.com # why", "http://bad.com", "bad.com"),
        ("::1 bad.com", "http://bad.com", "bad.com"),
        ("0.0.0.0 bad.com", "http://0.0.0.0/", None),
        ("10.1.2.3", "http://10.1.2.3/x", "10.1.2.3"),
        ("# bad.com", "http://bad.com", None),
        ("bücher.example", "http://bücher.example/a", "bücher.example"),
        ("bad.com", "", None),
        ("bad.com", None, None),
        ("bad.com", "http://[::1", None),
        ("bad.com", "\0://@:/?#", None),
    ],
)
def test_match(entry, url, expected):
    assert expected == BlockList([entry]).match(url)


def test_longest_path_of_the_longest_host():
    made = BlockList(["bad.com", "bad.com/a", "bad.com/a/b", "x.bad.com"])
    urls = pa.array(["skip", "http://bad.com/a/b/c", "http://x.bad.com/a", "http://bad.com/c"])[1:]

    assert ["bad.com/a/b", "x.bad.com", "bad.com"] == made.match_all(urls)


def test_folders_and_compressed_files(tmp_path):
    adult = tmp_path / "blacklists" / "adult"
    adult.mkdir(parents=True)
    (adult / "domains").write_text("one.com\n\ntwo.com\r\n")
    (adult / "urls").write_text("three.com/x")
    (adult / "expressions").write_text("four.com\n")
    hosts = tmp_path / "hosts.gz"
    hosts.write_bytes(gzip.compress(b"127.0.0.1\tlocalhost\n0.0.0.0 five.com six.com\n"))
    made = BlockList.read([str(tmp_path / "blacklists"), str(hosts)])
    found = made.match_all(pa.array([f"http://{n}.com/x" for n in ("one", "two", "three", "four", "five", "six")]))

    assert ["one.com", "two.com", "three.com/x", None, "five.com", "six.com"] == found
    assert 6 == len(made)


def test_a_list_that_is_not_there():
    with pytest.raises(RecipeError, match=r"no file at '/absent'"):
        BlockList.read(["/absent"])


def test_an_empty_list_covers_nothing():
    assert [None, None] == BlockList([]).match_all(pa.array(["http://a.com", None]))


def test_many_entries_are_all_found_and_no_others():
    names = [f"host{i}.example{i % 7}.org" for i in range(20_000)]
    made = BlockList(names[::2])

    assert [name if i % 2 == 0 else None for i, name in enumerate(names)] == made.match_all(pa.array(names))
