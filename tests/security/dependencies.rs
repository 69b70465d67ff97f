//! What poptape is built from: licences that it may have, one source, one TLS, and nothing twice that keeps secrets.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Licences that a program under MIT or Apache-2.0 may have in it.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Where packages come from.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages that must not be there: another TLS, another way to talk to the network, unsafe archives.
const UNWANTED: &[&str] = &["openssl-sys", "native-tls", "aws-lc-sys", "hyper", "reqwest", "curl-sys"];

/// Packages of which there must be one version, since they hold secrets or decide whom to trust.
const ONCE: &[&str] = &["ring", "rustls", "rustls-webpki", "rcgen", "sha2", "hmac", "tokio", "bytes"];

fn packages() -> Vec<Value> {
    // Of this machine's kind alone: for that all is downloaded already.
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = crate::support::text(&rustc.stdout);
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host]);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", crate::support::text(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.filter(|package| package["name"] != "poptape").cloned().collect()
}

/// Whether an SPDX expression can be kept: OR binds less than AND, and parentheses are never nested.
fn may(expression: &str) -> bool {
    if let Some((first, rest)) = expression.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
        return match rest.trim().split_once(' ') {
            Some(("AND", rest)) => may(first) && may(rest),
            Some(("OR", rest)) => may(first) || may(rest),
            _ => rest.is_empty() && may(first),
        };
    }
    let known = |name: &str| LICENCES.contains(&name.split(" WITH ").next().unwrap_or(name).trim());
    // The slash is an old way to write OR.
    expression.replace('/', " OR ").split(" OR ").any(|choice| choice.split(" AND ").all(known))
}

#[test]
fn licences_can_be_kept() {
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(may(licence), "{} is under {licence:?}: see LICENCES", package["name"]);
    }
    assert!(
        !may("GPL-3.0-only")
            && !may("MIT AND AGPL-3.0-only")
            && !may("(MIT OR ISC) AND GPL-2.0-only")
            && !may("")
    );
    assert!(may("GPL-2.0-only OR MIT") && may("(MIT OR Apache-2.0) AND Unicode-3.0"));
}

#[test]
fn all_comes_from_one_registry() {
    for package in packages() {
        assert_eq!(package["source"], SOURCE, "{}", package["name"]);
    }
}

#[test]
fn there_is_one_tls_and_one_of_each_that_keeps_secrets() {
    let mut versions = BTreeMap::<String, Vec<String>>::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap().to_owned();
        assert!(!UNWANTED.contains(&name.as_str()), "{name} is not wanted: see UNWANTED");
        versions.entry(name).or_default().push(package["version"].to_string());
    }
    for name in ONCE {
        let found = versions.get(*name).map_or(0, Vec::len);
        assert_eq!(found, 1, "{name}: {:?}", versions.get(*name));
    }
}

#[test]
fn no_unsafe_code() {
    let manifest = std::fs::read_to_string("Cargo.toml").unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}
