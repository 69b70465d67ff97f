//! The command line: a file a verb. What a verb finds is printed on standard output, all else on standard error.
#![expect(clippy::doc_markdown, reason = "comments on arguments are the text of --help, not Markdown")]

mod ca;
mod captures;
mod command;
mod convert;
mod demo;
mod episodes;
mod failure;
mod front;
mod host;
mod input;
mod outlets;
mod output;
mod proxy;
mod record;
mod replay;
mod serve;
mod settings;
mod show;
mod source;
mod tls;
mod trust;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use self::failure::Verdict;
use crate::recording::format::json::SCHEMA;

/// What the exit code says; part of `--help`.
const EXIT_CODES: &str = "Exit codes:
  0  done and clean
  1  a finding: an input that could be read only in part, a client that went off
     script in replay, or took a certificate that it must not take
  2  bad usage, or an input of which nothing could be read
  3  failed at run time: port, name, connection, disk";

/// Stands between a POP3 client and a server, shows the conversation, and records it.
#[derive(Debug, Parser)]
#[command(name = "poptape", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,

    /// When to use colour; NO_COLOR is respected
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Record(record::Arguments),
    Replay(replay::Arguments),
    Serve(Box<serve::Arguments>),
    Show(show::Arguments),
    Convert(convert::Arguments),
    Demo(demo::Arguments),
    Ca(ca::Arguments),
    /// Print the JSON Schema of a recording
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal
    Auto,
    /// Also in a pipe
    Always,
    /// Nowhere
    Never,
}

impl Color {
    /// Whether standard output is to be coloured.
    fn on_stdout(self) -> bool {
        use std::io::IsTerminal as _;
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        match self {
            Self::Auto => wanted && std::io::stdout().is_terminal(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let color = cli.color.on_stdout();
    let result = match cli.verb {
        Verb::Record(arguments) => record::run(&arguments, color),
        Verb::Replay(arguments) => replay::run(&arguments, color),
        Verb::Serve(arguments) => serve::run(&arguments, color),
        Verb::Show(arguments) => show::run(&arguments, color),
        Verb::Convert(arguments) => convert::run(&arguments),
        Verb::Demo(arguments) => demo::run(&arguments, color),
        Verb::Ca(arguments) => ca::run(&arguments),
        Verb::Schema => output::print(SCHEMA.as_bytes()),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "poptape", &mut script);
            output::print(&script)
        }
    };
    match result {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Finding) => ExitCode::from(1),
        Ok(Verdict::OfCommand(code)) => ExitCode::from(code),
        Err(failure) => {
            output::complain(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
