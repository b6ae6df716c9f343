"""The HTTP API: authentication, permissions, routing to the owners of the data, documentation."""
