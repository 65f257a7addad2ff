"""The statements of the quarantine: records that Kafka refused for good."""

# The marker takes the record's row in the outbox, and thereby its place in the order of its key; the change set's position
# in Kafka becomes the marker's. A full quarantine ($4: its bytes) keeps the record without its value, so that the marker can
# take its place in any case. A record that is in quarantine already is not replaced: the marker itself was refused.
QUARANTINE = """
WITH moved AS (
    INSERT INTO quarantined_records (id, topic, key, headers, payload, committed_at, reason)
    SELECT id, topic, key, headers, CASE WHEN octet_length(payload) + held <= $4 THEN payload ELSE '' END, created_at, $2
    FROM outbox, (SELECT coalesce(sum(octet_length(payload)), 0) AS held FROM quarantined_records) AS quarantine
    WHERE id = $1 AND sent_at IS NULL
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), replaced AS (
    UPDATE outbox SET payload = $3 FROM moved WHERE outbox.id = moved.id AND $3::bytea IS NOT NULL
), removed AS (
    DELETE FROM outbox USING moved WHERE outbox.id = moved.id AND $3::bytea IS NULL
)
SELECT id FROM moved
"""
LIST = """
SELECT id, topic, key, octet_length(payload) AS bytes, committed_at, quarantined_at, reason
FROM quarantined_records ORDER BY id
"""
# Not of a record without its value. A new row: the old one holds the marker. Only events: an older record of an access key could undo its revocation.
RETRY = """
WITH taken AS (
    DELETE FROM quarantined_records WHERE id = $1 AND topic = $2 AND payload <> '' RETURNING topic, key, headers, payload
)
INSERT INTO outbox (topic, key, headers, payload, created_at)
SELECT topic, key, headers, payload, clock_timestamp() FROM taken
RETURNING id
"""
DROP = "DELETE FROM quarantined_records WHERE id = $1 RETURNING id"
