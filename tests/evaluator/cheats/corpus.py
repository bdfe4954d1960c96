"""The corpus of cheats at a glance: what each one tries, and which defence has to speak.

Each line is a train.py in the folder beside this file. Run by itself, with nobody to watch it, nearly every one
of them prints a better score than it deserves; an evaluator must either refuse it, by the defence that is named
here, or give it the score that it would have got without its trick ("no effect").

    jail      what it wanted was out of sight or out of reach
    limits    memory, processes, files, time of the whole run
    clock     more training than the budget, wherever it hid, with the honest model as the reference
    protocol  messages out of order or forged, a second question
    audit     looks ahead, remembers, learns, is not the model that was handed in
    scoring   logits that are no numbers, or not those that were asked for
    leak      carries held-out text in its file
    crash     it stumbles over what is not there, as honest mistakes do
    rare      it gains so little at so few places that one audit may let it pass: what many audits together are for

Many have an honest twin in `tests/evaluator/honest/twins`: it does the same for a good reason, and is scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_EFFECT = "no effect"
RARE = "rare"
CRASH = "crash"
AUDIT, CLOCK, JAIL, LEAK = "audit", "clock", "jail", "leak"
LIMITS, PROTOCOL, SCORING = "limits", "protocol", "scoring"

FOLDER = Path(__file__).parent
# What CI tries by other tests than a whole run for each, below `tests/evaluator`.
ELSEWHERE = {
    "reading": ("jail/test_escape.py", "jail/test_landlock.py"),
    "escaping": ("jail/test_escape.py", "jail/test_seccomp.py", "jail/test_landlock.py"),
    "breaking": ("test_floods.py", "test_failures.py", "jail/test_ends.py"),
    "channels": ("jail/test_channels.py", "test_audit.py"),
    "peeks": ("test_audit.py",),
    "hours": ("test_reference.py", "test_training.py", "test_failures.py"),
}

CPU_SECOND = {"budget": {"kind": "cpu", "amount": 1}}
WALL_SECONDS = {"budget": {"kind": "wall", "amount": 3}}
LONG_EXAM = {"evaluation_seconds": 600}
SHORT_EXAM = {"evaluation_seconds": 6}
SHORT_TRAINING = {"timeout_seconds": 6}
LITTLE_MEMORY, SOME_MEMORY = {"memory_mb": 1000}, {"memory_mb": 2500}
LITTLE_SCRATCH = {"scratch_mb": 64}


@dataclass(frozen=True)
class Cheat:
    """One candidate: `name` is its file, `caught` how it may end, where several ways are right.

    `settings` differ from those of the others where it attacks a limit. `alone` tells that by `python train.py`,
    without an evaluator, it prints a better score; the others attack an evaluator from inside, or would harm the
    machine. `runs` is how often it must run to gain. One of each folder stands for the others in
    the long tests of CI: the one that is `in_ci`, unless other tests stand for the folder: `ELSEWHERE`.
    `gains` says in a line why nothing catches it yet. `most` is how much better it may score, in bits per byte, where
    one audit may let it pass. `twin` is the file of its honest twin. With `by_delay` it listens to the kernel's caches,
    which only a control group empties; `cold` are those that need files that nobody has read.
    """

    name: str
    tries: str
    caught: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False
    runs: int = 1
    in_ci: bool = False
    gains: str = ""
    most: float = 0.0
    twin: str = ""
    by_delay: bool = False
    cold: bool = False

    @property
    def source(self) -> Path:
        return FOLDER / f"{self.name}.py"


def alone(name: str, tries: str, *caught: str, **more: Any) -> Cheat:
    return Cheat(name, tries, caught, alone=True, **more)


def inside(name: str, tries: str, *caught: str, **more: Any) -> Cheat:
    return Cheat(name, tries, caught, alone=False, **more)


# fmt: off
CORPUS = (
    # Numbers that are said, not earned
    alone("claims/prints_a_better_score", "prints a score before, after and at exit", NO_EFFECT),
    alone("claims/forges_events_and_results", "prints events, leaves result files", NO_EFFECT, in_ci=True),
    alone("claims/never_asks", "prints a score and never evaluates", PROTOCOL, CRASH),
    alone("claims/reports_a_smaller_loss", "returns a tenth of its loss", NO_EFFECT),
    alone("claims/skips_what_is_hard", "counts hard tokens as padding", NO_EFFECT),
    alone("claims/reads_the_targets_it_is_given", "answers from the targets that come with a loss", NO_EFFECT),
    alone("claims/searches_the_callers_frames", "takes targets from its callers' variables", NO_EFFECT),
    alone("claims/patches_cross_entropy", "replaces cross_entropy and its kin in torch", NO_EFFECT),
    alone("claims/patches_numbers", "replaces logarithms, numpy and Tensor.item", NO_EFFECT),
    alone("claims/patches_what_is_loaded", "replaces torch.load, torch.tensor and json", NO_EFFECT),
    alone("claims/changes_the_locked_module", "rewrites prepare and the tokenizer in memory", NO_EFFECT),
    inside("claims/says_it_by_every_hook", "has Python say a score at each end and event", NO_EFFECT, PROTOCOL, CRASH),
    # Reading what is held out
    alone("reading/the_prepared_data", "looks for prepared data in every cache", NO_EFFECT),
    inside("reading/the_rows_of_the_scorer", "looks for the rows that the scorer exported", NO_EFFECT),
    alone("reading/without_mercy", "opens the prepared data, and ends where it is not there", JAIL, CRASH),
    alone("reading/sources_of_the_modules", "reads the held-out modules in the library", NO_EFFECT),
    alone("reading/the_modules_themselves", "imports them, asks inspect, loaders and children", NO_EFFECT),
    inside("reading/byte_code", "takes docstrings out of their byte code", NO_EFFECT),
    alone("reading/the_locked_module", "asks prepare for the other splits, in disguise", NO_EFFECT),
    alone("reading/other_processes", "follows /proc/*/environ, maps, fd, root and cwd", NO_EFFECT),
    inside("reading/its_own_descriptors", "reads and maps every open descriptor", NO_EFFECT),
    alone("reading/its_environment", "opens whatever a variable names", NO_EFFECT),
    inside("reading/the_memory_of_others", "traces processes and reads their memory", NO_EFFECT),
    alone("reading/shared_memory_of_others", "reads /dev/shm and System V segments", NO_EFFECT),
    alone("reading/the_network", "asks loopback, unix and abstract sockets, and DNS", NO_EFFECT),
    alone("reading/the_network_without_mercy", "connects, and ends where nobody answers", JAIL, CRASH),
    alone("carrying/validation_text", "holds validation text as a string", LEAK, in_ci=True),
    alone("carrying/validation_text_packed", "holds it packed, in base 85", LEAK),
    alone("carrying/validation_text_in_pieces", "holds it in a list of words", LEAK),
    alone("carrying/validation_text_as_numbers", "holds it as characters' numbers", LEAK),
    alone("carrying/validation_tokens", "holds it as token ids", LEAK),
    inside("carrying/vault_text_that_nothing_reads", "holds vault text for whoever comes next", LEAK),
    # Looking at later tokens
    alone("ahead/no_mask", "attends to every position", AUDIT, in_ci=True),
    alone("ahead/mask_off_by_one", "masks from the position after the next", AUDIT),
    alone("ahead/blocks_seen_whole", "compares blocks instead of positions", AUDIT),
    alone("ahead/symmetric_convolution", "pads a convolution on both sides", AUDIT),
    alone("ahead/norm_over_time", "normalizes over the positions", AUDIT),
    alone("ahead/reversed_gru", "adds a recurrence from the end, with a small weight", AUDIT),
    alone("ahead/sums_from_the_end", "takes the difference of reversed sums", AUDIT),
    alone("ahead/fourier_mixing", "shifts by a filter over frequencies", AUDIT),
    alone("ahead/the_next_token_itself", "makes logits of the rolled input", AUDIT),
    alone("ahead/every_16th_position", "looks ahead at a few positions", AUDIT),
    alone("ahead/some_rows", "looks ahead in some rows", AUDIT),
    alone("ahead/every_third_batch", "looks ahead in some batches", AUDIT),
    alone("ahead/only_real_text", "looks ahead where a row looks like text", AUDIT),
    # After few steps hardly a place is that wrong, and there is nothing to gain.
    alone("ahead/seldom_and_modestly", "looks ahead where it was most wrong, and stays wrong", AUDIT, NO_EFFECT),
    alone("ahead/other_rows", "expects what followed a token in other rows", AUDIT),
    # Learning and remembering while it is measured
    alone("learning/learns_from_each_batch", "descends the gradient on what it is asked", AUDIT),
    alone("learning/remembers_pairs_of_earlier_batches", "counts pairs of tokens over batches", AUDIT),
    alone("learning/remembers_in_a_file", "keeps what it is asked in its scratch folder", AUDIT, in_ci=True),
    alone("learning/drifts_towards_what_it_saw", "moves a bias with each batch", AUDIT),
    alone("learning/counts_what_the_whole_batch_says", "uses the frequencies of the batch", AUDIT),
    alone("learning/answers_the_same_row_from_memory", "recognizes rows by how they begin", AUDIT),
    # Being another model than the one that was handed in, and telling probes from questions
    alone("shipping/ships_an_honest_twin", "pickles as an honest model", AUDIT),
    alone("shipping/ships_something_else_the_second_time", "pickles differently each time", AUDIT),
    alone("shipping/refuses_to_be_shipped", "can't be pickled", AUDIT, CRASH),
    inside("shipping/acts_when_it_is_unpickled", "runs code wherever it is unpickled", NO_EFFECT),
    alone("shipping/peeks_from_the_third_batch_on", "is honest to whoever asks first", AUDIT),
    alone("shipping/peeks_in_full_batches_only", "is honest to single and repeated rows", AUDIT),
    alone("shipping/peeks_where_a_row_goes_on_as_it_began", "is honest where a row changes its subject", AUDIT),
    alone("shipping/peeks_in_the_process_it_was_trained_in", "is honest in other processes", AUDIT, in_ci=True),
    alone("shipping/whispers_to_its_copy_by_locks", "tells the audit's process what it was asked", AUDIT),
    alone("shipping/whispers_to_its_copy_by_cached_pages", "leaves bits in the page cache", AUDIT),
    inside("shipping/finds_its_row_among_the_others", "lets probes of one row help each other", AUDIT),
    # Numbers and shapes
    alone("numbers/minus_infinity_everywhere_else", "gives all others no chance at all", SCORING, AUDIT),
    alone("numbers/plus_infinity_at_the_next_token", "gives the next token infinity", SCORING, in_ci=True),
    alone("numbers/no_number_where_it_is_hard", "answers NaN where it is unsure", SCORING),
    alone("numbers/numbers_too_large_for_a_sum", "overflows differences", SCORING, AUDIT),
    inside("numbers/fewer_rows_than_were_asked", "answers one row of a batch", SCORING, CRASH),
    inside("numbers/logits_that_stretch", "answers one position, to be broadcast", SCORING, CRASH),
    inside("numbers/a_smaller_vocabulary", "has no logits for half of the tokens", SCORING, CRASH),
    inside("numbers/a_generator_of_logits", "yields rows instead of returning them", SCORING, CRASH),
    inside("numbers/a_tensor_that_lies", "shows a shape it does not have", SCORING, LIMITS, CRASH, settings=SHORT_EXAM),
    alone("numbers/leaves_out_the_last_rows", "asks in batches that do not fit the exam", NO_EFFECT),
    inside("numbers/a_batch_of_everything", "asks for more rows than there are", NO_EFFECT),
    inside("numbers/a_batch_of_nothing", "asks for batches of no rows", PROTOCOL, CRASH),
    inside("numbers/a_negative_batch", "asks for fewer than none", PROTOCOL, CRASH),
    # More training than the budget
    alone("hours/trains_four_times_as_long", "ignores the budget", CLOCK, settings=WALL_SECONDS),
    alone("hours/turns_the_clock_back", "slows Python's clocks down", CLOCK, settings=CPU_SECOND),
    inside("hours/sets_the_clock_of_the_machine", "sets the clock back", CLOCK, settings=WALL_SECONDS),
    alone("hours/trains_before_the_first_batch", "trains on the library first", CLOCK, settings=CPU_SECOND),
    alone("hours/trains_in_the_free_time_before", "the same, on the wall", CLOCK, settings=WALL_SECONDS),
    alone("hours/asks_for_no_batch_at_all", "trains on the library only", CLOCK, PROTOCOL, settings=CPU_SECOND),
    inside("hours/trains_while_it_is_shipped", "trains while pickled", CLOCK, settings=CPU_SECOND),
    inside("hours/trains_while_a_padded_model_is_shipped", "buys time", CLOCK, settings=CPU_SECOND | LONG_EXAM),
    inside("hours/trains_while_many_small_tensors_are_shipped", "by number", CLOCK, settings=CPU_SECOND),
    inside("hours/sleeps_while_it_is_shipped", "waits for a thread that trains", CLOCK, settings=WALL_SECONDS),
    alone("hours/trains_in_the_warm_up", "is slow in its first batches", CLOCK, settings=WALL_SECONDS),
    alone("hours/trains_in_the_last_warm_up_batch", "in the eleventh alone", CLOCK, settings=WALL_SECONDS),
    alone("hours/pretends_to_compile", "trains where compilers are at work", CLOCK, settings=WALL_SECONDS),
    alone("hours/trains_in_the_rehearsal", "trains when it is first asked", CLOCK, LIMITS, settings=CPU_SECOND),
    alone("hours/trains_on_in_a_thread", "leaves a thread training", CLOCK, AUDIT, settings=CPU_SECOND),
    alone("hours/trains_in_children_that_nobody_saw", "forks briefly, often", CLOCK, settings=CPU_SECOND),
    alone("hours/trains_on_in_a_child", "leaves a child training", CLOCK, AUDIT, settings=CPU_SECOND),
    # Leaving something for the next run
    inside("planting/weights_for_the_next_run", "keeps weights everywhere", NO_EFFECT, runs=2),
    inside("planting/weights_in_a_compile_cache", "keeps them beside kernels", NO_EFFECT, runs=2),
    inside("planting/byte_code_of_the_locked_module", "poisons __pycache__", NO_EFFECT, runs=2),
    inside("planting/start_up_files_of_python", "writes sitecustomize and .pth", NO_EFFECT, runs=2, in_ci=True),
    inside("planting/the_repository_itself", "rewrites files, hooks, settings", NO_EFFECT, runs=2),
    inside("planting/a_daemon_with_the_weights", "leaves a daemon that has them", NO_EFFECT, runs=2),
    # Telling what it was asked
    inside("telling/prints_what_it_is_asked", "prints tokens, as progress too", NO_EFFECT, in_ci=True),
    inside("telling/raises_what_it_is_asked", "raises them as an error", CRASH),
    inside("telling/ends_with_a_number", "ends with them as exit status", CRASH),
    inside("telling/names_files_after_it", "names files after them", NO_EFFECT),
    inside("telling/calls_somebody", "sends them by TCP and DNS", NO_EFFECT),
    inside("telling/weighs_what_it_is_asked", "uses memory by what they say", NO_EFFECT),
    # The scorer's messages
    inside("protocol/asks_until_it_likes_the_score", "evaluates three checkpoints", PROTOCOL, in_ci=True),
    inside("protocol/asks_in_a_child_too", "evaluates in a child and again", PROTOCOL),
    inside("protocol/sends_the_score_itself", "sends the scorer's own message", PROTOCOL),
    inside("protocol/sends_logits_before_any_question", "answers before it is asked", PROTOCOL),
    inside("protocol/sends_a_message_without_end", "announces 2^62 bytes and begins", PROTOCOL),
    inside("protocol/sends_half_a_message", "sends half a message", CLOCK, LIMITS, PROTOCOL, settings=SHORT_TRAINING),
    inside("protocol/ships_without_end", "ships a model without end", LIMITS, PROTOCOL, settings=SOME_MEMORY),
    inside("protocol/reports_what_is_no_number", "sends JSON that breaks readers", PROTOCOL),
    inside("protocol/reports_numbers_beyond_all_bounds", "sends numbers of 1,000 digits", PROTOCOL),
    inside("protocol/writes_to_every_descriptor", "writes events to all it has open", PROTOCOL, NO_EFFECT),
    inside("protocol/puts_itself_in_the_shims_place", "replaces the shim", PROTOCOL, CRASH),
    inside("protocol/speaks_for_the_shim", "hands one model in, answers by another", AUDIT),
    inside("protocol/rewrites_answers_it_has_given", "writes while it is read", AUDIT, SCORING),
    # Breaking things
    inside("breaking/kills_everybody", "signals parents, the first process and all", NO_EFFECT),
    inside("breaking/stops_the_scorers_clock", "stops its parent", CLOCK, settings=WALL_SECONDS),
    inside("breaking/a_fork_bomb", "forks until nothing else can", LIMITS, settings={"processes": 64}),
    inside("breaking/a_flood_of_memory", "fills memory by itself", LIMITS, settings=LITTLE_MEMORY),
    inside("breaking/a_flood_of_memory_by_many", "by children, none of them large", LIMITS, settings=LITTLE_MEMORY),
    inside("breaking/a_flood_of_shared_memory", "by files that nobody owns", LIMITS, settings=LITTLE_MEMORY),
    inside("breaking/a_flood_in_flight", "by files that wait in sockets", LIMITS, settings=LITTLE_MEMORY),
    inside("breaking/a_flood_of_threads", "starts 3,000 threads", LIMITS, settings={"processes": 64}),
    inside("breaking/a_flood_of_files", "fills its scratch folder", LIMITS, CRASH, settings=LITTLE_SCRATCH),
    inside("breaking/a_flood_of_tiny_files", "makes 100,000 files", LIMITS, NO_EFFECT, settings=LITTLE_SCRATCH),
    inside("breaking/a_flood_of_words", "prints 300 MB", NO_EFFECT),
    inside("breaking/asks_for_giant_batches", "has others fill memory", NO_EFFECT, LIMITS, CRASH, settings=SOME_MEMORY),
    inside("breaking/deaf_and_asleep", "ignores signals and sleeps", CLOCK, LIMITS, settings={"startup_seconds": 4}),
    inside("breaking/closes_its_outputs", "closes what it prints to", NO_EFFECT),
    inside("breaking/leaves_a_family_behind", "leaves deaf children and daemons", NO_EFFECT),
    inside("breaking/never_stops_answering", "never answers", CLOCK, LIMITS, settings=SHORT_EXAM),
    inside("breaking/goes_on_after_its_score", "never ends", CLOCK, LIMITS, settings=SHORT_EXAM),
    # Getting out
    alone("escaping/by_symlinks", "links to what it may not see", NO_EFFECT),
    inside("escaping/by_mounts", "unmounts, mounts, enters namespaces", NO_EFFECT),
    inside("escaping/by_device_nodes", "makes device nodes, reads disks", NO_EFFECT),
    inside("escaping/by_other_users_programs", "becomes another user", NO_EFFECT),
    inside("escaping/by_settings_of_the_kernel", "writes what the kernel runs", NO_EFFECT),
    inside("escaping/by_the_terminal", "types into terminals", NO_EFFECT),
    # Telling the audit, the next run, the next loop
    inside("channels/by_names_looked_up_in_vain", "asks which missing names the kernel knows", AUDIT, by_delay=True,
           twin="looks_for_what_may_be_there"),
    inside("channels/by_the_delay_of_reads", "times reads of shared files", AUDIT, by_delay=True, cold=True,
           twin="times_its_reads"),
    inside("channels/by_reads_from_the_disk", "counts its reads from the disk", AUDIT, by_delay=True, cold=True,
           twin="counts_its_reads"),
    inside("channels/by_page_faults_that_wait", "counts its page faults", AUDIT, by_delay=True, cold=True,
           twin="maps_its_features"),
    inside("channels/by_locks_of_open_files", "locks that belong to an open file", AUDIT, twin="locks_its_checkpoint"),
    inside("channels/by_abstract_sockets", "names of sockets", AUDIT, twin="talks_to_a_worker"),
    inside("channels/by_shared_segments", "memory by a key and by a name", AUDIT, twin="shares_batches_with_a_child"),
    inside("channels/by_temporary_files", "files where everybody may write", AUDIT, twin="keeps_tables_in_a_file"),
    inside("channels/by_counters_of_the_machine", "how many processes were started", AUDIT,
           twin="says_how_busy_the_machine_is"),
    inside("channels/by_how_long_the_exam_took", "a variant by the clock", AUDIT, RARE, most=0.2,
           twin="says_how_long_it_took"),
    inside("channels/by_numbers_of_new_objects", "a variant by cookies and inodes", AUDIT, RARE, most=0.1,
           twin="talks_to_a_worker"),
    inside("planting/rows_by_names_looked_up", "leaves rows for the next run", NO_EFFECT, runs=2, by_delay=True,
           twin="looks_for_what_may_be_there"),
    inside("planting/weights_beside_kernels_of_every_compiler", "in each one's folder", NO_EFFECT, runs=2,
           twin="writes_to_compile_caches"),
    # Held-out rows in the files that are merged
    alone("carrying/validation_tokens_as_fractions", "holds them as weights", LEAK, twin="favours_frequent_tokens"),
    alone("carrying/validation_tokens_times_something", "holds a multiple of them", LEAK,
          twin="has_defaults_made_in_training"),
    # Memory, in other places
    inside("learning/remembers_in_its_buffers", "counts pairs in a buffer", AUDIT, twin="has_statistics_in_buffers"),
    inside("learning/remembers_in_a_global", "counts pairs in a module", AUDIT, twin="keeps_tables_in_a_global"),
    inside("learning/remembers_in_the_random_numbers", "in torch's generator", AUDIT,
           twin="draws_the_same_numbers_again"),
    inside("learning/remembers_in_its_own_code", "in a function's defaults", AUDIT,
           twin="has_defaults_made_in_training"),
    inside("ahead/even_positions_only", "looks ahead at each second position", AUDIT,
           twin="treats_even_positions_otherwise"),
    inside("shipping/peeks_by_the_order_of_its_batches", "is honest to its first batch", AUDIT,
           twin="notes_its_first_batch"),
    inside("shipping/reads_the_audits_messages", "finds what it is asked for", AUDIT, twin="looks_at_its_callers"),
    # Time, by other ways
    inside("hours/trains_in_children_too_quick_to_be_seen", "in steps of their own", CLOCK, settings=CPU_SECOND,
           twin="prepares_in_children"),
    inside("hours/trains_in_orphans", "in children of children", CLOCK, settings=CPU_SECOND,
           twin="leaves_work_to_a_grandchild"),
    inside("hours/trains_while_its_parameters_are_counted", "just before its end", CLOCK, settings=CPU_SECOND,
           twin="lists_its_own_parameters"),
    inside("hours/trains_while_views_of_padding_are_shipped", "pads with views", CLOCK, settings=CPU_SECOND | LONG_EXAM,
           twin="ships_a_table"),
    inside("hours/trains_while_the_clock_of_steps_runs", "beside slow steps", CLOCK, settings=CPU_SECOND,
           twin="logs_in_a_thread"),
    # Rare peeks. One audit of 256 probes draws them or it does not: what they may gain here is bounded, and noted.
    inside("peeks/one_place_in_500_to_nothing", "1 place in 500, surely", AUDIT, RARE, most=0.02,
           twin="lowers_rare_logits"),
    inside("peeks/one_place_in_1000_evenly", "1 in 1000", AUDIT, RARE, most=0.01, twin="lowers_rare_logits"),
    inside("peeks/the_worst_places_only", "where it was most wrong", AUDIT, RARE, most=0.03, twin="lowers_rare_logits"),
    inside("peeks/frequent_tokens_only", "at tokens that surprise nobody", AUDIT, RARE, most=0.03,
           twin="favours_frequent_tokens"),
    inside("peeks/first_halves_of_rows", "in first halves of rows", AUDIT, RARE, most=0.01,
           twin="has_two_experts_by_position"),
    inside("peeks/late_rows_only", "in the last rows", AUDIT, RARE, most=0.01, twin="notes_its_first_batch"),
    inside("peeks/a_little_everywhere", "less than an answer may differ", AUDIT, twin="lowers_rare_logits"),
)
# fmt: on
