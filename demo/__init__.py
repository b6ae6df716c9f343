"""The demo company that fills an empty installation."""
