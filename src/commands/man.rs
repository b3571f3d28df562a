//! `assetsync man`: assetsync(1), made from the definition of the command line, and
//! assetsync.toml(5), made from the table of settings in docs/deploy.md.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::cli::help;
use crate::cli::man::Page;
use crate::cli::{self};
use crate::error::{CommandError, Exit};
use crate::ui::console::{print, report};

/// The page with the table of settings.
const DEPLOY_GUIDE: &str = include_str!("../../docs/deploy.md");

/// Prints a manual page.
pub fn run(page: Page) -> Exit {
    let page = match page {
        Page::Assetsync => of_the_command(),
        Page::AssetsyncToml => of_the_settings(),
    };
    match page {
        Ok(page) => print(&page),
        Err(error) => report(&CommandError::failed(error)),
    }
}

fn of_the_command() -> io::Result<Vec<u8>> {
    let mut whole = cli::command();
    whole.build();
    let commands: Vec<Command> = whole.get_subcommands().filter(is_documented).cloned().collect();
    let page = Man::new(whole);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    synopsis(&commands).to_writer(&mut text)?;
    for command in commands {
        section(command, &mut text)?;
    }
    ending().to_writer(&mut text)?;
    page.render_version_section(&mut text)?;
    Ok(text)
}

fn is_documented(command: &&Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

fn synopsis(commands: &[Command]) -> Roff {
    let mut roff = heading("SYNOPSIS");
    for command in commands {
        let usage = command.clone().render_usage().to_string();
        let lines = usage.trim_start_matches("Usage:").lines();
        for line in lines.map(str::trim).filter(|line| !line.is_empty()) {
            roff.text([roman(line)]).control("br", []);
        }
    }
    roff
}

/// A command's description and options, which clap_mangen heads like sections of their own.
fn section(command: Command, text: &mut Vec<u8>) -> io::Result<()> {
    heading(&format!("assetsync {}", command.get_name()).to_uppercase()).to_writer(text)?;
    let (has_commands, page) = (command.has_subcommands(), Man::new(command));
    let mut description = Vec::new();
    page.render_description_section(&mut description)?;
    text.extend(without_heading(&description));
    let mut options = Vec::new();
    page.render_options_section(&mut options)?;
    if has_commands {
        page.render_subcommands_section(&mut options)?;
    }
    text.extend(as_subsections(&options));
    Ok(())
}

fn without_heading(section: &[u8]) -> Vec<u8> {
    let lines = section.split_inclusive(|&byte| byte == b'\n');
    lines.filter(|line| !line.starts_with(b".SH")).flatten().copied().collect()
}

fn as_subsections(section: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(section.len());
    for line in section.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_prefix(b".SH") {
            Some(name) => text.extend([b".SS", name].concat()),
            None => text.extend(line),
        }
    }
    text
}

/// The sections after the commands.
fn ending() -> Roff {
    let mut roff = heading("FILES");
    items(&mut roff, help::FILES);
    roff.control("SH", ["ENVIRONMENT"]);
    items(&mut roff, help::ENVIRONMENT);
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in help::EXAMPLES.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).control("SH", ["EXIT STATUS"]).text([roman(help::EXIT_CODES)]);
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("assetsync.toml"), roman("(5), "), bold("rsync"), roman("(1), ")]);
    roff.text([bold("ssh_config"), roman("(5)")]);
    roff
}

fn of_the_settings() -> io::Result<Vec<u8>> {
    let mut roff = Roff::new();
    let version = format!("assetsync {}", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["assetsync.toml", "5", "", version.as_str()]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("assetsync.toml - which compiled assets go where, and what happens then")]);
    roff.control("SH", ["DESCRIPTION"]).text([roman(help::SETTINGS)]);
    roff.control("SH", ["SETTINGS"]);
    for [keys, default, meaning] in settings_of(DEPLOY_GUIDE) {
        roff.control("TP", []).text(inlines(keys));
        let default = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        roff.text(inlines(&format!("{meaning}{default}")));
    }
    roff.control("SH", ["SEE ALSO"]).text([bold("assetsync"), roman("(1)")]);
    let mut text = Vec::new();
    roff.to_writer(&mut text)?;
    Ok(text)
}

/// Keys, default and meaning: the rows of the table of settings.
fn settings_of(guide: &str) -> impl Iterator<Item = [&str; 3]> {
    let table = guide.split("## Settings").nth(1).unwrap_or_default();
    let lines = table.lines().skip_while(|line| !line.starts_with("|---"));
    lines.skip(1).take_while(|line| line.starts_with('|')).filter_map(|line| {
        let mut cells = line.trim_matches('|').splitn(3, " |").map(str::trim);
        Some([cells.next()?, cells.next()?, cells.next()?])
    })
}

/// Markdown of a table's cell: code is bold, of a link its text remains.
fn inlines(cell: &str) -> Vec<Inline> {
    let mut text = String::new();
    let mut rest = cell;
    while let Some((before, (label, after))) = rest.split_once('[').and_then(|(before, link)| {
        let (label, target) = link.split_once("](")?;
        Some((before, (label, target.split_once(')')?.1)))
    }) {
        text.push_str(before);
        text.push_str(label);
        rest = after;
    }
    text.push_str(rest);
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { roman(part) } else { bold(part) }).collect()
}

fn heading(name: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [name]);
    roff
}

fn items(roff: &mut Roff, items: &[(&str, &str)]) {
    for (name, meaning) in items {
        roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_settings_is_read() {
        let keys: Vec<&str> = settings_of(DEPLOY_GUIDE).map(|[keys, ..]| keys).collect();
        assert_eq!(keys.first(), Some(&"`application`"));
        assert!(keys.len() > 40 && keys.iter().all(|key| key.starts_with('`')), "{keys:?}");
    }

    #[test]
    fn cells_lose_their_markdown() {
        let cell = "as `-F`; most names [tell by themselves](architecture.md#order): `[\"web\"]`";
        let expected = [
            roman("as "),
            bold("-F"),
            roman("; most names tell by themselves: "),
            bold("[\"web\"]"),
            roman(""),
        ];
        assert_eq!(inlines(cell), expected);
    }
}
