#!/usr/bin/env bash
# Deploys a stage from continuous integration: ci.sh STAGE, in the folder of assetsync.toml.
#
# Two secrets are needed, as variables: SSH_PRIVATE_KEY, which may log in to the hosts, and SSH_KNOWN_HOSTS, the lines
# of known_hosts for them. What is remembered goes to .assetsync-store, which the CI's cache carries from run to run.
set -euo pipefail

stage=${1:?"use: ci.sh STAGE"}
: "${SSH_PRIVATE_KEY:?"is not set: the private key that may log in to the hosts"}"
: "${SSH_KNOWN_HOSTS:?"is not set: the lines of known_hosts, as ssh-keyscan prints them once you have compared them"}"

umask 077
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
printf '%s\n' "$SSH_PRIVATE_KEY" >"$secrets/key"
printf '%s\n' "$SSH_KNOWN_HOSTS" >"$secrets/known_hosts"
cat >"$secrets/config" <<CONFIG
Host *
  IdentityFile "$secrets/key"
  IdentitiesOnly yes
  UserKnownHostsFile "$secrets/known_hosts"
  BatchMode yes
CONFIG

# Neither is for the build to see.
unset SSH_PRIVATE_KEY SSH_KNOWN_HOSTS
umask 022
assetsync deploy "$stage" --store .assetsync-store --set ssh.config="$secrets/config"
