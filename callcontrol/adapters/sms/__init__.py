"""Gateways for texts, one file each."""
