-- Who follows the moves of pipeline runs reads them in the order in which they were committed.
CREATE UNIQUE INDEX pipeline_run_transition_sequence ON pipeline_run_transition (sequence);
