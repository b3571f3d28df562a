//! Looks whether a destination can be reached over SFTP.

use assetsync_ssh::Target;

use super::host::{self, SftpHost};
use super::locate;
use crate::connect::start_agent::ConnectOptions;
use crate::converse::survey::Survey;
use crate::error::PushError;
use crate::event::Monitor;

/// Looks whether a destination can be reached over SFTP, and changes nothing. There is no history,
/// and what may be written shows when it is.
pub fn look(
    target: &Target,
    connection: &ConnectOptions<'_>,
    monitor: &dyn Monitor,
) -> Result<Survey, PushError> {
    let Target::Remote(host) = target else { return Err(host::no_host()) };
    let mut remote = SftpHost::connect(host, connection, monitor)?;
    let path = std::os::unix::ffi::OsStrExt::as_bytes(host.path.as_os_str());
    locate::locate(&mut remote, path, None, false)?;
    let _ = remote.session.finish();
    let mut survey = Survey::default();
    survey.statistics.writable = true;
    Ok(survey)
}
