"""torch: whole modules by name."""

from .modules import init_module, plan_module

__all__ = ["init_module", "plan_module"]
