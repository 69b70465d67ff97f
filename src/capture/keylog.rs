//! The key log: secrets of TLS sessions as clients and servers write them for whoever debugs (`SSLKEYLOGFILE`).

/// Secrets by the random octets of the client's hello.
#[derive(Debug, Clone, Default)]
pub struct KeyLog {}

impl KeyLog {
    /// Takes the lines of a key log; gives how many of them were secrets.
    pub fn add(&mut self, text: &[u8]) -> usize {
        let _ = text;
        0
    }
}
