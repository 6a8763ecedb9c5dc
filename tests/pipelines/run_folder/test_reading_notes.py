"""What a run says of what its sources lack."""

from __future__ import annotations

from pipelines.recipe import Recipe
from pipelines.run_folder.reading_notes import reading_notes


def test_books_read_without_what_names_their_chapters_are_said() -> None:
    counts = {"books": {"records": 9, "books_damaged": 2}, "others": {"records": 9}}

    assert [
        "books: 2 EPUB books were read without a part that names their chapters; their metadata has damage: corrupt"
    ] == reading_notes(Recipe.model_construct(), counts)
