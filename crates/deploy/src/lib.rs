//! Deploy steps over the assetsync engine: configuration, hosts, rollout, retention.
