//! `--pcap-tls encrypted`: a capture that holds TLS as it passed, and what opens it. Wireshark needs nothing else.

use std::fs;
use std::process::Command;

use super::pki::Pki;
use super::{Authority, finish};
use crate::interop::captured::exchanges;
use crate::interop::corpus::CORPUS;
use crate::interop::servers::Server;
use crate::support::{run, text};

/// How TLS comes, in which version.
const WAYS: [(&str, &str); 4] = [("implicit", "1.2"), ("implicit", "1.3"), ("stls", "1.2"), ("stls", "1.3")];

#[test]
fn wireshark_opens_it_by_itself_and_so_does_poptape() {
    let (pki, authority) = (Pki::new(), Authority::new());
    let server = Server::start_secure(CORPUS, &pki.server());
    let url = format!("pop3://localhost:{}", server.addr.port());
    let (ca, servers_ca) = (authority.pem().display().to_string(), pki.ca().display().to_string());
    for (tls, version) in WAYS {
        let arguments =
            ["--format", "json", "--format", "pcapng", "--pcap-tls", "encrypted", "--secrets", "keep"];
        // STLS is followed; and for Wireshark the conversation before it has to be at the port of POP3.
        let others = ["--upstream-ca", &servers_ca, "--server-port", "110"];
        let others = if tls == "stls" { &others[..] } else { &[] };
        let proxy = authority.record(&url, tls, &[&arguments, others].concat());
        let scheme = if tls == "implicit" { "pop3s" } else { "pop3" };
        let fetched = Command::new("curl")
            .args(["-sS", "--ssl-reqd", "--tls-max", version, "--cacert", &ca, "-o", "/dev/null", "-u"])
            .arg(format!("{}:{}", server.user, server.password))
            .arg(format!("{scheme}://localhost:{}/1", proxy.address.port()))
            .output()
            .unwrap();
        assert!(fetched.status.success(), "{tls} {version}: {}", text(&fetched.stderr));
        let left = finish(proxy);
        let [recording, capture] = <[_; 2]>::try_from(left.recordings()).unwrap();
        let octets = fs::read(&capture).unwrap();
        assert!(memchr::memmem::find(&octets, server.password.as_bytes()).is_none(), "{tls} {version}");

        let recorded = exchanges(&recording);
        let commands = recorded.iter().filter_map(|exchange| exchange["command"].as_str());
        let commands: Vec<&str> = commands.filter_map(|line| line.split(' ').next()).collect();
        assert!(commands.contains(&"RETR"), "{commands:?}");
        let tshark = Command::new("tshark")
            .arg("-r")
            .arg(&capture)
            .args(["-Y", "pop.request", "-T", "fields", "-e", "pop.request.command"])
            .output()
            .unwrap();
        assert_eq!(text(&tshark.stdout).lines().collect::<Vec<_>>(), commands, "{tls} {version}");

        let again = left.folder.path().join("again.json");
        let input = capture.display().to_string();
        let converted = run(&["convert", &input, &again.display().to_string(), "--secrets", "keep"]);
        assert_eq!(converted.status.code(), Some(0), "{tls} {version}: {}", text(&converted.stderr));
        assert_eq!(exchanges(&again), recorded, "{tls} {version}");
    }
}
