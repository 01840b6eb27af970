"""Where artifacts execute: this machine or a target over SSH, behind one small protocol."""
