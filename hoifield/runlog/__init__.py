"""What a run leaves behind while it works: run folder, journal, metrics."""
