"""Rotations, rigid transforms, cameras, meshes and exact distances to them; knows nothing of clips."""
