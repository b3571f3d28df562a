//! Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02) as bytes.

/// Packet types.
pub(crate) mod kind {
    pub(crate) const INIT: u8 = 1;
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const WRITE: u8 = 6;
    pub(crate) const LSTAT: u8 = 7;
    pub(crate) const SETSTAT: u8 = 9;
    pub(crate) const FSETSTAT: u8 = 10;
    pub(crate) const OPENDIR: u8 = 11;
    pub(crate) const READDIR: u8 = 12;
    pub(crate) const REMOVE: u8 = 13;
    pub(crate) const MKDIR: u8 = 14;
    pub(crate) const RMDIR: u8 = 15;
    pub(crate) const REALPATH: u8 = 16;
    pub(crate) const STAT: u8 = 17;
    pub(crate) const RENAME: u8 = 18;
    pub(crate) const READLINK: u8 = 19;
    pub(crate) const SYMLINK: u8 = 20;
    pub(crate) const STATUS: u8 = 101;
    pub(crate) const HANDLE: u8 = 102;
    pub(crate) const NAME: u8 = 104;
    pub(crate) const ATTRS: u8 = 105;
    pub(crate) const EXTENDED: u8 = 200;
    pub(crate) const EXTENDED_REPLY: u8 = 201;
}

const HAS_SIZE: u32 = 1;
const HAS_OWNER: u32 = 2;
const HAS_MODE: u32 = 4;
const HAS_TIMES: u32 = 8;
const HAS_EXTENDED: u32 = 1 << 31;

/// Attributes of a file; servers may leave out each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Length in bytes.
    pub size: Option<u64>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
    /// File type and permission bits.
    pub mode: Option<u32>,
    /// Modification time in seconds since 1970.
    pub mtime: Option<u32>,
}

impl Attributes {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.has_type(0o040000)
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.has_type(0o100000)
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.has_type(0o120000)
    }

    fn has_type(&self, kind: u32) -> bool {
        self.mode.is_some_and(|mode| mode & 0o170000 == kind)
    }
}

/// Builds a packet; the length in front is filled in at the end.
pub(crate) struct Packet(Vec<u8>);

impl Packet {
    pub(crate) fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind])
    }

    /// A packet of a request, whose id [`Packet::with_id`] fills in.
    pub(crate) fn request(kind: u8) -> Self {
        Self::new(kind).u32(0)
    }

    pub(crate) fn with_id(mut self, id: u32) -> Self {
        self.0[5..9].copy_from_slice(&id.to_be_bytes());
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn string(self, value: &[u8]) -> Self {
        let mut packet = self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        packet.0.extend_from_slice(value);
        packet
    }

    /// Mode and times only: owner and size are not ours to set.
    pub(crate) fn attributes(self, mode: Option<u32>, mtime: Option<u32>) -> Self {
        let flags = mode.map_or(0, |_| HAS_MODE) | mtime.map_or(0, |_| HAS_TIMES);
        let packet = self.u32(flags);
        let packet = match mode {
            Some(mode) => packet.u32(mode),
            None => packet,
        };
        match mtime {
            Some(mtime) => packet.u32(mtime).u32(mtime),
            None => packet,
        }
    }

    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// Reads a received packet; none where it is too short.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (value, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*value))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (value, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*value))
    }

    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (value, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    pub(crate) fn attributes(&mut self) -> Option<Attributes> {
        let flags = self.u32()?;
        let mut attributes = Attributes::default();
        if flags & HAS_SIZE != 0 {
            attributes.size = Some(self.u64()?);
        }
        if flags & HAS_OWNER != 0 {
            attributes.owner = Some((self.u32()?, self.u32()?));
        }
        if flags & HAS_MODE != 0 {
            attributes.mode = Some(self.u32()?);
        }
        if flags & HAS_TIMES != 0 {
            let _atime = self.u32()?;
            attributes.mtime = Some(self.u32()?);
        }
        if flags & HAS_EXTENDED != 0 {
            for _ in 0..self.u32()? {
                self.string()?;
                self.string()?;
            }
        }
        Some(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_read_back() {
        let bytes = Packet::request(kind::SETSTAT)
            .with_id(7)
            .string(b"name")
            .attributes(Some(0o100644), Some(9))
            .into_bytes();
        assert_eq!(bytes[..5], [0, 0, 0, 29, kind::SETSTAT]);
        let mut fields = Fields(&bytes[5..]);
        assert_eq!(fields.u32(), Some(7));
        assert_eq!(fields.string(), Some(b"name".as_slice()));
        let read = fields.attributes().unwrap();
        assert_eq!((read.mode, read.mtime, read.size), (Some(0o100644), Some(9), None));
        assert!(read.is_file() && !read.is_dir() && !read.is_symlink());
        assert_eq!(fields.u32(), None);
    }

    #[test]
    fn short_and_lying_packets_are_refused() {
        for length in 0..12 {
            let mut bytes = [0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 1].to_vec();
            bytes.truncate(length);
            assert_eq!(Fields(&bytes).attributes(), None);
        }
        assert_eq!(Fields(&[255, 255, 255, 255, 1]).string(), None);
        assert_eq!(Fields(&[0x80, 0, 0, 0, 255, 255, 255, 255]).attributes(), None);
    }
}
