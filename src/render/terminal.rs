//! Spans on a terminal, with or without colour. Colour only adds: every difference is in the text too.

use std::io::{self, Write};

use colored::{Color, Colorize as _};

use super::Page;
use super::filter::Filter;
use super::span::{Line, Role};
use super::text::{Text, Verbosity};
use crate::recording::Entry;

/// A session on the terminal.
#[derive(Debug)]
pub struct Terminal {
    text: Text,
    color: bool,
}

impl Terminal {
    /// With colour or without.
    pub fn new(verbosity: Verbosity, color: bool) -> Self {
        Self { text: Text::new(verbosity), color }
    }
}

impl Page for Terminal {
    fn take(&mut self, entry: &Entry, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        painted(self.color, out, |paint| self.text.take(entry, filter, paint))
    }

    fn finish(&mut self, filter: Option<&Filter>, out: &mut dyn Write) -> io::Result<()> {
        painted(self.color, out, |paint| self.text.finish(filter, paint))
    }
}

/// Paints the lines that `render` gives, until one cannot be written.
fn painted(color: bool, out: &mut dyn Write, render: impl FnOnce(&mut dyn FnMut(Line))) -> io::Result<()> {
    let mut result = Ok(());
    render(&mut |line| {
        if result.is_ok() {
            result = paint(&line, color, out);
        }
    });
    result
}

fn paint(line: &Line, color: bool, out: &mut dyn Write) -> io::Result<()> {
    if !color {
        return writeln!(out, "{}", line.plain());
    }
    // Whether there is colour was decided by the caller, for its own output.
    colored::control::set_override(true);
    for span in &line.0 {
        let text = span.text.as_str();
        match span.role {
            Role::Text | Role::Body => write!(out, "{text}")?,
            Role::Session => write!(out, "{}", text.color(Color::BrightBlack))?,
            Role::Time | Role::Latency => write!(out, "{}", text.dimmed())?,
            Role::Command => write!(out, "{}", text.bold())?,
            Role::Ok => write!(out, "{}", text.green())?,
            Role::Err | Role::Mark => write!(out, "{}", text.red().bold())?,
            Role::Slow | Role::Warning => write!(out, "{}", text.yellow().bold())?,
            Role::State => write!(out, "{}", text.magenta().bold())?,
            Role::Detail => write!(out, "{}", text.cyan())?,
        }
    }
    writeln!(out)
}
