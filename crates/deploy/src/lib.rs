//! The place of the deploy steps over the engine: configuration, hosts, rollout, retention. Nothing is in it yet.
