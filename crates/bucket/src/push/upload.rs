//! Sends the content of one file: at once, or in parts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use assetsync_core::digest::Digest;
use assetsync_sync::{PushError, Source};
use md5::{Digest as _, Md5};

use super::session::Session;
use super::survey::hex;
use crate::error::BucketError;
use crate::headers::Headers;
use crate::objects::{Condition, Objects, Written};
use crate::plan::wanted::Wanted;
use crate::plan::{CopySource, How, Step};

/// The largest content that is sent at once, and the size of a part.
const PART: u64 = 8 << 20;

/// The most parts that servers take.
const PARTS: u64 = 10_000;

/// Puts an object where none is. `put` are the ETags of what this push has put to its place.
pub fn put_new(
    session: &Session<'_>,
    step: &Step,
    put: &BTreeMap<String, String>,
) -> Result<String, BucketError> {
    let Step { path, wanted, how, .. } = step;
    let headers = &wanted.headers;
    if let How::Copy(from) = how {
        return copy(session, from, step, put);
    }
    let place = (path.as_str(), headers, Condition::IfMissing);
    let etag = upload(&session.objects, session.source, wanted, place)?;
    session.progress.sent(wanted.size);
    Ok(etag)
}

/// Has the server copy an object to the place of a step, unless another program has changed it.
pub fn copy(
    session: &Session<'_>,
    from: &CopySource,
    step: &Step,
    put: &BTreeMap<String, String>,
) -> Result<String, BucketError> {
    let etag = from.etag.as_ref().or_else(|| put.get(&from.path)).map(String::as_str);
    match session.objects.copy(&from.path, &step.path, Some(&step.wanted.headers), etag)? {
        Written::Done(etag) => Ok(etag),
        Written::Refused => Err(BucketError::Changed(from.path.clone())),
    }
}

/// Sends a content to `path`. If there already is an object where there should be none, it is
/// taken if it has the same content; else another program is at work.
pub fn upload(
    objects: &Objects<'_>,
    source: &Source,
    wanted: &Wanted,
    (path, headers, condition): (&str, &Headers, Condition<'_>),
) -> Result<String, BucketError> {
    if wanted.size > PART {
        return in_parts(objects, source, wanted, (path, headers, condition));
    }
    let content = read(source, wanted)?;
    match objects.put(path, &content, headers, condition)? {
        Written::Done(etag) => Ok(etag),
        Written::Refused => adopt(objects, path, headers, &hex(&Md5::digest(&content))),
    }
}

/// Takes the object that is there, if it has this content: an earlier try, or an earlier push, has
/// sent it.
fn adopt(
    objects: &Objects<'_>,
    path: &str,
    headers: &Headers,
    md5: &str,
) -> Result<String, BucketError> {
    let changed = || BucketError::Changed(path.to_owned());
    if objects.etag(path)?.as_deref() != Some(md5) {
        return Err(changed());
    }
    match objects.copy(path, path, Some(headers), Some(md5))? {
        Written::Done(etag) => Ok(etag),
        Written::Refused => Err(changed()),
    }
}

fn changing(wanted: &Wanted, source: io::Error) -> BucketError {
    PushError::Changing { path: wanted.source.to_string(), source }.into()
}

fn changed(wanted: &Wanted) -> BucketError {
    changing(wanted, io::Error::other("it is not as it was when it was read"))
}

fn read(source: &Source, wanted: &Wanted) -> Result<Vec<u8>, BucketError> {
    let file = source.open(&wanted.source).map_err(|error| changing(wanted, error))?;
    let mut content = Vec::with_capacity(wanted.size as usize);
    let read = file.take(wanted.size + 1).read_to_end(&mut content);
    read.map_err(|error| changing(wanted, error))?;
    match Digest::of(&content) == wanted.digest {
        true => Ok(content),
        false => Err(changed(wanted)),
    }
}

fn in_parts(
    objects: &Objects<'_>,
    source: &Source,
    wanted: &Wanted,
    (path, headers, condition): (&str, &Headers, Condition<'_>),
) -> Result<String, BucketError> {
    let upload = objects.begin_parts(path, headers)?;
    let file = source.open(&wanted.source).map_err(|error| changing(wanted, error));
    let parts = file.and_then(|file| send_parts(objects, wanted, (path, &upload), file));
    let ended = parts.and_then(|etags| Ok(objects.end_parts(path, &upload, &etags, condition)?));
    match ended {
        Ok(Written::Done(etag)) => Ok(etag),
        other => {
            // Parts that stay cost money; but the failure is what matters.
            let _ = objects.abort_parts(path, &upload);
            other.and_then(|_| Err(BucketError::Changed(path.to_owned())))
        }
    }
}

/// Sends the parts of a file, one after the other; other files are sent meanwhile.
fn send_parts(
    objects: &Objects<'_>,
    wanted: &Wanted,
    (path, upload): (&str, &str),
    mut file: File,
) -> Result<Vec<String>, BucketError> {
    let size = PART.max(wanted.size.div_ceil(PARTS));
    let (mut hasher, mut etags, mut sent) = (blake3::Hasher::new(), Vec::new(), 0);
    while sent < wanted.size {
        let mut part = Vec::new();
        let read = (&mut file).take(size.min(wanted.size - sent)).read_to_end(&mut part);
        if read.map_err(|error| changing(wanted, error))? == 0 {
            return Err(changed(wanted));
        }
        hasher.update(&part);
        sent += part.len() as u64;
        etags.push(objects.put_part(path, upload, etags.len() + 1, &part)?);
    }
    match Digest(*hasher.finalize().as_bytes()) == wanted.digest {
        true => Ok(etags),
        false => Err(changed(wanted)),
    }
}
