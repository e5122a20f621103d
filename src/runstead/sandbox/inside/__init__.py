"""What runs inside the sandbox: plain files, given to a Python that has nothing of ours. Nothing here is imported by the server."""
