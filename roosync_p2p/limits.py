"""Every bound in one place, each with its unit in the name and its reason beside it.

Nothing here is configuration: what a user may change is in settings. Code that needs a bound imports it from here, the
pages of docs/protocol name it, and a test walks the list for constants without a reason or without a user.
"""

from __future__ import annotations

from typing import Final

# --- bytes from elsewhere, before parsing (docs/protocol/wire.md §1) --------------------------------------------
ENTRY_BODY_BYTES_MAX: Final = 256 * 1024  # a long document fits; larger things are blobs
ENTRY_HEADER_BYTES_MAX: Final = 4 * 1024  # a header is some 300 bytes; a name cannot make it long
HEARTBEAT_BYTES_MAX: Final = 4 * 1024  # sent every second to everybody
RECORD_BYTES_MAX: Final = 64 * 1024  # a frontier of 300 members fits
FRAME_BYTES_MAX: Final = 1024 * 1024  # one entry of the largest size and its company
CERTIFICATE_BYTES_MAX: Final = 4 * 1024  # DER of an Ed25519 certificate is some 500 bytes
CERTIFICATES_REMEMBERED: Final = 2_048  # parsed ones, and verified signatures: a fleet of 300, with former keys
CERTIFICATE_CHAIN_MAX: Final = 3  # leaf, issuer, root
JOIN_CODE_CHARS_MAX: Final = 1_024  # pasted by hand
JOIN_MESSAGE_BYTES_MAX: Final = 16 * 1024  # a joiner is a stranger
NESTING_DEPTH_MAX: Final = 16  # msgpack nests as deep as the sender likes

# --- entries and gossip (docs/protocol/gossip.md) ----------------------------------------------------------------
ENTRIES_PER_FRAME_MAX: Final = 256  # bounds the verification done for one frame
ENTRIES_FRAME_BYTES_TARGET: Final = 256 * 1024  # frames are filled up to this size, then sent
FRONTIER_CHAINS_MAX: Final = 4_096  # authors x incarnations x chains that one peer may name
DIGEST_INTERVAL_S: Final = 5.0  # frontiers are compared again this often, so nothing depends on a push
WANT_DELAY_S: Final = 0.1  # an offered entry is probably on its way from its author
WANT_RETRY_S: Final = 2.0  # a want without an answer is asked elsewhere
FRONTIER_RECORD_INTERVAL_S: Final = 1.0  # signed frontiers, after the first: at most one a second
RECEIPT_INTERVAL_S: Final = 1.0  # read receipts are batched to one entry a second
RECEIPT_IDS_MAX: Final = 400  # message ids in one receipt entry: with the longest workspaces they fit its body
RECEIPT_NOTES_MAX: Final = 64  # answers with notes in one receipt entry: with the longest of both they fit its body
INCARNATION_MAX: Final = 1_000  # lives of one store; an issuer countersigns each, and keeps that for ever
NUMBER_MAX: Final = 2**63 - 1  # of sequences, starts and counters: the largest that SQLite stores
READS_WAITING_MAX: Final = 1_024  # reads of the store that peers wait for; a want beyond is asked again
FORK_EVIDENCE_MAX: Final = 64  # forks kept for one author; more prove nothing more
SESSIONS_TOLD_MAX: Final = 64  # sessions of one machine that others see, the last used; more agents are only counted
SESSIONS_RECORD_BYTES_MAX: Final = 16 * 1024  # with longer names fewer are told: a heartbeat file carries it
SESSIONS_RECORD_INTERVAL_S: Final = 1.0  # signed lists of sessions, after the first: at most one a second

# --- blobs (docs/protocol/blobs.md) --------------------------------------------------------------------------------
BLOB_BYTES_MAX: Final = 64 * 1024 * 1024  # a log, a build, a dump; what is larger belongs on a file server
BLOB_CHUNK_BYTES_MIN: Final = 16 * 1024  # an eighth of a second on a line of 1 Mbit/s
BLOB_CHUNK_BYTES_MAX: Final = 128 * 1024  # its frame is mostly content, and its copies in memory are small
BLOB_CHUNK_S: Final = 0.05  # a chunk that takes longer stands before heartbeats and messages: the next one is smaller
BLOB_CHUNKS_AHEAD: Final = 2  # asked for at once of one blob: one is written while the other one comes
BLOB_FETCHES_MAX: Final = 2  # blobs that come at once: a large one does not keep a small one waiting
BLOB_READS_WAITING_MAX: Final = 4  # chunks that one peer waits for: what its own fetches ask at once
BLOB_RETRY_S: Final = 5.0  # a want without an answer is asked elsewhere
BLOB_ASK_AGAIN_S: Final = 10.0  # who has not got it, or refused, is asked again after this
BLOB_DAMAGED_S: Final = 600.0  # and whose bytes made another content, after this
BLOB_FAULT_S: Final = 30.0  # a disk that takes no blob is tried again after this
BLOB_LOOK_S: Final = 2.0  # who is awake, and so who helps, is looked at this often while some blob is not where it goes
BLOB_LOOKS_MAX: Final = 100  # messages looked at in that time, 5 ms; of more each is looked at less often
BLOB_HELPERS_MAX: Final = 2  # others that keep a blob: one may fall asleep
BLOB_HELP_AFTER_S: Final = 10.0  # addressees who are awake have most blobs by then, and nobody has to help
BLOB_HELP_LEFT_S: Final = 60.0  # who helps no more keeps it so long: who took its place may just have restarted
BLOB_UNSENT_S: Final = 3_600.0  # what was handed to the node and no message cites goes after this
SEALED_MACHINES_MAX: Final = 300  # the largest fleet; a key for each machine is some 150 bytes
SEALING_KEY_LIFE_S: Final = 90 * 24 * 3600.0  # a key that is stolen opens what was sealed in three months
SEALING_KEY_KEPT_S: Final = 70 * 24 * 3600.0  # unread, read and archived a message has its body for 67 days
SEALED_UPLOADS_MAX: Final = 256  # keys of files that were handed over and no message cites yet
ATTACHMENTS_MAX: Final = 16  # of one message; more are an archive
ATTACHMENT_NAME_BYTES_MAX: Final = 200  # in UTF-8: file systems take 255, and a number may have to be put in

