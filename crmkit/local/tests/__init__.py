"""Tests of the machine room; those marked `server` start real servers on loopback."""
