"""Hugepage Advisor: which page size each process of a Linux host should use, why, and at what cost."""

__version__ = "0.1.0"
