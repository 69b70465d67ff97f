//! The rules that bind a server, those that say MUST or SHOULD, and the test that proves each of them. Beside a
//! test may stand what it leaves out, and why.

/// The rules' numbers, section by section.
#[rustfmt::skip]
const SERVER: &[u16] = &[
    // Lines and framing.
    2, 6, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21,
    // Connection, greeting, timer.
    22, 24, 25, 26, 27, 28,
    // States and locking.
    30, 32, 33, 34, 35, 36, 37,
    // AUTHORIZATION.
    40, 42, 43, 46, 47, 48,
    // TRANSACTION.
    51, 52, 53, 54, 56, 57, 58, 59, 60, 63, 64, 66, 67, 69, 70, 71, 73, 74, 75, 76, 77, 78,
    // UPDATE.
    81, 82, 83,
    // CAPA and response codes.
    87, 88, 89, 91, 92, 93, 94, 95, 97, 98, 99, 100,
    // AUTH.
    101, 103, 104, 107, 108, 109, 110, 111, 112, 114, 115, 116, 119, 120, 121,
    // TLS.
    124, 125, 127, 130,
    // UTF8 and LANG.
    132, 133, 134,
];

/// How a rule is proven.
struct Proof {
    rule: u16,
    /// The test.
    test: &'static str,
    /// What of the rule it leaves out, and why; empty: nothing.
    but: &'static str,
}

const fn by(rule: u16, test: &'static str) -> Proof {
    Proof { rule, test, but: "" }
}

const fn but(rule: u16, test: &'static str, but: &'static str) -> Proof {
    Proof { rule, test, but }
}

const TABLE: &[Proof] = &[
    by(2, "p3_002_lines_and_statuses"),
    by(6, "p3_006_keywords_have_no_case"),
    by(9, "p3_009_long_commands"),
    by(10, "p3_010_status_lines_are_short"),
    by(11, "p3_002_lines_and_statuses"),
    by(12, "p3_012_status_lines_are_ascii"),
    by(13, "p3_013_a_body_that_breaks_off_has_no_end"),
    by(14, "p3_014_dots"),
    by(15, "p3_002_lines_and_statuses"),
    by(16, "p3_016_nothing_unasked"),
    by(18, "p3_018_a_large_batch_is_answered_in_turns"),
    by(19, "p3_019_refusals"),
    by(20, "p3_064_numbers_out_of_range"),
    but(21, "p3_132_messages_that_need_utf8", "8-bit bodies are sent on purpose, as every server does"),
    by(22, "p3_025_the_timestamp_differs"),
    by(24, "p3_046_apop"),
    but(25, "p3_025_the_timestamp_differs", "that nonces differ is the caller's promise (Birth)"),
    by(26, "p3_026_silence_ends_the_session"),
    by(27, "p3_027_silence_before_login"),
    by(28, "p3_081_update"),
    by(30, "p3_030_commands_of_the_other_state"),
    by(32, "p3_032_a_way_to_log_in"),
    by(33, "p3_033_a_maildrop_is_open_once"),
    by(34, "p3_058_deleted_messages_are_nowhere"),
    by(35, "p3_035_sessions_follow_the_model"),
    by(36, "p3_035_sessions_follow_the_model"),
    by(37, "p3_037_a_failed_login_may_be_repeated"),
    by(40, "p3_040_pass_follows_user"),
    by(42, "p3_042_names_are_not_given_away"),
    by(43, "p3_043_quit_before_login"),
    by(46, "p3_046_apop"),
    by(47, "p3_046_apop"),
    but(48, "p3_048_digests_only", "only of users whom the policy names"),
    by(51, "p3_051_stat_and_list_say_no_more"),
    by(52, "p3_051_stat_and_list_say_no_more"),
    by(53, "p3_058_deleted_messages_are_nowhere"),
    by(54, "p3_035_sessions_follow_the_model"),
    by(56, "p3_051_stat_and_list_say_no_more"),
    by(57, "p3_057_an_empty_maildrop"),
    by(58, "p3_058_deleted_messages_are_nowhere"),
    by(59, "p3_059_sizes_are_true"),
    by(60, "p3_059_sizes_are_true"),
    by(63, "p3_058_deleted_messages_are_nowhere"),
    by(64, "p3_064_numbers_out_of_range"),
    by(66, "p3_066_noop_and_rset"),
    by(67, "p3_058_deleted_messages_are_nowhere"),
    by(69, "p3_069_top"),
    by(70, "p3_069_top"),
    by(71, "p3_035_sessions_follow_the_model"),
    by(73, "p3_073_unique_ids"),
    by(74, "p3_073_unique_ids"),
    by(75, "p3_075_ids_survive"),
    but(76, "p3_075_ids_survive", "an id made from content comes back with the same content"),
    by(77, "p3_075_ids_survive"),
    by(78, "p3_035_sessions_follow_the_model"),
    by(81, "p3_081_update"),
    by(82, "p3_081_update"),
    by(83, "p3_083_quit_ends_the_session_even_where_update_fails"),
    by(87, "p3_087_capabilities"),
    by(88, "p3_088_lines"),
    by(89, "p3_089_the_list_stays"),
    by(91, "p3_088_lines"),
    by(92, "p3_092_what_is_announced_works"),
    by(93, "p3_094_a_login_that_comes_too_soon"),
    by(94, "p3_094_a_login_that_comes_too_soon"),
    by(95, "p3_089_the_list_stays"),
    by(97, "p3_088_lines"),
    but(98, "p3_098_codes_are_well_formed_or_absent", "a text of the policy's is sent as it was set"),
    by(99, "p3_099_codes_of_a_login"),
    by(100, "p3_100_auth_is_said_of_every_credential"),
    by(101, "p3_101_challenges"),
    by(103, "p3_103_the_client_cancels"),
    by(104, "p3_104_base64_is_strict"),
    by(107, "p3_107_long_responses"),
    by(108, "p3_101_challenges"),
    by(109, "p3_109_an_initial_response_out_of_place"),
    by(110, "p3_110_auth_that_is_not_for_now"),
    by(111, "p3_111_the_last_challenge_is_answered_by_an_empty_line"),
    by(112, "p3_112_a_refused_auth_leaves_no_trace"),
    by(114, "p3_089_the_list_stays"),
    by(115, "p3_115_no_password_in_clear"),
    by(116, "p3_116_names_of_mechanisms"),
    by(119, "p3_119_cram_md5"),
    by(120, "p3_120_scram"),
    but(121, "p3_121_oauthbearer", "a server without TLS takes tokens in clear, as it does passwords"),
    by(124, "p3_124_octets_behind_stls"),
    by(125, "p3_125_nothing_in_clear_after_stls"),
    by(127, "p3_127_stls_is_for_once_and_before_login"),
    but(130, "p3_130_implicit_tls", "version, certificate and close_notify are the transport's"),
    by(132, "p3_132_messages_that_need_utf8"),
    but(133, "p3_133_messages_in_utf8_mode", "a message that calls itself binary is served as it is stored"),
    by(134, "p3_134_lang"),
];

