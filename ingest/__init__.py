"""Bytes to passages: reading, restoring, splitting, and keeping the knowledge base up to date."""
