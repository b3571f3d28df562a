//! The competitors: shell commands with placeholders.

/// The scenarios of a competitor, and its task in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Makes the destination equal to the source: races in every scenario.
    Mirror,
    /// Only fills an empty destination: races in the first push.
    Fill,
    /// Transfers nothing, which is the least that connecting costs. Races where nothing changed.
    Floor,
}

/// A competitor: a shell command with placeholders like `{src}` and `{dest}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Competitor {
    /// Its name in tables: unique, at most 17 characters.
    pub name: String,
    /// The command, with placeholders.
    pub command: String,
    /// Its role.
    pub role: Role,
}

/// The width of names in tables.
pub(crate) const NAME_WIDTH: usize = 17;

/// The default competitors. The others are compared to the first.
const DEFAULT: [(&str, &str, Role); 6] = [
    ("rsync -av", "rsync -av --delete -e '{ssh}' {src}/ {dest}/", Role::Mirror),
    ("rsync -az", "rsync -az --delete -e '{ssh}' {src}/ {dest}/", Role::Mirror),
    (
        "rsync -az --fuzzy",
        "rsync -az --fuzzy --delete-after -e '{ssh}' {src}/ {dest}/",
        Role::Mirror,
    ),
    (
        "tar | zstd -9",
        "tar -C {src} -cf - . | zstd -q -9 --long | \
         {ssh} {host} 'mkdir -p {path} && zstd -q -dc --long | tar -xpf - -C {path}'",
        Role::Fill,
    ),
    (
        // rsync has no limit of deletes to ask for; builds with other names would be refused.
        Competitor::OURS,
        "{assetsync} push -q --delete --max-delete 10000000 -F {config} {src} {dest}",
        Role::Mirror,
    ),
    ("ssh HOST true", "{ssh} {host} true", Role::Floor),
];

impl Competitor {
    /// The name of assetsync.
    pub const OURS: &str = "assetsync";

    /// The default competitors.
    #[must_use]
    pub fn default_competitors() -> Vec<Competitor> {
        let made = |(name, command, role): (&str, &str, Role)| Competitor {
            name: name.to_owned(),
            command: command.to_owned(),
            role,
        };
        DEFAULT.map(made).into()
    }

    /// Adds the user's own `command` to `field`, under a name made of its first words.
    pub fn join(field: &mut Vec<Competitor>, command: &str) {
        let taken = |name: &str| field.iter().any(|other| other.name == name);
        let short = shortened(command, NAME_WIDTH);
        let name = match taken(&short) {
            false => short,
            true => (2..)
                .map(|number| format!("{} {number}", shortened(command, NAME_WIDTH - 4)))
                .find(|name| !taken(name))
                .unwrap_or(short),
        };
        field.push(Competitor { name, command: command.to_owned(), role: Role::Mirror });
    }
}

/// The first words of `command` without its placeholders, in at most `width` characters.
fn shortened(command: &str, width: usize) -> String {
    let mut name = String::new();
    for word in command.split_whitespace().filter(|word| !word.contains('{')) {
        let length = name.chars().count() + 1 + word.chars().count();
        if !name.is_empty() && length > width {
            break;
        }
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(word);
    }
    let name: String = name.chars().filter(|c| !c.is_control()).take(width).collect();
    if name.is_empty() { "command".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let mut field = Competitor::default_competitors();
        for command in ["rsync -av {src}/ {dest}/", "rsync -av -W {src}/ {dest}/", "{ssh} {host}"] {
            Competitor::join(&mut field, command);
        }
        Competitor::join(&mut field, "rsync -av {src} {dest}");
        let names: Vec<_> = field.iter().map(|competitor| competitor.name.as_str()).collect();
        assert_eq!(names[6..], ["rsync -av 2", "rsync -av -W", "command", "rsync -av 3"]);
        assert!(names.iter().all(|name| name.chars().count() <= NAME_WIDTH));
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(shortened("/usr/local/bin/my-own-deploy --now", 17), "/usr/local/bin/my");
    }
}
