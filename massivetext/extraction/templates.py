"""Templates of MediaWiki as the words that they stand for in a sentence, by their own arguments.

No template is expanded: a dump of articles does not contain them. Which arguments of a template are its words is a rule
of its family, in data/wiki-templates.tsv; the functions that such a rule may name are here. A template of no family is
rendered where a sentence needs a word (`stands_for_a_word`), and left out elsewhere.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from importlib import resources
from typing import NamedTuple

__all__ = ["DROPPED", "EQUALS", "PIPE", "Arguments", "Rule", "closed_language_codes", "render", "rule_of"]

EQUALS, PIPE = "\0\0=", "\0\0|"
"""What stands for `=` and `|` in words that are rendered already, so that they part no arguments. Text has no NUL."""

LONGEST_UNKNOWN = 120
"""Characters of an argument that may be the words of a template of no family."""

_NAME = re.compile(r"[\w .\-]{1,40}")
_TEMPLATE_PREFIX = re.compile(r"\A\s*(?:template|subst|safesubst):", re.IGNORECASE)
_FIELD = re.compile(r"\{([^{}\[\]]+)\}")
_MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]  # fmt: skip


class Arguments(NamedTuple):
    """The arguments of one template: `positional` in order, `named` by their lower-case names, values stripped."""

    template: str
    positional: list[str]
    named: dict[str, str]

    def get(self, keys: str) -> str:
        """Return the first argument of `keys` (`text|2|1`) that is not empty, or an empty string."""
        for key in keys.split("|"):
            value = self.named.get(key, "")
            if not value and key.isdigit() and int(key) <= len(self.positional):
                value = self.positional[int(key) - 1]
            if value:
                return value
        return ""


Rule = Callable[[Arguments], str]


def dropped(arguments: Arguments) -> str:
    """Leave nothing: the rule of notes, maintenance marks, pictures and navigation."""
    return ""


DROPPED: Rule = dropped


def parse(content: str) -> Arguments:
    """Split what stands between `{{` and `}}`, whose own templates and links are rendered already."""
    head, *parts = _TEMPLATE_PREFIX.sub("", content).split("|")
    name, colon, first = head.partition(":")
    if colon and name.strip():
        head, parts = name, [first, *parts]
    positional: list[str] = []
    named: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        key = key.strip().lower()
        if equals and key.isdigit():
            index = int(key)
            if 0 < index <= 40:
                positional.extend([""] * (index - len(positional)))
                positional[index - 1] = value.strip()
        elif equals and _NAME.fullmatch(key):
            named[key] = value.strip()
        elif len(positional) < 1000:
            positional.append(part.strip())
    return Arguments(head.strip(), positional, named)


def render(rule: Rule, content: str) -> str:
    """Return the words of a template by a rule; `=` and `|` in them are marked, so that they part no arguments."""
    return rule(parse(content)).replace("=", EQUALS)


# The data file ---------------------------------------------------------------------------------------------------


def _lines(name: str) -> Iterator[str]:
    text = resources.files("massivetext").joinpath(f"data/{name}").read_text("utf-8")
    return (line for line in text.split("\n") if line.strip("\r") and not line.startswith("#"))


@functools.cache
def closed_language_codes() -> frozenset[str]:
    """Return the codes of Wikipedia's language editions, in lower case."""
    return frozenset(code for line in _lines("wiki-languages.txt") for code in line.split())


class _Families(NamedTuple):
    exact: dict[str, Rule]
    beginnings: dict[str, Rule]
    endings: tuple[tuple[str, Rule], ...]


@functools.cache
def _families() -> _Families:
    exact: dict[str, Rule] = {}
    beginnings: dict[str, Rule] = {}
    endings: list[tuple[str, Rule]] = []
    for line in _lines("wiki-templates.tsv"):
        text, _, names = line.partition("\t")
        rule = _compiled(text)
        for name in names.replace("_", "\0").split(" "):
            name = name.replace("\0", " ")
            if name.startswith("*"):
                endings.append((name[1:], rule))
            elif len(name) > 1 and name.endswith("*"):
                beginnings[name[:-1]] = rule
            else:
                exact[name] = rule
    return _Families(exact, beginnings, tuple(endings))


