"""Calls to the kernel that no data work needs, with their numbers on each machine we filter for.

A list of what is refused, not of what is allowed: the libraries that people load make calls nobody can foresee, and
namespaces hold without this list. It takes away what has been used to break out of them. Calls newer than the list do
not exist for the sandbox.
"""

from msgspec import Struct


class Machine(Struct, frozen=True):
    """What a filter has to know about a kind of processor."""

    audit: int
    newest: int
    column: int
    # x86_64 also answers calls under other numbers, for programs of its 32-bit kind.
    other_abi: int | None
    clone: int
    clone3: int
    ioctl: int
    socket: int
    mknod: tuple[tuple[int, int], ...]
    """Number and the argument that holds the mode."""


MACHINES = {
    "x86_64": Machine(0xC000003E, 450, 0, 0x40000000, 56, 435, 16, 41, ((133, 1), (259, 2))),
    "aarch64": Machine(0xC00000B7, 450, 1, None, 220, 435, 29, 198, ((33, 2),)),
}

DENIED: dict[str, tuple[int | None, int | None]] = {
    # Mounts and namespaces: the walls themselves.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    # Files by handle go round every mount.
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # Other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Large machines inside the kernel, each with a history.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "vmsplice": (278, 75),
    "memfd_secret": (447, 447),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # What only administrators do.
    "acct": (163, 89),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "settimeofday": (164, 170),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "personality": (135, 92),
    # Relics of x86.
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "create_module": (174, None),
    "get_kernel_syms": (177, None),
    "query_module": (178, None),
    "getpmsg": (181, None),
    "putpmsg": (182, None),
    "afs_syscall": (183, None),
    "tuxcall": (184, None),
    "security": (185, None),
}
