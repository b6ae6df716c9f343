"""Who may enter: staff, teams, roles, sessions and API keys."""
