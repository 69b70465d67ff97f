//! How sessions under TLS end: with `close_notify` (RFC 8446 section 6.1), or cut off.

use super::peer::Secure;
use super::{Listening, Recorded, serving};

type Way = (&'static str, fn(&Listening) -> Secure);

const WAYS: [Way; 2] = [("stls", Secure::stls), ("implicit", Secure::implicit)];

/// The client reads to an end that TLS vouches for, else reading fails.
#[test]
fn the_server_says_when_it_is_done() {
    for (tls, connect) in WAYS {
        let server = serving(&["--tls", tls]);
        let mut client = connect(&server);
        client.ask("QUIT");
        client.rest().unwrap();
        assert!(client.connection().wants_read() || !client.connection().is_handshaking());
        assert_eq!(Recorded::of(&server.proxy.stop()).closed("server"), Some("finished"));
    }
}

#[test]
fn a_client_that_says_so_has_finished_and_one_that_does_not_is_cut_off() {
    for (tls, connect) in WAYS {
        for (leave, how) in [(Secure::close as fn(Secure), "finished"), (Secure::cut_off, "truncated")] {
            let server = serving(&["--tls", tls, "--sessions", "1"]);
            let mut client = connect(&server);
            client.ask("NOOP");
            leave(client);
            let left = server.proxy.wait();
            let recorded = Recorded::of(&left);
            assert_eq!(recorded.closed("client"), Some(how), "{tls}: {}", left.stdout);
            assert_eq!(recorded.end(), ("client", how), "{tls}: {}", left.stdout);
        }
    }
}
