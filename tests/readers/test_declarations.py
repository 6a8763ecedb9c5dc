from __future__ import annotations

from pathlib import Path

import pytest

from filters.licence import is_allowed
from massivetext.readers import licences
from massivetext.readers.declarations import declared_licence, is_metadata_file, is_readme
from tests.readers.test_repositories import MIT, files, folder, part, tarred, zipped

PAGE = "<!DOCTYPE html><html><head><title>Licence</title></head><body><pre>{}</pre></body></html>".format(
    MIT.replace('"', "&quot;")
)
NOTICE = "Copyright (c) 2020 A. Body\n"


def licence_of(tmp_path: Path, content: dict[str, str]) -> str | None:
    found = {licence for *_, licence in files(part(folder(tmp_path / "repo", {"a.py": "1", **content}))[0])}

    assert 1 == len(found)
    return found.pop()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"LICENSES/MIT.txt": MIT}, "MIT"),
        ({"LICENSES/MIT": MIT}, "MIT"),
        ({"LICENSES/MIT.txt": MIT, "LICENSES/GPL-3.0-only.txt": "GNU"}, "MIT AND NOASSERTION"),
        ({"LICENSES/MIT.txt": MIT, "LICENSE": MIT}, "MIT"),
        ({"LICENSE.html": PAGE}, "MIT"),
        ({"license.htm": PAGE}, "MIT"),
        ({"LICENSE.rst": MIT}, "MIT"),
        ({"LICENSE.adoc": MIT}, "MIT"),
        ({"COPYRIGHT": MIT}, "MIT"),
        ({"COPYRIGHT.txt": MIT}, "MIT"),
        ({"COPYRIGHT": NOTICE}, None),
        ({"COPYRIGHT": NOTICE, "LICENSE": MIT}, "MIT"),
        ({"COPYRIGHT": "You may not sell this.\n" * 40, "LICENSE": MIT}, "MIT AND NOASSERTION"),
        ({"NOTICE": NOTICE, "LICENSE": MIT}, "MIT"),
        ({"README.md": MIT}, "MIT"),
        ({"README.md": f"# X\n\nA library.\n\n## License\n\n{MIT}\n## More\nmust not\n"}, "MIT"),
        ({"README.rst": f"X\n=\n\nA library.\n\nLicense\n-------\n\n{MIT}"}, "MIT"),
        ({"README": "# X\n\n# License\n\nThis project is licensed under the MIT License.\n"}, "MIT"),
        ({"README.md": "# License\n\n[MIT](LICENSE)\n"}, "MIT"),
        ({"README.md": "## Licence\nReleased under the [Apache License, Version 2.0](x).\n"}, "Apache-2.0"),
        ({"README.md": "## License\nBSD 3-Clause\n"}, "BSD-3-Clause"),
        ({"README.md": "## License\nMIT or GPL\n"}, None),
        ({"README.md": "## License\nMIT except for the images\n"}, None),
        ({"README.md": "We like the MIT License.\n"}, None),
        ({"README.md": "## Usage\nMIT\n"}, None),
        ({"package.json": '{"license": "MIT"}'}, "MIT"),
        ({"package.json": '{"license": {"type": "MIT", "url": "x"}}'}, "MIT"),
        ({"package.json": '{"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}'}, "MIT OR GPL-2.0"),
        ({"package.json": '{"license": "SEE LICENSE IN x"}'}, "SEE LICENSE IN x"),
        ({"package.json": "{nonsense"}, None),
        ({"package.json": '{"license": "GPL-3.0"}', "README.md": "## License\nMIT\n"}, "GPL-3.0"),
        ({"package.json": '{"license": "ISC"}', "LICENSE": MIT}, "MIT"),
        ({"package.json": '{"license": "MIT"}', "sub/package.json": '{"license": "GPL-3.0"}'}, "MIT"),
        ({"package.json": '{"license": "MIT"}', "setup.py": 'setup(license="GPL")'}, "GPL AND MIT"),
        ({"pyproject.toml": '[project]\nlicense = "MIT"\n'}, "MIT"),
        ({"pyproject.toml": '[project]\nlicense = {text = "MIT"}\n'}, "MIT"),
        ({"pyproject.toml": '[project]\nclassifiers = [\n "License :: OSI Approved :: MIT License",\n]\n'}, "MIT!"),
        ({"pyproject.toml": '[project]\nlicense = {file = "x"}\n'}, None),
        ({"Cargo.toml": '[package]\nlicense = "MIT OR Apache-2.0"\n'}, "MIT OR Apache-2.0"),
        ({"setup.py": "setup(\n    license='MIT',\n)"}, "MIT"),
        ({"setup.py": 'setup(classifiers=["License :: OSI Approved :: ISC License (ISCL)"])'}, "ISC!"),
        ({"setup.cfg": "[metadata]\nlicense = MIT\nlicense_files = x\n"}, "MIT"),
        ({"PKG-INFO": "Name: x\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n"}, "MIT!"),
        ({"PKG-INFO": "Name: x\nLicense-Expression: MIT\n"}, "MIT"),
        ({"DESCRIPTION": "Package: x\nLicense: MIT + file LICENSE\n"}, "MIT"),
        ({"x.gemspec": "Gem::Specification.new do |s|\n  s.license = 'MIT'\nend\n"}, "MIT"),
        ({"pom.xml": "<licenses><license><name>MIT License</name></license></licenses>"}, "MIT License"),
        ({"x.nuspec": '<license type="expression">MIT</license>'}, "MIT"),
        ({"composer.json": '{"license": ["MIT", "ISC"]}'}, "MIT OR ISC"),
    ],
)
def test_where_a_repository_names_its_licence(tmp_path: Path, content: dict[str, str], expected: str | None) -> None:
    licence = licence_of(tmp_path, content)
    if expected is not None and expected.endswith("!"):  # by a classifier, which the rule knows
        assert (expected[:-1], True) == is_allowed(licence or "")
    else:
        assert expected == licence


