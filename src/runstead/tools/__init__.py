"""What a call of a built-in tool does, in terms of ports. Nothing here commits, and nothing is remembered."""
