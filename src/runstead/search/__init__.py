"""How files become text, text becomes vectors, and both are found again."""

import os

# Read by numpy when it is first imported, which only this package does. A matrix is compared at the speed of memory by
# one thread already; a second one gains nothing and spins on a core that others need.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
