"""The main texts for people, in English and French. JSON, codes, errors and logs stay English."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roosync_p2p.errors import RoosyncError

__all__ = ["CATALOGUE", "Texts", "load_texts"]

CATALOGUE: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "state.synced": "synced",
        "state.behind": "behind",
        "state.diverged": "diverged",
        "state.conflict": "conflict",
        "state.alone": "alone",
        "machine.online": "online",
        "machine.suspect": "suspect",
        "machine.offline": "offline",
        "machine.leaving": "leaving",
        "machine.unknown": "unknown",
        "machine.conflict": "conflict",
        "top.machines": "{online} of {machines} machines online",
        "top.last_sync": "last sync {time}",
        "top.never": "never synced",
        "top.warnings": "warnings: {count}",
        "warning": "warning: {message}",
        "remedy": "remedy: {remedy}",
        "column.machine": "machine",
        "column.state": "state",
        "column.evidence": "evidence",
        "column.sessions": "sessions",
        "column.version": "version",
        "column.id": "id",
        "column.from": "from",
        "column.subject": "subject",
        "column.priority": "priority",
        "column.type": "type",
        "column.status": "status",
        "column.time": "time",
        "column.signed": "signed",
        "evidence.self": "this machine",
        "evidence.direct": "direct, {age} s",
        "evidence.relayed": "relayed by {via}, {age} s",
        "evidence.folder": "folder, {age} s",
        "evidence.none": "none",
        "signed": "signed by {signer}, verified",
        "unsigned": "NOT VERIFIED: nobody's signature vouches for it",
        "signed.short": "yes",
        "unsigned.short": "NO",
        "inbox.empty": "no messages",
        "inbox.more": "more: --before {next}",
        "message.from": "from",
        "message.to": "to",
        "message.subject": "subject",
        "message.time": "time",
        "message.thread": "thread",
        "message.states": "states",
        "message.no_body": "(the body is no longer kept)",
        "joining": "joining as {machine}, home {home}",
        "joined": "{machine} is a member now",
        "joined_next": "start its node with: roosync up",
        "inbound.works": "inbound connections to port {port} work: {issuer} connected",
        "inbound.blocked": (
            "other machines cannot connect to this one: {issuer} tried port {port}, {outcome}; "
            "it works all the same, because it dials out"
        ),
        "inbound.rule": "to allow it, run: {rule}",
        "inbound.rule.windows": "to allow it, run in a PowerShell opened as administrator: {rule}",
        "inbound.elsewhere": (
            "no rule of a firewall on this computer is known to help: {issuer} sees it as {seen_as}; "
            "where that is a router, forward TCP port {port} there"
        ),
        "inbound.unchecked": "whether other machines can connect to this one was not checked: {reason}",
        "unchecked.same_computer": "the issuer runs on this computer",
        "unchecked.loopback_only": "its node listens for this computer only ([node] listen)",
        "unchecked.no_fixed_port": "its node takes a free port at each start ([node] listen)",
        "unchecked.not_offered": "the issuer does not do that; it may be an older version",
        "unchecked.no_report": "the issuer did not say in time",
        "dial.refused": "and was refused",
        "dial.silent": "was let in, and heard nothing",
        "dial.unanswered": "without an answer",
        "dial.rejected": "and something else answered",
        "stopped": "stopped",
        "doctor.ok": "ok",
        "doctor.bad": "BAD",
        "doctor.warn": "warn",
        "doctor.summary": "{bad} errors, {warn} warnings, {ok} in order",
        "stale": "as of commit {number}; no leader confirms that it is current",
        "column.name": "name",
        "column.holder": "holder",
        "column.token": "token",
        "column.since": "since",
        "column.until": "until",
        "column.waiting": "waiting",
        "column.note": "note",
        "column.number": "number",
        "column.kind": "kind",
        "column.author": "author",
        "column.outcome": "outcome",
        "column.leads": "leads",
        "session.closed": "the session is closed",
        "session.closed_with": "the session is closed; released: {names}",
        "claim.until": "{name} is yours until {until}; the token:",
        "claim.held": "{name} is held with token {token}",
        "claim.not_held": "{name} is not held with token {token}",
        "claim.released": "{name} is released",
        "claims.empty": "nothing is claimed",
        "log.empty": "nothing is decided from there on",
        "pending.empty": "nothing waits",
        "pending.waits": "waits for: {what}",
        "pending.accepted": "accepted, commit {number}",
        "pending.refused": "refused, commit {number}: {reason}",
        "pending.cancelled": "{id} is taken back",
        "voters.head": "{leader} leads, term {term}, {size} commits",
        "voters.nobody": "nobody",
        "clock.accepted": "this computer's clock counts as right",
    },
    "fr": {
        "state.synced": "à jour",
        "state.behind": "en retard",
        "state.diverged": "divergent",
        "state.conflict": "conflit",
        "state.alone": "seul",
        "machine.online": "en ligne",
        "machine.suspect": "suspecte",
        "machine.offline": "hors ligne",
        "machine.leaving": "s'en va",
        "machine.unknown": "inconnue",
        "machine.conflict": "conflit",
        "top.machines": "{online} machines en ligne sur {machines}",
        "top.last_sync": "dernière synchronisation {time}",
        "top.never": "jamais synchronisé",
        "top.warnings": "avertissements : {count}",
        "warning": "avertissement : {message}",
        "remedy": "remède : {remedy}",
        "column.machine": "machine",
        "column.state": "état",
        "column.evidence": "preuve",
        "column.sessions": "sessions",
        "column.version": "version",
        "column.id": "id",
        "column.from": "de",
        "column.subject": "sujet",
        "column.priority": "priorité",
        "column.type": "type",
        "column.status": "statut",
        "column.time": "heure",
        "column.signed": "signé",
        "evidence.self": "cette machine",
        "evidence.direct": "directe, {age} s",
        "evidence.relayed": "relayée par {via}, {age} s",
        "evidence.folder": "dossier, {age} s",
        "evidence.none": "aucune",
        "signed": "signé par {signer}, vérifié",
        "unsigned": "NON VÉRIFIÉ : aucune signature n'en répond",
        "signed.short": "oui",
        "unsigned.short": "NON",
        "inbox.empty": "aucun message",
        "inbox.more": "suite : --before {next}",
        "message.from": "de",
        "message.to": "à",
        "message.subject": "sujet",
        "message.time": "heure",
        "message.thread": "fil",
        "message.states": "états",
        "message.no_body": "(le corps n'est plus conservé)",
        "joining": "adhésion sous le nom {machine}, dossier {home}",
        "joined": "{machine} est désormais membre",
        "joined_next": "démarrez son nœud avec : roosync up",
        "inbound.works": "les connexions entrantes au port {port} fonctionnent : {issuer} s'est connectée",
        "inbound.blocked": (
            "les autres machines ne peuvent pas se connecter à celle-ci : {issuer} a essayé le port {port}, "
            "{outcome} ; elle fonctionne quand même, car elle appelle les autres"
        ),
        "inbound.rule": "pour l'autoriser, exécutez : {rule}",
        "inbound.rule.windows": "pour l'autoriser, exécutez dans un PowerShell ouvert en administrateur : {rule}",
        "inbound.elsewhere": (
            "aucune règle de pare-feu de cet ordinateur n'y remédie à coup sûr : {issuer} le voit comme {seen_as} ; "
            "si c'est un routeur, redirigez-y le port TCP {port}"
        ),
        "inbound.unchecked": "que d'autres machines puissent se connecter à celle-ci n'a pas été vérifié : {reason}",
        "unchecked.same_computer": "l'émettrice est sur cet ordinateur",
        "unchecked.loopback_only": "son nœud n'écoute que pour cet ordinateur ([node] listen)",
        "unchecked.no_fixed_port": "son nœud prend un port libre à chaque démarrage ([node] listen)",
        "unchecked.not_offered": "l'émettrice ne le fait pas ; sa version est peut-être plus ancienne",
        "unchecked.no_report": "l'émettrice ne l'a pas dit à temps",
        "dial.refused": "connexion refusée",
        "dial.silent": "connexion acceptée, puis le silence",
        "dial.unanswered": "sans réponse",
        "dial.rejected": "et autre chose a répondu",
        "stopped": "arrêté",
        "doctor.ok": "ok",
        "doctor.bad": "ERREUR",
        "doctor.warn": "avis",
        "doctor.summary": "{bad} erreurs, {warn} avertissements, {ok} en ordre",
        "stale": "état du commit {number} ; aucun meneur ne confirme qu'il est actuel",
        "column.name": "nom",
        "column.holder": "détenteur",
        "column.token": "jeton",
        "column.since": "depuis",
        "column.until": "jusqu'à",
        "column.waiting": "attente",
        "column.note": "note",
        "column.number": "numéro",
        "column.kind": "genre",
        "column.author": "auteur",
        "column.outcome": "résultat",
        "column.leads": "mène",
        "session.closed": "la session est fermée",
        "session.closed_with": "la session est fermée ; libéré : {names}",
        "claim.until": "{name} est à vous jusqu'à {until} ; le jeton :",
        "claim.held": "{name} est détenu avec le jeton {token}",
        "claim.not_held": "{name} n'est pas détenu avec le jeton {token}",
        "claim.released": "{name} est libéré",
        "claims.empty": "rien n'est réservé",
        "log.empty": "rien n'est décidé à partir de là",
        "pending.empty": "rien n'attend",
        "pending.waits": "attend : {what}",
        "pending.accepted": "accepté, commit {number}",
        "pending.refused": "refusé, commit {number} : {reason}",
        "pending.cancelled": "{id} est retiré",
        "voters.head": "{leader} mène, mandat {term}, {size} commits",
        "voters.nobody": "personne",
        "clock.accepted": "l'horloge de cet ordinateur est tenue pour juste",
    },
}


class Texts:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self._texts = CATALOGUE[language]

    def get(self, key: str, **values: object) -> str:
        """A text with its places filled. The key is ours, so a missing one is a mistake here."""
        return self._texts[key].format(**values)

    def word(self, family: str, code: str) -> str:
        """The word for a code of the API; a code that this version does not know is shown as it is."""
        return self._texts.get(f"{family}.{code}", code)


def load_texts(home: Path) -> Texts:
    """Texts in the language of the home's settings; English when they do not parse, which other commands report."""
    if not (home / "settings.toml").exists():
        return Texts("en")
    from roosync_p2p.cli.settings import read_settings  # noqa: PLC0415 - costs start-up time

    try:
        return Texts(read_settings(home).ui.language)
    except RoosyncError:
        return Texts("en")
