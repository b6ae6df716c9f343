"""Attacks that must fail, against the running stack."""
