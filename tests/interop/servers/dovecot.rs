//! Dovecot, in the foreground with a configuration and a state folder of its own.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::Server;
use crate::interop::corpus::Message;
use crate::interop::mailbox::{ACCOUNT, Mailbox, give};
use crate::interop::process::{Process, program};
use crate::interop::secure::pki::Pair;
use crate::support::{PATIENCE, eventually};

const PASSWORD: &str = "two words";

/// With a certificate it offers STLS, and TLS from the first octet on at another port.
pub fn start(corpus: &[Message], identity: Option<&Pair>) -> Server {
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    // The processes that talk to clients run as accounts of Dovecot's own.
    fs::set_permissions(root, Permissions::from_mode(0o755)).unwrap();
    fs::write(root.join("users"), format!("kcope:{{PLAIN}}{PASSWORD}\n")).unwrap();
    let home = root.join("home");
    fs::create_dir(&home).unwrap();
    give(&home);
    let mailbox = Mailbox::Maildir(home.join("Maildir"));
    mailbox.fill(corpus, false);
    let started = (0..10).find_map(|_| listen(root, identity));
    let (daemon, addr, secure) = started.expect("no port for dovecot in ten tries");
    Server {
        addr,
        secure,
        user: "kcope".into(),
        password: PASSWORD.into(),
        mailbox,
        log: root.join("log"),
        inetd: None,
        _daemon: Some(daemon),
        _folder: folder,
        _lock: None,
    }
}

/// Dovecot binds no port 0, so it is given ones that are free now; if somebody else takes one first,
/// Dovecot ends and the answer is `None`. The greeting names the folder, lest somebody else's
/// Dovecot pass for ours.
fn listen(root: &Path, identity: Option<&Pair>) -> Option<(Process, SocketAddr, Option<SocketAddr>)> {
    // Both are bound at once, so that they differ.
    let listeners = [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    let [addr, secure] = listeners.map(|listener| listener.local_addr().unwrap());
    let secure = identity.map(|_| secure);
    let greeting = format!("Dovecot ready in {}", root.file_name().unwrap().display());
    let config = root.join("dovecot.conf");
    let ports = [addr.port(), secure.map_or(0, |addr| addr.port())];
    let text = configuration(&root.display().to_string(), ports, &greeting, identity);
    fs::write(&config, text).unwrap();
    let mut daemon = Process::spawn(program("dovecot").arg("-F").arg("-c").arg(&config));
    eventually("dovecot greets or ends", || daemon.has_ended() || greets(addr, &greeting));
    (!daemon.has_ended()).then_some((daemon, addr, secure))
}

fn greets(addr: SocketAddr, greeting: &str) -> bool {
    let Ok(stream) = TcpStream::connect(addr) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.contains(greeting)
}

fn configuration(root: &str, ports: [u16; 2], greeting: &str, identity: Option<&Pair>) -> String {
    let [port, secure] = ports;
    let tls = identity.map_or("ssl = no".to_owned(), |Pair { certificate, key }| {
        format!("ssl = yes\nssl_cert = <{}\nssl_key = <{}", certificate.display(), key.display())
    });
    format!(
        "base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/log
login_greeting = {greeting}
protocols = pop3
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
auth_failure_delay = 0
pop3_uidl_format = %f
mail_location = maildir:~/Maildir
first_valid_uid = 1
passdb {{
  driver = passwd-file
  args = {root}/users
}}
userdb {{
  driver = static
  args = uid={ACCOUNT} gid={ACCOUNT} home={root}/home
}}
service anvil {{
  # Without it, no address is made to wait for the failed logins of an earlier test.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener pop3s {{
    address = 127.0.0.1
    port = {secure}
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"
    )
}
