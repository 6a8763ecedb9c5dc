"""The reference of recipes says of every key what it means, with an example that holds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter

from pipelines.recipe import Recipe

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages() -> Any:
    sys.path.insert(0, str(REPOSITORY / "docs" / "builder"))
    import pages

    yield pages
    sys.path.remove(str(REPOSITORY / "docs" / "builder"))


def models(pages: Any, model: type[BaseModel] = Recipe) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in pages._models(field.annotation):
            yield from models(pages, inner)


def test_every_key_has_a_meaning_and_an_example_that_the_model_takes(pages: Any) -> None:
    found = {model.__name__: model for model in models(pages)}
    told = pages.meanings()

    assert {(name, key) for name, keys in told.items() for key in keys} <= {
        (name, key) for name, model in found.items() for key in model.model_fields
    }
    for name, model in found.items():
        for key, field in model.model_fields.items():
            *meaning, example = pages.meaning_of(model, key)
            assert all(isinstance(said, str) and said for said in meaning), (name, key)
            assert meaning, (name, key)
            annotation = Annotated.__class_getitem__((field.annotation, *field.metadata, None))
            TypeAdapter(annotation).validate_python(example)
    page = pages.recipe_page()
    assert "| `keep` | language codes and the least score of each; any other language is removed |" in page
