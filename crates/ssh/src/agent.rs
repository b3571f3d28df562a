//! An agent program for one platform, in the forms in which it is carried and sent.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use crc::{CRC_32_CKSUM, Crc, Table};
use flate2::Compression;
use flate2::write::GzEncoder;
use liblzma::read::XzDecoder;

/// Upper bound of an agent's size.
pub(crate) const SIZE_LIMIT: u64 = 64 << 20;

static CKSUM: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_CKSUM);

/// An agent program for one platform. It has at least one of `plain` and `xz`.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The kernel as `uname -s` prints it, such as `Linux`.
    pub kernel: Cow<'static, str>,
    /// The machine as `uname -m` prints it, such as `x86_64`.
    pub arch: Cow<'static, str>,
    /// `HASH.CRC.SIZE`, by which the host recognises the program: the first half of its BLAKE3
    /// hash, and what `cksum` prints.
    pub identity: Cow<'static, str>,
    /// The program, unless it has to be unpacked from `xz`.
    pub plain: Option<Cow<'static, [u8]>>,
    /// The program compressed by gzip, if the caller has that; otherwise it is compressed when
    /// needed.
    pub gzipped: Option<Cow<'static, [u8]>>,
    /// The program compressed by xz, if the caller has that: for hosts that can unpack it. It must
    /// be the same program, or the host asks for a second upload.
    pub xz: Option<Cow<'static, [u8]>>,
}

impl Agent {
    /// The agent that `program` is, uncompressed.
    pub fn new(kernel: String, arch: String, program: impl Into<Cow<'static, [u8]>>) -> Agent {
        let program = program.into();
        let identity = identity(&program).into();
        let (kernel, arch) = (kernel.into(), arch.into());
        Agent { kernel, arch, identity, plain: Some(program), gzipped: None, xz: None }
    }

    /// `KERNEL-ARCH`.
    pub fn platform(&self) -> String {
        format!("{}-{}", self.kernel, self.arch)
    }

    /// The size of the program in bytes.
    pub fn size(&self) -> u64 {
        self.identity.rsplit('.').next().and_then(|size| size.parse().ok()).unwrap_or(0)
    }

    /// The program, unpacked if need be.
    pub fn program(&self) -> io::Result<Cow<'_, [u8]>> {
        match (&self.plain, &self.xz) {
            (Some(plain), _) => Ok(Cow::Borrowed(plain)),
            (None, Some(packed)) => {
                let mut program = Vec::new();
                XzDecoder::new(&**packed).take(SIZE_LIMIT).read_to_end(&mut program)?;
                Ok(program.into())
            }
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(crate) fn pair(&self) -> String {
        format!("{}={}", self.platform(), self.identity)
    }

    pub(crate) fn gzipped(&self) -> io::Result<Cow<'_, [u8]>> {
        if let Some(gzipped) = &self.gzipped {
            return Ok(Cow::Borrowed(gzipped));
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.program()?)?;
        encoder.finish().map(Cow::Owned)
    }

    /// Platforms become words of a remote command, so unusual characters are refused.
    pub(crate) fn is_fit(&self) -> bool {
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(is_word_byte);
        is_word(&self.kernel) && is_word(&self.arch) && self.size() > 0
    }
}

/// `HASH.CRC.SIZE` of a program.
fn identity(program: &[u8]) -> String {
    let hash = blake3::hash(program).to_hex();
    format!("{}.{}.{}", &hash[..32], cksum(program), program.len())
}

/// The first number of POSIX `cksum`: a CRC over the bytes and then over their number.
fn cksum(bytes: &[u8]) -> u32 {
    let mut digest = CKSUM.digest();
    digest.update(bytes);
    let length = bytes.len().to_le_bytes();
    let used = length.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    digest.update(&length[..used]);
    digest.finalize()
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_checksum_is_that_of_cksum() {
        for size in [0, 1, 255, 256, 65_535, 65_536, 70_000] {
            let bytes: Vec<u8> = (0..size).map(|i: usize| (i * 31 % 251) as u8).collect();
            let mut child =
                Command::new("cksum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(&bytes).unwrap();
            let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
            assert_eq!(said.trim(), format!("{} {size}", cksum(&bytes)));
        }
    }

    #[test]
    fn a_program_carried_by_xz_alone_is_sent_in_every_form() {
        let plain = b"program".repeat(1000);
        let mut packed = Vec::new();
        let encoder = liblzma::write::XzEncoder::new(&mut packed, 6);
        { encoder }.write_all(&plain).unwrap();
        let known = Agent::new("Linux".into(), "x86_64".into(), plain.clone());
        let carried = Agent { plain: None, xz: Some(packed.into()), ..known.clone() };
        assert_eq!(*carried.program().unwrap(), plain);
        assert_eq!(carried.size(), 7000);
        assert_eq!(*carried.gzipped().unwrap(), *known.gzipped().unwrap());
        let damaged = Agent { xz: Some(b"no xz".as_slice().into()), ..carried.clone() };
        assert!(damaged.program().is_err() && damaged.gzipped().is_err());
    }
}
