//! A session in which every kind of secret is said, through everything that has an output: none of it is in any.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::support::{Proxy, Server, expect, poptape, recordings, rest, run, text};

/// What a client says that nobody else may know. Two of a kind differ, so that a failure says where it is from.
const PASSWORDS: &[&str] = &[
    "Tulip-plain-01",
    "Tulip-spaced 02 word",
    "Tulip-case-03",
    "Tulip-saslir-04",
    "Tulip-sasl-05",
    "Tulip-login-06",
    "Tulip-cut-07",
    "Tulip-pipe-08",
    "Tulip-early-09",
    "Tulip-unknown-10",
    "Tulip-bearer-11",
    "Tulip-token-12",
    "Tulip-halved-13",
    "Tulip-before-14",
];

/// Digests and proofs, which can be tried against a list of passwords.
const DIGESTS: &[&str] = &[
    "c4c9334bac560ecc979e58001b3e22fb",
    "b913a602c7eda7a495b4e6e7334d3890",
    "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
];

fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// What the client says, a write each, and what it is answered.
fn script() -> Vec<(String, &'static str)> {
    let password = |n: usize| PASSWORDS[n - 1];
    let no = "-ERR no\r\n";
    let lines = [
        (format!("USER kcope\r\nPASS {}\r\n", password(1)), "+OK\r\n-ERR no\r\n"),
        (format!("PASS {}\r\n", password(2)), no),
        (format!("pAsS {}\r\n", password(3)), no),
        (format!("APOP kcope {}\r\n", DIGESTS[0]), no),
        (format!("AUTH PLAIN {}\r\n", base64(&format!("\0kcope\0{}", password(4)))), no),
        ("AUTH PLAIN\r\n".to_owned(), "+ \r\n"),
        (format!("{}\r\n", base64(&format!("ada\0kcope\0{}", password(5)))), no),
        ("AUTH LOGIN\r\n".to_owned(), "+ VXNlcm5hbWU6\r\n"),
        (format!("{}\r\n", base64("kcope")), "+ UGFzc3dvcmQ6\r\n"),
        (format!("{}\r\n", base64(password(6))), no),
        ("AUTH CRAM-MD5\r\n".to_owned(), "+ PDE4OTYuNjk3MTcwOTUyQHg+\r\n"),
        (format!("{}\r\n", base64(&format!("kcope {}", DIGESTS[1]))), no),
        ("AUTH SCRAM-SHA-256\r\n".to_owned(), "+ \r\n"),
        (
            format!("{}\r\n", base64("n,,n=kcope,r=rOprNGfwEbeRWgbNEkqO")),
            "+ cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyxzPVcyMlphSjBTTlk3c29Fc1VFamI2Z1E9PSxpPTQwOTY=\r\n",
        ),
        (format!("{}\r\n", base64(&format!("c=biws,r=rOprNGfwEbeRWgbNEkqO,p={}", DIGESTS[2]))), no),
        (
            format!(
                "AUTH OAUTHBEARER {}\r\n",
                base64(&format!("n,a=kcope,\u{1}auth=Bearer {}\u{1}\u{1}", password(11)))
            ),
            no,
        ),
        (
            format!(
                "AUTH XOAUTH2 {}\r\n",
                base64(&format!("user=kcope\u{1}auth=Bearer {}\u{1}\u{1}", password(12)))
            ),
            no,
        ),
        (format!("AUTH X-UNHEARD-OF {}\r\n", base64(password(10))), no),
        (format!("USER a\r\nPASS {}\r\nSTAT\r\n", password(8)), "+OK\r\n-ERR no\r\n-ERR no\r\n"),
        (format!("PASS {}\nNOOP\r\n", password(9)), "-ERR no\r\n+OK\r\n"),
        (" ".repeat(2) + "PASS " + password(14) + "\r\n", no),
    ];
    lines.into_iter().collect()
}