# --- links (docs/protocol/links.md) -------------------------------------------------------------------------------
LINK_QUEUE_BYTES_MAX: Final = 4 * 1024 * 1024  # outgoing frames kept for a slow peer
LINK_QUEUE_FRAMES_MAX: Final = 4_096  # the same in frames, because small frames cost objects
LINK_BAD_FRAMES_MAX: Final = 8  # bad frames on one link before it is closed
LINK_BAD_FRAMES_FORGOTTEN_S: Final = 60.0  # after a minute without one the count begins anew
LINK_BACKOFF_AFTER_ABUSE_S: Final = 30.0  # how long a peer closed for bad frames is not redialled
HANDSHAKE_TIMEOUT_S: Final = 5.0  # TLS, websocket and hello together
TLS_SILENT_S: Final = 1.0  # TCP accepted and no TLS within this: "accepted but silent"
CONNECT_TIMEOUT_S: Final = 2.0  # no TCP within this: "unanswered"
REDIAL_FIRST_S: Final = 0.5  # first redial delay, doubled with jitter
REDIAL_MAX_S: Final = 30.0  # cap of the redial delay
INBOUND_HANDSHAKES_MAX: Final = 64  # strangers being greeted at once
INBOUND_LINKS_MAX: Final = 512  # open links, joiners included
LINK_BATCH_BYTES: Final = 64 * 1024  # frames written with one system call; more only delays the first of them
LINK_CLOSE_TIMEOUT_S: Final = 1.0  # queue, closing handshake and TCP end together; then the connection is cut
LINK_LINGER_S: Final = 0.5  # how long a refused stranger may take to read why
REFUSALS_SHOWN_PER_MINUTE_MAX: Final = 30  # refused handshakes told one by one for one address; all are counted
RATE_LIMIT_KEYS_MAX: Final = 4_096  # addresses remembered by one rate limiter, the longest idle forgotten first
INTERFACE_POLL_S: Final = 5.0  # network interfaces are looked at this often: a cable, a VPN, a new address
MDNS_RESOLVE_TIMEOUT_S: Final = 3.0  # one answer to "where is this node"
MDNS_CLOSE_TIMEOUT_S: Final = 2.0  # saying goodbye on the LAN
MDNS_NODES_MAX: Final = 512  # names resolved at once: anybody on the LAN can announce
ADDRESSES_PER_MACHINE_MAX: Final = 16  # addresses kept for one machine, newest first
FULL_MESH_MEMBERS_MAX: Final = 24  # up to here every pair tries to link
HEARS_INTERVAL_S: Final = 0.5  # beyond it a node tells whom it hears at most this often: thirty links open at once
RECORDS_ASKED_S: Final = 1.0  # beyond it one peer at a time is asked for records: its answer is there by then
MESH_LOOK_S: Final = 1.0  # beyond it a node looks this often which links it needs
MESH_SPARE_S: Final = 5.0  # a link that neither end needs stands this long: what changes its mind does so sooner
MESH_UNHEARD_S: Final = 10.0  # a machine that no linked peer hears for so long is tried directly
MESH_UNHEARD_MAX: Final = 4  # so many at once: most of those that nobody hears are off
MESH_CURIOUS_S: Final = 2.0  # a link that broke is dialled so long, needed or not: a refusal tells of a death at once
RELAY_LIFE_S: Final = 30.0  # a relayed frame older than this is dropped
RELAY_WINDOW: Final = 1_024  # counters remembered for each source against replays
RELAY_FANOUT: Final = 2  # members that relay one machine's heartbeats to one other

