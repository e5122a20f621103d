"""What to do about the reasons for which a launcher does not work, where the reason alone leaves a reader helpless."""

REMEDIES = (
    (
        "No permissions to create",
        (
            "in a container, start it with a seccomp profile that allows user namespaces and mounts; on an old kernel set "
            "kernel.unprivileged_userns_clone=1"
        ),
    ),
    (
        "setting up uid map: Permission denied",
        (
            "allow it with an AppArmor profile for this program, or set kernel.apparmor_restrict_unprivileged_userns=0; the "
            "distribution's own bubblewrap may have such a profile"
        ),
    ),
    (
        "RTM_NEWADDR",
        "allow it with an AppArmor profile for this program, or set kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("No space left on device", "raise user.max_user_namespaces"),
    (
        "Can't find source path",
        (
            "code runs as another user, who cannot enter that folder: set RUNSTEAD_SANDBOX_PYTHON to a Python that everybody "
            "can read, such as /usr/bin/python3"
        ),
    ),
    (
        "Can't mount proc",
        "in a container, start it with an unmasked /proc (Docker: --security-opt systempaths=unconfined)",
    ),
    (
        "Operation not permitted (",
        "the server is root and may not become another user: run it as a user of its own",
    ),
    (
        "Invalid argument (",
        "the server is root in a container whose users do not go that far: set RUNSTEAD_SANDBOX_UIDS to some that do",
    ),
)


def explained(reason: str) -> str:
    """A reason with its remedy, where one is known."""
    words = " ".join(reason.split())[:400]
    for sign, remedy in REMEDIES:
        if sign in words:
            return f"{words}: {remedy}"
    return words
