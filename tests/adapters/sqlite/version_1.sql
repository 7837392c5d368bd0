-- A store as the program of version 1 left it: its tables and rows of every kind. Never edited.
PRAGMA application_id = 1383034707;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE addresses (
            machine TEXT NOT NULL, address TEXT NOT NULL, seen_ms INTEGER NOT NULL,
            PRIMARY KEY (machine, address)) WITHOUT ROWID;
INSERT INTO "addresses" VALUES('myia-po-2024','10.0.0.1:7450',9);
CREATE TABLE chains (
            no INTEGER PRIMARY KEY, author TEXT NOT NULL, incarnation INTEGER NOT NULL, chain TEXT NOT NULL,
            UNIQUE (author, incarnation, chain));
INSERT INTO "chains" VALUES(1,'myia-ai-01',1,'mail');
INSERT INTO "chains" VALUES(2,'myia-po-2024',1,'ledger');
CREATE TABLE deliveries (
            rank INTEGER PRIMARY KEY, message_no INTEGER NOT NULL, workspace TEXT NOT NULL, status TEXT NOT NULL,
            arrived_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, author TEXT NOT NULL, thread_id TEXT NOT NULL,
            UNIQUE (message_no, workspace));
INSERT INTO "deliveries" VALUES(1,3,'','unread',3,3,'myia-ai-01','t-1');
INSERT INTO "deliveries" VALUES(4611686018427387905,1,'roo-extensions','unread',1,1,'myia-ai-01','t-1');
INSERT INTO "deliveries" VALUES(4611686018427387906,2,'Épargne – été','unread',2,2,'myia-ai-01','t-1');
CREATE TABLE entries (
            no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, chain_no INTEGER NOT NULL, sequence INTEGER NOT NULL,
            kind TEXT NOT NULL, received_ms INTEGER NOT NULL, header BLOB NOT NULL, body BLOB);
INSERT INTO "entries" VALUES(1,X'CAD7D639CF41B5B132F77A5EE863BCA3F2FF65D7886B50FF0E37FA4B0992AD42',1,1,'mail.message',1700000000001,X'6865616465722031',X'626F6479');
INSERT INTO "entries" VALUES(2,X'5DD9657C4906AA78AC8310B22DA0E240B6C601CF9F0A48E212FDBA88C9ECEA4B',1,2,'mail.message',1700000000002,X'6865616465722032',X'626F6479');
INSERT INTO "entries" VALUES(3,X'276413E27321DD79D930127403C1A73838F45D69A0929EF756595682349CA708',1,3,'mail.message',1700000000003,X'6865616465722033',X'626F6479');
INSERT INTO "entries" VALUES(4,X'2059075F083E5939A873E0A626364352A6986BFD3FAAF75EF2207C7F4B9DB40C',2,1,'mail.message',1700000000001,X'6865616465722031',X'626F6479');
INSERT INTO "entries" VALUES(5,X'C1D115E15CDB4CE413E12E2D4862A73F233B8B1007F34E6AE537E4EB83891972',2,2,'mail.message',1700000000002,X'6865616465722032',NULL);
CREATE TABLE forks (
            author TEXT NOT NULL, incarnation INTEGER NOT NULL, chain TEXT NOT NULL, sequence INTEGER NOT NULL,
            digest BLOB NOT NULL, first BLOB NOT NULL, second BLOB NOT NULL,
            PRIMARY KEY (author, incarnation, chain, sequence, digest));
