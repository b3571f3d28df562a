//! The output of `assetsync config`.

use super::settings;

#[test]
fn every_value_with_its_origin() {
    let text = "\
application = \"shop\"
deploy_to = \"/srv/shop\"
[hooks]
after_publish = [\"a\", { run = \"b\", roles = [\"app\"], timeout = \"1m\" }]
[stages.production]
hosts = [{ address = \"web1.example.com\", roles = [\"app\", \"web\"], port = 22 }]
";
    let lines: Vec<String> = settings(text)
        .explain()
        .iter()
        .map(|one| format!("{} = {} # {}", one.key, one, one.origin))
        .collect();
    let entry_points = "[\".sprockets-manifest-*.json\", \"manifest*.json\", \".manifest.json\", \
         \"asset-manifest.json\", \"*.html\", \"*.htm\", \"sw.js\", \"service_worker.js\", \"service-worker.js\"]";
    let expected = format!(
        "\
application = \"shop\" # assetsync.toml:1:15
deploy_to = \"/srv/shop\" # assetsync.toml:2:13
shared_path = \"/srv/shop/shared\" # built in: {{deploy_to}}/shared
current_path = \"/srv/shop/current\" # built in: {{deploy_to}}/current
max_parallel = 8 # built in
build.cleanup = true # built in
build.environment.RAILS_ENV = \"production\" # built in
build.environment.NODE_ENV = \"production\" # built in
assets.source = \"public/assets\" # built in
assets.destination = \"public/assets\" # built in: {{assets.source}}
assets.roles = [\"web\"] # built in
assets.entry_points = {entry_points} # built in
assets.delete = \"retain\" # built in
assets.retention.keep = 3 # built in
assets.retention.max_age = \"7d\" # built in
assets.publish = \"files\" # built in
hooks.after_publish = [\"a\", {{ run = \"b\", roles = [\"app\"], timeout = \"1m\" }}] # assetsync.toml:4:17
restart.preset = \"none\" # built in
restart.phased = false # built in
restart.roles = [\"app\"] # built in
verify.on_failure = \"report\" # built in
timeouts.connect = \"15s\" # built in
timeouts.silence = \"60s\" # built in
timeouts.command = \"5m\" # built in
timeouts.build = \"1h\" # built in
timeouts.verify = \"30s\" # built in
bundler.bins = [\"gem\", \"rake\", \"rails\", \"puma\", \"pumactl\"] # built in
hosts.\"web1.example.com\".address = \"web1.example.com\" # assetsync.toml:6:10
hosts.\"web1.example.com\".roles = [\"app\", \"web\"] # assetsync.toml:6:51
hosts.\"web1.example.com\".ssh.port = 22 # assetsync.toml:6:73"
    );
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn buckets_with_their_settings() {
    let text = "\
application = \"shop\"
deploy_to = \"/srv/shop\"
[[stages.production.buckets]]
url = \"s3://assets/shop\"
endpoint = \"https://ada:hush@s3.example.com\"
encoding = \"br\"
headers = [\"*.pdf Expires: 0\", \"*.svg Expires: 0\"]
";
    let all = settings(text).explain();
    let lines = all.iter().filter(|one| one.key.starts_with("buckets."));
    let lines: Vec<String> =
        lines.map(|one| format!("{} = {} # {}", one.key, one, one.origin)).collect();
    let expected = "\
buckets.\"s3://assets/shop\".encoding = \"br\" # assetsync.toml:6:12
buckets.\"s3://assets/shop\".endpoint = \"(hidden)\" # assetsync.toml:5:12
buckets.\"s3://assets/shop\".url = \"s3://assets/shop\" # assetsync.toml:4:7
buckets.\"s3://assets/shop\".headers = [\"*.pdf Expires: 0\", \"*.svg Expires: 0\"] # assetsync.toml:7:12";
    assert_eq!(lines.join("\n"), expected);
}

#[test]
fn the_page_on_deploys_names_every_setting() {
    let page = include_str!("../../../../../docs/deploy.md");
    let missing: Vec<&str> = crate::config::schema::SETTINGS
        .iter()
        .map(|setting| setting.name)
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
