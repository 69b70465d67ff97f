//! `poptape ca`: poptape's own certificate authority, and how to trust it.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use etcetera::BaseStrategy as _;

use super::failure::{Failure, Verdict};
use super::output::{print, say, warn, write_whole};
use super::trust::WAYS;
use crate::net::tls::authority::{Authority, AuthorityError};
use crate::render::escape::safe;

/// Make, show and export poptape's own certificate authority, and say how to trust it
#[derive(Debug, Args)]
#[command(after_help = "\
It is made where there is none. With --tls, record, replay and serve show their clients
certificates that it signed; whoever checks them has to trust it first.")]
pub(super) struct Arguments {
    #[command(flatten)]
    folder: CaDir,

    /// How to trust it with one program alone
    #[arg(long = "for", value_name = "PROGRAM", conflicts_with = "export",
          value_parser = PossibleValuesParser::new(WAYS.iter().map(|way| way.name)))]
    program: Option<String>,

    /// Print the certificate instead, without the key
    #[arg(long, value_name = "FORM")]
    export: Option<Form>,

    /// Write what is exported to a file
    #[arg(short, long, value_name = "FILE", requires = "export")]
    output: Option<PathBuf>,

    /// Make a new one in the place of the old one, whose files are kept under other names
    #[arg(long)]
    new: bool,
}

/// How a certificate is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Text, for most programs
    Pem,
    /// Octets, for Windows and Java among others
    Der,
}

/// Where the authority is.
#[derive(Debug, Clone, Args)]
pub(super) struct CaDir {
    /// The folder of poptape's own certificate authority; otherwise POPTAPE_CA_DIR in the environment, or
    /// poptape in your configuration folder
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
}

impl CaDir {
    /// The authority, made where there is none; says what its owner has to know.
    pub(super) fn open(&self) -> Result<Authority, Failure> {
        let folder = self.folder()?;
        let authority = Authority::open(&folder).map_err(|error| failure(&error))?;
        if authority.is_new() {
            say(&format!(
                "made a new certificate authority in {}: poptape ca says how to trust it",
                folder.display()
            ));
        }
        look_after(&authority);
        Ok(authority)
    }

    /// A new authority in the place of the old one.
    fn renew(&self) -> Result<Authority, Failure> {
        let folder = self.folder()?;
        let (authority, aside) = Authority::renew(&folder).map_err(|error| failure(&error))?;
        for path in &aside {
            say(&format!("the old one is kept as {}", path.display()));
        }
        say(&format!("made a new certificate authority in {}", folder.display()));
        if !aside.is_empty() {
            say("whoever trusted the old one has to trust the new one, and to forget the old one");
        }
        look_after(&authority);
        Ok(authority)
    }

    fn folder(&self) -> Result<PathBuf, Failure> {
        let told = self.ca_dir.clone().or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
        if let Some(folder) = told.filter(|folder| !folder.as_os_str().is_empty()) {
            // Others are told of it, and may be elsewhere.
            return std::path::absolute(&folder)
                .map_err(|error| Failure::runtime(format!("cannot find {}: {error}", folder.display())));
        }
        let home = etcetera::choose_base_strategy().map_err(|error| {
            Failure::usage(format!(
                "there is no place for a certificate authority ({error}): say --ca-dir DIR"
            ))
        })?;
        Ok(home.config_dir().join("poptape"))
    }
}

/// Where no `--ca-dir` says otherwise.
const VARIABLE: &str = "POPTAPE_CA_DIR";

fn look_after(authority: &Authority) {
    authority.warnings().iter().for_each(|warning| warn(warning));
}

fn failure(error: &AuthorityError) -> Failure {
    match error {
        AuthorityError::Damaged { .. } | AuthorityError::Expired { .. } => Failure::usage(error),
        _ => Failure::runtime(error),
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let to_terminal = arguments.output.is_none() && std::io::stdout().is_terminal();
    if arguments.export == Some(Form::Der) && to_terminal {
        return Err(Failure::usage("DER is nothing for a terminal: name a file with -o, or export pem"));
    }
    let authority = if arguments.new { arguments.folder.renew()? } else { arguments.folder.open()? };
    match (arguments.export, &arguments.output) {
        (Some(form), Some(output)) => {
            write_whole(output, &exported(&authority, form))?;
            Ok(Verdict::Clean)
        }
        (Some(form), None) => print(&exported(&authority, form)),
        (None, _) => {
            let file = authority.certificate_file().unwrap_or_default();
            let only = arguments.program.as_deref();
            let text = match WAYS.iter().find(|way| Some(way.name) == only) {
                Some(way) => way.told(&file),
                None => shown(&authority, &file),
            };
            print(text.as_bytes())
        }
    }
}

fn exported(authority: &Authority, form: Form) -> Vec<u8> {
    match form {
        Form::Pem => authority.pem().into_bytes(),
        Form::Der => authority.der().to_vec(),
    }
}

/// All there is to say of it.
fn shown(authority: &Authority, file: &Path) -> String {
    let (facts, key) = (authority.facts(), authority.key_file().unwrap_or_default());
    let mut text = format!(
        "certificate  {file}\nkey          {key}\nsubject      {subject}\nvalid        {from} to {until}\n\
         SHA-256      {digest}\n\n{WARNING}\n",
        file = file.display(),
        key = key.display(),
        subject = safe(facts.subject.as_bytes()),
        from = facts.not_before,
        until = facts.not_after,
        digest = fingerprint(&facts.sha256),
    );
    for way in WAYS {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", way.told(file));
    }
    text
}

const WARNING: &str = "\
Whoever has the key can pass for any server with those who trust this authority: keep the key on this
machine, trust it only where you test, and undo that afterwards. Where a program is named, one run of it
trusts the authority; on the system, every program does.";

/// As other programs show it.
fn fingerprint(hex: &str) -> String {
    let digits: Vec<char> = hex.to_ascii_uppercase().chars().collect();
    digits.chunks(2).map(|pair| pair.iter().collect::<String>()).collect::<Vec<_>>().join(":")
}
