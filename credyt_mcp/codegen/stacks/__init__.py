"""The stacks we write code for. Each file knows one: how it looks, and what is put into it."""
