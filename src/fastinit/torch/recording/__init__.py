"""A model's own code -> a plan."""