@functools.lru_cache(maxsize=8192)
def rule_of(head: str) -> Rule | None:
    """Return the rule for the name of a template as it is written (up to the first `|`); None for no known family."""
    name = " ".join(head.replace("_", " ").split()).lower()
    for prefix in ("template:", "subst:", "safesubst:"):
        name = name.removeprefix(prefix)
    families = _families()
    rule = families.exact.get(name) or families.exact.get(name.partition(":")[0].strip() if ":" in name else name)
    if rule is not None:
        return rule
    if not name:
        return DROPPED
    for ending, candidate in families.endings:
        if name.endswith(ending):
            return candidate
    for length in range(min(len(name), 30), 0, -1):
        candidate_or_none = families.beginnings.get(name[:length])
        if candidate_or_none is not None:
            return candidate_or_none
    return None


def _compiled(text: str) -> Rule:
    """Return the function of a rule of the data file."""
    if text == "-":
        return DROPPED
    if text.startswith("@"):
        return _FUNCTIONS[text[1:]]
    text = text.replace("\\n", "\n")
    alone = _FIELD.fullmatch(text)
    if alone is not None:
        keys = alone[1]
        return lambda arguments: arguments.get(keys)
    fields = _FIELD.findall(text)
    pieces = re.split(r"(\[\[|\]\])", text)

    def fill(arguments: Arguments) -> str:
        if fields and not any(arguments.get(keys) for keys in fields):
            return ""
        return _filled(pieces, arguments)

    return fill


def _filled(pieces: list[str], arguments: Arguments) -> str:
    """Fill the fields of a rule that is split at `[[` and `]]`; leave out what an empty field makes void."""
    levels: list[list[str]] = [[]]
    void = [False]
    for piece in pieces:
        if piece == "[[":
            levels.append([])
            void.append(False)
        elif piece == "]]":
            words = "".join(levels.pop())
            levels[-1].append("" if void.pop() else words)
        else:
            for keys in _FIELD.findall(piece):
                void[-1] = void[-1] or not arguments.get(keys)
            levels[-1].append(_FIELD.sub(lambda field: arguments.get(field[1]), piece))
    return "".join(levels[0])


# Templates of no family ------------------------------------------------------------------------------------------


def unknown(arguments: Arguments) -> str:
    """Return the first argument that can be words of a sentence: short, no language code, address, or file name."""
    codes = closed_language_codes()
    for value in arguments.positional:
        if not value or (value.lower() in codes and len(arguments.positional) > 1):
            continue
        is_word = any(char.isalnum() for char in value)
        if is_word and len(value) <= LONGEST_UNKNOWN and "\n" not in value and "//" not in value:
            return value
    return ""


_BEFORE = re.compile(r"[\w,;:)\]%»”’'\"-]'*[ \xa0]['\"(“‘«]*\Z|[\w,;:] ?[(“‘«][ \xa0]?'*\Z")
_AFTER = re.compile(r"'*(?:[ \xa0]+[^\W\dA-Z_]|,|'s\b)")
_SENTENCE_START = re.compile(r"(?:\A|[.!?][\"”’)]?)[ \xa0]*'*\Z")


def stands_for_a_word(before: str, after: str) -> bool:
    """Whether a sentence needs the words of a template of no family: by the text before it on its line, and after it.

    It does after a space, or an opening bracket or quote, that follows a word or a comma; and at the beginning of a
    sentence if a small letter or a comma comes next. A note or a maintenance mark follows its word without a space, or
    stands after the full stop; a box stands on a line of its own.
    """
    if _BEFORE.search(before) is not None:
        return True
    return _SENTENCE_START.search(before) is not None and _AFTER.match(after) is not None


# Functions that rules name ---------------------------------------------------------------------------------------


def grouped(number: str) -> str:
    """Return a plain number of five digits or more with a comma between thousands; any other text as it is."""
    match = re.fullmatch(r"([-+−]?)(\d{5,30})(\.\d+)?", number)
    return number if match is None else f"{match[1]}{int(match[2]):,}{match[3] or ''}"


