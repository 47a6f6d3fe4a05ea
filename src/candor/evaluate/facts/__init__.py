"""Where a model makes things up: right, wrong and abstained counted apart, citations checked."""

from candor.evaluate.facts.grading import FactGrade, fact_figures, grade_fact
from candor.evaluate.facts.items import FactItem, FactSet
from candor.evaluate.facts.readers import FACT_READERS, read_facts

__all__ = ["FACT_READERS", "FactGrade", "FactItem", "FactSet", "fact_figures", "grade_fact", "read_facts"]
