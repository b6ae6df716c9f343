"""The shapes that cross a process border: commands, replies and events, one module per owner."""
