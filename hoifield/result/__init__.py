"""Meshes, poses and files of a finished fit."""
