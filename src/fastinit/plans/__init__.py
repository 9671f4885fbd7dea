"""Plans: a model and a recipe -> the distribution of every parameter, before a byte is written."""

from .buffer import Buffer
from .lint import Change, Finding
from .parameter import Parameter
from .plan import Plan
from .recipe import Recipe

__all__ = ["Buffer", "Change", "Finding", "Parameter", "Plan", "Recipe"]
