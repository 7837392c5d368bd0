"""What is said about what messages bring along, in English and French; part of :mod:`~roosync_p2p.cli.texts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["MESSAGE_TEXTS"]

MESSAGE_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "attachment.line": "attachment {number}: {name}, {size} bytes, sha256 {sha256}: {state}",
        "attachment.here": "here",
        "attachment.coming": "on its way, {percent} %",
        "attachment.unavailable": "not here: {reason}",
        "attachment.saved": "saved: {path}",
        "attachment.progress": "{name}: {percent} %",
        "attachment.none": "the message brings nothing along",
        "attachment.missing": "{count} of {total} attachments are not here; what is here was saved",
        "attachment_reason.no_source": "nobody who has it is reached; it comes by itself",
        "attachment_reason.queued": "others come first",
        "attachment_reason.not_here": "whoever was asked has not got it yet; it is asked for again",
        "attachment_reason.not_addressed": "it is for its sender and the recipients only",
        "attachment_reason.expired": "the message's time is over",
        "attachment_reason.dropped": "it went with the message's age",
        "attachment_reason.lost": "this machine had it, and its disk has lost it",
        "attachment_reason.damaged": "what came is not what was signed; somebody else is asked",
        "attachment_reason.disk_full": "this machine's disk is full; it is tried again",
        "why.attachment": "attachments are held by {holders}",
        "sealed": "sealed: only the machines of sender and recipients can read it",
        "seal_problem.sealed_for_others": "sealed for other machines: it cannot be read here",
        "seal_problem.seal_key_gone": "sealed for a key that this machine has no more: it cannot be read here",
        "seal_problem.seal_broken": "what is sealed in it was not made for this message: it is not shown",
        "seal_problem.cannot_seal": "sealed, and the `cryptography` of this computer is too old to open it",
        "seal_problem.dropped": "it was sealed; its text is no longer kept",
    },
    "fr": {
        "attachment.line": "pièce jointe {number} : {name}, {size} octets, sha256 {sha256} : {state}",
        "attachment.here": "ici",
        "attachment.coming": "en chemin, {percent} %",
        "attachment.unavailable": "pas ici : {reason}",
        "attachment.saved": "enregistré : {path}",
        "attachment.progress": "{name} : {percent} %",
        "attachment.none": "le message n'apporte rien",
        "attachment.missing": "{count} pièces jointes sur {total} ne sont pas ici ; celles d'ici sont enregistrées",
        "attachment_reason.no_source": "personne qui l'ait n'est joint ; elle viendra d'elle-même",
        "attachment_reason.queued": "d'autres passent avant",
        "attachment_reason.not_here": "qui a été interrogé ne l'a pas encore ; elle sera redemandée",
        "attachment_reason.not_addressed": "elle n'est que pour l'expéditeur et les destinataires",
        "attachment_reason.expired": "le temps du message est passé",
        "attachment_reason.dropped": "elle est partie avec l'âge du message",
        "attachment_reason.lost": "cette machine l'avait, et son disque l'a perdue",
        "attachment_reason.damaged": "ce qui est venu n'est pas ce qui a été signé ; un autre est interrogé",
        "attachment_reason.disk_full": "le disque de cette machine est plein ; on réessaie",
        "why.attachment": "les pièces jointes sont détenues par {holders}",
        "sealed": "scellé : seules les machines de l'expéditeur et des destinataires peuvent le lire",
        "seal_problem.sealed_for_others": "scellé pour d'autres machines : illisible ici",
        "seal_problem.seal_key_gone": "scellé pour une clé que cette machine n'a plus : illisible ici",
        "seal_problem.seal_broken": "ce qui y est scellé n'a pas été fait pour ce message : il n'est pas montré",
        "seal_problem.cannot_seal": "scellé, et le `cryptography` de cet ordinateur est trop ancien pour l'ouvrir",
        "seal_problem.dropped": "il était scellé ; son texte n'est plus conservé",
    },
}
