//! Secrets in commands are shown nowhere.

use super::version;
use crate::fleet::Fleet;

/// Settings in which a secret stands in an environment and in the texts of hooks.
fn with_secret(hook: &str) -> String {
    format!(
        "environment.API_TOKEN = \"hunter22\"\nbuild.environment.API_TOKEN = \"hunter22\"\n{hook}\n"
    )
}

#[test]
fn a_secret_in_a_command_that_fails_is_shown_nowhere() {
    let fleet = Fleet::of(1);
    version(&fleet, 1);
    for (words, setting) in [
        (
            "deploy production",
            "hooks.before_publish = [\"sh -c 'echo hunter22; exit 3' hunter22\"]",
        ),
        ("deploy production", "hooks.before_publish = [\"curl-that-is-not-there hunter22\"]"),
        ("deploy production", "hooks.before_publish = [\"echo 'hunter22\"]"),
        ("deploy production", "hooks.before_publish = [\"/hunter22 x\"]"),
        (
            "deploy production",
            "hooks.before_publish = [\"printf hunt; sleep 0; printf er22; false\"]",
        ),
        ("deploy production", "build.command = \"echo hunter22 >&2; exit 4\""),
        (
            "deploy production",
            "hooks.before_publish = [{ run = \"echo hunter22 >&2; exit 3\", roles = [\"web\"] }]",
        ),
        (
            "deploy production",
            "hooks.before_publish = [{ run = \"echo 'hunter22\", roles = [\"web\"] }]",
        ),
        ("deploy production", "restart.command = \"test hunter22 = x\""),
        (
            "deploy production",
            "hooks.before_publish = [\"false\"]\nhooks.on_failure = [\"test hunter22 = x\"]",
        ),
        ("config production", "hooks.before_publish = [\"notify --to hunter22\"]"),
    ] {
        fleet.configure(&with_secret(setting));
        for json in ["", " --json", " -v"] {
            if words.starts_with("config") && json == " -v" {
                continue;
            }
            let ran = fleet.run(&format!("{words}{json}"));
            let said = format!("{}{}", ran.stdout(), ran.stderr());
            assert!(!said.contains("hunter22"), "{setting}: {said}");
            let fails = words.starts_with("deploy");
            assert_eq!(ran.code(), Some(i32::from(fails)), "{setting}: {said}");
        }
    }
}
