"""A device over SSH: the connection, what travels over it, and the device made of these."""
