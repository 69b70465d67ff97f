//! The sample recordings: each one that `recordings/README.md` names shows as expected, and comes back octet
//! for octet when it is written anew.

use std::path::Path;

use crate::support::{poptape, raw, recordings, text};

/// The files that the README names, in its order.
fn samples() -> Vec<String> {
    let readme = std::fs::read_to_string("recordings/README.md").unwrap();
    let named = readme.split('`').skip(1).step_by(2).filter(|word| is_recording(word));
    named.map(str::to_owned).collect()
}

fn is_recording(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "json" || extension == "pcapng")
}

#[test]
fn every_sample_shows_as_expected() {
    for sample in samples() {
        let path = Path::new("recordings").join(&sample);
        let shown = poptape().arg("show").arg(&path).output().unwrap();
        let expected =
            std::env::current_dir().unwrap().join("tests/golden").join(&sample).with_extension("txt");
        let outcome = format!(
            "{}{}exit code {}\n",
            text(&shown.stdout),
            text(&shown.stderr),
            shown.status.code().unwrap()
        );
        expect_test::expect_file![expected].assert_eq(&outcome);
    }
}

#[test]
fn every_sample_comes_back_when_it_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    for sample in samples() {
        let path = Path::new("recordings").join(&sample);
        let again = folder.path().join(&sample);
        poptape().arg("convert").arg(&path).arg(&again).status().unwrap();
        assert_eq!(octets(&again), octets(&path), "{sample}");
    }
}

/// The octets of each side of each session.
fn octets(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let out = format!("{}/", folder.path().join("sessions").display());
    poptape().arg("convert").arg(path).arg(&out).output().unwrap();
    recordings(Path::new(&out)).iter().map(|session| raw(session)).collect()
}

#[test]
fn every_recording_in_the_folder_has_its_story() {
    let named = samples();
    assert!(named.len() > 5, "{named:?}");
    let tracked = std::process::Command::new("git").args(["ls-files", "recordings"]).output().unwrap();
    for path in text(&tracked.stdout).lines().filter(|path| is_recording(path)) {
        let name = Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
        assert!(named.contains(&name), "{name} is not in recordings/README.md");
    }
}
