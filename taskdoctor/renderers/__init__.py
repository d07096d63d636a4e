"""Renderers: a verdict goes in, text or a document comes out; nothing is judged here.

Why `plain_text` stands at the door: everything that was read is hostile (escape sequences, markup, bidi overrides), and
a renderer is the last one who can make it harmless.
"""

from taskdoctor.renderers.words import plain_lines, plain_text

__all__ = ["plain_lines", "plain_text"]
