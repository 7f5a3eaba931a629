"""Integration code for users' apps: pure plans of file operations. Nothing is emitted yet."""
