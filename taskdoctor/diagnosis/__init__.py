"""From what was seen to a verdict: pure functions over `model`.

Why this order (timeline, stalls, claims, attribution, mixture, verdict): co-occurrence of a suspicious line and a slow
conversation is worthless, since innocent collections sit inside nearly every slow conversation. What counts is the
share of *late time* that a cause can show it owned, divided exclusively with the more certain layer first, and then
how often that happened. Causes are handed in; nothing here knows one by name, except for the layers and lanes they
speak of.
"""
