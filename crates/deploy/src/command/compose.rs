//! The line itself. Its order is SSHKit's: directory, umask, environment, user, group, command.

use super::command_map::CommandMap;
use super::invocation::{Invocation, Program, Word};
use super::secret_names::REDACTION;
use super::secrets::{Secrets, Shown};
use super::{CommandError, quote};

/// The line that a host's shell is given to run `invocation`.
pub fn line(map: &CommandMap, invocation: &Invocation) -> Result<String, CommandError> {
    if is_empty(&invocation.program) {
        return Err(CommandError::Empty);
    }
    let line = composed(map, invocation);
    if line.contains('\0') { Err(CommandError::Nul) } else { Ok(line) }
}

/// The command without its surroundings, as it may be shown: what Capistrano prints as "Running".
/// Secrets of others than the command's own are hidden too.
pub fn display_line(map: &CommandMap, invocation: &Invocation, others: &Secrets) -> Shown {
    Secrets::of(map, invocation).union(others).redact(&command(map, invocation, true))
}

fn is_empty(program: &Program) -> bool {
    match program {
        Program::Named { name, .. } => name.is_empty(),
        Program::Script(text) | Program::Verbatim(text) => text.trim().is_empty(),
    }
}

fn composed(map: &CommandMap, invocation: &Invocation) -> String {
    let assignments = invocation.environment(map).assignments(false);
    let command = command(map, invocation, false);
    if stands_alone(invocation, &assignments) {
        return command;
    }
    let command = in_own_shell(invocation, command);
    let command = as_group(invocation, command);
    let command = as_user(invocation, &assignments, command);
    let command = exported(&assignments, command);
    let command = masked(invocation, command);
    within(invocation, command)
}

fn stands_alone(invocation: &Invocation, assignments: &str) -> bool {
    let Invocation { program, within, as_user, as_group, umask, .. } = invocation;
    let unset = within.is_none() && as_user.is_none() && as_group.is_none() && umask.is_none();
    match program {
        Program::Verbatim(_) => true,
        Program::Script(_) | Program::Named { .. } => unset && assignments.is_empty(),
    }
}

/// A script may hold `;`, `||` or a comment that would reach into what is around it, so it gets a
/// shell of its own. sudo and sg start one anyway.
fn in_own_shell(invocation: &Invocation, command: String) -> String {
    match &invocation.program {
        Program::Script(_) if invocation.as_user.is_none() && invocation.as_group.is_none() => {
            format!("sh -c {}", quote::word(&command))
        }
        _ => command,
    }
}

fn within(invocation: &Invocation, command: String) -> String {
    match &invocation.within {
        None => command,
        Some(directory) => format!("cd {} && {command}", quote::escape_except_tilde(directory)),
    }
}

fn masked(invocation: &Invocation, command: String) -> String {
    match &invocation.umask {
        None => command,
        Some(umask) => format!("umask {} && {command}", umask.digits()),
    }
}

fn exported(assignments: &str, command: String) -> String {
    if assignments.is_empty() {
        return command;
    }
    format!("( export {assignments} ; {command} )")
}

/// sudo clears the environment, so the variables are repeated.
fn as_user(invocation: &Invocation, assignments: &str, command: String) -> String {
    let Some(user) = &invocation.as_user else { return command };
    let space = if assignments.is_empty() { "" } else { " " };
    let (user, command) = (quote::escape(user), quote::escape(&command));
    format!("sudo -u {user} {assignments}{space}-- sh -c {command}")
}

fn as_group(invocation: &Invocation, command: String) -> String {
    match &invocation.as_group {
        None => command,
        Some(group) => format!("sg {} -c {}", quote::escape(group), quote::escape(&command)),
    }
}

fn command(map: &CommandMap, invocation: &Invocation, hidden: bool) -> String {
    match &invocation.program {
        Program::Script(text) | Program::Verbatim(text) => text.clone(),
        Program::Named { name, args } => {
            let args = args.iter().map(|arg| argument(arg, hidden));
            std::iter::once(map.program(name)).chain(args).collect::<Vec<_>>().join(" ")
        }
    }
}

fn argument(word: &Word, hidden: bool) -> String {
    match (word, hidden) {
        (Word::Secret(_), true) => REDACTION.to_owned(),
        _ => word.quoted(),
    }
}

#[cfg(test)]
mod tests;
