//! poptape: a recording POP3 debugging proxy. Parses, runs, prints the error once, exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    poptape::cli::main()
}
