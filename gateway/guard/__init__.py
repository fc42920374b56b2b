"""Who may have what, and how often: addresses of clients, request rates, admission."""