# --- liveness (docs/protocol/liveness.md) -------------------------------------------------------------------------
HEARTBEAT_FUTURE_S: Final = 3_600.0  # signed time further ahead than this is a wrong clock, shown, not believed
CLOCK_JUMP_S: Final = 2.0  # wall against monotonic: more is a resumed or reset clock
STARTUP_CHECK_S: Final = 5.0  # the start-up check ends at the latest after this
STARTUP_ALONE_S: Final = 1.0  # and at the earliest after this where a member is nowhere: mDNS finds a node in 0.15 s
HEARTBEAT_INTERVAL_S_MIN: Final = 0.1  # a cadence that costs more than it tells
HEARTBEAT_INTERVAL_S_MAX: Final = 300.0  # limits grow with the announced cadence, so it is bounded
HEARTBEAT_HEADS_MAX: Final = 64  # own chains (two) times own incarnations worth naming
HEARTBEAT_LAG_MS_MAX: Final = 30 * 24 * 3600 * 1000  # of a health figure: more says nothing more
ADDRESS_CHARS_MAX: Final = 262  # a host name of 253, brackets, colon, port
VERSION_CHARS_MAX: Final = 64  # a program version
WALL_MS_MAX: Final = 253_402_300_799_999  # the end of year 9999: the last that can be shown
CLOCK_SAMPLES: Final = 8  # direct heartbeats that a clock offset is estimated from: two stalls fit, a step is forgotten
CLOCK_TOLERANCE_S: Final = 30.0  # a relayed heartbeat of an unmeasured clock that is more behind is not believed
RELAY_SOURCES_MAX: Final = 8  # members through which evidence of one machine is kept, freshest first
OLD_STARTS_MAX: Final = 8  # earlier starts of one machine that are remembered
OLD_START_GRACE_S: Final = RELAY_LIFE_S  # so long may a heartbeat of an earlier start still be on its way
OLD_START_GRACE_DIRECT_S: Final = 5.0  # the same on a direct link, which delivers at once what it still holds
OLD_START_ADVANCES: Final = 2  # newer heartbeats of an older start that make a conflict: one may be a stray
PROOF_INTERVALS: Final = 1.5  # a live link proves that I am connected when it spoke within so many intervals
PROOF_KEPT_S: Final = 2.5 * REDIAL_MAX_S  # a redial's outcome stands until the next one, two jittered delays away
HEARS_WAIT_S: Final = 1.5  # peers have so long to say that they hear a machine which I lost
REFUSED_ANSWER_S: Final = 0.5  # and so long after a refused redial, which is known to all of them at once
HEARS_AGAIN_INTERVALS: Final = 2  # while only peers hear a machine they are asked again after so many intervals
LOOP_LAG_IGNORED_S: Final = 0.25  # scheduling noise of a small machine
DISK_STALLED_S: Final = 10.0  # an antivirus scan holds a file for seconds; longer is a disk that does not write
LOOP_STALLED_S: Final = 5.0  # an announced event loop lag from which on a node cannot be relied upon
FLAP_WINDOW_S: Final = 60.0  # comebacks are counted over this
FLAP_COMEBACKS_MAX: Final = 3  # more in the window and changes are held back
FLAP_STABLE_S: Final = 10.0  # a held change is told once the verdict stood so long

# --- consensus (docs/protocol/consensus.md) -----------------------------------------------------------------------
BATCH_ENTRIES_MAX: Final = 256  # entries of one log item: what an Append brings is checked and applied in one go
LOG_ITEM_BYTES_MAX: Final = 16 * 1024  # a full batch is 9 KB
VOTERS_MAX: Final = 9  # more voters make every commit slower, and four may be lost with nine
VOTER_ENVELOPE_BYTES_MAX: Final = 4 * 1024  # nine seats with the longest names, signed
VOTE_RECORD_BYTES_MAX: Final = 1024  # a vote signed by its voter
APPEND_ITEMS_MAX: Final = 256  # items in one Append: bounds the decoding done for one frame
APPEND_BYTES_TARGET: Final = 256 * 1024  # an Append is filled up to this size, then sent
CONSENSUS_MESSAGE_BYTES_MAX: Final = 512 * 1024  # the target, one item more, and room for what rides along in a frame
APPENDS_INFLIGHT_MAX: Final = 32  # Appends sent ahead of their answers to one peer
APPENDS_INFLIGHT_BYTES_MAX: Final = 1024 * 1024  # the same in bytes: a quarter of a link's queue
UNCOMMITTED_ITEMS_MAX: Final = 1_024  # of a leader without a majority; what is proposed beyond waits in its chain
COMMITTED_ITEMS_AT_ONCE: Final = 256  # handed out in one Ready, so that applying a long log does not stall the node
READS_PENDING_MAX: Final = 1_024  # reads that wait for a majority's word

# --- autopilot and commit time (docs/protocol/autopilot.md) -----------------------------------------------------------
PROMOTE_AWAKE_S: Final = 30 * 60.0  # awake without a break: who opens the lid for a look does not become a voter
DEMOTE_UNSEEN_S: Final = 10 * 60.0  # a voter that restarts, or whose network is moved, is back by then
SILENCE_WAIT_S_MAX: Final = 24 * 3600.0  # the longest wait for a vote after leaving without a word
AWAKE_HOURS: Final = 7 * 24  # a week has working days and a weekend in it
AWAKE_UNIT_S: Final = 15  # awake time is counted in these: 240 make an hour, which fits a byte
AWAKE_EVIDENCE_S: Final = 3600.0  # awake time of a learner before it may push out a voter that is awake less
AWAKE_MACHINES_MAX: Final = 300  # machines whose awake time is kept: the largest fleet, 60 KB
AUTOPILOT_INTERVAL_S: Final = 1.0  # how often a leader looks who should vote, if nothing happens
CANDIDATES_MAX: Final = 8  # learners that get the log from the leader in a fleet beyond a full mesh
CAUGHT_UP_ITEMS: Final = 64  # a learner that lacks no more of the log is about to have it: they are on their way
HAND_OVER_S: Final = 5.0  # a computer that shuts down waits no longer for a program
HAND_OVER_ANSWER_S: Final = 0.2  # whoever takes over the only vote has answered within this
HAND_OVER_ASK_S: Final = 1.0  # a leader that has not let go by then is asked again
LEAVING_SOON_S: Final = 60.0  # who said that it leaves gets no vote for so long, unless it slept or restarted since
AHEAD_WAIT_S: Final = 0.5  # what others have applied is probably on its way from the leader
CLOCK_OFF_S: Final = 5.0  # a clock kept by NTP is within a second; further off it is not believed alone
STAMP_AHEAD_S: Final = 10.0  # a stamp further ahead of good clocks is not acknowledged
CLOCKS_HEARD_S: Final = 60.0  # clocks count that were heard within this
LONE_CLOCK_S: Final = 24 * 3600.0  # one clock alone may have been set wrong; a day is what a mistake may cost

