"""The service desk service."""
