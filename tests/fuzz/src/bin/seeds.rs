//! Writes what the fuzz target begins with: a small capture of every kind.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

#[path = "../../../captures/files.rs"]
mod files;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/capture");
    fs::create_dir_all(&folder)?;
    for (name, file) in files::every() {
        fs::write(folder.join(name), file)?;
    }
    // Sessions in TLS with the block of secrets that opens them.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match fs::copy(root.join("recordings/curl-dovecot.pcapng"), folder.join("tls")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        copied => copied.map(drop),
    }
}
