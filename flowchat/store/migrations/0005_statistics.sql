-- What the statistics of answers count, without reading the answers: as in store/statistics.py, to the letter.
create index messages_by_outcome on messages (
    conversation_id, substr(created_at, 1, 10), refusal, json_array_length(verdicts),
    (length(verdicts) - length(replace(verdicts, '"ok": true', ''))) / 10, json_extract(usage, '$.first_text_ms')
);
