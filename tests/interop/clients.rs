//! Real POP3 clients, each run once as its users run it: fetch everything, delete or keep, end.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::corpus::CORPUS;
use super::mailbox::{give, ids, read_maildir};
use super::pop::{Reply, read};
use super::process::{program, require};
use crate::support::PATIENCE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Curl,
    Fetchmail,
    Getmail,
    Mpop,
    Mutt,
    OpenSsl,
    Perl,
    Python,
}

/// What came of it.
pub struct Outcome {
    /// Whether it was content.
    pub ok: bool,
    /// The exit code of each of its runs.
    pub codes: Vec<Option<i32>>,
    /// The messages as it delivered them. Those with a Maildir of their own come in no order that
    /// can be told from it, so they are sorted by their octets.
    pub messages: Vec<Vec<u8>>,
    /// All that it printed.
    pub said: String,
}

/// Where to fetch from, as whom.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub addr: SocketAddr,
    pub user: &'a str,
    pub password: &'a str,
    /// None: in clear.
    pub tls: Option<Tls<'a>>,
}

/// How a client comes to TLS; where it does, it takes no session without.
#[derive(Clone, Copy)]
pub struct Tls<'a> {
    /// Before anything else, not by STLS.
    pub implicit: bool,
    /// Whom alone it trusts.
    pub ca: &'a Path,
}

impl<'a> Account<'a> {
    /// Of a session in clear.
    pub fn new(addr: SocketAddr, user: &'a str, password: &'a str) -> Self {
        Self { addr, user, password, tls: None }
    }

    fn is_implicit(&self) -> bool {
        self.tls.is_some_and(|tls| tls.implicit)
    }

    /// Under TLS the name: not every client finds an address in a certificate.
    fn host(&self) -> String {
        if self.tls.is_some() { "localhost".to_owned() } else { self.addr.ip().to_string() }
    }
}

/// Runs `client` with `dir`, which is empty, as its home.
pub fn fetch(client: Client, account: Account, keep: bool, dir: &Path) -> Outcome {
    give(dir);
    match client {
        Client::Curl => curl(account, keep, dir),
        Client::Fetchmail => fetchmail(account, keep, dir),
        Client::Getmail => getmail(account, keep, dir),
        Client::Mpop => mpop(account, keep, dir),
        Client::Mutt => mutt(account, keep, dir),
        Client::OpenSsl => s_client(account, keep, dir),
        Client::Perl => script("perl", "-e", include_str!("fetch.pl"), account, keep, dir),
        Client::Python => script("python3", "-c", include_str!("fetch.py"), account, keep, dir),
    }
}

/// One run for the listing, one for the messages and one to delete them: it has no other way.
fn curl(account: Account, keep: bool, dir: &Path) -> Outcome {
    let login = format!("{}:{}", account.user, account.password);
    let ca = account.tls.map(|tls| tls.ca.display().to_string());
    let mut fixed = vec!["-q", "--silent", "--show-error", "--fail-early", "--user", &login];
    fixed.extend(ca.iter().flat_map(|ca| ["--ssl-reqd", "--cacert", ca]));
    let run_curl = |arguments: &[String]| {
        let arguments = fixed.iter().copied().chain(arguments.iter().map(String::as_str));
        run(dir, "curl", &arguments.collect::<Vec<_>>())
    };
    let scheme = if account.is_implicit() { "pop3s" } else { "pop3" };
    let url = |n: &str| format!("{scheme}://{}/{n}", account.addr);
    let mut runs = vec![run_curl(&[url("")])];
    let listing = String::from_utf8_lossy(&runs[0].stdout).into_owned();
    let numbers: Vec<&str> = listing.lines().filter_map(|line| line.split(' ').next()).collect();
    runs.push(run_curl(
        &numbers.iter().flat_map(|n| ["-o".into(), format!("{n}.eml"), url(n)]).collect::<Vec<_>>(),
    ));
    if !keep {
        // --head: the reply to DELE is a single line.
        let mut arguments = ["--head", "--request", "DELE"].map(String::from).to_vec();
        arguments.extend(numbers.iter().map(|n| url(n)));
        runs.push(run_curl(&arguments));
    }
    outcome(&runs, numbered(dir))
}

