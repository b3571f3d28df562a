//! `assetsync man`: the page of `push`, with a list of the other commands.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::{self, help};
use crate::error::{CommandError, Exit};
use crate::ui::console::{print, report};

/// Prints the manual page.
pub fn run() -> Exit {
    match page() {
        Ok(page) => print(&page),
        Err(error) => report(&CommandError::failed(error)),
    }
}

fn page() -> io::Result<Vec<u8>> {
    let mut whole = cli::command();
    whole.build();
    let push = whole.find_subcommand("push").cloned().unwrap_or_else(|| Command::new("push"));
    let ending = ending(&whole);
    let (whole, push) = (Man::new(whole), Man::new(push));
    let mut page = Vec::new();
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    synopsis().to_writer(&mut page)?;
    push.render_description_section(&mut page)?;
    push.render_options_section(&mut page)?;
    ending.to_writer(&mut page)?;
    whole.render_version_section(&mut page)?;
    Ok(page)
}

fn synopsis() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("assetsync push"), roman(" [OPTIONS] SRC DEST...")]);
    roff
}

/// The sections that come after the options.
fn ending(whole: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["OTHER COMMANDS"]);
    let is_other = |command: &&Command| {
        !command.is_hide_set() && !["push", "help"].contains(&command.get_name())
    };
    for command in whole.get_subcommands().filter(is_other) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        roff.control("TP", []).text([bold(format!("assetsync {}", command.get_name()))]);
        roff.text([roman(about)]);
    }
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in help::EXAMPLES.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).control("SH", ["EXIT STATUS"]).text([roman(help::EXIT_CODES)]);
    roff
}
