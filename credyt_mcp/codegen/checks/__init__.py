"""What is looked for in an app that bills its users. Pure: source text in, findings out."""
