"""Hand motion, object shape and contact in metres from one ordinary video clip."""

import os

# A busy neighbour otherwise makes two threads 3-6 times slower: OpenMP's barriers spin. Read when libgomp starts, so before torch.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