/// What to look for: each secret as it is, as hexadecimal digits, and in base64 wherever it stands in what was encoded.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for secret in PASSWORDS.iter().chain(DIGESTS) {
        forms.push((*secret).to_owned());
        let hex = secret.bytes().fold(String::new(), |hex, octet| format!("{hex}{octet:02x}"));
        forms.extend([hex.to_uppercase(), hex]);
        for before in 0..3 {
            let encoded = BASE64_STANDARD.encode(format!("{}{secret}", "x".repeat(before)));
            // Its first and last characters belong to the neighbours too.
            let encoded = encoded.trim_end_matches('=');
            forms.push(encoded[[0, 2, 3][before]..encoded.len() - 1].to_owned());
        }
    }
    forms
}

/// Looks through what came out.
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn add(&mut self, name: impl Into<String>, octets: impl Into<Vec<u8>>) {
        self.0.push((name.into(), octets.into()));
    }

    fn run(&mut self, arguments: &[&str]) {
        let output = run(arguments);
        let name = arguments.join(" ");
        self.add(name.clone(), output.stdout);
        self.add(name, output.stderr);
    }

    /// Every file below.
    fn folder(&mut self, folder: &Path) {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.folder(&path);
            } else {
                self.add(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }

    #[track_caller]
    fn hold_no_secret(&self) {
        let forms = forms();
        let mut masks = 0;
        for (name, octets) in &self.0 {
            for form in &forms {
                assert!(
                    memchr::memmem::find(octets, form.as_bytes()).is_none(),
                    "{form} is in {name}:\n{}",
                    text(octets)
                );
            }
            masks += usize::from(memchr::memmem::find(octets, b"********").is_some());
        }
        assert!(
            masks > self.0.len() / 4,
            "the masks are where the secrets were: {masks} of {}",
            self.0.len()
        );
    }
}

/// Says everything, the last line only in part.
fn say_all(client: &mut std::net::TcpStream) {
    for (line, answer) in script() {
        // A line in two segments is a line.
        let (first, second) = line.split_at(line.len() / 2);
        client.write_all(first.as_bytes()).unwrap();
        client.write_all(second.as_bytes()).unwrap();
        expect(client, answer.as_bytes());
    }
    client.write_all(format!("PASS {}", PASSWORDS[6]).as_bytes()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    rest(client).unwrap();
}

fn server() -> Server {
    Server::start(|mut stream| {
        stream.write_all(b"+OK <1896.697170952@x>\r\n").unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        for (asked, answer) in script() {
            let mut line = String::new();
            for _ in asked.matches('\n') {
                lines.read_line(&mut line).unwrap();
            }
            assert_eq!(line, asked, "the server has to be told");
            stream.write_all(answer.as_bytes()).unwrap();
        }
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
    })
}

const FORMATS: [&str; 8] =
    ["--format", "json", "--format", "pcapng", "--format", "pcap", "--format", "transcript"];

#[test]
fn no_output_of_a_recorded_session() {
    let mut outputs = Outputs(Vec::new());
    let server = server();
    for more in [&["-vv"][..], &["-v", "--pcap-per", "run"], &[]] {
        let proxy = Proxy::start(server.address, &[&["--sessions", "1"], more, &FORMATS].concat());
        let mut client = proxy.connect();
        expect(&mut client, b"+OK <1896.697170952@x>\r\n");
        say_all(&mut client);
        drop(client);
        let left = proxy.wait();
        outputs.add("the screen", left.stdout.clone());
        outputs.add("standard error", left.stderr.clone());
        let folder = left.folder.path().join("recordings");
        assert_eq!(recordings(&folder).len(), 4, "{}", left.stderr);
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let file = path.to_str().unwrap();
            for arguments in [&["show"][..], &["show", "-v"], &["show", "-vv", "--color", "always"]] {
                outputs.run(&[arguments, &[file]].concat());
            }
            for format in ["jsonl", "markdown"] {
                outputs.run(&["show", "--format", format, file]);
            }
            let out = left.folder.path().join("converted").join(path.extension().unwrap());
            std::fs::create_dir_all(&out).unwrap();
            for name in ["x.json", "x.pcap", "x.pcapng", "x.txt", "x.raw/", "x.eml/"] {
                outputs.run(&["convert", file, out.join(name).to_str().unwrap()]);
            }
            // What is cut off and damaged is told of without it, too.
            let octets = std::fs::read(&path).unwrap();
            for end in [octets.len() / 3, octets.len() * 2 / 3, octets.len() - 3] {
                let cut = left.folder.path().join("cut");
                std::fs::write(&cut, [&octets[..end], b"\0\0"].concat()).unwrap();
                outputs.run(&["show", "-vv", cut.to_str().unwrap()]);
            }
        }
        outputs.folder(left.folder.path());
    }
    outputs.hold_no_secret();
}

