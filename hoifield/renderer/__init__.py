"""Rays, samples on them, and compositing of several entities."""
