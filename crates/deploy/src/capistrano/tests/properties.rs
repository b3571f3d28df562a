//! No text makes the reader panic, and whatever it makes of it is a file that our own reader takes.

use proptest::prelude::*;

use super::{file, files};
use crate::capistrano::{Files, convert};
use crate::config::ConfigFile;

fn exercise(files: &Files) {
    let text = convert(files, None).to_string();
    if let Err(error) = ConfigFile::parse("assetsync.toml", &text) {
        panic!("{error}\n{text}");
    }
}

/// Words and signs of Ruby, of which any number makes a file.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "set ",
            ":application",
            ":deploy_to",
            ":ssh_options",
            ":keep_assets",
            ":linked_dirs",
            "append ",
            "server ",
            "role ",
            "remove ",
            "fetch(",
            ":default_env",
            ":assets_roles",
            ":rbenv_ruby",
            ":puma_role",
            ", ",
            "\n",
            "; ",
            "do ",
            "end ",
            "if ",
            "-> {",
            "}",
            "{",
            "(",
            ")",
            "[",
            "]",
            "%w[",
            "%q(",
            "\"",
            "'",
            "#{",
            "<<~A\n",
            "=begin\n",
            "=end\n",
            "__END__\n",
            "\\",
            "/",
            "=> ",
            "a: ",
            "roles: ",
            "user: ",
            "keys: ",
            "nil ",
            "true ",
            "1 ",
            ".push(",
            "+ ",
            "* ",
            "::",
            "`",
            "?",
            "# ",
            "-x",
            "public/vite",
            "\u{0}",
            "\u{202e}",
            "ä",
        ])
        .prop_map(str::to_owned),
        "\"[ -~]{0,8}\"",
    ]
}

/// Settings with values of all kinds: nearly a recipe.
fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(crate::capistrano::known_variables::KNOWN_VARIABLES.to_vec());
    let value = prop_oneof![
        "\"[ -~äß/~$.-]{0,10}\"",
        "'[a-z/.-]{0,10}'",
        "%w\\[[a-z/. -]{0,20}\\]",
        "\\{ [a-z_]{1,8}: \"[ -~]{0,8}\", keys: %w\\[[a-z ]{0,8}\\] \\}",
        "-?[0-9]{1,25}",
        Just(":all".to_owned()),
        Just("true".to_owned()),
        Just("nil".to_owned()),
    ];
    (name, value).prop_map(|(name, value)| format!("set :{name}, {value}\n"))
}

fn server() -> impl Strategy<Value = String> {
    let address = "[a-z0-9.@:\\[\\]/ -]{0,16}";
    (address, "[a-z -]{0,8}", any::<u32>()).prop_map(|(address, role, port)| {
        format!(
            "server '{address}', roles: '{role}', user: '{role}', port: {port}, keys: ['{role}']\n"
        )
    })
}

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        exercise(&files(&text, &text, &[("production", &text)]));
    }

    #[test]
    fn ruby_like_text(words in prop::collection::vec(word(), 0..60)) {
        let text = words.concat();
        exercise(&files(&text, &text, &[("production", &text)]));
    }

    #[test]
    fn recipe_like_text(
        lines in prop::collection::vec(line(), 0..12),
        servers in prop::collection::vec(server(), 0..4),
        stage in "[a-z]{1,8}",
    ) {
        let capfile = "require 'capistrano/rbenv'\nrequire 'capistrano/puma'\n";
        exercise(&files(capfile, &lines.concat(), &[(&stage, &servers.concat())]));
    }
}

#[test]
fn names_of_stages_that_can_not_be() {
    let mut files = files("", "set :application, 'a'", &[]);
    files.stages = ["a b", "", "-", "ü", "a.b"]
        .map(|stage| (stage.to_owned(), file("config/deploy/x.rb", "server 'a', roles: %w[web]")))
        .to_vec();
    exercise(&files);
}
