"""Stands in for the package sam2 in tests: its published interface for videos, without networks or weights."""
