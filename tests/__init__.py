"""Tests that cross the borders of one service."""
