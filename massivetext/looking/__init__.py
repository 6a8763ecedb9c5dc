"""Look at a finished run without running anything: what-if, diff, data card, warnings about recipes, verification.

Nothing here imports `filters`, `pipelines` or Beam. What these modules need to know of a recipe is written down in
`recipe_view.RecipeView`; `pipelines.recipe.Recipe` has these attributes and methods, and the command line passes it in.
"""

from __future__ import annotations

from massivetext.looking.recipe_diff import recipe_differences
from massivetext.looking.recipe_view import RecipeView

__all__ = ["RecipeView", "recipe_differences"]
