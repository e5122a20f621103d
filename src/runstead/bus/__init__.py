"""Who is told, and when; never the only holder of a fact."""
