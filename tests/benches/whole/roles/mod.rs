//! What the benchmark's own binary is when it is started again as a process of its own.

pub mod copy;
pub mod upstream;

/// Says where a role listens, as poptape does.
fn ready(address: std::net::SocketAddr) {
    eprintln!("ready pop3://{address}");
}
