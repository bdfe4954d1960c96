"""Each defence of docs/security.md stops at least three variants of what it is for, written by somebody who knows it:
other calls, other features of the language, other ways to the same end, and not the same one spelled otherwise.

Which they are stands here, and that each of them is tested. A defence that is added to the document needs its own.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.evaluator.cheats.corpus import CORPUS

ROOT = Path(__file__).parents[2]
CHEATS = {each.name for each in CORPUS}

# Each defence: its variants, cheats of the corpus or tests as FILE::TEST, with the variant in it if it has many.
VARIANTS: dict[str, tuple[str, ...]] = {
    "The score is ours.": (
        "claims/patches_cross_entropy",
        "claims/searches_the_callers_frames",
        "protocol/sends_the_score_itself",
        "protocol/speaks_for_the_shim",
        "numbers/a_tensor_that_lies",
        # command tasks: what is produced, what is called, and how long that takes
        "evaluator/test_produce.py::test_no_cheat_of_these_has_an_effect[printed later]",
        "evaluator/test_produce.py::test_no_cheat_of_these_has_an_effect[another output folder]",
        "evaluator/test_call.py::test_a_wrong_answer_stays_one_whatever_is_printed[answers by other types]",
        "evaluator/test_call.py::test_who_patches_what_it_can_reach_gives_no_answer_or_a_wrong_one",
        "evaluator/test_call.py::test_work_elsewhere_makes_nothing_quicker[works for all calls in its first]",
        "evaluator/test_call.py::test_work_elsewhere_makes_nothing_quicker[lets children of children work]",
        "evaluator/test_call.py::test_between_two_calls_everything_in_the_jail_stands_still[first thread has ended]",
        "evaluator/test_handover.py::test_everything_else_is_refused[linked_twice]",
    ),
    "No looking ahead.": (
        "ahead/norm_over_time",
        "ahead/fourier_mixing",
        "ahead/other_rows",
        "learning/remembers_in_the_random_numbers",
        "learning/remembers_in_its_own_code",
        "shipping/ships_something_else_the_second_time",
        "shipping/reads_the_audits_messages",
    ),
    "Audits add up.": (
        "peeks/one_place_in_500_to_nothing",
        "peeks/frequent_tokens_only",
        "peeks/late_rows_only",
        "bot/test_audits.py::test_a_small_gain_everywhere_is_found_together_that_no_single_audit_may_refuse",
        "bot/test_audits.py::test_taking_the_base_in_removes_no_peek",
    ),
    "Targets that no run is ever shown.": (
        "evaluator/test_cuts.py::test_cheats_by_somebody_who_knows_of_cuts_are_refused[only in rows that read on]",
        "evaluator/test_cuts.py::test_cheats_by_somebody_who_knows_of_cuts_are_refused[only in every second row]",
        "evaluator/test_cuts.py::test_cheats_by_somebody_who_knows_of_cuts_are_refused[next token is a likely one]",
        "evaluator/test_cuts.py::test_no_jail_can_read_the_secret_even_if_it_is_shown_the_folder_around",
        "evaluator/test_cuts.py::test_a_place_that_another_row_shows_is_no_cut",
        "actions/test_cuts.py::test_an_artifact_that_somebody_elses_run_left_is_not_looked_at",
    ),
    "Sealed before the exam.": (
        "carrying/validation_tokens_as_fractions",
        "evaluator/heldout/test_leak.py::test_held_out_text_is_seen_in_any_disguise[xz in base85]",
        "evaluator/heldout/test_leak.py::test_held_out_text_is_seen_in_any_disguise[backwards]",
        "reading/byte_code",
        "reading/the_modules_themselves",
        "telling/weighs_what_it_is_asked",
        "telling/names_files_after_it",
        "telling/ends_with_a_number",
    ),
    "The clock is ours,": (
        "hours/trains_while_views_of_padding_are_shipped",
        "hours/trains_in_the_last_warm_up_batch",
        "hours/trains_in_orphans",
        "hours/trains_while_its_parameters_are_counted",
        "hours/pretends_to_compile",
    ),
    "The jail.": (
        "escaping/by_mounts",
        "escaping/by_other_users_programs",
        "reading/the_memory_of_others",
        "planting/start_up_files_of_python",
        "breaking/leaves_a_family_behind",
        "evaluator/jail/test_seccomp.py::test_foreign_system_calls_kill",
        "evaluator/jail/test_seccomp.py::test_without_the_filter_there_are_no_user_namespaces_either",
    ),
    "A second jail, for containers": (
        "evaluator/jail/test_landlock.py::test_the_filter_decides_by_what_landlock_holds",
        "evaluator/jail/test_landlock.py::test_what_a_jail_leaves_is_out_of_the_next_one_s_sight",
        "evaluator/jail/test_ends.py::test_what_the_command_leaves_behind_ends_with_it[setsid]",
        "evaluator/jail/test_ends.py::test_what_the_command_leaves_behind_ends_with_it[first thread has ended]",
        "evaluator/test_floods.py::test_sockets_in_flight_are_counted_without_a_network_of_the_jail_s_own",
    ),
    "What two jails share tells little.": (
        "channels/by_names_looked_up_in_vain",
        "channels/by_page_faults_that_wait",
        "channels/by_locks_of_open_files",
        "channels/by_counters_of_the_machine",
        "channels/by_numbers_of_new_objects",
        "evaluator/jail/test_channels.py::test_nothing_tells_what_is_cached_without_a_clock[without waiting]",
        "evaluator/jail/test_channels.py::test_nothing_tells_what_is_cached_without_a_clock[sys/fs/quota]",
    ),
    "One bound that binds.": (
        "evaluator/test_floods.py::test_memory_of_every_kind_ends_within_its_bound[pipes in flight]",
        "evaluator/test_floods.py::test_memory_of_every_kind_ends_within_its_bound[pipes in sockets in flight]",
        "evaluator/test_floods.py::test_memory_of_every_kind_ends_within_its_bound[connections that nobody takes]",
        "evaluator/test_floods.py::test_memory_of_every_kind_ends_within_its_bound[first thread has ended]",
        "evaluator/test_floods.py::test_memory_of_every_kind_ends_within_its_bound[files of which a page is mapped]",
        "evaluator/test_floods.py::test_memory_of_every_kind_ends_within_its_bound[lines in terminals]",
        "evaluator/test_floods.py::test_memory_of_every_kind_ends_within_its_bound[groups that sockets are in]",
        "evaluator/test_floods.py::test_what_nobody_could_count_is_refused[descriptors that belong to a thread alone]",
        "evaluator/test_floods.py::test_threads_and_processes_end_within_their_bound",
    ),
    "The mechanism host.": (
        "evaluator/jail/test_hosting.py::test_it_reaches_nothing_but_python_numpy_and_its_question[our own process]",
        "evaluator/jail/test_hosting.py::test_it_reaches_nothing_but_python_numpy_and_its_question[host's accounts]",
        "evaluator/jail/test_hosting.py::test_it_reaches_nothing_but_python_numpy_and_its_question[more time]",
        "evaluator/jail/test_hosting.py::test_what_gives_no_answer_is_named[answers what it was not asked]",
    ),
    "What lands is what was tested": (
        "bot/test_scope.py::test_more_than_an_editable_file_is_refused_before_a_second_of_training[no plain files]",
        "bot/test_scope.py::test_what_a_tree_hides_from_its_diff",
        "bot/test_scope.py::test_folders_that_git_or_the_bot_obeys",
        # rules: data, processes, seeds
        "bot/test_review.py::test_embedded_data[in pieces, each of which is small]",
        "bot/test_review.py::test_processes_are_not_started_by_any_name[shutil.os.execv]",
        "bot/test_review.py::test_processes_are_not_started_by_any_name[torch.multiprocessing.spawn]",
        "bot/test_review.py::test_processes_are_not_started_by_any_name[from os import popen as p]",
        "bot/test_review.py::test_seeds_stay[torch.random.manual_seed(hash(NAME))]",
        # marks: functions of the system, clocks
        "bot/test_looks.py::test_what_can_listen_to_others_is_for_a_human_to_look_at[os handed to a function]",
        "bot/test_looks.py::test_what_can_listen_to_others_is_for_a_human_to_look_at[os by way of two]",
        "bot/test_looks.py::test_what_can_listen_to_others_is_for_a_human_to_look_at[a module out of globals]",
        "bot/test_looks.py::test_what_can_listen_to_others_is_for_a_human_to_look_at[a clock in a function]",
        "bot/test_looks.py::test_what_can_listen_to_others_is_for_a_human_to_look_at[a clock that is entered]",
        "bot/test_looks.py::test_what_can_listen_to_others_is_for_a_human_to_look_at[a clock around a link]",
    ),
    "Text is data.": (
        "bot/test_hostile_texts.py::test_texts_are_read_and_do_nothing_else",
        "bot/test_text.py::test_no_text_closes_its_fence",
        "bot/test_text.py::test_a_diff_forges_no_line_and_hides_none",
        "bot/test_hostile_texts.py::test_git_takes_no_line_of_a_message_for_something_else",
        "bot/test_hostile_texts.py::test_a_table_of_results_calculates_nothing",
    ),
    "Credentials": (
        "bot/test_transcript.py::test_credentials_of_the_environment_are_taken_out[base64]",
        "bot/test_text.py::test_a_redacted_credential_is_not_put_together_again",
        "bot/test_hostile_texts.py::test_a_credential_split_by_what_a_terminal_leaves_out_stays_split",
        "bot/test_hostile_texts.py::test_a_credential_is_taken_out_before_anything_is_cut_fenced_or_shown",
    ),
    "Commands": (
        "actions/test_inputs.py::test_a_bad_input_is_named_in_one_line[$(touch reached)]",
        "actions/test_inputs.py::test_no_input_is_evaluated[%0A::stop-commands::x]",
        "actions/test_inputs.py::test_the_runners_python_is_a_program_and_nothing_else",
        "bot/test_handover.py::test_what_is_handed_over_is_checked[another name or seed]",
        "bot/test_handover.py::test_what_is_handed_over_is_checked[larger than]",
    ),
    "Nothing is lost or doubled.": (
        "bot/test_interruption.py",
        "bot/test_handover.py::test_a_lost_job_is_made_up_for_and_a_repeated_one_changes_nothing",
        "bot/test_github_faults.py",
    ),
}


def defences() -> list[str]:
    """Return what stands in bold at the head of each promise of the document."""
    text = (ROOT / "docs" / "security.md").read_text()
    holds = text[text.index("## What holds against the candidate") : text.index("## What does not hold")]
    return re.findall(r"^- \*\*(.+?)\*\*", holds, re.MULTILINE)


def test_each_defence_has_its_variants() -> None:
    assert sorted(defences()) == sorted(VARIANTS)
    for name, variants in VARIANTS.items():
        assert len(set(variants)) == len(variants) >= 3, name


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_is_tested(name: str) -> None:
    for each in VARIANTS[name]:
        if each in CHEATS:
            continue
        file, _, rest = each.partition("::")
        test, _, variant = rest.partition("[")
        source = ROOT / "tests" / file
        assert source.is_file(), each
        text = source.read_text()
        assert not test or f"\ndef {test}" in text, each
        assert variant.removesuffix("]") in text, each
