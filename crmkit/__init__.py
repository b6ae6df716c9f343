"""How services work: bus, database, events, timers, processes. Not one business word."""
