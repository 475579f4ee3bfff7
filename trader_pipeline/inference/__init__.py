"""Trained members to the rows of one session, and their export."""
