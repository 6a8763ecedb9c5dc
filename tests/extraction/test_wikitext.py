"""MediaWiki markup to text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.extraction import template_arguments, templates
from massivetext.extraction.template_arguments import parse
from massivetext.extraction.template_functions import FUNCTIONS
from massivetext.extraction.wikitext import Namespaces, to_text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("", ""),
        ("'''Bold''' and ''italic''", "Bold and italic"),
        ("a [[link]], a [[target|label]], a [[Pipe (trick)|]]", "a link, a label, a Pipe"),
        ("[[w:Talk|x]] [[:Category:Birds]] [[Category:Birds|*]]", "x Category:Birds"),
        ("[[de:Vogel]] [[zh-min-nan:Chiáu]]", ""),
        ("see [http://a.b/c the site], [https://a.b], [sic], [a/b]", "see the site, , [sic], [a/b]"),
        ("a{{cite|x={{nested|[[y]]}}|z}}b", "ab"),
        ("a{{{parameter|default}}}b", "ab"),
        ("[[File:A.jpg|thumb|A [[bird]] in ''flight'']]Birds fly.", "Birds fly."),
        ("[[Datei:A.jpg|mini|Ein Vogel]][[Файл:A.jpg|Птица]]Vögel", "Vögel"),
        ('fact<ref name="a">{{cite}} source</ref>, another<ref name="a" />.', "fact, another."),
        ("a<!-- hidden -->b <nowiki>[[not a link]]</nowiki> c&nbsp;d &lt;e&gt;", "ab [[not a link]] c d <e>"),
        ("x<sup>2</sup><br />y", "x2\ny"),
        ("Tokyo ({{lang|ja|東京}}) is", "Tokyo (東京) is"),
        ("__NOTOC__\na", "a"),
        ("unclosed {{template\nnext line", "unclosed\nnext line"),
        ("unclosed [[link\nnext line", "unclosed link\nnext line"),
        ("unclosed <ref>note\nnext line", "unclosed note\nnext line"),
        ("stray }} and ]] and |}", "stray and ]] and |}"),
    ],
)
def test_markup(markup, expected):
    assert to_text(markup) == expected


@pytest.mark.parametrize(
    ("template", "words"),
    [
        # Numbers and units.
        ("{{convert|1300|mi|km}}", "1300 mi"),
        ("{{cvt|1,000,000|ha|acre}}", "1,000,000 ha"),
        ("{{convert|2381741|km2|sqmi|abbr=on}}", "2,381,741 km²"),
        ("{{convert|5|-|10|km|mi|0}}", "5–10 km"),
        ("{{convert|5|to|10|°C|°F}}", "5 to 10 °C"),
        ("{{convert|6|ft|2|in|cm}}", "6 ft 2 inches"),
        ("{{convert|3|x|4|m}}", "3 × 4 m"),
        ("{{convert|8|in|adj=on}}", "8-inch"),
        ("{{convert|1|acre}}", "1 acre"),
        ("{{convert|1.5|e6acre}}", "1.5 million acres"),
        ("{{convert|-20|F|C}}", "-20 °F"),
        ("{{unité|2000|m}}", "2000 m"),
        ("{{unité|5|km||h|-1}}", "5 km/h"),
        ("{{unidad|12|km2}}", "12 km²"),
        ("{{fmtn|12345|km}}", "12,345 km"),
        ("{{M|100|u=km}}", "100 km"),
        ("{{formatnum:1234567}}", "1,234,567"),
        ("{{formatnum: 3003}}", "3003"),
        ("{{val|6.241|e=18|ul=C}}", "6.241×10^18 C"),
        ("{{val|3.5|0.2|u=kg}}", "3.5 ± 0.2 kg"),
        ("{{frac|1|2}}", "1/2"),
        ("{{frac|3}}", "1/3"),
        ("{{frac|2|1|2}}", "2 1/2"),
        ("{{height|ft=5|in=11}}", "5 ft 11 in"),
        ("{{US$|2 billion}}", "US$2 billion"),
        ("{{chem|H|2|O}}", "H2O"),
        ("{{gaps|1|234|567}}", "1,234,567"),
        # Languages and sounds.
        ("{{lang|ja|東京}}", "東京"),
        ("{{lang-el|Αθήνα|Athína}}", "Αθήνα"),
        ("{{langx|de|Wien}}", "Wien"),
        ("{{langue|en|word}}", "word"),
        ("{{transl|ar|ALA|Allāh}}", "Allāh"),
        ("{{nihongo|'''League'''|リーグ|Rīgu|lead=yes}}", "League (リーグ, Rīgu)"),
        ("{{nihongo|League}}", "League"),
        ("{{nihongo|League||Rīgu}}", "League"),
        ("{{IPA|/a/}}", "/a/"),
        ("{{IPA|de|tʃ}}", "[tʃ]"),
        ("{{IPAc-en|lang|pron|æ|l|ˈ|b|iː}}", "/ælˈbiː/"),
        ("{{IPA-fr|alɛ̃|lang}}", "[alɛ̃]"),
        ("{{respell|ASS|kee}}", "ASS-kee"),
        ("{{zh|c=中文|p=zhōngwén}}", "中文; zhōngwén"),
        # Dates.
        ("{{circa|1500}}", "c. 1500"),
        ("{{circa|1500|1550}}", "c. 1500 – c. 1550"),
        ("{{as of|2014|lc=y}}", "as of 2014"),
        ("{{As of|2014|5}}", "As of May 2014"),
        ("{{as of|2014|alt=in 2014}}", "in 2014"),
        ("{{birth date|1950|1|2}}", "January 2, 1950"),
        ("{{birth date and age|1950|1|2|df=yes}}", "2 January 1950"),
        ("{{death date and age|1865|4|15|1809|2|12}}", "April 15, 1865 (aged 56)"),
        ("{{date|2|janvier|1950}}", "2 janvier 1950"),
        # Digits that are no numbers, and numbers that are too long to be any.
        ("{{birth date|1950|²|2}}", "1950"),
        ("{{birth date|1950|1|②}}", "January 1950"),
        (f"{{{{birth date|2000|{'9' * 5000}}}}}", "2000"),
        (f"{{{{as of|2000|5|{'9' * 5000}}}}}", "As of May 2000"),
        ("{{as of|2020|①}}", "As of ① 2020"),
        ("{{birth date|۱۹۵۰-۰۱-۰۲}}", "۱۹۵۰-۰۱-۰۲"),
        ("{{death date and age|1865|4|15|1809|²|12}}", "April 15, 1865"),
        ("{{nowrap|²=5|x}}", "x"),
        (f"{{{{nowrap|{'1' * 5000}=5|x}}}}", "x"),
        ("{{fl.|1500|1520}}", "fl. 1500–1520"),
        # Form, punctuation, names.
        ("{{nowrap|10 km}}", "10 km"),
        ("{{nowrap|1=a=b}}", "a=b"),
        ("{{abbr|BC|before Christ}}", "BC"),
        ("{{small|{{nowrap|[[a|the = words]]}}}}", "the = words"),
        ("{{Small_caps|x}}", "x"),
        ("{{template:small|x}}", "x"),
        ("x{{ndash}}y", "x–y"),
        ("x{{snd}}y", "x – y"),
        ("x{{'s}} y", "x's y"),
        ("a {{!}} b {{=}} c", "a | b = c"),
        ("{{sortname|John|Doe}}", "John Doe"),
        ("{{w|nuclear weapon|nuclear weapons}}", "nuclear weapons"),
        ("{{w|nuclear weapon}}", "nuclear weapon"),
        ("{{ill|Some Title|de|Titel}}", "Some Title"),
        ("{{ill|de|Some Title}}", "Some Title"),
        ("{{lien|Titre|lang=en|texte=mots}}", "mots"),
        ("{{HMS|Ajax|22|6}}", "HMS Ajax"),
        ("{{ship|USS|Iowa|BB-61}}", "USS Iowa"),
        ("{{flag|Azores}}", "Azores"),
        ("{{sic|recieve}}", "recieve"),
        ("{{harvtxt|Boolos|Jeffrey|1974}}", "Boolos & Jeffrey (1974)"),
        ("{{coord|13|19|N|169|9|W}}", "13°19′N 169°9′W"),
        ("{{bibleverse|Mark|3:25|NIV}}", "Mark 3:25"),
    ],
)
def test_a_template_is_rendered_by_its_own_arguments(template, words):
    assert f"Then {words} came." == to_text(f"Then {template} came.")


@pytest.mark.parametrize(
    "note",
    [
        "{{cn|date=May 2008}}",
        "{{citation needed|date=May 2008}}",
        "{{sfn|Smith|2000|p=3}}",
        "{{rp|23}}",
        "{{efn|A note.}}",
        "{{flagicon|USA}}",
        "{{page needed|x}}",
        "{{weasel-inline|x}}",
        "{{who?|x}}",
        "{{fr icon}}",
        "{{coord|1|2|display=title}}",
        "{{Unknown note|2000}}",
    ],
)
def test_notes_and_pictures_leave_nothing(note):
    assert "It is so. And more." == to_text(f"It is so{note}. And more.")
    assert "It is so.\nAnd more." == to_text(f"It is so.{note}\nAnd more.")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("The {{unheard of|thing}} is here.", "The thing is here."),
        ("It ({{unheard of|thing|other}}) is.", "It (thing) is."),
        ("Of {{unheard of|de|Ding}}, more.", "Of Ding, more."),
        ("{{unheard of|Thing}} is here.", "Thing is here."),
        ("So. {{unheard of|Thing}} is here.", "So. Thing is here."),
        # A note: after its word without a space, or after the full stop.
        ("The word{{unheard of|2000}} is.", "The word is."),
        ("It is. {{unheard of|2000}} And so.", "It is. And so."),
        # A box: over several lines, or on a line of its own.
        ("a\n{{unheard of|thing}}\nb", "a\n\nb"),
        ("The {{unheard of\n|thing}} is.", "The is."),
        # No words: an address, named arguments alone, more than 120 characters.
        ("The {{unheard of|http://a.b/c}} is.", "The is."),
        ("The {{unheard of|a=b}} is.", "The is."),
        (f"The {{{{unheard of|{'x' * 120}}}}} is.", f"The {'x' * 120} is."),
        (f"The {{{{unheard of|{'x' * 121}}}}} is.", "The is."),
    ],
)
def test_a_template_of_no_family_stands_for_a_word_where_a_sentence_needs_one(markup, text):
    assert text == to_text(markup)


def test_quotations_and_lists_of_templates_are_text():
    assert to_text("He wrote:\n{{quote|text=Words of\nhis own.|author=A. B.}}\nand left.") == (
        "He wrote:\nWords of\nhis own.\nand left."
    )
    assert "- a\n- b" == to_text("{{bulleted list|a|[[x|b]]}}")
    assert "- a\n- b" == to_text("{{columns-list|2|\n* a\n* b}}")
    assert "1. a\n2. b" == to_text("{{ordered list|a|b}}")


def test_formulas_on_one_line_are_kept_as_they_are_written():
    assert to_text("The sum of <math>x_1 + x_2</math>, and <chem>H2O</chem>.") == "The sum of x_1 + x_2, and H2O."
    assert to_text(f"a <math>{'x' * 200}</math> b") == f"a {'x' * 200} b"
    assert to_text(f"a <math>{'x' * 201}</math> b") == "a b"
    assert to_text("a\n:<math>\nx\ny\n</math>\nb") == "a\nb"


@pytest.mark.parametrize(
    "title",
    [
        "CSI: Miami",
        "Re:Zero",
        "Ben-Hur: A Tale of the Christ",
        "War: A Memoir",
        "It: Chapter Two",
        "No: A Film",
        "As:Is",
    ],
)
def test_a_title_that_begins_like_a_language_code_is_text(title):
    assert f"They saw {title} there." == to_text(f"They saw [[{title}]] there.")
    assert "They saw the work there." == to_text(f"They saw [[{title}|the work]] there.")


def test_language_codes_are_a_closed_list():
    assert len(templates.closed_language_codes()) > 330
    assert to_text("[[de:Vogel]][[war:Tamsi]][[zh-min-nan:Chiáu]][[simple:Bird]]") == ""
    assert to_text("[[xkcd:Volume 0]] [[ys:Oath]]") == "xkcd:Volume 0 ys:Oath"


@pytest.mark.parametrize(
    "link",
    [
        "Datei:x.jpg|mini|Wort",
        "Tập tin:x.png|nhỏ|từ",
        "ไฟล์:x.jpg|thumb|คำ",
        "Պատկեր:x.jpg|thumb|բառ",
        "Fájl:x.svg|bélyegkép|szó",
        "Slika:x.ogg|sličica",
        "Unheard of:x.webm|thumb|word",
        "Category:Birds|*",
        "Thể loại:Chim",
        "หมวดหมู่:นก",
        "Κατηγορία:Πουλιά",
    ],
)
def test_links_of_files_and_categories_show_no_words_in_any_language(link):
    assert "ab" == to_text(f"a[[{link}]]b")


def test_namespaces_of_the_dump_decide():
    bulgarian = Namespaces.of({"6": ["Файл"], "-2": ["Медия"], "14": ["Категория"], "100": ["Портал"]})

    assert to_text("a[[Категория:Птици]][[Файл:x]][[Category:y]]b", namespaces=bulgarian) == "ab"
    assert to_text("[[Kategorie: Ein Film]], [[Портал:x|дума]]", namespaces=bulgarian) == "Kategorie: Ein Film, дума"


def test_every_family_of_the_data_file_has_a_rule_and_no_name_stands_twice():
    names: list[str] = []
    for line in template_arguments.data_lines("wiki-templates.tsv"):
        rule, tab, listed = line.partition("\t")
        assert all((tab, rule, listed)), line
        assert callable(templates._compiled(rule))
        names += listed.split(" ")

    assert len(names) == len(set(names)) > 800
    assert all(name == name.lower() for name in names)


def test_headings_and_lists_are_kept():
    markup = "Lead.\n== History ==\n* one\n** two\n* three\n# first\n# second\n## deeper\n# third\n; term\n: definition"

    assert to_text(markup) == (
        "Lead.\n\nHistory\n\n- one\n  - two\n- three\n1. first\n2. second\n  1. deeper\n3. third\nterm\n  definition"
    )


def test_a_section_without_text_loses_its_heading():
    markup = (
        "Lead.\n== Gallery ==\n<gallery>\nA.jpg\n</gallery>\n== Life ==\n=== Youth ===\nText.\n== Notes ==\n{{notes}}"
    )

    assert to_text(markup) == "Lead.\n\nLife\n\nYouth\n\nText."


def test_tables_of_numbers_go_and_tables_of_prose_stay():
    numbers = "{| class=wikitable\n! Year !! Population\n|-\n| 1990 || 120,000\n|-\n| 2000\n| 150,000\n|}"
    prose = (
        '{|\n|-\n| style="width:50%" | The house was built by two brothers in spring\n'
        "| It burned down in the great fire of the year\n|}"
    )

    assert to_text(f"a\n{numbers}\nb") == "a\n\nb"
    assert to_text(f"a\n{{|\n|\n{numbers}\n|}}\nb") == "a\n\nb"
    assert (
        to_text(prose) == "The house was built by two brothers in spring | It burned down in the great fire of the year"
    )


def test_code_keeps_its_indentation():
    assert to_text('a\n<syntaxhighlight lang="python">\ndef f():\n    return [[1]]\n</syntaxhighlight>') == (
        "a\n\ndef f():\n    return [[1]]"
    )


ARGUMENTS = st.one_of(
    st.sampled_from(["1950", "²", "①", "٢", "05", "9" * 5000, "²=5", "7=3", "e=²", "-", "km", "1e5"]),
    st.text(alphabet="0123456789-.,=²٢①ab ", max_size=9),
)


@pytest.mark.parametrize("name", FUNCTIONS)
@given(arguments=st.lists(ARGUMENTS, max_size=7))
def test_any_arguments_of_a_template_give_text(name, arguments):
    assert isinstance(FUNCTIONS[name](parse("|".join(["template", *arguments]))), str)


@given(st.text(alphabet="[]{}|=*#:;'<>/-! \nabrefFile&", max_size=200))
def test_any_markup_gives_text(markup):
    text = to_text(markup)

    assert "\0" not in text
    assert text == text.strip("\n")


def test_brackets_without_end_take_linear_time():
    """Four times the input must not take more than some four times the steps: a quadratic pass would not return."""
    for mark in (
        "{{",
        "[[",
        "{{a|",
        "{{small|x}}",
        "{{{{a}}|b}} ",
        "[[a:",
        "<math>x</math>",
        "\n{|\n",
        "<ref>",
        "<nowiki>",
        "[http://a ",
        "[[{{",
        "'",
        "=",
    ):
        assert "\0" not in to_text(mark * 100_000)


def test_real_pages_keep_their_prose(shared_data):
    import bz2
    import re
    from html import unescape

    dump = bz2.decompress((shared_data / "wikipedia" / "enwiki-206-pages.xml.bz2").read_bytes()).decode()
    pages = [unescape(page) for page in re.findall(r"<text[^>]*>(.*?)</text>", dump, re.DOTALL)]
    texts = [to_text(page) for page in pages if not page.startswith("#REDIRECT")]
    autism = next(text for text in texts if text.startswith("Autism is a"))

    assert sum(map(len, texts)) > 2_000_000
    # A preposition or an opening bracket before a comma or a full stop: a word is missing.
    hole = re.compile(
        r"\b(?:of|at|in|with|from|to|by|about|than|over|for|on|as|into|between|around|near|under|after|before) ,"
        r"|\b(?:of|at|with|from|into|between|than) [.;)]|\( ?[,;]",
        re.IGNORECASE,
    )
    assert sum(hole.search(text) is not None for text in texts) == 0
    assert "\n\nCharacteristics\n\nAutism is a highly variable neurodevelopmental disorder" in autism
    assert sum(text.count("{{") + text.count("<ref") for text in texts) <= 8  # formulas have braces
