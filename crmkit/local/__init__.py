"""The machine room of a single machine: broker, database, inboxes, supervisor."""
