//! Promise: completions and manual pages know everything that can be typed.

use std::fs;

use crate::support::{Machine, OrFail, scratch};

#[test]
fn completions_know_stages_hosts_and_directories() {
    let (machine, dir) = (Machine::new(), scratch());
    let host = |stage: &str, address: &str| {
        format!("[[stages.{stage}.hosts]]\naddress = \"{address}\"\nroles = [\"web\"]\n")
    };
    let settings = [
        "application = \"shop\"\ndeploy_to = \"/srv/shop\"\n".to_owned(),
        host("production", "web1.example.com"),
        host("staging", "web9.example.com"),
    ];
    fs::write(dir.path().join("assetsync.toml"), settings.concat()).or_fail();
    fs::create_dir(dir.path().join("dist")).or_fail();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = machine.run(["completions", shell]);
        assert!(ran.code() == Some(0) && ran.stdout().contains("assetsync"), "{shell}");
    }
    let complete = |words: &[&str]| {
        let mut command = machine.command(["--"].iter().chain(words));
        command.env("_ASSETSYNC_COMPLETE", "bash").current_dir(dir.path());
        command.env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
        command.env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
        let output = command.output().or_fail();
        // Candidates end with vertical tabs or line feeds, as the shell asks.
        let found = String::from_utf8(output.stdout).or_fail();
        found.split(['\u{b}', '\n']).map(str::to_owned).collect::<Vec<_>>()
    };
    let commands = complete(&["assetsync", ""]);
    assert!(commands.contains(&"deploy".into()) && !commands.contains(&"bench-session".into()));
    assert_eq!(complete(&["assetsync", "deploy", "pro"]), ["production"]);
    assert_eq!(complete(&["assetsync", "push", "st"]), ["staging"]);
    assert_eq!(complete(&["assetsync", "push", "di"]), ["dist/"]);
    assert_eq!(complete(&["assetsync", "uninstall", "st"]), ["staging"]);
    assert_eq!(complete(&["assetsync", "explain", "pro"]), ["production"]);
    let hosts = ["web1.example.com", "web9.example.com"];
    assert_eq!(complete(&["assetsync", "deploy", "production", "--hosts", "web"]), hosts);
    let options = complete(&["assetsync", "push", "--"]);
    assert!(options.contains(&"--max-delete".into()) && !options.contains(&"--archive".into()));
}

#[test]
fn manual_pages_have_every_command_and_setting() {
    let machine = Machine::new();
    let page = machine.run(["man"]).stdout().replace("\\-", "-");
    let sections =
        ["ASSETSYNC PUSH", "ASSETSYNC DEPLOY", "ASSETSYNC STORE", "FILES", "ENVIRONMENT"];
    for section in sections.iter().chain(&["EXAMPLES", "EXIT STATUS", "SEE ALSO"]) {
        let heading = [format!(".SH \"{section}\"\n"), format!(".SH {section}\n")];
        assert!(heading.iter().any(|heading| page.contains(heading)), "{section}: {page}");
    }
    for part in [".TH assetsync", "--bwlimit", "--keep-going", "ASSETSYNC_STORE", "public/assets"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("archive"), "hidden options are not in the page");
    let settings = machine.run(["man", "assetsync.toml"]).stdout();
    assert!(settings.contains(".TH assetsync.toml 5"), "{settings}");
    assert!(settings.contains("assets.retention.max_age"), "{settings}");
}