_UNITS = {
    "km2": "km²", "m2": "m²", "cm2": "cm²", "mm2": "mm²", "km3": "km³", "m3": "m³", "cm3": "cm³", "sqmi": "sq mi",
    "sqkm": "km²", "sqm": "m²", "sqft": "sq ft", "sqyd": "sq yd", "sqin": "sq in", "mi2": "sq mi", "cuft": "cu ft",
    "cuyd": "cu yd", "cuin": "cu in", "cumi": "cu mi", "ft2": "sq ft", "ft3": "cu ft", "in2": "sq in", "C": "°C",
    "F": "°F", "K": "K", "°C": "°C", "°F": "°F", "in": "inches", "lb": "lb", "lbs": "lb", "acre": "acres",
    "mph": "mph", "kph": "km/h", "kn": "knots", "nmi": "nautical miles", "foot": "feet", "mile": "miles",
    "inch": "inches", "impgal": "imp gal", "usgal": "US gal", "U.S.gal": "US gal", "USgal": "US gal",
    "PD/sqkm": "/km²", "PD/sqmi": "/sq mi", "/sqkm": "/km²", "/sqmi": "/sq mi", "/km2": "/km²", "/mi2": "/sq mi",
    "long ton": "long tons", "short ton": "short tons", "LT": "long tons", "ST": "short tons", "tonne": "tonnes",
    "hp": "hp", "deg": "°", "ly": "light-years", "AU": "AU", "e6acre": "million acres", "um": "µm", "ft2in": "ft",
}  # fmt: skip
_SINGULAR = {"inches": "inch", "acres": "acre", "feet": "foot", "miles": "mile", "knots": "knot", "tonnes": "tonne"}
_POWERS = {"e3": " thousand", "e6": " million", "e9": " billion", "e12": " trillion"}
_BETWEEN = {
    "-": "–", "–": "–", "to": " to ", "and": " and ", "or": " or ", "x": " × ", "×": " × ", "by": " by ", "to(-)": "–",
    "to about": " to about ", "+/-": " ± ", "±": " ± ", "&": " & ", "xx": " × ", "*": " × ", "+": " + ", "/": "/",
    ",": ", ", ", and": ", and ", "and(-)": "–", "-,": "–", "−": "–", "bis": " bis ", "à": " à ", "a": " a ",
    "e": " e ",
}  # fmt: skip


def _unit(code: str) -> str:
    power = next((words for mark, words in _POWERS.items() if re.match(rf"{mark}[^\d]", code)), "")
    if code in _UNITS:
        return f" {_UNITS[code]}"
    if power:
        code = re.sub(r"\Ae\d+", "", code)
    name = _UNITS.get(code, code)
    return f"{power} {name}" if not name.startswith(("/", "°")) or power or name in ("°C", "°F") else name


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+−~]?[\d.,/+⁄ \xa0]*\d[\d.,/+⁄ \xa0]*(?:e-?\d+)?", text) is not None


def convert(arguments: Arguments) -> str:
    """Number and unit of a conversion, without what they are converted to: `1,300 mi`, `5–10 km`, `6 ft 2 in`."""
    values = [value for value in arguments.positional if value]
    if not values:
        return ""
    output: list[str] = []
    i = 0
    while i < len(values) and i < 12:
        value = values[i].replace("\xa0", " ")
        if not _is_number(value):
            break
        output.append(grouped(value))
        following = values[i + 1] if i + 1 < len(values) else ""
        if following in _BETWEEN and i + 2 < len(values) and _is_number(values[i + 2]):
            output.append(_BETWEEN[following])
            i += 2
            continue
        if following and not _is_number(following):
            output.append(_unit(following))
            i += 2
            # `6 ft 2 in`: another number goes on. Precision (`|0`) does not, for a unit must follow it.
            if i + 1 < len(values) and _is_number(values[i]) and re.fullmatch(r"[a-z]{1,4}", values[i + 1]):
                output.append(" ")
                continue
        break
    if not output:
        return values[0]
    words = "".join(output)
    if values[0] == "1" or arguments.named.get("adj", "") in ("on", "mid", "pre"):
        for many, one in _SINGULAR.items():
            words = re.sub(rf" {many}\Z", f" {one}", words)
    if arguments.named.get("adj") == "on":
        words = re.sub(r"(?<=\d) (?=[A-Za-z]{2,}\Z)", "-", words)
    return words


def quantity(arguments: Arguments) -> str:
    """Number and units of quantity templates of several languages: `{{unité|5|km||h|-1}}` is `5 km/h`."""
    values = arguments.positional
    if not values or not values[0]:
        return arguments.get("m|val|valor")
    unit = arguments.get("u|unit|unidad|2") if not _is_number(arguments.get("2")) else arguments.get("u|unit")
    if not unit:
        between = [v for v in values if v]
        return " ".join(between) if len(between) > 1 and not _is_number(between[-1]) else grouped(values[0])
    exponent = arguments.get("3")
    powers = {"2": "²", "3": "³"}
    unit += powers.get(exponent, "")
    if len(values) >= 5 and values[3] and values[4].startswith(("-", "−")):
        unit += "/" + values[3] + powers.get(values[4][1:], "")
    space = "" if unit.startswith(("°", "/", "%")) and not unit.startswith(("°C", "°F")) else " "
    return f"{grouped(values[0])}{space}{_UNITS.get(unit, unit) if unit in ('km2', 'm2', 'km3', 'm3') else unit}"