# --- the shared folder (docs/protocol/folder.md) -----------------------------------------------------------------
FOLDER_PATH_CHARS_MAX: Final = 200  # two machine ids, a chain and two numbers are 180
FOLDER_NONCES_KEPT: Final = 64  # own probes that may still be echoed: an hour of them at the usual cadence
FOLDER_LAG_SAMPLES: Final = 32  # files that the lag is measured on: half an hour of one other machine
FOLDER_PROBES_MISSED: Final = 2  # files of everybody that are missing before the folder is called stale
FOLDER_CADENCE_S: Final = 60.0  # from one heartbeat file to the next
FOLDER_CADENCE_FAST_S: Final = 30.0  # the same while somebody is reachable no other way
FOLDER_CADENCE_REST_S: Final = 300.0  # the same while all links are fine and nothing changed
FOLDER_LOOK_S: Final = 10.0  # the folder is looked at this often; listing it costs the sync client too
FOLDER_BEACON_BYTES_MAX: Final = 128 * 1024  # a heartbeat, a frontier of 300 members, and their echoes
FOLDER_REVOCATIONS_MAX: Final = 256  # statements in a machine's list of revocations
FOLDER_ROTATIONS_MAX: Final = 256  # rotations in the same list: some 2 KiB each, a frame of them
FOLDER_MACHINES_MAX: Final = 300  # parts of the folder that are looked into: the largest fleet
FOLDER_FILES_MAX: Final = 20_000  # names kept of one look: ten times what a busy year leaves behind
FOLDER_READS_MAX: Final = 256  # files read in one look, before the core gets them
FOLDER_READ_BYTES_MAX: Final = 16 * 1024 * 1024  # the same in bytes
FOLDER_NEWS_S: Final = 3.0  # from one heartbeat file to the next when it has news for somebody without a link
FOLDER_FAST_FOR_S: Final = 600.0  # whoever was lost is looked for in the folder this long, as if it were there
FOLDER_GATHER_S: Final = 1.0  # entries that come together become one segment: at most one a second
FOLDER_WRITES_REST_S: Final = 60.0  # and one write in this while links reach everybody: the budget of a quiet fleet
FOLDER_WRITES_BURST: Final = 8  # writes saved up for a start, a revocation, a copy into the quarantine
FOLDER_WRITES_MINUTES: Final = 10  # over which writes a minute are shown: two heartbeat files of a quiet fleet
FOLDER_PLAN_S: Final = 5.0  # how often a node thinks about what others lack, if nothing happens
FOLDER_SETTLE_S: Final = 20.0  # links deliver what they can within this; only then is it worth a file
FOLDER_RELAY_AFTER_S: Final = 120.0  # what lacks in the folder for so long is written by others than its author
FOLDER_RELAY_STEP_S: Final = 30.0  # and by the next of them so much later: two copies help nobody
FOLDER_SEGMENTS_MAX: Final = 32  # files of one chain before they are merged; a burst of half a minute
FOLDER_REMOVED_AT_ONCE_MAX: Final = 64  # files removed by one job
FOLDER_RETRY_S: Final = 10.0  # a folder that failed is tried again after this
FOLDER_BLOCKED_S: Final = 30.0  # a job that takes longer is shown: opening an online-only file takes 5 s
FOLDER_REFUSED_MAX: Final = 1_024  # bad files remembered, so that they are not read again and again
FOLDER_REFUSED_FOR_S: Final = 600.0  # and not longer: the right file may come in the place of the wrong one
FOLDER_DAMAGED_S: Final = 600.0  # so long may a synchroniser take to fill a file that has its full length
FOLDER_QUARANTINE_MAX: Final = 64  # copies of bad files kept; more are only counted
FOLDER_SHARING_FIRST_S: Final = 0.05  # a file that another program holds is tried again after this, then twice that
FOLDER_SHARING_S: Final = 2.0  # and not longer than this: an antivirus lets go within a second
FOLDER_TEMPORARY_MAX: Final = 16  # names of temporary files, used in turn: what a crash leaves behind is replaced
FOLDER_FAREWELL_S: Final = 2.0  # a stopping node waits so long for its last file
FOLDER_SUSPECT_S: Final = 180.0  # three files missed; the folder's lag is added
FOLDER_OFFLINE_S: Final = 300.0  # five files missed; twice the lag is added
FOLDER_JOIN_LOOK_S: Final = 5.0  # an issuer with an open invite looks for requests this often
FOLDER_JOIN_POLL_S: Final = 1.0  # and whoever joins for the answer
FOLDER_JOIN_WAIT_S: Final = 1_800.0  # so long: a folder may be half an hour late, and is asked again by the command
FOLDER_FLOORS_MAX: Final = 4  # own floors in a heartbeat file, 400 B each: one a life, and most machines have one
FOLDER_MAIL_KEPT_S: Final = 30 * 24 * 3600.0  # mail that somebody lacks stays in the folder so long
FOLDER_AGES_S: Final = 600.0  # how often the oldest file of each chain is looked at for that
FOLDER_BLOB_SLICE_BYTES: Final = 8 * 1024 * 1024  # of a blob, read by one job: the next heartbeat file waits no longer
FOLDER_BLOB_PIECE_BYTES: Final = 1024 * 1024  # of that in memory at once
FOLDER_BLOB_AGAIN_S: Final = 60.0  # a blob that was another than its name says is read again: it may be filled by then
FOLDER_BLOB_HEAD_BYTES: Final = 64 * 1024  # of a bad one, copied aside as evidence: not all of it
FOLDER_LOOK_FAST_S: Final = 2.0  # and this often while somebody is reachable no other way

