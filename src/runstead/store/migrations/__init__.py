"""Numbered SQL, one folder a dialect. A released file is never edited, and keeps the previous release working."""
