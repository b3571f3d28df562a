//! No text makes the reader panic, and what it accepts it can explain.

use proptest::prelude::*;

use crate::config::{ConfigFile, Overrides};

/// Lines that are nearly right, of which any number makes a file.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "application",
        "deploy_to",
        "shared_path",
        "assets.source",
        "assets.vite.source",
        "assets.retention.keep",
        "assets.retention.max_age",
        "hooks.before_build",
        "rbenv.map_bins",
        "rbenv.map_bins.append",
        "ssh.port",
        "environment.API_KEY",
        "restart.preset",
        "hosts",
        "stages.x.hosts",
        "stages.x.assets.roles",
        "stages.x.deploy_to",
        "[stages.x]",
        "[assets]",
        "[[stages.x.hosts]]",
        "address",
        "roles",
    ]);
    let value = prop_oneof![
        Just("\"web1\"".to_owned()),
        Just("[\"web1\", \"deploy@web2:22\", { address = \"a\", port = 3 }]".to_owned()),
        Just("{ append = [\"a\"], remove = [\"b\"] }".to_owned()),
        Just("\"7d\"".to_owned()),
        Just("3".to_owned()),
        Just("true".to_owned()),
        "\"[ -~äß\u{200e}]{0,12}\"",
        "[\\[\\]{}\"'=,. \\\\0-9a-z]{0,12}",
    ];
    (key, value).prop_map(|(key, value)| match key.starts_with('[') {
        true => key.to_owned(),
        false => format!("{key} = {value}"),
    })
}

/// Runs a file through all functions.
fn exercise(text: &str, overrides: &Overrides) {
    let file = match ConfigFile::parse("assetsync.toml", text) {
        Ok(file) => file,
        Err(problems) => {
            assert!(!problems.0.is_empty());
            assert!(!problems.to_string().is_empty());
            return;
        }
    };
    let stages: Vec<String> = file.stages().map(str::to_owned).collect();
    for stage in stages.iter().map(|stage| Some(stage.as_str())).chain([None]) {
        match file.resolve(stage, overrides) {
            Err(problems) => assert!(!problems.to_string().is_empty()),
            Ok(settings) => {
                settings.explain().iter().for_each(|one| assert!(!one.key.is_empty()));
                settings.warnings().iter().for_each(|one| assert!(!one.to_string().is_empty()));
                if let Err(problems) = settings.deployment() {
                    assert!(!problems.to_string().is_empty());
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text(text in "\\PC{0,200}") {
        exercise(&text, &Overrides::default());
    }

    #[test]
    fn any_bytes_that_are_text(text in any::<String>()) {
        exercise(&text, &Overrides::default());
    }

    #[test]
    fn nearly_right_files(lines in prop::collection::vec(line(), 0..20)) {
        exercise(&lines.join("\n"), &Overrides::default());
    }

    #[test]
    fn any_overrides(
        names in prop::collection::vec("ASSETSYNC_[A-Z_]{0,30}", 0..4),
        value in "\\PC{0,20}",
        arguments in prop::collection::vec("[a-z_.]{0,20}=?\\PC{0,10}", 0..4),
    ) {
        let environment = names.into_iter().map(|name| (name, value.clone())).collect();
        exercise(&super::with(""), &Overrides { environment, arguments });
    }
}

#[test]
fn deep_and_wide_files() {
    for text in [
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        format!("stages.x.hosts = [{}]", "\"web1\",".repeat(300)),
    ] {
        exercise(&text, &Overrides::default());
    }
}
