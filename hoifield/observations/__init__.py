"""What is seen before any fit: hand track, masks, object track, camera, readiness."""
