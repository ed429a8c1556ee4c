"""Entities, their poses per frame, and how they start from the observations."""
