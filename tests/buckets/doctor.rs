//! What doctor finds out about buckets, and what config shows of them.

use assetsync_testbed::s3::{KEY, S3Kind, S3Server, SECRET};
use serde_json::Value;

use super::deploys::{run, run_well, stage_of};
use super::{Ran, build, environment, keys};
use crate::support::{Machine, OrFail};

/// What is found out about the last destination.
fn last(ran: &Ran) -> Value {
    let found: Value = serde_json::from_str(&ran.stdout()).or_fail();
    found["destinations"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default()
}

#[test]
fn a_stage_with_a_bucket_is_looked_at_and_nothing_is_written() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let fleet = stage_of(1, server.port, "");
    let ran = run_well(&fleet, "doctor production --json");
    let found = last(&ran);
    assert_eq!(found["destination"], "s3://assets/shop");
    assert_eq!(found["state"], "no push has completed yet");
    assert!(keys(server.port).is_empty(), "{:?}", keys(server.port));
    build(&fleet.built(), 1);
    run_well(&fleet, "deploy production");
    let ran = run_well(&fleet, "doctor production");
    let shown = ran.stdout();
    for line in [
        "  pushed by    an agent, which is there and runs\n",
        &format!("  reached by   http://127.0.0.1:{}/assets/ in region us-east-1\n", server.port),
        "  credentials  AWS_ACCESS_KEY_ID in the environment\n",
        "  state        the last push left 5 objects\n",
        "  pushed by    requests of S3\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains(SECRET) && !shown.contains(KEY), "{shown}");
    let ran = run_well(&fleet, "doctor production --json --hosts s3://assets/shop");
    assert_eq!(
        (last(&ran)["transport"].as_str(), ran.stdout().matches("web1").count()),
        (Some("s3"), 0)
    );

    let missing = run(&fleet, "uninstall production --hosts s3://assets/shop");
    assert_eq!(missing.code(), Some(2), "{}", missing.stderr());
    let config = run_well(&fleet, "config production").stdout();
    assert!(config.contains("buckets.\"s3://assets/shop\".url = \"s3://assets/shop\""), "{config}");
}

#[test]
fn what_keeps_a_bucket_from_being_pushed_to_is_an_error() {
    let server = S3Server::start(S3Kind::SeaweedFs).or_fail();
    let machine = Machine::new();
    let look = |url: &str, secret: &str| {
        let mut command = machine.command(["doctor", "--json", url]);
        command.envs(environment()).env("AWS_SECRET_ACCESS_KEY", secret);
        Ran(command.env("AWS_ENDPOINT_URL", server.endpoint()).output().or_fail())
    };
    let good = look("s3://assets/shop", SECRET);
    assert_eq!(good.code(), Some(0), "{}{}", good.stdout(), good.stderr());
    assert_eq!(last(&good)["error"], Value::Null);
    for (url, secret, reason) in [
        ("s3://assets/shop", "other", "check AWS_ACCESS_KEY_ID"),
        ("s3://nowhere/shop", SECRET, "create the bucket first"),
    ] {
        let ran = look(url, secret);
        assert_eq!(ran.code(), Some(1), "{}", ran.stdout());
        let found = last(&ran);
        assert!(found["error"].as_str().is_some_and(|text| text.contains(reason)), "{found}");
        assert_eq!(found["transport"], Value::Null, "{found}");
    }
    let ran = look("s3://A", SECRET);
    assert_eq!(ran.code(), Some(2), "{}", ran.stdout());
}