/// The server that poptape is itself learns secrets too.
#[test]
fn no_output_of_a_served_session() {
    let mut outputs = Outputs(Vec::new());
    for (verb, more) in [
        ("replay", &["recordings/seed.json", "--report"][..]),
        ("replay", &["recordings/dovecot.json", "--mode", "exact", "--report"]),
        ("serve", &["tests/readme/letters", "--user", "kcope:Tulip-halved-13"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = poptape();
        command
            .args([verb, "-l", "127.0.0.1:0", "-vv"])
            .args(FORMATS)
            .arg("-o")
            .arg(folder.path().join("recordings"));
        command.args(more);
        if verb == "replay" {
            command.arg(folder.path().join("report.json"));
        }
        let proxy = Proxy::run(command, folder);
        let mut lines = script().into_iter();
        while let Some((line, asked)) = lines.next() {
            let mut client = proxy.connect();
            let mut answers = BufReader::new(client.try_clone().unwrap());
            answers.read_line(&mut String::new()).unwrap();
            client.write_all(line.as_bytes()).unwrap();
            let (mut answer, mut last) = (String::new(), asked);
            answers.read_line(&mut answer).unwrap();
            // What would come next is said where it is asked for: alone it would be no secret but a strange command.
            while last.starts_with("+ ")
                && let Some((response, next)) = lines.next()
            {
                last = next;
                if answer.starts_with("+ ") {
                    client.write_all(response.as_bytes()).unwrap();
                    answer.clear();
                    answers.read_line(&mut answer).unwrap();
                }
            }
            client.write_all(format!("PASS {}\r\nQUIT\r\n", PASSWORDS[6]).as_bytes()).unwrap();
            let _ = client.shutdown(std::net::Shutdown::Write);
            // A reset is an end, too.
            let _ = rest(&mut client);
        }
        let left = proxy.stop();
        assert!(!left.stderr.contains("panicked"), "{}", left.stderr);
        outputs.add(format!("the screen of {verb}"), left.stdout.clone());
        outputs.add(format!("standard error of {verb}"), left.stderr.clone());
        outputs.folder(left.folder.path());
    }
    outputs.hold_no_secret();
}

/// A command line that is wrong is repeated in the message without its secret.
#[test]
fn no_message_about_a_command_line() {
    let mut outputs = Outputs(Vec::new());
    for arguments in [
        &["serve", "--user", "kcope:Tulip-plain-01", "no/such/mail.mbox"][..],
        &["serve", "--user", "kcope:Tulip-plain-01", "--user", "kcope:Tulip-case-03", "no/such"],
        &["replay", "--user", "kcope:Tulip-plain-01", "no/such.json"],
        &["record", "--user", "kcope:Tulip-plain-01", "-u", "imap://x"],
        &["record", "--user", ":Tulip-plain-01", "--mode", "none", "-o", "no/such/folder"],
    ] {
        outputs.run(arguments);
    }
    let forms = forms();
    for (name, octets) in &outputs.0 {
        for form in &forms {
            assert!(
                memchr::memmem::find(octets, form.as_bytes()).is_none(),
                "{form} in {name}: {}",
                text(octets)
            );
        }
    }
}

#[test]
fn the_forms_find_each_secret_wherever_it_stands() {
    let forms = forms();
    for secret in PASSWORDS.iter().chain(DIGESTS) {
        for (before, after) in [("", ""), ("\0kcope\0", ""), ("n,a=x,", "\u{1}\u{1}"), ("kcope ", "x")] {
            let said = base64(&format!("{before}{secret}{after}"));
            assert!(forms.iter().any(|form| said.contains(form.as_str())), "{secret} behind {before:?}");
        }
    }
}
