//! How programs and systems are told to trust a certificate authority: a row each.

use std::path::Path;

/// One way.
pub(super) struct Way {
    /// What `--for` calls it.
    pub(super) name: &'static str,
    /// What it is for.
    title: &'static str,
    /// Command lines; `{pem}` is the certificate's file, quoted for a shell. A line that begins with `#` explains.
    lines: &'static [&'static str],
    /// How to take it back; none: it holds for one run.
    undo: &'static [&'static str],
}

/// All of them, programs first.
pub(super) const WAYS: &[Way] = &[
    Way {
        name: "curl",
        title: "curl",
        lines: &["curl --cacert {pem} --ssl-reqd --user NAME pop3://127.0.0.1:1110/"],
        undo: &[],
    },
    Way {
        name: "openssl",
        title: "openssl s_client",
        lines: &[
            "openssl s_client -CAfile {pem} -verify_return_error -crlf -starttls pop3 -connect 127.0.0.1:1110",
        ],
        undo: &[],
    },
    Way {
        name: "fetchmail",
        title: "fetchmail",
        lines: &[
            "fetchmail --sslproto TLS1.2+ --sslcertck --sslcertfile {pem} --user NAME --protocol POP3 --port 1110 localhost",
        ],
        undo: &[],
    },
    Way {
        name: "mpop",
        title: "mpop",
        lines: &["mpop --tls=on --tls-trust-file={pem} --host=127.0.0.1 --port=1110 --serverinfo"],
        undo: &[],
    },
    Way {
        name: "python",
        title: "Python",
        lines: &[
            "# poplib checks nothing unless it is given context=ssl.create_default_context(), which reads this",
            "SSL_CERT_FILE={pem} python3 PROGRAM",
        ],
        undo: &[],
    },
    Way {
        name: "java",
        title: "Java",
        lines: &[
            "keytool -importcert -noprompt -alias poptape -file {pem} -keystore poptape-trust.p12 -storepass changeit",
            "java -Djavax.net.ssl.trustStore=poptape-trust.p12 -Djavax.net.ssl.trustStorePassword=changeit PROGRAM",
        ],
        undo: &["rm poptape-trust.p12"],
    },
    Way { name: "node", title: "Node.js", lines: &["NODE_EXTRA_CA_CERTS={pem} node PROGRAM"], undo: &[] },
    Way {
        name: "others",
        title: "Go, Ruby, Perl, PHP and others whose TLS is OpenSSL's or reads its variables",
        lines: &["SSL_CERT_FILE={pem} PROGRAM"],
        undo: &[],
    },
    Way {
        name: "thunderbird",
        title: "Thunderbird",
        lines: &[
            "# Settings, Privacy & Security, Manage Certificates, Authorities, Import; tick \"identify websites\".",
            "# Or, with the folder of your profile (Help, Troubleshooting Information) and NSS's certutil:",
            "certutil -A -d sql:PROFILE -n poptape -t C,, -i {pem}",
        ],
        undo: &["certutil -D -d sql:PROFILE -n poptape"],
    },
    Way {
        name: "debian",
        title: "Debian, Ubuntu: the system",
        lines: &["sudo cp {pem} /usr/local/share/ca-certificates/poptape.crt", "sudo update-ca-certificates"],
        undo: &[
            "sudo rm /usr/local/share/ca-certificates/poptape.crt",
            "sudo update-ca-certificates --fresh",
        ],
    },
    Way {
        name: "fedora",
        title: "Fedora, RHEL: the system",
        lines: &["sudo cp {pem} /etc/pki/ca-trust/source/anchors/poptape.pem", "sudo update-ca-trust"],
        undo: &["sudo rm /etc/pki/ca-trust/source/anchors/poptape.pem", "sudo update-ca-trust"],
    },
    Way {
        name: "macos",
        title: "macOS: your account",
        lines: &["security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {pem}"],
        undo: &["security remove-trusted-cert {pem}"],
    },
];

impl Way {
    /// The way as a paragraph, with the certificate's file in its place.
    pub(super) fn told(&self, file: &Path) -> String {
        let file = file.to_string_lossy();
        // Only a NUL cannot be quoted, and no file's name has one.
        let quoted = shlex::try_quote(&file).unwrap_or_default();
        let filled = |lines: &[&str]| -> String {
            lines
                .iter()
                .map(|line| format!("  {}\n", line.replace("{pem}", &quoted)))
                .collect::<Vec<_>>()
                .concat()
        };
        let mut text = format!("{} (--for {})\n{}", self.title, self.name, filled(self.lines));
        if !self.undo.is_empty() {
            text += "  # to undo it:\n";
            text += &filled(self.undo);
        }
        text
    }
}
