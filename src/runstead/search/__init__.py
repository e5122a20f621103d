"""How files become text, text becomes vectors, and both are found again."""