# --- joining (docs/protocol/trust.md §4) ---------------------------------------------------------------------------
INVITES_OUTSTANDING_MAX: Final = 64  # more open doors than a fleet has machines to let in
JOIN_ATTEMPTS_PER_MINUTE_MAX: Final = 10  # for one address; a code has 128 bits, so this only saves work
JOIN_CONNECTIONS_MAX: Final = 16  # strangers on the joining path at once
JOIN_CONVERSATION_S: Final = 30.0  # one joining conversation, from the websocket to its end
JOIN_TIMEOUT_S: Final = 15.0  # one joining conversation, the issuer's disk included
DIAL_BACK_ASKED_S: Final = 5.0  # after its certificate a joiner may ask: its disk is written first, its port opened
DIAL_BACK_S: Final = 6.0  # TCP, one second of silence and TLS, once
DIAL_BACK_REPORT_S: Final = 8.0  # how long the joiner waits for the report, the way included
DIAL_BACK_OUTCOME_CHARS_MAX: Final = 32  # one word
JOIN_BROWSE_S: Final = 3.0  # how long a joiner looks for the issuer on the LAN
INVITE_KEPT_S: Final = 24 * 3600  # an expired or used invite is remembered, so that its refusal says why
INVITE_TTL_S_MAX: Final = 30 * 24 * 3600  # a code is a secret in a chat window: a month is the longest it may lie there
CERTIFICATE_BACKDATE_S: Final = 2 * 24 * 3600  # clocks of freshly installed machines are behind
MACHINE_CERTIFICATE_LIFE_S: Final = 365 * 24 * 3600  # a lost machine's certificate ends by itself within a year
CERTIFICATE_RENEW_NUMERATOR: Final = 2  # of three thirds of a certificate's life: then four months are left to renew
CERTIFICATE_ASK_S: Final = 60.0  # issuers are asked for a certificate this often, once it is due
CERTIFICATE_NOBODY_S: Final = 2.0  # and looked for this often, while none is linked
CERTIFICATE_LOOK_S: Final = 3600.0  # a timer that is due later is not set: heartbeats look at the wall clock meanwhile
CERTIFICATE_AGAIN_S: Final = 3600  # who asks again within an hour gets the certificate that it was given
LATE_RENEWAL_INTERVAL_S: Final = 10.0  # a machine whose certificate ran out tries the issuers' addresses this often
LATE_RENEWAL_S: Final = 15.0  # how long `renew` waits for a certificate that was asked for over a link
ISSUER_CERTIFICATE_LIFE_S: Final = 5 * 365 * 24 * 3600  # renewing takes the root key, which is kept elsewhere
ROOT_CERTIFICATE_LIFE_S: Final = 20 * 365 * 24 * 3600  # outlives every machine; the fleet id hangs on its key
FLEET_NAME_CHARS_MAX: Final = 64  # X.520 ub-organization-name: it stands in the root certificate
KEY_FILE_BYTES_MAX: Final = 4 * 1024  # PEM of an encrypted Ed25519 key is some 300 bytes
SEALED_SCRYPT_LOG_N: Final = 16  # 64 MiB and some tenths of a second for each guess at a backup's passphrase
SEALED_SCRYPT_LOG_N_MAX: Final = 20  # a file that asks for more than 1 GiB of memory was not written by us
SEALED_PIECE_BYTES: Final = 1024 * 1024  # a backup is sealed piece by piece: a store may be larger than the memory
CERTIFICATE_PEM_BYTES_MAX: Final = 3 * 8 * 1024  # a chain of three in base64, with comments
JOIN_CONTACTS_MAX: Final = 8  # addresses in a join code: each makes it longer
HOST_CHARS_MAX: Final = 253  # RFC 1035 §2.3.4, without the final dot
ROLES_MAX: Final = 8  # more than there are roles

FORMER_KEYS_SHOWN_MAX: Final = 16  # keys that a machine had before, told to its new home; more lives than a machine has
ROTATION_BYTES_MAX: Final = 20 * 1024  # four certificates of the largest size, and what is said about them
ROTATIONS_PER_MACHINE_MAX: Final = 64  # keys that one machine gave up: one a year, and room for the anxious
ROTATIONS_SHOWN_MAX: Final = 8  # the newest, shown on opening a link; who missed more hears of them from others
KEY_LOST_ISSUERS_MAX: Final = 16  # issuer keys that were lost with a machine's key; it had one at a time
KEY_LOST_SHOWN_S: Final = 7 * 24 * 3600  # how long a status shows that a key was replaced by the root's word
ROTATION_S: Final = 15.0  # how long `rotate` waits for an issuer, and then for the order
ENDED_LINKED_S: Final = 10.0  # who left or was retired stays linked so long: it reads of its end in the log
REVOCATIONS_PER_MACHINE_MAX: Final = 16  # statements kept about one machine; the lowest cut needs two
STATEMENT_REASON_CHARS_MAX: Final = 500  # why, in a sentence or two
STATEMENT_MACHINES_MAX: Final = 300  # machines or keys named by one statement: the largest fleet