/// `invisible` leaves out the Received line, which has the time in it.
fn fetchmail(account: Account, keep: bool, dir: &Path) -> Outcome {
    let Account { addr, user, password, tls } = account;
    let keep = if keep { "keep" } else { "nokeep" };
    let tls = tls.map_or("sslproto ''".to_owned(), |tls| {
        let implicit = if tls.implicit { "ssl" } else { "" };
        format!("{implicit} sslproto 'TLS1.2+' sslcertck sslcertfile \"{}\"", tls.ca.display())
    });
    let deliver = dir.join("deliver");
    secret(&deliver, "cd \"$HOME\" && read n <number && cat >\"$n.eml\" && echo $((n + 1)) >number\n");
    secret(&dir.join("number"), "1\n");
    let config = dir.join("fetchmailrc");
    let text = format!(
        "set invisible
set no bouncemail
poll {} service {} protocol pop3 uidl no dns timeout 30
  user \"{user}\" password \"{password}\" {keep} fetchall {tls}
  no rewrite mda \"sh {}\"
",
        account.host(),
        addr.port(),
        deliver.display()
    );
    secret(&config, &text);
    let (config, pid) = (config.display().to_string(), dir.join("pid").display().to_string());
    let output =
        run(dir, "fetchmail", &["--fetchmailrc", &config, "--daemon", "0", "--nosyslog", "--pidfile", &pid]);
    outcome(&[output], numbered(dir))
}

fn getmail(account: Account, keep: bool, dir: &Path) -> Outcome {
    let Account { addr, user, password, tls } = account;
    let (maildir, config) = (new_maildir(dir), dir.join("getmailrc"));
    // It knows no STLS.
    let (kind, ca) = match tls {
        None => ("SimplePOP3Retriever", String::new()),
        Some(tls) => ("SimplePOP3SSLRetriever", format!("ca_certs = {}", tls.ca.display())),
    };
    let text = format!(
        "[retriever]
type = {kind}
{ca}
server = {}
port = {}
username = {user}
password = {password}
timeout = 30
[destination]
type = Maildir
path = {}/
[options]
delete = {}
delivered_to = false
received = false
",
        account.host(),
        addr.port(),
        maildir.display(),
        !keep
    );
    secret(&config, &text);
    let (own, config) = (dir.display().to_string(), config.display().to_string());
    require("getmail");
    let repaired = ["-c", include_str!("getmail.py")];
    let output = run(dir, "python3", &[&repaired[..], &["--getmaildir", &own, "--rcfile", &config]].concat());
    outcome(&[output], sorted(&maildir))
}

/// `auth user`, since it takes no clear-text password over a clear connection unless told to.
fn mpop(account: Account, keep: bool, dir: &Path) -> Outcome {
    let Account { addr, user, password, tls } = account;
    let (maildir, config) = (new_maildir(dir), dir.join("mpoprc"));
    let tls = tls.map_or("tls off".to_owned(), |tls| {
        let starttls = if tls.implicit { "off" } else { "on" };
        format!("tls on\ntls_starttls {starttls}\ntls_trust_file {}", tls.ca.display())
    });
    let text = format!(
        "account default
host {}
port {}
user {user}
password {password}
auth user
{tls}
keep {}
timeout 30
received_header off
uidls_file {}/uidls
delivery maildir {}
",
        account.host(),
        addr.port(),
        if keep { "on" } else { "off" },
        dir.display(),
        maildir.display()
    );
    secret(&config, &text);
    let output = run(dir, "mpop", &[&format!("--file={}", config.display())]);
    outcome(&[output], sorted(&maildir))
}

/// It wants a terminal, which `script` makes for it; and a mailbox of its own to open, here the empty
/// one that it fetches into. There is nothing to be typed but what it is told to.
fn mutt(account: Account, keep: bool, dir: &Path) -> Outcome {
    let Account { addr, user, password, tls } = account;
    let (maildir, config) = (new_maildir(dir), dir.join("muttrc"));
    let scheme = if account.is_implicit() { "pops" } else { "pop" };
    let (host, port) = (account.host(), addr.port());
    let tls = tls.map_or("set ssl_starttls=no ssl_force_tls=no".to_owned(), |tls| {
        format!("set ssl_force_tls=yes ssl_ca_certificates_file=\"{}\"", tls.ca.display())
    });
    let text = format!(
        "set pop_host=\"{scheme}://{host}:{port}\" pop_user=\"{user}\" pop_pass=\"{password}\"
set pop_authenticators=\"user\" pop_delete={} pop_last=no pop_reconnect=no
set mbox_type=Maildir spoolfile=\"{}\" folder=\"~\" quit=yes wait_key=no sleep_time=0 history=0
{tls}
push \"<fetch-mail><exit>\"
",
        if keep { "no" } else { "yes" },
        maildir.display()
    );
    secret(&config, &text);
    require("mutt");
    let typed = format!("TERM=vt100 mutt -n -F {}", config.display());
    let output = run(dir, "script", &["--quiet", "--return", "--command", &typed, "/dev/null"]);
    outcome(&[output], sorted(&maildir))
}

