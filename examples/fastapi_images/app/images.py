"""Draws a picture of a prompt. A stand-in for a paid model, so that the example needs no key."""

import hashlib


def draw(prompt: str, shapes: int) -> str:
    """An SVG of as many circles as asked, placed by the prompt."""
    seed = hashlib.sha256(prompt.encode()).digest() * shapes
    circles = [
        f'<circle cx="{seed[n] % 256}" cy="{seed[n + 1] % 256}" r="{20 + seed[n + 2] % 40}"'
        f' fill="hsl({seed[n + 3]}, 70%, 60%)" opacity="0.7"/>'
        for n in range(0, shapes * 4, 4)
    ]
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">{"".join(circles)}</svg>'