# --- the ledger (docs/protocol/ledger.md) -------------------------------------------------------------------------
CLAIM_NAME_CHARS_MAX: Final = 128  # an issue, a branch, a path
CLAIM_TTL_MS_MIN: Final = 1_000  # shorter than a commit may take, a claim is over before it is known
CLAIM_TTL_MS_MAX: Final = 7 * 24 * 3600 * 1000  # a week: who forgets a claim blocks the others no longer
CLAIM_QUEUE_MAX: Final = 64  # sessions that wait for one claim
CLAIMS_MAX: Final = 10_000  # claims in the state at once, some 2 MB
SESSION_CHARS_MAX: Final = 128  # a digest of the session's secret, or user, workspace and process
NOTE_CHARS_MAX: Final = 500  # a line or two beside a claim, an approval, a report
POLICY_BYTES_MAX: Final = 16 * 1024  # JSON of one policy: a strategy for each of some hundred prefixes
POLICY_PREFIXES_MAX: Final = 256  # resource prefixes with a conflict strategy of their own
WORD_CHARS_MAX: Final = 64  # the name of a policy or a strategy
JSON_BYTES_MAX: Final = 192 * 1024  # a document in a body of 256 KiB, with its company
DECISION_TITLE_CHARS_MAX: Final = 200  # a line of the roadmap
DECISION_TEXT_CHARS_MAX: Final = 20_000  # some ten pages; what is longer is a file
DECISION_ACTIONS_MAX: Final = 64  # typed actions of one decision; more are two decisions
RUN_ARGUMENTS_MAX: Final = 32  # of a named action; it is no command line
RESOURCE_CHARS_MAX: Final = 1_024  # type, path and pointer
DECISION_ATTEMPTS_MAX: Final = 4  # of one target, before it is failed there: the first, and three more
DECISION_TOUCHES_MAX: Final = 1_024  # places that one decision changes; each is compared with those of others
DECISION_CONFLICTS_MAX: Final = 64  # of one decision, by id: more tell nobody more
DECISIONS_OPEN_MAX: Final = 1_000  # pending or conflicted at once: nobody can decide more
BASELINE_BYTES_MAX: Final = 256 * 1024  # the fleet's reference configuration, as JSON
JSON_DEPTH_MAX: Final = 64  # a document nested deeper was not written by a person
CONFIG_VERSIONS_KEPT: Final = 64  # published versions of one machine's target in the state; older are in the log
SWEEP_SLICES: Final = 256  # parts of a table of the state; one is copied for a change, and swept for old claims

# --- ordering (docs/protocol/ordering.md) -------------------------------------------------------------------------
WAITING_BYTES_MAX: Final = 16 * 1024 * 1024  # bodies of unordered entries in memory; the rest is read when needed
WANT_ORDERED_MAX: Final = 64  # entries in one want: of the largest size they take many frames
READ_ORDERED_MAX: Final = 256  # entries read from the store at once: a whole batch
ITEMS_IN_FLIGHT_MAX: Final = 2  # proposed and not committed, before a leader gathers: more only makes smaller batches
APPENDS_PARKED_MAX: Final = 64  # messages of one peer that wait for entries; beyond they are sent again
READ_COMMITS_MAX: Final = 1_000  # commits read from the store at once: less than a megabyte, some milliseconds
EPOCHS_PER_FRAME_MAX: Final = 16  # statements about epochs told at once; even a second one is a disaster
RECHECK_AFTER_S: Final = 1.0  # after a start the links and the start-up check come first
RECHECK_COMMITS_MAX: Final = 512  # commits hashed at once: some 3 ms, in which nothing else is answered
RECHECK_PAUSE_S: Final = 0.005  # between two such slices the event loop is everybody else's; 100,000 commits: 3 s
RECHECK_TRIES_MAX: Final = 3  # a slice that cannot be read so often, a second apart, is a finding
DIGESTS_REMEMBERED: Final = 2_048  # digests of the newest commits, to compare with what others say
LONE_VOTER_WAIT_S: Final = 0.2  # a single voter waits so long for a second copy before it answers
READ_INDEX_WAIT_S: Final = 0.3  # a read is answered as stale after this without the leader's word

# --- messages (docs/protocol/messages.md) -------------------------------------------------------------------------
SUBJECT_CHARS_MAX: Final = 500  # a line in a list; what is longer is a body
RECIPIENTS_MAX: Final = 64  # addresses in one message; more is what "all" is for
TAGS_MAX: Final = 32  # words to filter by, shown beside the subject
TAG_CHARS_MAX: Final = 64  # one word
WORKSPACE_CHARS_MAX: Final = 128  # a repository's folder name
THREAD_ID_CHARS_MAX: Final = 200  # a message id, or a name that an older program gave
IDEMPOTENCY_KEY_CHARS_MAX: Final = 200  # a UUID with a prefix, or the path of what is being done
UNREAD_LIFE_S: Final = 30 * 24 * 3600.0  # nobody will read it after this; its sender is told, and may ask again
READ_LIFE_S: Final = 7 * 24 * 3600.0  # a read message leaves the inbox after this
ARCHIVED_LIFE_S: Final = 30 * 24 * 3600.0  # and an archived one its body: a month to look something up
UNREAD_SHOWN_S: Final = 24 * 3600.0  # nothing expires that lay here less than a day: the sender's clock may be wrong
RETENTION_INTERVAL_S: Final = 3_600.0  # how often messages are looked at for their age
RETENTION_FIRST_S: Final = 60.0  # after a start everything else comes first
RETENTION_BATCH_MAX: Final = 200  # messages in one transaction: a store of a year is done within minutes
FLOOR_LOOKED_MAX: Final = 2_000  # own entries looked at in one round: a chain of a year is through within a day
FLOOR_ABSENT_DAYS: Final = 67  # on so many days nobody heard of a machine: unread, read and archived mail is past
FLOOR_MEMBERS_MAX: Final = 256  # machines whose absent days are counted: more than a fleet has
SKIPPED_SHOWN_S: Final = 7 * 24 * 3600.0  # what was missed for good is a warning so long, as a new life is
WATCHES_MAX: Final = 10_000  # messages that a sender waits to hear of, 4 MB: 140 a day for a month are 4,200
WATCH_LATE_S: Final = 5.0  # so long may a recipient's word be on its way when a message's time is over
WATCH_SETTLE_S: Final = 15.0  # after a start the links and what was said meanwhile come first
THREAD_SHOWN_MAX: Final = 200  # messages of one thread shown with their bodies: a page of the inbox has as many
CITED_COMMITS_MAX: Final = 32  # commits looked up for one message or thread
ARCHIVED_AT_ONCE_MAX: Final = 200  # messages in one request to archive: a page of the inbox
WHY_CHARS_MAX: Final = 256  # of a name that is asked about: a claim's, behind the word for its kind
WHY_NAMED_MAX: Final = 20  # names of each kind told to who asked about nothing that there is: a screen
SEARCH_CHARS_MAX: Final = 1_000  # the words of a search together
MESSAGE_LIFE_S_MAX: Final = 366 * 24 * 3600  # of `--expires` and `--ack-within`: a year is for ever here
SEARCH_WORDS_MAX: Final = 32  # of one search; more is a text, not a question
SENDS_A_MINUTE: Final = 60  # of one session unless the settings say otherwise: more is a loop, not an agent
SENDS_A_MINUTE_MAX: Final = 1_000_000  # the most that the settings may say, which is no bound at all
MAIL_BYTES_MAX: Final = 1024 * 1024 * 1024  # of one author, on every machine: seven million messages of 140 characters
MAIL_ENTRY_BYTES_TYPICAL: Final = 600  # of a message beside its text: header, names, addresses
INBOX_PAGE_MAX: Final = 200  # what a person or an agent takes in at once; more costs an agent its context

