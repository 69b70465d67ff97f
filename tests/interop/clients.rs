//! Real POP3 clients, each run once as its users run it: fetch everything, delete or keep, end.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::mailbox::{give, ids, read_maildir};
use super::process::{program, require};
use crate::support::PATIENCE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Curl,
    Fetchmail,
    Getmail,
    Mpop,
    Mutt,
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
        Client::Perl => script("perl", "-e", include_str!("fetch.pl"), account, keep, dir),
        Client::Python => script("python3", "-c", include_str!("fetch.py"), account, keep, dir),
    }
}

/// One run for the listing, one for the messages and one to delete them: it has no other way.
fn curl(account: Account, keep: bool, dir: &Path) -> Outcome {
    let login = format!("{}:{}", account.user, account.password);
    let fixed = ["-q", "--silent", "--show-error", "--fail-early", "--user", &login];
    let run_curl = |arguments: &[String]| {
        let arguments = fixed.into_iter().chain(arguments.iter().map(String::as_str));
        run(dir, "curl", &arguments.collect::<Vec<_>>())
    };
    let url = |n: &str| format!("pop3://{}/{n}", account.addr);
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
    let Account { addr, user, password } = account;
    let keep = if keep { "keep" } else { "nokeep" };
    let deliver = dir.join("deliver");
    secret(&deliver, "cd \"$HOME\" && read n <number && cat >\"$n.eml\" && echo $((n + 1)) >number\n");
    secret(&dir.join("number"), "1\n");
    let config = dir.join("fetchmailrc");
    let text = format!(
        "set invisible
set no bouncemail
poll {} service {} protocol pop3 uidl no dns timeout 30
  user \"{user}\" password \"{password}\" {keep} fetchall sslproto ''
  no rewrite mda \"sh {}\"
",
        addr.ip(),
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
    let Account { addr, user, password } = account;
    let (maildir, config) = (new_maildir(dir), dir.join("getmailrc"));
    let text = format!(
        "[retriever]
type = SimplePOP3Retriever
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
        addr.ip(),
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
    let Account { addr, user, password } = account;
    let (maildir, config) = (new_maildir(dir), dir.join("mpoprc"));
    let text = format!(
        "account default
host {}
port {}
user {user}
password {password}
auth user
tls off
keep {}
timeout 30
received_header off
uidls_file {}/uidls
delivery maildir {}
",
        addr.ip(),
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
    let Account { addr, user, password } = account;
    let (maildir, config) = (new_maildir(dir), dir.join("muttrc"));
    let text = format!(
        "set pop_host=\"pop://{addr}\" pop_user=\"{user}\" pop_pass=\"{password}\"
set pop_authenticators=\"user\" pop_delete={} pop_last=no pop_reconnect=no
set mbox_type=Maildir spoolfile=\"{}\" folder=\"~\" quit=yes wait_key=no sleep_time=0 history=0
set ssl_starttls=no ssl_force_tls=no
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

/// A program of a few lines in a language with a POP3 library: it leaves a file a message.
fn script(interpreter: &str, flag: &str, text: &str, account: Account, keep: bool, dir: &Path) -> Outcome {
    let (host, port) = (account.addr.ip().to_string(), account.addr.port().to_string());
    let verb = if keep { "keep" } else { "delete" };
    let output = run(dir, interpreter, &[flag, text, &host, &port, account.user, account.password, verb]);
    outcome(&[output], numbered(dir))
}

/// Runs a client that must end by itself: one that waits for an answer that never comes is ended
/// for it, and has failed.
fn run(home: &Path, name: &str, arguments: &[&str]) -> Output {
    require(name);
    let mut command = program("timeout");
    command.arg(PATIENCE.as_secs().to_string()).arg(name).args(arguments).current_dir(home);
    command.env("HOME", home).env("FETCHMAILHOME", home).env_remove("XDG_CONFIG_HOME").env("LC_ALL", "C");
    // Some of them refuse to work for root.
    let (user, group) = ids();
    command.uid(user).gid(group).output().unwrap()
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