/// Where the tests are.
const SOURCES: [&str; 12] = [
    include_str!("capabilities.rs"),
    include_str!("codes.rs"),
    include_str!("framing.rs"),
    include_str!("limits.rs"),
    include_str!("login.rs"),
    include_str!("mail.rs"),
    include_str!("mechanisms.rs"),
    include_str!("model.rs"),
    include_str!("sasl.rs"),
    include_str!("scram.rs"),
    include_str!("stls.rs"),
    include_str!("utf8.rs"),
];

/// A test's name and the comment above it; None where there is no such test.
fn test(name: &str) -> Option<String> {
    let head = format!("fn {name}(");
    let source = SOURCES.iter().find(|source| source.contains(&head))?;
    let before = &source[..source.find(&head)?];
    let start = before.rfind("\n\n").unwrap_or_default();
    before[start..].contains("#[test]").then(|| format!("{}{name}", &before[start..]))
}

#[test]
fn every_rule_that_binds_a_server_is_proven() {
    let numbers: Vec<_> = TABLE.iter().map(|proof| proof.rule).collect();
    assert_eq!(numbers, SERVER);
    for proof in TABLE {
        let text = test(proof.test).unwrap_or_else(|| panic!("there is no test {}", proof.test));
        let named = [format!("P3-{:03}", proof.rule), format!("p3_{:03}", proof.rule)];
        let named = named.iter().any(|number| text.contains(number.as_str()));
        assert!(named, "{} does not say that it proves P3-{:03}", proof.test, proof.rule);
    }
    let partly = TABLE.iter().filter(|proof| !proof.but.is_empty()).count();
    assert!(partly * 10 <= TABLE.len(), "{partly} rules are proven in part only");
}

/// A number in a test's name or comment is one of a rule that there is.
#[test]
fn no_test_names_a_rule_that_is_not() {
    for source in SOURCES {
        for rest in ["P3-", "p3_"].iter().flat_map(|prefix| source.split(prefix).skip(1)) {
            let number = rest.get(..3).and_then(|number| number.parse::<u16>().ok());
            assert!(number.is_some_and(|number| (1..=135).contains(&number)), "{}", &rest[..20]);
        }
    }
}
