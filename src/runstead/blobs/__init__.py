"""File contents: one adapter over an object-store library, with what local disks need beside it."""
