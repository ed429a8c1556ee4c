"""`hoifield batch` as it is, with pretended fits: the command line of the tests that stop or kill whole batches."""

import sys
from functools import partial
from pathlib import Path

from hoifield.batch import fit_orders
from hoifield.cli.main import run

PROGRAM = (sys.executable, str(Path(__file__).with_name("pretend_fit.py")))

if __name__ == "__main__":
    setattr(fit_orders, "order_fit", partial(fit_orders.order_fit, program=PROGRAM))  # noqa: B010
    sys.exit(run(["batch", *sys.argv[1:]]))
