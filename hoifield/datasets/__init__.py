"""Truth in the layout of generated clips and of real sets, and folders that other programs read or write."""
