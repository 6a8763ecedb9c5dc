"""The functions that a rule of data/wiki-templates.tsv may name: from a template's arguments to its words."""

from __future__ import annotations

import re

from massivetext.extraction.template_arguments import Arguments, Rule, closed_language_codes, whole_number

__all__ = ["EQUALS", "FUNCTIONS", "PIPE"]

EQUALS, PIPE = "\0\0=", "\0\0|"
"""What stands for `=` and `|` in words that are rendered already, so that they part no arguments. Text has no NUL."""
_MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]  # fmt: skip


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
    if not (digits.isascii() and digits.isdigit()):
        return digits
    ending = "th" if digits[-2:-1] == "1" else {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1], "th")
    return digits + ending


def _day(parts: list[str], day_first: bool) -> str:
    """A date of year, month and day, in words."""
    year, month, day = (*parts, "", "", "")[:3]
    month_number, day_number = whole_number(month), whole_number(day)
    if month_number is None or not 1 <= month_number <= 12:
        return " ".join(part for part in (day, month, year) if part)
    name = _MONTHS[month_number - 1]
    if day_number is None:
        return f"{name} {year}"
    return f"{day_number} {name} {year}" if day_first else f"{name} {day_number}, {year}"


def date(arguments: Arguments) -> str:
    """`January 2, 1950`, or `2 January 1950` with `df=yes`, from year, month and day; other arguments as they stand."""
    parts = [part for part in arguments.positional if part and not part.startswith("link=")]
    if not parts:
        return ""
    if match := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", parts[0], re.ASCII):
        parts = list(match.groups())
    if re.fullmatch(r"-?\d{3,4}", parts[0]) is None:
        # Day, month and year (French, Spanish, Italian, ...), or a date in words.
        return " ".join(parts[:3]) if re.fullmatch(r"\d{1,2}", parts[0]) else parts[0]
    count = 1
    while count < min(3, len(parts)) and 1 <= (whole_number(parts[count]) or 0) <= 31:
        count += 1
    return _day(parts[:count], arguments.named.get("df", "")[:1].lower() == "y")


def death(arguments: Arguments) -> str:
    """The date of death, and the age from both dates."""
    values = [number for value in arguments.positional if (number := whole_number(value)) is not None]
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


FUNCTIONS: dict[str, Rule] = {
    "asof": as_of, "century": century, "circa": circa, "concatenate": concatenate, "convert": convert,
    "coordinates": coordinates, "currency": currency, "date": date, "death": death, "duration": duration,
    "e": power_of_ten, "equals": equals, "frac": frac, "gaps": gaps, "harvtxt": in_text_citation, "height": height,
    "ipa": sounds, "ipac": english_sounds, "korean": korean, "list": bulleted, "list_inline": inline_list,
    "music": music, "named": named, "number": number, "ordered": ordered, "ordinal": ordinal, "other": other_wiki,
    "per": per, "pipe": pipe, "quantity": quantity, "respell": respelling, "ship": ship, "sic": sic,
    "transliteration": transliteration, "val": val, "zh": chinese,
}  # fmt: skip
