//! The README: its screens, its sample file and its table are what the program really says.
//! `UPDATE_EXPECT=1` rewrites them.

use std::fmt::Write as _;

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
            Some(("file", path)) => fence(&mut out, &mut lines, &std::fs::read_to_string(path).unwrap()),
            Some(("commands", _)) => {
                out.push_str("\n| command | arguments | defined in |\n| --- | --- | --- |\n");
                for row in COMMANDS {
                    let syntax = row.syntax.replace('|', "or");
                    writeln!(out, "| `{}` | {syntax} | {} |", row.name, row.reference).unwrap();
                }
                out.push('\n');
                let rest = lines.by_ref().find(|line| line.starts_with("## ")).unwrap();
                writeln!(out, "{rest}").unwrap();
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

#[test]
fn the_changelog_is_kept() {
    let changelog = std::fs::read_to_string("CHANGELOG.md").unwrap();
    assert!(changelog.contains("## Unreleased") || changelog.contains(env!("CARGO_PKG_VERSION")));
}
