"""What a device is and what it can have: facts, plan, wheels and advice."""
