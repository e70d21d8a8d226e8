"""What of the statements' tests runs on Apache Spark on every push; all of it is in `make test-all`."""

# The whole job runs on every push and is compared row by row. These statements it runs not at all, or on new rows only.
TEST_OF = {
    "erasure/merge_erased_ledger": "test_no_file_holds_what_was_erased_once_older_versions_are_removed",
    "ledger/fill_reason_code": "test_older_rows_get_the_reason_code_that_their_sentence_says",
    "ledger/merge_outcomes": "test_outcome_replaces_the_state_and_nothing_that_discovery_knows",
    "runs/merge_run_signs": "test_silent_run_is_recorded_as_killed_and_others_are_returned",
    "ledger/merge_witnesses": "test_another_action_joins_the_witnesses_in_order_and_changes_nothing_else",
    "erasure/select_come_back": "test_what_a_run_stored_meanwhile_is_found",
    "lakehouse/select_current_user": "test_no_file_holds_what_was_erased_once_older_versions_are_removed",
    "erasure/select_erasable": "test_no_file_holds_what_was_erased_once_older_versions_are_removed",
    "erasure/select_erasable_spaces": "test_description_and_configuration_of_a_space_go_and_are_not_read_again",
    "reports/select_backlog": "test_backlog_is_what_a_run_would_ask_for_now",
    "reports/select_forbidden_spaces": "test_forbidden_spaces_are_listed_by_how_many_messages_they_hide",
    "datasets/messages/select_known_users": "test_users_are_known_from_recent_messages",
    "ledger/select_ledger_states": "test_ledger_is_counted_by_workspace_and_state",
    "erasure/select_names_of_person": "test_no_file_holds_what_was_erased_once_older_versions_are_removed",
    "erasures": "test_no_file_holds_what_was_erased_once_older_versions_are_removed",
    "ledger/merge_twins": "test_second_row_of_a_message_goes_and_the_first_learns_what_it_knew",
    "ledger/select_known": "test_members_of_a_deleted_conversation_are_all_its_messages",
    "ledger/select_twins": "test_second_row_of_a_message_goes_and_the_first_learns_what_it_knew",
    "erasure/select_old_messages": "test_old_messages_are_counted_until_they_are_erased",
    "runs/select_recent_runs": "test_instants_keep_their_microseconds_and_come_back_aware",
    "erasure/select_unknown_askers": "test_no_file_holds_what_was_erased_once_older_versions_are_removed",
}
