"""Who writes the assistant's words: adapters of the Model port, and a scripted server to test against."""
