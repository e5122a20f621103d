"""Code that shows a picture, and words that link to a file, for tests of the code interpreter."""

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
