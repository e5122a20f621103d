"""Code that shows a picture, and words that link to a file, for tests of the code interpreter."""

from collections.abc import Sequence
from typing import Any

DOT = """
class Dot:
    def _repr_png_(self):
        return bytes.fromhex(
            "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
            "3a7e9b550000000a49444154789c6360000000020001"
            "48afa4710000000049454e44ae426082"
        )

"""
"""The smallest picture, shown as notebooks show one."""
LINK = "[out.csv](sandbox:/mnt/data/out.csv)"
MAKING = f"{DOT}open('/mnt/data/out.csv', 'w').write('a,b')\nDot()"
"""Code that shows the picture and makes the file."""


def files_shown(events: Sequence[Any]) -> dict[str, str]:
    """The ids of the picture and of the table that an answer shows, as a client's stream has it."""
    [picture, table] = [
        part
        for event in events
        if event.event == "thread.message.completed"
        for part in sorted(event.data.content, key=lambda part: part.type)
    ]
    return {"picture": picture.image_file.file_id, "table": table.text.annotations[0].file_path.file_id}
