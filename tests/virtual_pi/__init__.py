"""An emulated Raspberry Pi with a real sshd: `python -m tests.virtual_pi start arm64 armhf`."""
