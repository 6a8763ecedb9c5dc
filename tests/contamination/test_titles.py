"""Pages of WikiText by title, and its tokenisation undone."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from massivetext.contamination import Titles
from massivetext.contamination.titles import normalised_title
from massivetext.contamination.wikitext import UNKNOWN, articles, heading, untokenised


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (" a guest @-@ starring role on 1 @,@ 275 @.@ 5 km . \n", "a guest-starring role on 1,275.5 km."),
        (" M @-@ N @-@ O ( Wade – Giles ) 2000 – 2005 ", "M-N-O (Wade – Giles) 2000–2005"),
        (" Teddy 's Story , they don 't , we 'll and I 've ", "Teddy's Story, they don't, we'll and I've"),
        (" at 9 : 30 : 15 , 40 km / h , see : 15 ", "at 9:30:15, 40 km/h, see: 15"),
        (" K 'awiil 's coup d 'état , ' quoted ' ", "K'awiil's coup d'état, ' quoted '"),
        (" the <unk> of $ 5 ", f"the {UNKNOWN} of $5"),
    ],
)
def test_untokenised(line, expected):
    assert untokenised(line) == expected


def test_headings_of_the_first_level():
    assert heading(" = Du Fu = \n") == "Du Fu"
    assert heading(" = = Life = = \n") is None
    assert heading(" x = 5 \n") is None


def test_articles_start_between_blank_lines():
    lines = [
        " \n",
        " = One = \n",
        " \n",
        " text \n",
        " = 1 m / s = \n",
        " more \n",
        " \n",
        " = Two = \n",
        " \n",
        " end \n",
    ]

    assert [title for title, _ in articles(lines)] == ["One", "Two"]
    assert "".join(text for _, text in articles(lines)) == "".join(lines[1:])


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Homarus_gammarus", "Homarus gammarus"),
        ("homarus gammarus.", "Homarus gammarus"),
        ("M-82 (Michigan highway)", "M @-@ 82 ( Michigan highway )"),
        ("Battle of Sullivan's Island", "Battle of Sullivan 's Island"),
        ("Battle of Kapyong", "Battle of <unk>"),
        ("Kongō-class battleship", "<unk> @-@ class battleship"),
        ("Battle of the Kapyong", None),
        ("Battle of", None),
        ("Anything", None),
        ("", None),
        ("Homarus", None),
    ],
)
def test_titles(title, expected):
    titles = Titles(
        ["Homarus gammarus", "M @-@ 82 ( Michigan highway )", "Battle of Sullivan 's Island", "Battle of <unk>",
         "<unk> @-@ class battleship", "<unk>", "<unk> <unk>"]
    )  # fmt: skip

    assert titles.of(title) == expected
    assert titles.unusable == ["<unk>", "<unk> <unk>"]
    assert len(titles) == 5


@pytest.mark.parametrize(
    ("heading", "pages", "others"),
    [
        ("Come What ( ever ) May", ["Come What(ever) May", "Come What (ever) May"], ["Comewhat (ever) May"]),
        (
            "Battle of <unk> 's Ridge",
            ["Battle of Edson's Ridge", "Battle of Edson 's Ridge"],
            ["Battle of Edson Ridge"],
        ),
        ("AC / DC", ["AC/DC", "AC / DC"], ["AC"]),
        ("R & B", ["R&B", "R & B"], ["R and B"]),
        ("Iran – Iraq War", ["Iran–Iraq War", "Iran – Iraq War"], ["Iran IraqWar"]),
        ("Foo : Bar , Baz", ["Foo: Bar, Baz"], ["Foobar, Baz", "Foo: Barbaz"]),
        ("A & B & C & D & E & F & G & H", ["A&B&C&D&E&F&G&H", "A & B & C & D & E & F & G & H"], ["A&B & C&D&E&F&G&H"]),
    ],
)
def test_spaces_that_tokenisation_does_not_tell(heading, pages, others):
    titles = Titles([heading])

    assert [titles.of(page) for page in pages] == [heading] * len(pages)
    assert [titles.of(page) for page in others] == [None] * len(others)


@pytest.mark.parametrize(
    "title",
    ["Rock 'n' Roll High School", "Salt 'n' Pepa", "King 'Abdullah", "C 'est la vie", "Microsoft .NET", "50 – 50",
     "The Story of .hack", "f / h", "Ra 's al Ghul", "Iran – Iraq", "A ( b ) c", "$ 5", "x , y ; z"],
)  # fmt: skip
def test_a_title_of_a_list_is_the_page_of_exactly_that_title(title):
    assert Titles([title]).of(title) == title


def test_what_a_title_says_comes_before_what_another_might_have_been():
    titles = Titles(["AC / DC", "ACDC"])

    assert titles.of("ACDC") == "ACDC"
    assert titles.of("AC/DC") == "ACDC"  # by its words


def test_titles_of_a_column():
    titles = Titles(["A b"])

    assert titles.measure(pa.array(["a_B", None, "a c"])).to_pylist() == ["A b", None, None]
    assert titles.removed(pa.array(["a_B", None, "a c"])).tolist() == [True, False, False]
    assert Titles([]).of("a") is None


def test_capital_i_with_dot_is_two_characters():
    assert normalised_title("İ_x") == "i\u0307 x"


def test_titles_from_files(tmp_path: Path):
    (tmp_path / "list.txt").write_text("One page\n\nTwo_pages\n", "utf-8")
    (tmp_path / "wiki.tokens").write_text(" \n = Three <unk> = \n \n text \n", "utf-8")

    assert len(Titles.read(str(tmp_path / "*"))) == 3
    assert Titles.read(str(tmp_path / "list.txt")).of("two pages") == "Two_pages"


def test_wikitext_103(shared_data: Path):
    titles = Titles.read(str(shared_data / "testsets" / "wikitext-*.txt"))

    assert len(titles) + len(titles.unusable) >= 116
    assert titles.of("American Beauty (1999 film)") == "American Beauty ( 1999 film )"
    assert titles.of("2011–12 Michigan Wolverines men's basketball team") is not None
    assert titles.of("...Thirteen Years Later") is not None
    assert titles.of("Paris") is None
