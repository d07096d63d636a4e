"""`taskdoctor explain CAUSE`: the page of one cause; without one, the list."""

from __future__ import annotations

from typing import Annotated

import typer

Id = Annotated[str | None, typer.Argument(metavar="[CAUSE]", help="The id, such as gc-pause; nothing lists all.")]


def command(cause: Id = None) -> None:
    """Print the page of a cause: why it stalls a service, how to check, how to fix."""
    import difflib
    import sys

    from taskdoctor.causes import all_causes
    from taskdoctor.errors import UsageError
    from taskdoctor.renderers.page import print_page

    causes = {each.id: each for each in all_causes()}
    if cause is None:
        for each in causes.values():
            typer.echo(f"{each.id:<20} {each.title}")
        return
    if cause not in causes:
        near = difflib.get_close_matches(cause, causes, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`taskdoctor explain` lists them all."
        raise UsageError(f"{cause}: no such cause", hint=hint)
    print_page(causes[cause], sys.stdout)
