//! `assetsync man`: one page, which is that of `push`, as nearly all of the command is.

use std::io;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::args::Arguments;
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
    let mut whole = Arguments::command();
    whole.build();
    let push = whole.find_subcommand("push").cloned().unwrap_or_else(|| Command::new("push"));
    let (whole, push) = (Man::new(whole).manual("assetsync"), Man::new(push));
    let mut page = Vec::new();
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    push.render_synopsis_section(&mut page)?;
    push.render_description_section(&mut page)?;
    push.render_options_section(&mut page)?;
    push.render_extra_section(&mut page)?;
    whole.render_subcommands_section(&mut page)?;
    whole.render_version_section(&mut page)?;
    Ok(page)
}