def height(arguments: Arguments) -> str:
    """`5 ft 7 in` or `1.80 m` from named or positional arguments."""
    named = arguments.named
    parts = [f"{named[unit]} {unit}" for unit in ("m", "cm", "ft", "in") if named.get(unit)]
    return " ".join(parts) or convert(arguments)


def duration(arguments: Arguments) -> str:
    """`1:02:03` from hours, minutes and seconds."""
    hours, minutes, seconds = (arguments.get(keys) for keys in ("h|1", "m|2", "s|3"))
    if not hours and not arguments.named.get("h"):
        return f"{minutes or '0'}:{seconds.zfill(2)}" if seconds else f"{minutes} min" if minutes else ""
    return ":".join([hours, (minutes or "0").zfill(2), (seconds or "0").zfill(2)])


def val(arguments: Arguments) -> str:
    """Number, uncertainty, power of ten and unit: `6.241×10^18 C`."""
    number = grouped(arguments.get("1"))
    if not number:
        return ""
    between = arguments.get("2")
    if between in _BETWEEN and arguments.get("3"):
        number += _BETWEEN[between] + grouped(arguments.get("3"))
    elif between and arguments.get("3"):
        number += f" +{between.lstrip('+')} −{arguments.get('3').lstrip('-−')}"
    elif between:
        number += between if between.startswith("(") else f" ± {between}"
    if arguments.get("e"):
        number += f"×10^{arguments.get('e')}"
    unit = arguments.get("u|ul")
    per = arguments.get("up|upl")
    space = "" if unit.startswith(("%", "°")) or not unit else " "
    return f"{arguments.get('p')}{number}{arguments.get('s')}{space}{unit}{'/' + per if per else ''}"


def number(arguments: Arguments) -> str:
    """A number with its thousands parted, from five digits on."""
    return grouped(arguments.get("1"))


def gaps(arguments: Arguments) -> str:
    """Groups of digits, joined: `1 234 567` is written without the gaps where a comma would be."""
    digits = "".join(arguments.positional)
    power = f"×10^{arguments.get('e')}" if arguments.get("e") else ""
    return grouped(digits) + power + (f" {arguments.get('u')}" if arguments.get("u") else "")


def frac(arguments: Arguments) -> str:
    """`1/2`, `1/3` for the denominator alone, `2 1/2` for whole, numerator and denominator."""
    parts = [part for part in arguments.positional if part][:3]
    if len(parts) == 3:
        return f"{parts[0]} {parts[1]}/{parts[2]}"
    return "/".join(parts) if len(parts) == 2 else f"1/{parts[0]}" if parts else ""


def power_of_ten(arguments: Arguments) -> str:
    """`×10^24`; without an argument it is French: the `e` of `XIXe`."""
    exponent = arguments.get("1")
    return f"×10^{exponent}" if exponent and not exponent.isalpha() else exponent or "e"


def century(arguments: Arguments) -> str:
    """French `{{s|XIX}}` is `XIXe siècle`, `{{s-|XIX|e}}` is `XIXe`; any other argument is text that does not break."""
    numeral = arguments.get("1")
    if re.fullmatch(r"[IVX]+", numeral) is None:
        return numeral
    return f"{numeral}{arguments.get('2') or ('er' if numeral == 'I' else 'e')}" + (
        "" if arguments.template.endswith("-") else " siècle"
    )


def per(arguments: Arguments) -> str:
    """Population density, from population and area: `1,234/km²`."""
    people, area, unit = (arguments.get(key).replace(",", "") for key in "123")
    try:
        value = float(people) / float(area)
    except (ValueError, ZeroDivisionError):
        return ""
    return f"{value:,.{1 if value < 100 else 0}f}/{_UNITS.get(unit, unit or 'km²')}"


def concatenate(arguments: Arguments) -> str:
    """The arguments one after the other: formulas (`H2O`), words whose parts are links."""
    return "".join(arguments.positional)


