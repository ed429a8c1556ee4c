"""Skinned hand models under one contract, from the embedded default or the user's own MANO file."""
