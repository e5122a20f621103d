"""The checks, one part of the API a file. A new file is listed in `suite`."""
