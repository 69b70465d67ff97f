//! The architecture, checked: who may use whom.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each room with the rooms that it may use. Downward only; a new edge is a decision, made here.
const EDGES: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("pop3", &["wire"]),
    ("capture", &["pop3", "wire"]),
    ("recording", &["capture", "pop3", "wire"]),
    ("maildrop", &["pop3", "wire"]),
    ("engine", &["maildrop", "pop3", "wire"]),
    ("render", &["recording", "pop3", "wire"]),
    ("relay", &["recording", "pop3", "wire"]),
    ("replay", &["engine", "recording", "maildrop", "pop3", "wire"]),
    ("sink", &["render", "recording", "pop3", "wire"]),
    ("net", &["sink", "relay", "engine", "recording", "maildrop", "pop3", "wire"]),
    ("testing", &["net", "replay", "relay", "engine", "recording", "maildrop", "pop3", "wire"]),
    (
        "cli",
        &[
            "net",
            "sink",
            "replay",
            "relay",
            "engine",
            "render",
            "recording",
            "capture",
            "maildrop",
            "pop3",
            "wire",
        ],
    ),
];

/// Tokio, sockets and the terminal stay in the shell.
const SHELL: &[&str] = &["net", "testing", "cli"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The room of a file, and its text without comments and tests.
fn room(path: &Path) -> (String, String) {
    let inside = path.strip_prefix("src").unwrap();
    let room = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
    let text = std::fs::read_to_string(path).unwrap();
    // Where `mod tests;` stands the tests are a file of their own, and code follows.
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code =
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    (room, code)
}

/// Every name that follows `crate::`, also within braces.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let list = rest.strip_prefix('{').map_or(rest, |inner| inner.split('}').next().unwrap_or_default());
        let parts = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
        for part in parts {
            let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            used.insert(name);
        }
    }
    used
}

#[test]
fn rooms_use_only_what_lies_below_them() {
    let mut rooms = BTreeSet::new();
    for path in files(Path::new("src")) {
        let (room, code) = room(&path);
        if room == "main" || room == "lib" {
            continue;
        }
        let (_, allowed) = EDGES.iter().find(|(name, _)| *name == room).unwrap_or_else(|| {
            panic!("{} is in a room that the table does not know", path.display());
        });
        for used in used(&code) {
            assert!(
                used == room || allowed.contains(&used.as_str()),
                "{} uses crate::{used}, which {room} may not",
                path.display()
            );
        }
        rooms.insert(room);
    }
    assert_eq!(rooms.len(), EDGES.len(), "the table has a room that is not there: {rooms:?}");
}

#[test]
fn the_table_has_no_circle() {
    for (place, (room, allowed)) in EDGES.iter().enumerate() {
        for used in *allowed {
            let below = EDGES.iter().position(|(name, _)| name == used).unwrap();
            assert!(below < place, "{room} may use {used}, which stands above it");
        }
    }
}

#[test]
fn only_the_shell_knows_tokio_and_the_terminal() {
    for path in files(Path::new("src")) {
        let (room, code) = room(&path);
        if SHELL.contains(&room.as_str()) || room == "main" || room == "lib" {
            continue;
        }
        for outside in ["tokio::", "clap", "indicatif", "std::net::Tcp", "Instant::now"] {
            assert!(!code.contains(outside), "{} knows {outside}", path.display());
        }
        assert!(room == "render" || !code.contains("colored::"), "{} knows colour", path.display());
    }
}

#[test]
fn the_map_names_every_room() {
    let map = std::fs::read_to_string("src/lib.rs").unwrap();
    for (room, _) in EDGES {
        assert!(map.contains(&format!("`{room}`")) || map.contains(&format!("[`{room}`]")), "{room}");
    }
}
