"""A worker with two tasks: counts the words of a text, and gives the longest ones one by one.

Run by hand: it speaks JSON lines. See ../README.md for a pool that uses it.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from manyhands import Context, serve


def count_words(text: str, ctx: Context) -> int:
    words = text.split()
    ctx.log("counted", len(words))
    return len(words)


def longest_words(text: str):
    yield from sorted(set(text.split()), key=len, reverse=True)


serve([count_words, longest_words])
