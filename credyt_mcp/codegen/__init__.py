"""Integration code for users' apps: pure plans of file operations. Never touches a disk."""