# --- waking (docs/protocol/waking.md) -----------------------------------------------------------------------------
WAKES_MAX: Final = 3  # a message that nobody took after three wakes is its sender's to hear of
WAKE_ADAPTERS_MAX: Final = 32  # `[wake.<name>]` sections: agents on one computer
WAKES_WAITING_MAX: Final = 10_000  # messages that somebody is woken for, 2 MB; beyond that the oldest is let go
WAKE_MESSAGES_MAX: Final = 100  # named in one wake: an environment variable has bounds; the others come next
WAKE_GATHER_S: Final = 2.0  # messages that come together wake once
WAKE_LEASE_S: Final = 600.0  # who was woken has so long to take a message
WAKE_EVERY_S: Final = 60.0  # one adapter wakes for one workspace at most this often
WAKE_SPAN_S_MAX: Final = 24 * 3600.0  # the longest that any of these may be
WAKE_WEBHOOK_S: Final = 10.0  # a program on this computer answers at once, or not
WAKE_ANSWER_BYTES_MAX: Final = 64 * 1024  # of its answer only the first line counts
WAKE_NOTIFY_S: Final = 15.0  # PowerShell takes seconds to start
WAKE_POLL_S: Final = 0.25  # how often a command that was started is looked at for its end
WAKE_FILE_BYTES_MAX: Final = 64 * 1024  # a signal file holds ids, one a line
WAKE_COMMAND_ARGUMENTS_MAX: Final = 64  # of a command: what is longer is a script
TAKE_LEASE_S: Final = 1_800.0  # a session that took a message has half an hour to read it
TAKE_LEASE_S_MAX: Final = 24 * 3600.0  # who needs longer says so again
TAKES_MAX: Final = 1_000  # messages taken at once on one machine

# --- proofs (docs/protocol/proof.md) -------------------------------------------------------------------------------
TREE_EDGE_BYTES_MAX: Final = 4 * 1024  # 63 hashes and the size, for as many leaves as there are numbers
SUBTREE_REMEMBERED_LEAVES_MIN: Final = 256  # a proof reads so few leaves; a million commits cost 8,000 remembered roots

# --- power (adapters/power) ---------------------------------------------------------------------------------------
POWER_HOLD_S_MAX: Final = 5.0  # logind waits no longer by default; a hand-over is to be done by then
POWER_CALL_S: Final = 5.0  # one call on the system bus, the connection included
POWER_RETRY_S: Final = 60.0  # a computer without logind is asked again so often: a service may start late
POWER_STOP_S: Final = 2.0  # how long a message loop of the system may take to end
POWER_SIGNALS_MAX: Final = 64  # signals that come while a call waits for its answer
BATTERY_POLL_S: Final = 60.0  # who votes is a matter of minutes
BATTERY_COMMAND_S: Final = 5.0  # macOS's pmset answers in milliseconds
BATTERY_TEXT_BYTES_MAX: Final = 4_096  # one attribute in /sys is a word

