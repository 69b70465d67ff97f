//! Writes what the fuzz targets begin with.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use poptape_fuzz::{TARGETS, seeds};

#[path = "../../../captures/files.rs"]
mod files;

fn main() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..");
    for (target, _) in TARGETS {
        let folder = here.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (name, octets) in seeds::of(target, &root)? {
            fs::write(folder.join(name), octets)?;
        }
    }
    // A small capture of every kind.
    let folder = here.join("corpus/capture");
    for (name, file) in files::every() {
        fs::write(folder.join(name), file)?;
    }
    // Sessions in TLS with the block of secrets that opens them.
    match fs::copy(root.join("recordings/curl-dovecot.pcapng"), folder.join("tls")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        copied => copied.map(drop),
    }
}
