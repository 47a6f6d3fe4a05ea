"""Problems with exact checkers: families that generate them, readers of real sets, a sandbox for code."""

from candor.problems.problem import Family, Gold, Grade, Lang, Problem, Split

__all__ = ["Family", "Gold", "Grade", "Lang", "Problem", "Split"]