def coordinates(arguments: Arguments) -> str:
    """`13°19′N 169°9′W`; nothing for coordinates that are shown beside the title alone."""
    display = arguments.named.get("display", "inline")
    if "inline" not in display and display not in ("it", "ti", "i", "text"):
        return ""
    values: list[str] = []
    numbers = 0
    for value in arguments.positional:
        if re.fullmatch(r"-?\d+(\.\d+)?", value) is not None and numbers < 3:
            values.append(value + "°′″"[numbers])
            numbers += 1
        elif value in ("N", "S", "E", "W", "O"):
            values.append(value + " ")
            numbers = 0
        else:
            break
    text = "".join(values).strip()
    return text if any(letter in text for letter in "NSEWO") else text.replace("°", "°, ", 1).replace("′", "°")


def currency(arguments: Arguments) -> str:
    """Amount and currency as they are written."""
    return " ".join(filter(None, (grouped(arguments.get("1|amount")), arguments.get("2|type"))))


def ordinal(arguments: Arguments) -> str:
    """`1st`, `22nd`, `13th`."""
    digits = arguments.get("1")
    if not digits.isdigit():
        return digits
    ending = "th" if digits[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th")
    return digits + ending


def _day(parts: list[str], day_first: bool) -> str:
    """A date of year, month and day, in words."""
    year, month, day = (*parts, "", "")[:3]
    if not (month.isdigit() and 1 <= int(month) <= 12):
        return " ".join(part for part in (day, month, year) if part)
    name = _MONTHS[int(month) - 1]
    if not day.isdigit():
        return f"{name} {year}"
    return f"{int(day)} {name} {year}" if day_first else f"{name} {int(day)}, {year}"


def date(arguments: Arguments) -> str:
    """`January 2, 1950`, or `2 January 1950` with `df=yes`, from year, month and day; other arguments as they stand."""
    parts = [part for part in arguments.positional if part and not part.startswith("link=")]
    if not parts:
        return ""
    if match := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", parts[0]):
        parts = list(match.groups())
    if re.fullmatch(r"-?\d{3,4}", parts[0]) is None:
        # Day, month and year (French, Spanish, Italian, ...), or a date in words.
        return " ".join(parts[:3]) if re.fullmatch(r"\d{1,2}", parts[0]) else parts[0]
    count = 1
    while count < min(3, len(parts)) and parts[count].isdigit() and 1 <= int(parts[count]) <= 31:
        count += 1
    return _day(parts[:count], arguments.named.get("df", "")[:1].lower() == "y")


def death(arguments: Arguments) -> str:
    """The date of death, and the age from both dates."""
    values = [int(value) for value in arguments.positional if value.isdigit()]
    text = _day(arguments.positional[:3], arguments.named.get("df", "")[:1].lower() == "y")
    if len(values) < 6:
        return text
    age = values[0] - values[3] - ((values[1], values[2]) < (values[4], values[5]))
    return f"{text} (aged {age})"


def as_of(arguments: Arguments) -> str:
    """`As of May 2014`, `as of 2014` with `lc=y`, `since 2014` with `since=y`; `alt=` is what is shown instead."""
    if arguments.named.get("alt"):
        return arguments.named["alt"]
    if not arguments.positional:
        return ""
    start = "Since" if arguments.named.get("since") else "As of"
    if arguments.named.get("lc"):
        start = start.lower()
    if arguments.named.get("bare"):
        start = ""
    return f"{start} {_day(arguments.positional[:3], arguments.named.get('df', '') != 'us')}".strip() + arguments.get(
        "post"
    )


def circa(arguments: Arguments) -> str:
    """`c. 1500`, `c. 1500 – c. 1550`; without a year, `c.`."""
    years = [year for year in arguments.positional if year][:2]
    return " – ".join(f"c. {year}" for year in years) if years else "c."


def transliteration(arguments: Arguments) -> str:
    """The last argument; those before it name the language and the standard."""
    return arguments.positional[-1] if arguments.positional else ""


def chinese(arguments: Arguments) -> str:
    """Characters and their readings: `中文; zhōng wén`."""
    keys = ("c|t|tp_|1", "s", "p", "w", "j", "poj", "l")
    values = [arguments.get(key) for key in keys]
    output = [value for i, value in enumerate(values[:-1]) if value and value not in values[:i]]
    if values[-1]:
        output.append(f"lit. '{values[-1]}'")
    return "; ".join(output)


def korean(arguments: Arguments) -> str:
    """Hangul, Hanja and romanisations."""
    keys = ("hangul|1", "hanja|2", "rr|3", "mr")
    return "; ".join(value for value in map(arguments.get, keys) if value)


_IPA_NOTES = frozenset(
    (
        "lang", "pron", "pronunciation", "local", "uk", "us", "gb", "aus", "au", "nz", "ca", "us-ca", "ipa", "icon",
        "help", "all", "also",
    )
)  # fmt: skip


def english_sounds(arguments: Arguments) -> str:
    """The sounds of `IPAc-en`, between slashes; `,` and `or` part two pronunciations."""
    sounds = "".join(
        {"_": " ", ",_": ", ", "or": "/ or /", ",": "/, /"}.get(value, value)
        for value in arguments.positional
        if value.lower() not in _IPA_NOTES
    )
    return f"/{sounds}/" if sounds.strip("/ ,") else ""


def sounds(arguments: Arguments) -> str:
    """The sounds of `IPA`, whose first argument may be a language."""
    values = arguments.positional
    if len(values) > 1 and values[0].lower() in closed_language_codes() and values[1]:
        return f"[{values[1]}]"
    return arguments.get("1")


def respelling(arguments: Arguments) -> str:
    """Syllables joined by hyphens: `ASS-kee`; an argument `_` is a space."""
    return "-".join(value or "" for value in arguments.positional).replace("-_-", " ").strip("-'")


def equals(arguments: Arguments) -> str:
    """The sign that parts the name of an argument from its value."""
    return EQUALS


def pipe(arguments: Arguments) -> str:
    """The sign that parts arguments."""
    return PIPE


def music(arguments: Arguments) -> str:
    """Signs of music by their names."""
    name = arguments.get("1")
    return {
        "flat": "♭",
        "b": "♭",
        "sharp": "♯",
        "#": "♯",
        "natural": "♮",
        "time": "/".join(arguments.positional[1:]),
    }.get(name, name)


def inline_list(arguments: Arguments) -> str:
    """Entries of a list on one line, with commas."""
    return ", ".join(value for value in arguments.positional if value)


def bulleted(arguments: Arguments) -> str:
    """Entries of a list, a line each."""
    entries = [value for value in arguments.positional if value]
    return "\n" + "\n".join(f"* {value}" for value in entries) + "\n" if entries else ""


def ordered(arguments: Arguments) -> str:
    """Entries of a numbered list, a line each."""
    entries = [value for value in arguments.positional if value]
    return "\n" + "\n".join(f"# {value}" for value in entries) + "\n" if entries else ""


def other_wiki(arguments: Arguments) -> str:
    """The words of a link to another language's page: `lt=`, or else the first argument that is no language code."""
    codes = closed_language_codes()
    return arguments.get("lt|texte|text|label") or next(
        (value for value in arguments.positional if value and value.lower() not in codes), ""
    )


def ship(arguments: Arguments) -> str:
    """`{{ship|HMS|Ajax|22}}` is `HMS Ajax`."""
    return " ".join(value for value in arguments.positional[:2] if value)


def named(arguments: Arguments) -> str:
    """The template's own name before its argument: `{{HMS|Ajax|22|6}}` is `HMS Ajax`."""
    value = arguments.get("1")
    return f"{arguments.template} {value}" if value else ""


def in_text_citation(arguments: Arguments) -> str:
    """`Boolos & Jeffrey (1974)`."""
    values = arguments.positional[:5]
    years = [value for value in values if re.match(r"\d{4}|n\.d\.|c\.", value)]
    names = [value for value in values if value not in years]
    authors = names[0] + " et al." if len(names) > 3 else " & ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
    return f"{authors} ({years[0]})" if years else authors


def sic(arguments: Arguments) -> str:
    """The words that are marked as they were written; a mark alone reads `[sic]`."""
    return arguments.get("1") + arguments.get("2") if arguments.positional else "[sic]"


_FUNCTIONS: dict[str, Rule] = {
    "asof": as_of, "century": century, "circa": circa, "concatenate": concatenate, "convert": convert,
    "coordinates": coordinates, "currency": currency, "date": date, "death": death, "duration": duration,
    "e": power_of_ten, "equals": equals, "frac": frac, "gaps": gaps, "harvtxt": in_text_citation, "height": height,
    "ipa": sounds, "ipac": english_sounds, "korean": korean, "list": bulleted, "list_inline": inline_list,
    "music": music, "named": named, "number": number, "ordered": ordered, "ordinal": ordinal, "other": other_wiki,
    "per": per, "pipe": pipe, "quantity": quantity, "respell": respelling, "ship": ship, "sic": sic,
    "transliteration": transliteration, "val": val, "zh": chinese,
}  # fmt: skip
