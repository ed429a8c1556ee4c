"""Scores of a result against a truth, under stated conventions."""
