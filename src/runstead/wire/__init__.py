"""What travels: msgspec structs in the API's own words. Imports nothing of ours.

The canonical shape of every object is the v2 superset; `wire.v1` alone knows how v1 differs.
"""
