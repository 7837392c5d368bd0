"""What `roosync mcp` says to a person at a terminal, in English and French. Answers to agents are English."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roosync_p2p.api.mcp_door import language_of
from roosync_p2p.errors import RoosyncError

__all__ = ["CATALOGUE", "text"]

CATALOGUE: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "installed": "{file}: roosync is there now; what was there before: {backup}",
        "installed.new": "{file}: made, with roosync in it",
        "installed.same": "{file}: nothing to change",
        "removed": "{file}: roosync is not there any more; what was there before: {backup}",
        "removed.none": "{file}: roosync is not there",
        "would": "{file} would become:\n\n{diff}",
        "restart": "Restart the agent, or its MCP servers, so that it reads this.",
        "http.off": "The node does not keep an MCP server yet: put `http = true` below `[mcp]` in {settings}, and "
        "restart it.",
    },
    "fr": {
        "installed": "{file} : roosync y est désormais ; ce qu'il y avait avant : {backup}",
        "installed.new": "{file} : créé, avec roosync dedans",
        "installed.same": "{file} : rien à changer",
        "removed": "{file} : roosync n'y est plus ; ce qu'il y avait avant : {backup}",
        "removed.none": "{file} : roosync n'y est pas",
        "would": "{file} deviendrait :\n\n{diff}",
        "restart": "Redémarrez l'agent, ou ses serveurs MCP, pour qu'il le lise.",
        "http.off": "Le nœud ne tient pas encore de serveur MCP : mettez `http = true` sous `[mcp]` dans {settings}, "
        "et redémarrez-le.",
    },
}


def text(home: Path, key: str, **values: object) -> str:
    """A text in the language of the home; English when its settings do not parse, which other commands report."""
    try:
        language = language_of(home)
    except RoosyncError:
        language = "en"
    return CATALOGUE[language][key].format(**values)
