//! Real parts for tests and benchmarks: a throw-away sshd, a link, trees and referees.
