"""Families of objects: named parameters, a draw from a seeded generator, and a closed-form signed distance."""
