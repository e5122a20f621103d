"""What a session may use. Each limit has a setting, and words that the model is told when it is met."""

from msgspec import Struct

MIB = 2**20
RESERVED = 2048 * MIB


class Limits(Struct, frozen=True, kw_only=True):
    """Sizes are in bytes, times in seconds."""

    memory: int = 1024 * MIB
    processes: int = 64
    disk: int = 512 * MIB
    """Of /mnt/data; also the largest file, and the most that one call may give back."""
    scratch: int = 256 * MIB
    shared: int = 64 * MIB
    open_files: int = 256
    logs: int = 100_000
    images: int = 20
    image: int = 8 * MIB
    files: int = 100
    grace: float = 5.0
    """Between an interrupt and the end of the session that did not obey."""
    harvest: float = 60.0
    """For handing over images and files once the code has ended."""
    idle: float = 1200.0
    lifetime: float = 3600.0
    sessions: int = 0
    """At most so many at once; 0: what fits the memory that is free at the start."""
    warm: int = 2

    @property
    def address_space(self) -> int:
        """Of one process: libraries reserve far more than they touch."""
        return RESERVED + self.memory
