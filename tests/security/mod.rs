//! What `.github/SECURITY.md` promises: no output has a secret, and nobody on the wire and nothing in a file can do more than
//! be shown.

mod dependencies;
mod hostile;
mod page;
mod secrets;
