"""Where truth is kept: adapters of the Store port, their statements and their schema."""
