//! rsync's options: people's hands and scripts have them, so none may end in a wrong guess.
//!
//! The table says for each whether it has the same name here, is accepted because a push works that
//! way anyway, or is refused with the reason. `docs/rsync-options.md` is generated from it.

mod option;
mod table;
#[cfg(test)]
mod tests;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ArgMatches, Command};

use self::option::{Meaning, RsyncOption};
use self::table::OPTIONS;
use super::given::is_given;
use crate::error::CommandError;

/// A short option that means something else here, as in ssh.
struct Clash {
    short: char,
    /// The long name here.
    long: &'static str,
    /// What it takes here.
    takes: &'static str,
    /// What to type in place of rsync's.
    instead: &'static str,
}

const CLASHES: [Clash; 3] = [
    Clash {
        short: 'F',
        long: "ssh-config",
        takes: "the ssh configuration file",
        instead: "--filter says which files to leave out",
    },
    Clash {
        short: 'i',
        long: "identity",
        takes: "a private key file",
        instead: "--itemize-changes lists what changes",
    },
    Clash {
        short: 'p',
        long: "port",
        takes: "the port",
        instead: "leave rsync's -p out: permission bits are always preserved",
    },
];

impl Clash {
    fn tip(&self) -> String {
        let Clash { short, takes, instead, .. } = self;
        format!("-{short} takes {takes} here, as in ssh; {instead}")
    }
}

/// Adds to a usage error what a short option means here, if rsync's may have been meant.
pub fn explain(error: &mut clap::Error) {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) => name.clone(),
        _ => return,
    };
    let is_named = |clash: &&Clash| named.starts_with(&format!("--{} ", clash.long));
    if let Some(clash) = CLASHES.iter().find(is_named) {
        let tip = ContextValue::StyledStrs(vec![clash.tip().into()]);
        error.insert(ContextKind::Suggested, tip);
    }
}

/// What `-i`, `-p` or `-F` means here.
pub fn tip(short: char) -> Option<String> {
    CLASHES.iter().find(|clash| clash.short == short).map(Clash::tip)
}

impl RsyncOption {
    fn id(&self) -> &'static str {
        self.long.first().copied().unwrap_or(match self.short {
            Some('D') => "D",
            _ => "P",
        })
    }

    /// `--long`, or `-s` if there is no long name.
    fn name(&self) -> String {
        match (self.long.first(), self.short) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => String::new(),
        }
    }

    fn arg(&self) -> Arg {
        let arg = Arg::new(self.id()).hide(true);
        let arg = match self.takes_value {
            true => arg
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
                .value_parser(ValueParser::from(|_: &str| Ok::<_, String>(()))),
            false => arg.action(ArgAction::Count),
        };
        let arg = self.long.first().map_or(arg.clone(), |long| arg.long(*long));
        let arg = arg.aliases(self.long.iter().skip(1).copied());
        self.short.map_or(arg.clone(), |short| arg.short(short))
    }
}

/// Adds the options that are accepted without effect or refused; they are in no help.
pub fn register(push: Command) -> Command {
    let hidden = OPTIONS.iter().filter(|option| !matches!(option.meaning, Meaning::Same));
    push.args_override_self(true).args(hidden.map(RsyncOption::arg))
}

/// Refuses the options of rsync that have no counterpart.
pub fn refuse(matches: &ArgMatches) -> Result<(), CommandError> {
    for option in OPTIONS {
        if let Meaning::Refused(reason) = option.meaning
            && is_given(matches, option.id())
        {
            let text = format!("rsync's {} is not supported", option.name());
            return Err(CommandError::usage(text).hint(reason));
        }
    }
    Ok(())
}

/// The given options without effect, with the reason.
pub fn without_effect(matches: &ArgMatches) -> impl Iterator<Item = String> {
    OPTIONS.iter().filter_map(|option| match option.meaning {
        Meaning::Always(reason) if is_given(matches, option.id()) => {
            Some(format!("{} has no effect: {reason}", option.name()))
        }
        _ => None,
    })
}
