//! Reach a host and start the agent on it: child process, libssh2, any remote shell, SFTP.
