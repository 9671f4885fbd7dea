"""The version, written only here."""

__version__ = "1.0.0"
