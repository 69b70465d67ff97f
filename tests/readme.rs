//! The README: its screens, its sample file and its table are what the program really says.
//! `UPDATE_EXPECT=1` rewrites them.

use std::fmt::Write as _;

use poptape::engine::{PERSONALITIES, Profile, Text, WORDING};
use poptape::pop3::command::COMMANDS;

use crate::support::{run, text};

/// What stands between a marker and the end of the block that follows it.
fn filled(readme: &str) -> String {
    let mut out = String::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        writeln!(out, "{line}").unwrap();
        let marker = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        match marker.map(|marker| marker.split_once(": ").unwrap_or((marker, ""))) {
            Some(("screen", command)) => {
                let screen =
                    text(&run(&words(command).iter().map(String::as_str).collect::<Vec<_>>()).stdout);
                fence(&mut out, &mut lines, &format!("$ poptape {command}\n{screen}"));
            }
            Some(("personalities", _)) => {
                out.push_str("\n| personality | |\n| --- | --- |\n");
                for row in PERSONALITIES {
                    writeln!(out, "| `{}` | {} |", row.name, row.what).unwrap();
                }
                rest_of_table(&mut out, &mut lines);
            }
            Some(("wording", _)) => {
                out.push_str("\n| situation | text |\n| --- | --- |\n");
                for row in WORDING {
                    let text = match row.text {
                        Text::Is("") => "(none)".to_owned(),
                        Text::Is(text) => format!("`{text}`"),
                        Text::As(other) => format!("as `{}`", WORDING[other as usize].name),
                    };
                    writeln!(out, "| `{}` | {text} |", row.name).unwrap();
                }
                rest_of_table(&mut out, &mut lines);
            }
            Some(("file", path)) => fence(&mut out, &mut lines, &std::fs::read_to_string(path).unwrap()),
            Some(("commands", _)) => {
                out.push_str("\n| command | arguments | defined in |\n| --- | --- | --- |\n");
                for row in COMMANDS {
                    let syntax = row.syntax.replace('|', "or");
                    writeln!(out, "| `{}` | {syntax} | {} |", row.name, row.reference).unwrap();
                }
                rest_of_table(&mut out, &mut lines);
            }
            _ => {}
        }
    }
    out
}

fn fence<'a>(out: &mut String, lines: &mut impl Iterator<Item = &'a str>, content: &str) {
    let opening = lines.next().unwrap();
    assert!(opening.starts_with("```"), "{opening}");
    write!(out, "{opening}\n{content}").unwrap();
    let closing = lines.find(|line| *line == "```").unwrap();
    writeln!(out, "{closing}").unwrap();
}

/// Goes on behind the table that was there.
fn rest_of_table<'a>(out: &mut String, lines: &mut impl Iterator<Item = &'a str>) {
    out.push('\n');
    let of_table = |line: &&str| line.is_empty() || line.starts_with('|');
    writeln!(out, "{}", lines.by_ref().find(|line| !of_table(line)).unwrap()).unwrap();
}

/// As a shell splits them; only single quotes are known.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in command.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_readme_says_what_the_program_says() {
    let path = std::env::current_dir().unwrap().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    expect_test::expect_file![path].assert_eq(&filled(&readme));
}

/// The example in Rust.
#[path = "readme/tea.rs"]
mod tea;

/// The one with TLS.
#[path = "readme/secure.rs"]
mod secure;

/// Commands that the README has on lines of their own, run as they stand there.
#[test]
fn the_examples_for_test_suites_work() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let mut count = 0;
    for line in readme.lines().filter(|line| line.contains(" tests/readme/")) {
        let Some(command) = line.strip_prefix("    poptape ") else { continue };
        let output = run(&words(command).iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{command}: {}{}", text(&output.stdout), text(&output.stderr));
        count += 1;
    }
    assert_eq!(count, 2);
    // They fail where they should: the same suites against no mail at all.
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    for suite in [&["pytest", "-q", "tests/readme/test_tea.py"][..], &["sh", "tests/readme/tea.sh"]] {
        let serve = ["serve", "--user", "any", "-l", "127.0.0.1:0", "--quiet", folder, "--"];
        assert_eq!(run(&[&serve[..], suite].concat()).status.code(), Some(1), "{suite:?}");
    }
}

/// What serde says of a member that does not exist lists those that do.
#[test]
fn the_profile_has_every_setting() {
    // Each setting begins a line, the first one too.
    let profile = format!("\n{}", std::fs::read_to_string("tests/readme/profile.toml").unwrap());
    Profile::parse(&profile, None).unwrap();
    for table in ["", "[capabilities]", "[quirks]"] {
        let error = Profile::parse(&format!("{table}\nno-such-setting = 1"), None).unwrap_err().to_string();
        let names: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert!(names.len() > 3, "{error}");
        for name in names {
            assert!(
                profile.contains(&format!("\n{name} = ")) || profile.contains(&format!("[{name}]")),
                "{name}"
            );
        }
    }
}

#[test]
fn the_changelog_is_kept() {
    let changelog = std::fs::read_to_string("CHANGELOG.md").unwrap();
    assert!(changelog.contains("## Unreleased") || changelog.contains(env!("CARGO_PKG_VERSION")));
}
