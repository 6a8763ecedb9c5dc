import pytest

from massivetext.errors import RecipeError
from pipelines import recipe


@pytest.mark.parametrize(("stage", "more"), [("language", "keep: {en: 0.65}, "), ("safe_search", "")])
def test_a_damaged_model_stops_the_run_and_not_each_document(tmp_path, stage, more):
    model = tmp_path / "model.ftz"
    model.write_bytes(b"not a model")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "extends: gopher\n"
        "subsets:\n"
        f"  news:\n    sources: [{{format: lines, path: {tmp_path}/*.txt}}]\n    stages: [{stage}]\n"
        f"    {stage}: {{{more}model: {model}}}\n"
    )
    read = recipe.read(str(path))

    with pytest.raises(RecipeError, match=rf"{stage}\.model: .*not a fastText model"):
        read.stage("news", stage, str(tmp_path / "out")).load()