/// Types what a person would type who looks after a server by hand, all of it at once. What it shows is all that the
/// server said under TLS.
fn s_client(account: Account, keep: bool, dir: &Path) -> Outcome {
    let Account { addr, user, password, tls } = account;
    let tls = tls.expect("it speaks nothing else");
    let mut lines = format!("USER {user}\nPASS {password}\nLIST\n");
    for verb in if keep { &["RETR"][..] } else { &["RETR", "DELE"] } {
        for n in 1..=CORPUS.len() {
            lines.extend([verb, " ", &n.to_string(), "\n"]);
        }
    }
    lines += "QUIT\n";
    let typed = dir.join("typed");
    secret(&typed, &lines);
    let (addr, ca) = (addr.to_string(), tls.ca.display().to_string());
    let mut arguments =
        vec!["s_client", "-quiet", "-crlf", "-verify_return_error", "-verify_hostname", "localhost"];
    arguments.extend(["-servername", "localhost", "-connect", &addr, "-CAfile", &ca]);
    if !tls.implicit {
        arguments.extend(["-starttls", "pop3"]);
    }
    let output = command(dir, "openssl", &arguments).stdin(File::open(typed).unwrap()).output().unwrap();
    let mut said = &output.stdout[..];
    if tls.implicit && !said.is_empty() {
        read(&mut said, "");
    }
    let replies = lines
        .lines()
        .map(|line| (line, if said.is_empty() { Reply::default() } else { read(&mut said, line) }));
    let replies: Vec<_> = replies.collect();
    let messages = replies.iter().filter(|(line, reply)| line.starts_with("RETR") && reply.ok());
    let messages = messages.map(|(_, reply)| reply.body.clone()).collect();
    let ok = output.status.success() && replies.iter().all(|(_, reply)| reply.ok());
    Outcome { ok, ..outcome(&[output], messages) }
}

/// A program of a few lines in a language with a POP3 library: it leaves a file a message.
fn script(interpreter: &str, flag: &str, text: &str, account: Account, keep: bool, dir: &Path) -> Outcome {
    let (host, port) = (account.host(), account.addr.port().to_string());
    let verb = if keep { "keep" } else { "delete" };
    let ca = account.tls.map(|tls| tls.ca.display().to_string());
    let tls = ca.iter().flat_map(|ca| [if account.is_implicit() { "implicit" } else { "stls" }, ca]);
    let fixed = [flag, text, &host, &port, account.user, account.password, verb];
    let output = run(dir, interpreter, &fixed.into_iter().chain(tls).collect::<Vec<_>>());
    outcome(&[output], numbered(dir))
}

/// Runs a client that must end by itself: one that waits for an answer that never comes is ended
/// for it, and has failed.
fn run(home: &Path, name: &str, arguments: &[&str]) -> Output {
    command(home, name, arguments).output().unwrap()
}

fn command(home: &Path, name: &str, arguments: &[&str]) -> Command {
    require(name);
    let mut command = program("timeout");
    command.arg(PATIENCE.as_secs().to_string()).arg(name).args(arguments).current_dir(home);
    command.env("HOME", home).env("FETCHMAILHOME", home).env_remove("XDG_CONFIG_HOME").env("LC_ALL", "C");
    // Some of them refuse to work for root.
    let (user, group) = ids();
    command.uid(user).gid(group);
    command
}

fn outcome(runs: &[Output], messages: Vec<Vec<u8>>) -> Outcome {
    let said = runs.iter().flat_map(|run| [&run.stdout, &run.stderr]);
    let said = said.map(|octets| String::from_utf8_lossy(octets)).collect();
    let codes = runs.iter().map(|run| run.status.code()).collect();
    Outcome { ok: runs.iter().all(|run| run.status.success()), codes, messages, said }
}

/// Files named `NUMBER.eml`, in the order of the numbers.
fn numbered(dir: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
    files.sort_by_key(|file| file.file_stem().unwrap().to_string_lossy().parse::<u32>().unwrap());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn sorted(maildir: &Path) -> Vec<Vec<u8>> {
    let mut messages = read_maildir(maildir);
    messages.sort();
    messages
}

fn new_maildir(dir: &Path) -> PathBuf {
    let maildir = dir.join("mail");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join(part)).unwrap();
        give(&maildir.join(part));
    }
    maildir
}

/// A file that only its owner can read, as these clients demand of one with a password in it.
fn secret(path: &Path, text: &str) {
    File::create(path).unwrap().set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path, text).unwrap();
    give(path);
}