@pytest.mark.parametrize("pack", [tarred, zipped])
def test_archives_name_their_licences_alike(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.archive"
    path.write_bytes(pack({"a.py": "1", "README.md": "## License\nMIT\n", "LICENSES/MIT.txt": MIT}))

    assert {"MIT"} == {licence for *_, licence in files(part(path)[0])}


def test_names_of_files() -> None:
    assert all(map(is_readme, ("README", "readme.md", "ReadMe.rst", "README.txt")))
    assert not any(map(is_readme, ("README.py", "readme_test.md", "x-readme", "README.md.bak")))
    assert all(map(is_metadata_file, ("package.json", "pyproject.toml", "x.gemspec", "DESCRIPTION")))
    assert not any(map(is_metadata_file, ("package-lock.json", "a.json", "setup.py.in")))
    assert licences.is_of_reuse("LICENSES/MIT.txt")


def test_nothing_takes_long() -> None:
    for text in (
        "#" * 200_000,
        "license" * 30_000,
        "# License\n" * 20_000,
        "<" * 200_000,
        "[" * 200_000,
        "license = '" * 20_000,
    ):
        for name in ("README.md", "setup.py", "pyproject.toml", "PKG-INFO", "package.json", "pom.xml"):
            declared_licence(name, text)
        licences.identify(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("License :: OSI Approved :: MIT License", ("MIT", True)),
        ("License :: OSI Approved :: ISC License (ISCL)", ("ISC", True)),
        ("License :: OSI Approved :: The Unlicense (Unlicense)", ("Unlicense", True)),
        ("License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", ("CC0-1.0", True)),
        ("License :: OSI Approved :: MIT License AND License :: OSI Approved :: ISC License", ("MIT AND ISC", True)),
        ("https://opensource.org/licenses/MIT", ("MIT", True)),
        ("http://www.apache.org/licenses/LICENSE-2.0.txt", ("Apache-2.0", True)),
        ("https://spdx.org/licenses/ISC.html", ("ISC", True)),
        ("https://creativecommons.org/publicdomain/zero/1.0/", ("CC0-1.0", True)),
    ],
)
def test_classifiers_and_addresses(name: str, expected: tuple[str, bool]) -> None:
    assert expected == is_allowed(name)
    assert expected == is_allowed(expected[0])


@pytest.mark.parametrize(
    "name",
    [
        "License :: OSI Approved",
        "License :: OSI Approved :: BSD License",
        "License :: OSI Approved :: Apache Software License",
        "License :: OSI Approved :: Artistic License",
        "License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        "License :: OSI Approved :: MIT No Attribution License (MIT-0)",
        "License :: Other/Proprietary License",
        "https://opensource.org/licenses/GPL-3.0",
        "https://example.org/MIT",
    ],
)
def test_classifiers_and_addresses_of_others(name: str) -> None:
    assert not is_allowed(name)[1]