INSERT INTO "forks" VALUES('myia-po-2024',1,'mail',4,X'CD4968B8E7C52EDB74F413ED3D921EC4EAAE1A05B4B3995E1684A6A4493DA011',X'6669727374',X'7365636F6E64');
CREATE TABLE idempotency (
            key TEXT PRIMARY KEY, request BLOB NOT NULL, entry BLOB NOT NULL,
            message_id TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('k',X'7272727272727272727272727272727272727272727272727272727272727272',X'CAD7D639CF41B5B132F77A5EE863BCA3F2FF65D7886B50FF0E37FA4B0992AD42','msg-20260115T091530-000001');
CREATE TABLE invites (invite_id BLOB PRIMARY KEY, data BLOB NOT NULL);
INSERT INTO "invites" VALUES(X'69',X'696E76697465');
CREATE TABLE members (
            machine TEXT PRIMARY KEY, key_id BLOB NOT NULL, leaf BLOB NOT NULL, issuer BLOB NOT NULL);
INSERT INTO "members" VALUES('myia-ai-01',X'6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B',X'6C656166',X'697373756572');
CREATE TABLE messages (
            no INTEGER PRIMARY KEY, entry BLOB NOT NULL UNIQUE, message_id TEXT NOT NULL, author TEXT NOT NULL,
            workspace TEXT, time_ms INTEGER NOT NULL, recipients TEXT NOT NULL, subject TEXT NOT NULL,
            type TEXT NOT NULL, priority TEXT NOT NULL, tags TEXT NOT NULL, thread_id TEXT NOT NULL,
            in_reply_to TEXT);
INSERT INTO "messages" VALUES(1,X'CAD7D639CF41B5B132F77A5EE863BCA3F2FF65D7886B50FF0E37FA4B0992AD42','msg-20260115T091530-000001','myia-ai-01',NULL,1700000000001,'["myia-po-2024", "all:roo-extensions"]','Objet n° 1','text','HIGH','["a", "é"]','t-1',NULL);
INSERT INTO "messages" VALUES(2,X'5DD9657C4906AA78AC8310B22DA0E240B6C601CF9F0A48E212FDBA88C9ECEA4B','msg-20260115T091530-000002','myia-ai-01',NULL,1700000000002,'["myia-po-2024", "all:roo-extensions"]','Objet n° 2','text','URGENT','["a", "é"]','t-1',NULL);
INSERT INTO "messages" VALUES(3,X'276413E27321DD79D930127403C1A73838F45D69A0929EF756595682349CA708','msg-20260115T091530-000003','myia-ai-01',NULL,1700000000003,'["myia-po-2024", "all:roo-extensions"]','Objet n° 3','text','LOW','["a", "é"]','t-1',NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO "meta" VALUES('start',X'37');
INSERT INTO "meta" VALUES('store',X'000102030405060708090A0B0C0D0E0F');
CREATE TABLE pending (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL);
INSERT INTO "pending" VALUES(1,'fleet.found',X'626F6479');
CREATE TABLE places (
            chain_no INTEGER NOT NULL, sequence INTEGER NOT NULL, id BLOB NOT NULL, entry_no INTEGER NOT NULL,
            PRIMARY KEY (chain_no, sequence)) WITHOUT ROWID;
INSERT INTO "places" VALUES(1,1,X'CAD7D639CF41B5B132F77A5EE863BCA3F2FF65D7886B50FF0E37FA4B0992AD42',1);
INSERT INTO "places" VALUES(1,2,X'5DD9657C4906AA78AC8310B22DA0E240B6C601CF9F0A48E212FDBA88C9ECEA4B',2);
INSERT INTO "places" VALUES(1,3,X'276413E27321DD79D930127403C1A73838F45D69A0929EF756595682349CA708',3);
INSERT INTO "places" VALUES(2,1,X'2059075F083E5939A873E0A626364352A6986BFD3FAAF75EF2207C7F4B9DB40C',4);
INSERT INTO "places" VALUES(2,2,X'C1D115E15CDB4CE413E12E2D4862A73F233B8B1007F34E6AE537E4EB83891972',5);
CREATE TABLE receipts (
            message BLOB NOT NULL, reader TEXT NOT NULL, workspace TEXT NOT NULL, state TEXT NOT NULL,
            step INTEGER NOT NULL, time_ms INTEGER NOT NULL, PRIMARY KEY (message, reader, workspace)) WITHOUT ROWID;
INSERT INTO "receipts" VALUES(X'CAD7D639CF41B5B132F77A5EE863BCA3F2FF65D7886B50FF0E37FA4B0992AD42','myia-po-2024','','read',1,5);
CREATE TABLE records (
            kind TEXT NOT NULL, author TEXT NOT NULL, subject TEXT NOT NULL, start INTEGER NOT NULL,
            counter INTEGER NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (kind, author, subject));
INSERT INTO "records" VALUES('frontier','myia-po-2024','',1,2,X'656E76656C6F7065');
CREATE TABLE unread_counts (workspace TEXT PRIMARY KEY, unread INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO "unread_counts" VALUES('',1);
INSERT INTO "unread_counts" VALUES('roo-extensions',1);
INSERT INTO "unread_counts" VALUES('Épargne – été',1);
CREATE INDEX messages_by_id ON messages (message_id);
CREATE INDEX messages_by_thread ON messages (thread_id);
CREATE INDEX deliveries_by_status ON deliveries (status);
CREATE INDEX deliveries_by_workspace ON deliveries (workspace, status);
CREATE INDEX deliveries_by_author ON deliveries (author, status);
CREATE INDEX deliveries_by_thread ON deliveries (thread_id, status);
CREATE TRIGGER delivery_arrives AFTER INSERT ON deliveries WHEN new.status = 'unread' BEGIN
            INSERT INTO unread_counts VALUES (new.workspace, 1)
                ON CONFLICT (workspace) DO UPDATE SET unread = unread + 1;
        END;
CREATE TRIGGER delivery_changes AFTER UPDATE OF status ON deliveries
            WHEN (old.status = 'unread') <> (new.status = 'unread') BEGIN
            INSERT INTO unread_counts VALUES (new.workspace, 1) ON CONFLICT (workspace)
                DO UPDATE SET unread = unread + CASE new.status WHEN 'unread' THEN 1 ELSE -1 END;
        END;
CREATE TRIGGER delivery_goes AFTER DELETE ON deliveries WHEN old.status = 'unread' BEGIN
            UPDATE unread_counts SET unread = unread - 1 WHERE workspace = old.workspace;
        END;
COMMIT;