# --- the local API and the store ----------------------------------------------------------------------------------
API_BODY_BYTES_MAX: Final = 1024 * 1024  # the largest entry body, escaped as JSON, fits
EVENT_HISTORY_MAX: Final = 1_000  # events kept for a stream that resumes
API_WAIT_S_MAX: Final = 3_600.0  # longest wait of one inbox request
ORDER_TIMEOUT_S: Final = 10.0  # how long a request waits for its place in the order unless its caller says otherwise
ORDERED_READ_LOOKBACK: Final = 4_096  # newest commits that a shortened id is looked for in
LOG_PAGE_MAX: Final = 1_000  # entries of the log in one answer
STATEMENT_LIFE_S: Final = 30 * 24 * 3600  # of the root's word: a fleet that decides nothing for a month asks again
VERDICT_LIFE_S: Final = 24 * 3600  # a person's signature counts so long: a day for a majority to come back
DECISION_EXPIRES_S_MAX: Final = 366 * 24 * 3600.0  # a policy bounds it more; what waits longer is proposed again
CLAIM_TTL_S: Final = 2 * 3600.0  # of a claim whose caller names none: an agent's afternoon
SESSIONS_MAX: Final = 256  # open sessions of one node: agents and people on one computer
SESSION_LEASE_S: Final = 12 * 3600.0  # a session that nobody has used for so long is over
SESSION_LEASE_S_MAX: Final = 7 * 24 * 3600.0  # the longest that a claim can be held, too
SESSION_SECRET_CHARS_MAX: Final = 200  # ours have 46; somebody may put more into the variable
SESSION_CLIENT_CHARS_MAX: Final = 64  # the name of a program
SESSION_ACTIVE_TOLD_S: Final = 60.0  # that a session was used is told this often: "a minute ago" is exact enough
SESSION_ZOMBIE_S: Final = 60.0  # a session that is still shown so long after its lease is one that nobody cleans up
API_ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024  # a client reads no longer answer; a full inbox page is far below
API_ANSWER_TIMEOUT_S: Final = 30.0  # how long a client waits for an answer beyond the wait it asked for
API_SILENT_S: Final = 2.0  # of that, before a person at a terminal is told that the node does not answer
API_CONNECT_TIMEOUT_S: Final = 2.0  # on the same computer; a node that is starved may be this late
API_CONNECTIONS_MAX: Final = 128  # open connections to the local API: agents, watchers, one dashboard
API_KEEPALIVE_S: Final = 15.0  # an event stream at rest carries a comment this often, so that a dead one is noticed
API_SHUTDOWN_S: Final = 3.0  # open streams and waits are ended within this when the node stops
API_SOCKET_PATH_BYTES_MAX: Final = 103  # sun_path holds 104 bytes on macOS and 108 on Linux, with its NUL
SETTING_LIST_MAX: Final = 256  # peers or interfaces named in the settings
SETTINGS_BYTES_MAX: Final = 256 * 1024  # a settings file is written by hand
DOWN_TIMEOUT_S: Final = 15.0  # how long `roosync down` waits for the process to be gone
REQUEST_TIMEOUT_S: Final = 10.0  # how long a user's request waits for this machine's own disk
SHUTDOWN_S: Final = 8.0  # an orderly end takes no longer than this
SERVICE_STOP_S: Final = 30.0  # a system gives the node that long to end: its hand-over, its farewell, a slow disk
SERVICE_RESTART_S: Final = 10.0  # a node that ended with an error is started again after this long
SERVICE_RESTARTS_MAX: Final = 255  # Task Scheduler's own bound; a minute lies between two of its tries
SERVICE_COMMAND_S: Final = 60.0  # how long systemctl, launchctl or schtasks may take for one command
SERVICE_LOG_LINES: Final = 50  # `roosync service logs` shows as many unless told otherwise
FLEETS_BROWSE_S: Final = 2.0  # how long a node without identity looks for fleets nearby
SHUTDOWN_WRITE_S: Final = 3.0  # how long a stopping node waits for its last writes
REQUEST_QUEUE_MAX: Final = 1_024  # requests waiting for the core
PERSIST_LINGER_S: Final = 0.02  # what nobody waits for is written with what comes meanwhile: a sync costs most
FLUSH_S: Final = 1.0  # who reads the store waits so long for what is on its way there
GROUP_COMMIT_ROWS_MAX: Final = 4_096  # rows of one transaction
STORE_BUSY_TIMEOUT_S: Final = 5.0  # a backup or an antivirus may hold the database this long
STORE_QUICK_CHECK_BYTES_MAX: Final = 128 * 1024 * 1024  # checked whole at every start; above, what the core loads
STORE_JOURNAL_BYTES_MAX: Final = 32 * 1024 * 1024  # a write-ahead log that grew is cut back to this
STORE_CHECKPOINT_PAGES: Final = 4_000  # 16 MB of log before it is moved into the database: a third more rows a second
STORE_CACHE_KIB: Final = 16 * 1024  # of the writing connection: the index of 100,000 entries fits
STORE_IDLE_READERS_MAX: Final = 4  # read-only connections kept open between reads

# --- the MCP server (docs/protocol/mcp.md) ------------------------------------------------------------------------
MCP_LEASE_S: Final = 90.0  # a killed client is gone from `machines` after this
MCP_TOUCHES: Final = 3  # uses of a session in one lease, so that one that is late ends nothing
MCP_CLIENT_CHARS_MAX: Final = 64  # what a session says its program is called
MCP_ROOTS_S: Final = 2.0  # a client that does not say its roots by then is not waited for
MCP_WAIT_S: Final = 50.0  # a wait that names no time: clients give a call 60 s
MCP_PROGRESS_S: Final = 5.0  # a wait says so often that it goes on; clients that hear it wait longer
MCP_RETRY_FIRST_S: Final = 0.1  # an event stream that broke is opened again after this, then twice that
MCP_RETRY_MAX_S: Final = 2.0  # and this often while no node runs
MCP_EVENTS_KEPT: Final = 1_024  # of one listener that is slow; then it looks at everything anew
MCP_START_S: Final = 20.0  # a node that was started answers within a second; a busy computer takes longer
MCP_CLOSE_S: Final = 2.0  # a connection that ends waits so long for its claims to be given back
MCP_BULK_MAX: Final = 200  # messages marked or archived by one call
MCP_IDLE_S: Final = 1_800.0  # a client over HTTP that asks nothing and listens to nothing is forgotten after this
MCP_DOOR_BYTES_MAX: Final = 4 * 1024  # mcp.json holds a token and a port
MCP_RESTART_FIRST_S: Final = 0.5  # a server that died is started again after this, then twice that
MCP_RESTART_MAX_S: Final = 60.0  # and at least this often
MCP_STEADY_S: Final = 30.0  # one that lived so long is started again at once
MCP_FAILURES_SHOWN: Final = 3  # deaths in a row before the status warns
MCP_END_S: Final = 3.0  # a server that was told to end, before it is killed
MCP_CONFIG_BYTES_MAX: Final = 64 * 1024 * 1024  # Claude Code keeps its history beside its servers
