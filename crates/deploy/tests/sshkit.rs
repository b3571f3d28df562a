//! Random commands, composed here and by the real SSHKit (`ruby-sshkit`, which Debian's capistrano
//! brings).

use std::io::Write;
use std::process::{Command, Stdio};

use assetsync_deploy::internals::{
    Bundler, Chruby, CommandMap, Environment, Invocation, Manager, Rbenv, Rvm, Umask, Value, line,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};

/// A command as given to both sides.
#[derive(Debug, Clone)]
struct Case {
    default_env: Vec<(String, String)>,
    env: Vec<(String, String)>,
    manager: Manager,
    bundle_bins: Vec<String>,
    command: String,
    args: Vec<String>,
    within: Option<String>,
    user: Option<String>,
    group: Option<String>,
    umask: Option<String>,
}

/// Names that are on lists, that are not, and that are a shell's own.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "rake", "gem", "rails", "ruby", "bundle", "puma", "pumactl", "rbenv", "rvm", "ls", "test",
        "if", "time", "exec", "/opt/x",
    ])
    .prop_map(str::to_owned)
}

/// Variables. SSHKit leaves `$(`, backticks and backslashes active, which we don't: those are
/// tested elsewhere.
fn variables() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = r#"([ -#%-\[\]-_a-zé~]|\$[A-Z_]|\$\{[a-z]\}){0,12}"#;
    vec(("[A-C]{1,2}", value.prop_map(|text: String| text.replace("$(", "("))), 0..4)
}

fn manager() -> impl Strategy<Value = Manager> {
    let bins = || vec(name(), 0..6);
    let path = r"(\$HOME|~|/usr/local)/[a-z .]{1,8}";
    let version = "[a-z0-9@._-]{1,10}";
    prop_oneof![
        Just(Manager::None),
        (path, option::of(version), bins()).prop_map(|(path, version, map_bins)| {
            Manager::Rbenv(Rbenv { path, version, prefix: None, map_bins })
        }),
        (version, bins()).prop_map(|(version, map_bins)| {
            Manager::Rvm(Rvm { version, map_bins, ..Rvm::default() })
        }),
        (version, bins()).prop_map(|(version, map_bins)| {
            Manager::Chruby(Chruby { map_bins, ..Chruby::new(&version) })
        }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let odd = || option::of("[ -~é\n]{1,12}");
    let what = (name(), vec("[a-zA-Z0-9_.,:+/@-]{1,10}", 0..4), vec(name(), 0..6), manager());
    let around = (odd(), odd(), odd(), option::of("[0-7]{1,4}"));
    (what, around, variables(), variables()).prop_map(|(what, around, default_env, env)| {
        let (command, args, bundle_bins, manager) = what;
        let (within, user, group, umask) = around;
        Case { default_env, env, manager, bundle_bins, command, args, within, user, group, umask }
    })
}

/// The list without repeated names: capistrano-bundler would write its prefix twice for them.
fn unique(names: &[String]) -> Vec<&String> {
    names.iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

fn pairs(variables: &[(String, String)]) -> Json {
    Json::from_iter(variables.iter().map(|(name, value)| json!([name, value])))
}

/// The settings that the tasks `map_bins` and `hook` of the plugins make in SSHKit.
fn manager_json(manager: &Manager) -> Json {
    match manager {
        Manager::None => Json::Null,
        Manager::Rbenv(rbenv) => json!({
            "environment": [["rbenv_root", rbenv.path], ["rbenv_version", rbenv.version]],
            "replaced": [["rbenv", format!("{}/bin/rbenv", unspaced(&rbenv.path))]],
            "bins": unique(&rbenv.map_bins),
            "prefix": format!("{}/bin/rbenv exec", unspaced(&rbenv.path)),
        }),
        Manager::Rvm(rvm) => json!({
            "environment": [],
            "replaced": [["rvm", format!("{}/bin/rvm", rvm.path)]],
            "bins": unique(&rvm.map_bins),
            "prefix": format!("{}/bin/rvm {} do", rvm.path, rvm.version),
        }),
        Manager::Chruby(chruby) => json!({
            "environment": [],
            "replaced": [],
            "bins": unique(&chruby.map_bins),
            "prefix": format!("{} {} --", chruby.exec, chruby.version),
        }),
    }
}

/// capistrano-rbenv writes its path unquoted, which fails for one with a space.
fn unspaced(path: &str) -> String {
    path.replace(' ', "\\ ")
}

impl Case {
    fn to_json(&self) -> Json {
        json!({
            "default_env": pairs(&self.default_env),
            "env": pairs(&self.env),
            "manager": manager_json(&self.manager),
            "bundle_bins": unique(&self.bundle_bins),
            "command": self.command,
            "args": self.args,
            "in": self.within,
            "user": self.user,
            "group": self.group,
            "umask": self.umask,
        })
    }

    fn line(&self) -> String {
        let bundler = Bundler { map_bins: self.bundle_bins.clone() };
        let map = CommandMap::new(environment(&self.default_env))
            .with_bundler(&bundler)
            .with_manager(&self.manager);
        let made = Invocation::program(&self.command);
        let mut invocation = self.args.iter().fold(made, |made, arg| made.arg(arg));
        invocation.within = self.within.clone();
        invocation.as_user = self.user.clone();
        invocation.as_group = self.group.clone();
        invocation.umask = self.umask.as_deref().map(|digits| Umask::new(digits).expect("octal"));
        invocation.with = environment(&self.env);
        line(&map, &invocation).expect("a good command")
    }
}

fn environment(variables: &[(String, String)]) -> Environment {
    let mut environment = Environment::new();
    for (name, value) in variables {
        environment.set(name, Value::Expanding(value.clone())).expect("a good name");
    }
    environment
}

fn real_lines(cases: &[Case]) -> Vec<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sshkit.rb");
    let mut ruby = Command::new("ruby")
        .args(["-E", "UTF-8", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("scripts/test-deps installs ruby and sshkit");
    let cases = Json::from_iter(cases.iter().map(Case::to_json)).to_string();
    // Dropped after writing, which ends ruby's input.
    ruby.stdin.take().expect("piped").write_all(cases.as_bytes()).expect("ruby reads");
    let output = ruby.wait_with_output().expect("ruby ends");
    assert!(output.status.success(), "sshkit is there, and took all cases");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON string")).collect()
}

#[test]
fn lines_are_sshkits() {
    let mut runner = TestRunner::deterministic();
    let cases = vec(case(), 1000).new_tree(&mut runner).expect("cases").current();
    let real = real_lines(&cases);
    assert_eq!(real.len(), cases.len());
    for (case, real) in cases.iter().zip(real) {
        assert_eq!(case.line(), real, "{case:?}");
    }
}
