"""Stages, the one optimisation loop, checkpoints."""
